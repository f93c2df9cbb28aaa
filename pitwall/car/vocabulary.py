"""What car.yaml may say: for each key what it takes, how that is read, and what it does.

Law: this is the one place that lists a section's keys.  Reading refuses every other, and `pitwall.car.schema` is made
of the same tables; what a derived channel takes stands in `pitwall.car.derived`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pitwall.car import units
from pitwall.car.document import Entry
from pitwall.car.steps import MAX_DESPIKE, MAX_TABLE, MAX_ZERO_S, Despike, Limits, Table

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
    keys = entry.mapping(DESPIKE)
    for name in DESPIKE:
        if name not in keys:
            entry.problem(f"the key {name!r} is missing", "{by: how far off, of: the median of how many}")
    found = read(keys, DESPIKE)
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


def _quantity(wanted: str, most: float = math.inf) -> Kind:
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
FILES: Final = Kind(
    lambda entry: list(entry.items()),
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}]},
)

DESPIKE: Final[Mapping[str, Key]] = {
    "by": Key(POSITIVE, "how far a value may be from the median of those before it, in the channel's unit"),
    "of": Key(
        Kind(_of, {"type": "integer", "enum": list(range(3, MAX_DESPIKE + 1, 2))}),
        f"of how many values before it: odd, 3 to {MAX_DESPIKE}",
    ),
}

BUS: Final[Mapping[str, Key]] = {
    "dbc": Key(FILES, "a DBC file, or a list of them"),
    "interface": Key(TEXT, "how python-can opens it: socketcan, slcan, …"),
    "channel": Key(TEXT, "what python-can opens: can0, /dev/ttyACM0, …"),
    "bitrate": Key(BITRATE, "bits a second"),
    "data_bitrate": Key(BITRATE, "bits a second of CAN FD's data phase; needs fd: true"),
    "fd": Key(TRUTH, "whether it is CAN FD"),
}
"""What `buses:` may say of each bus."""

CHANNEL: Final[Mapping[str, Key]] = {
    "from": Key(TEXT, "the signal: name, Message.name or bus.Message.name"),
    "signal_unit": Key(UNIT, "the unit that the signal has, where its DBC says none or a wrong one"),
    "table": Key(
        Kind(_table, {"type": "array", "items": _POINT, "minItems": 2, "maxItems": MAX_TABLE}),
        "calibration: [[raw, value], …], linear between, constant beyond its ends",
    ),
    "unit": Key(UNIT, "the unit that is wanted, or none"),
    "sign": Key(Kind(_sign, {"enum": [1, -1]}), "1 or -1"),
    "scale": Key(Kind(_scale, {"type": "number", "not": {"const": 0}}), "a factor"),
    "offset": Key(NUMBER, "added last, in the channel's unit"),
    "limits": Key(Kind(_limits, _POINT), "[low, high]: a value outside is missing"),
    "despike": Key(
        Kind(
            _despike,
            {
                "type": "object",
                "properties": {name: key.kind.schema for name, key in DESPIKE.items()},
                "required": list(DESPIKE),
                "additionalProperties": False,
            },
        ),
        "{by: x, of: n}: a value more than x from the median of the n before it is missing",
    ),
    "zero": Key(_quantity("s", MAX_ZERO_S), "seconds of standstill whose mean is taken off"),
    "low_pass": Key(_quantity("Hz"), "the cut-off of a first-order low pass, in Hz"),
    "hold": Key(_quantity("s"), "seconds after which a value is stale"),
}
"""What `channels:` may say of each channel, in the order in which it is done."""

ABOUT: Final = ("name", "make", "model", "chassis", "engine", "year", "about", "number", "driver", "team")
"""What `car:` usually says; it may say other things."""

SECTIONS: Final[Mapping[str, str]] = {
    "car": "free words about it",
    "buses": "the CAN buses of the car, and what they carry",
    "channels": "signals under better names, in better units",
    "derived": "channels computed from others",
    "roles": "which channel is what to those who analyse laps",
}

ROLES: Final = (
    "altitude",
    "ambient_temp",
    "battery",
    "brake",
    "brake_switch",
    "clutch",
    "coolant_temp",
    "distance",
    "fuel",
    "g_lat",
    "g_long",
    "g_vert",
    "gear",
    "heading",
    "lat",
    "lon",
    "oil_press",
    "oil_temp",
    "pitch_rate",
    "roll_rate",
    "rpm",
    "satellites",
    "speed",
    "steering",
    "throttle",
    "water_temp",
    "wheel_speed_fl",
    "wheel_speed_fr",
    "wheel_speed_rl",
    "wheel_speed_rr",
    "yaw_rate",
)
"""What a channel may be to those who analyse: `roles:` says which channel plays which."""
