"""The kinds of values that car.yaml holds: an entry in, what it means out, and the same as JSON Schema.

Law: what is no such value is a problem of its entry, said where it is read, and is None from there on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pitwall.car import units
from pitwall.car.document import Entry
from pitwall.car.steps import MAX_DESPIKE, MAX_TABLE, Despike, Limits, Table

NO_UNIT: Final = "none"
"""What says that something has no unit, for nothing at all says nothing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value may be.  read: the value of an entry; None, and a problem, where it is something else.

    schema: the same in JSON Schema, as far as that can say it.
    """

    read: Callable[[Entry], Any]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """kind: what it takes.  about: what it does, on one line."""

    kind: Kind
    about: str


def read(entries: Mapping[str, Entry], keys: Mapping[str, Key]) -> dict[str, Any]:
    """The values of those entries that are there; None, and a problem, for what is no such value."""
    return {name: keys[name].kind.read(entry) for name, entry in entries.items() if name in keys}


def closed(keys: Mapping[str, Key], required: Iterable[str] = ()) -> dict[str, Any]:
    """The JSON Schema of a mapping of these keys, and no other."""
    return {
        "type": "object",
        "properties": {name: {"description": key.about, **key.kind.schema} for name, key in keys.items()},
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }


def known_unit(entry: Entry, unit: str) -> bool:
    """Whether anyone knows that unit; if not, that is a problem of `entry`."""
    try:
        units.meaning(unit)
    except units.UnitError as error:
        entry.problem(error.what, error.hint)
        return False
    return True


def unit(entry: Entry) -> str | None:
    """A unit that somebody knows, "" for `none`; None, and a problem, for anything else."""
    text = "" if entry.empty else entry.text()
    if text is None:
        return None
    if not text.strip():
        entry.problem("a unit is expected here", f"{NO_UNIT}, where it has none")
        return None
    if text.strip().casefold() == NO_UNIT:
        return ""
    return text if known_unit(entry, text) else None


def _sign(entry: Entry) -> float | None:
    sign = entry.number()
    if sign is not None and sign not in (1.0, -1.0):
        entry.problem(f"must be 1 or -1, and is {sign:g}", "scale: takes any number")
        return None
    return sign


def _scale(entry: Entry) -> float | None:
    scale = entry.number()
    if scale == 0.0:
        entry.problem("0 would make every value 0")
        return None
    return scale


def _limits(entry: Entry) -> Limits | None:
    pair = _numbers(entry, "two numbers are expected here: [low, high]", 2)
    if pair is None:
        return None
    low, high = pair
    if low >= high:
        entry.problem(f"{low:g} is not below {high:g}, so that every value would be missing", "[low, high]")
        return None
    return Limits(low, high)


def _table(entry: Entry) -> Table | None:
    what = "pairs of numbers are expected here: [[raw, value], …]"
    points = [_numbers(item, what, 2) for item in entry.items()]
    known = [point for point in points if point is not None]
    if len(known) < len(points):
        return None
    if not 2 <= len(known) <= MAX_TABLE:
        entry.problem(f"a table has 2 to {MAX_TABLE} points, and this one {len(known)}", "[[raw, value], …]")
        return None
    raw, values = (tuple(column) for column in zip(*known, strict=True))
    behind = next((i for i in range(1, len(raw)) if raw[i] <= raw[i - 1]), None)
    if behind is not None:
        entry.problem(f"raw values must rise, and {raw[behind]:g} comes behind {raw[behind - 1]:g}")
        return None
    if len(set(values)) == 1:
        entry.problem(f"would make every value {values[0]:g}")
        return None
    return Table(raw, values)


def _despike(entry: Entry) -> Despike | None:
    keys = entry.mapping(DESPIKE_KEYS)
    for name in DESPIKE_KEYS:
        if name not in keys:
            entry.problem(f"the key {name!r} is missing", "{by: how far off, of: the median of how many}")
    found = read(keys, DESPIKE_KEYS)
    if found.get("by") is None or found.get("of") is None:
        return None
    return Despike(found["by"], found["of"])


def _of(entry: Entry) -> int | None:
    of = entry.whole()
    if of is not None and not (3 <= of <= MAX_DESPIKE and of % 2):
        entry.problem(f"must be odd, 3 to {MAX_DESPIKE}, and is {of}", "it is the middle one that counts")
        return None
    return of


def _numbers(entry: Entry, what: str, count: int) -> list[float] | None:
    items = list(entry.items())
    if len(items) != count:
        entry.problem(what)
        return None
    numbers = [item.number() for item in items]
    known = [number for number in numbers if number is not None]
    return known if len(known) == count else None


_QUANTITY: Final = r"^\s*\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(\s+\S.*)?$"
"""A number that is not negative, and perhaps its unit."""


def quantity(wanted: str, most: float = math.inf) -> Kind:
    """A positive number, in the unit `wanted` or in the unit that it says."""

    def reading(entry: Entry) -> float | None:
        text = entry.text()
        if text is None:
            return None
        try:
            value = units.quantity(text, wanted)
        except units.UnitError as error:
            entry.problem(error.what, error.hint)
            return None
        except ValueError:
            entry.problem(f"a number, with or without a unit, is expected here, not {text!r}", f"1 {wanted}")
            return None
        if not 0 < value < math.inf:
            entry.problem(f"must be greater than 0, and is {text}")
            return None
        if round(value * 1e9) < 1:
            entry.problem(f"must be at least 1e-09 {wanted}, and is {text}")
            return None
        if value > most:
            entry.problem(f"must be at most {most:g} {wanted}, and is {text}")
            return None
        return value

    return Kind(
        reading,
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _QUANTITY}]},
    )


_NUMBER: Final[Mapping[str, Any]] = {"type": "number"}
_POINT: Final = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}

TEXT: Final = Kind(Entry.text, {"type": ["string", "number", "boolean"]})
UNIT: Final = Kind(unit, {"type": ["string", "number"], "minLength": 1})
NUMBER: Final = Kind(Entry.number, _NUMBER)
POSITIVE: Final = Kind(lambda entry: entry.number(above=0), {"type": "number", "exclusiveMinimum": 0})
BITRATE: Final = Kind(lambda entry: entry.whole(above=0), {"type": "integer", "minimum": 1})
TRUTH: Final = Kind(Entry.truth, {"type": "boolean"})
SIGN: Final = Kind(_sign, {"enum": [1, -1]})
SCALE: Final = Kind(_scale, {"type": "number", "not": {"const": 0}})
LIMITS: Final = Kind(_limits, _POINT)
TABLE: Final = Kind(_table, {"type": "array", "items": _POINT, "minItems": 2, "maxItems": MAX_TABLE})
FILES: Final = Kind(
    lambda entry: list(entry.items()),
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}]},
)

DESPIKE_KEYS: Final[Mapping[str, Key]] = {
    "by": Key(POSITIVE, "how far a value may be from the median of those before it, in the channel's unit"),
    "of": Key(
        Kind(_of, {"type": "integer", "enum": list(range(3, MAX_DESPIKE + 1, 2))}),
        f"of how many values before it: odd, 3 to {MAX_DESPIKE}",
    ),
}

DESPIKE: Final = Kind(
    _despike,
    closed(DESPIKE_KEYS, DESPIKE_KEYS),
)
