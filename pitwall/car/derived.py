"""The section `derived:` in, derived channels out, each after all that it reads.

Each is either an expression (`expr: "hypot(g_lat, g_long)"`) or a method with parameters (`method: gear_ratio`): a new
method is a rule in `definition.py`, a reader in METHODS here, and its arithmetic in `pitwall.derive.methods`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pitwall.car import units
from pitwall.car.channels import is_name, known_unit
from pitwall.car.definition import Derived
from pitwall.car.document import Entry, suggestion
from pitwall.car.expression import ExpressionError, parse
from pitwall.car.rules import Distance, GearRatio, Rule

MIN_SPEED: Final = "5 km/h"
"""Below it wheel speed says too little of the gear."""

MAX_GEARS: Final = 16

MAX_DERIVED: Final = 500  # putting them in order recurses once a channel


@dataclass(frozen=True)
class Known:
    """The channels that a derived one may read.

    units: of each; None where its own definition is wrong (which is said there, and only there).
    complete: whether these are all; if a DBC could not be read, an unknown name is no problem.
    """

    units: Mapping[str, str | None]
    complete: bool = True

    def check(self, name: str, entry: Entry) -> None:
        """A problem of `entry` where there can be no channel `name`."""
        if self.complete and name not in self.units:
            entry.problem(f"there is no channel {name!r}", suggestion(name, self.units))


@dataclass(frozen=True)
class Parameters:
    """The keys of one derived channel, and the channels that it may read."""

    entry: Entry
    keys: Mapping[str, Entry]
    known: Known

    def channel(self, key: str) -> str | None:
        """The channel that `key` names; None, and a problem, where there is none."""
        entry = self._given(key)
        name = None if entry is None else entry.text()
        if entry is None or name is None:
            return None
        self.known.check(name, entry)
        return name if self.known.units.get(name) is not None else None

    def factor(self, key: str, channel: str | None, wanted: str) -> float | None:
        """From the unit of `channel` to `wanted`; None, and a problem of `key`, where it does not convert."""
        if channel is None:
            return None
        unit = self.known.units[channel]
        assert unit is not None, "see `channel`"
        try:
            factor, bias = units.conversion(unit, wanted)
        except units.UnitError as error:
            self.keys[key].problem(
                f"{channel!r} is in {unit or 'no unit'!r}, and must convert to {wanted!r}", error.hint
            )
            return None
        assert not bias, "no method takes a temperature"
        return float(factor)

    def quantity(self, key: str, wanted: str, default: str | None = None) -> float | None:
        """A positive number, in the unit `wanted` or in the unit that it says: `5 km/h`."""
        entry = self.keys.get(key) if default is not None else self._given(key)
        text = default if entry is None else entry.text()
        if text is None:
            return None
        try:
            value = units.quantity(text, wanted)
        except units.UnitError as error:
            self._blamed(entry).problem(error.what, error.hint)
            return None
        except ValueError:
            self._blamed(entry).problem(f"a number, with or without a unit, is expected here, not {text!r}")
            return None
        if not 0 < value < float("inf"):
            self._blamed(entry).problem(f"must be greater than 0, and is {text}")
            return None
        return value

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """A list of positive numbers, at least one."""
        entry = self._given(key)
        if entry is None:
            return None
        values = [item.number(above=0) for item in entry.items()]
        if not values or len(values) > MAX_GEARS:
            entry.problem(f"1 to {MAX_GEARS} numbers are expected here, not {len(values)}")
            return None
        known = tuple(value for value in values if value is not None)
        return known if len(known) == len(values) else None

    def number(self, key: str) -> float | None:
        """A positive number."""
        entry = self._given(key)
        return None if entry is None else entry.number(above=0)

    def _given(self, key: str) -> Entry | None:
        if key not in self.keys:
            self.entry.problem(f"the key {key!r} is missing")
        return self.keys.get(key)

    def _blamed(self, entry: Entry | None) -> Entry:
        return self.entry if entry is None else entry


def _gear_ratio(parameters: Parameters, unit: str) -> Rule | None:
    rpm, speed = parameters.channel("rpm"), parameters.channel("speed")
    rpm_factor = parameters.factor("rpm", rpm, "rpm")
    speed_factor = parameters.factor("speed", speed, "m/s")
    ratios = parameters.numbers("ratios")
    final_drive = parameters.number("final_drive")
    circumference = parameters.quantity("tyre_circumference", "m")
    min_speed = parameters.quantity("min_speed", "m/s", MIN_SPEED)
    if unit:
        parameters.keys["unit"].problem("a gear has no unit")
    if rpm is None or speed is None or rpm_factor is None or speed_factor is None or ratios is None:
        return None
    if final_drive is None or circumference is None or min_speed is None:
        return None
    return GearRatio(rpm, speed, ratios, final_drive, circumference, min_speed, rpm_factor, speed_factor)


def _distance(parameters: Parameters, unit: str) -> Rule | None:
    speed = parameters.channel("speed")
    speed_factor = parameters.factor("speed", speed, "m/s")
    try:
        metres = units.conversion("m", unit)[0]
    except units.UnitError as error:
        parameters.keys["unit"].problem(f"{unit!r} is no unit of distance", error.hint)
        return None
    return None if speed is None or speed_factor is None else Distance(speed, float(metres) * speed_factor)


@dataclass(frozen=True)
class Method:
    """keys: its parameters.  unit: of what it gives, where the definition doesn't say."""

    keys: tuple[str, ...]
    unit: str
    read: Callable[[Parameters, str], Rule | None]


METHODS: Final = {
    "gear_ratio": Method(("rpm", "speed", "ratios", "final_drive", "tyre_circumference", "min_speed"), "", _gear_ratio),
    "distance": Method(("speed",), "m", _distance),
}


def derived(section: Entry | None, measured: Known) -> list[Derived]:
    """The channels of the section `derived:`, each after its inputs.  measured: the channels that signals give."""
    entries = {} if section is None else section.mapping()
    declared = {name: (entry, _keys(entry)) for name, entry in entries.items() if is_name(entry, name)}
    if len(declared) > MAX_DERIVED and section is not None:
        section.problem(f"{len(declared)} derived channels; at most {MAX_DERIVED} are allowed")
        return []
    own_units = {name: _unit(keys) for name, (_, keys) in declared.items()}
    known = Known({**measured.units, **own_units}, measured.complete)
    found: dict[str, tuple[Entry, Derived]] = {}
    for name, (entry, keys) in declared.items():
        rule = _rule(Parameters(entry, keys, known), own_units[name])
        if rule is not None:
            found[name] = (entry, Derived(name, own_units[name], rule, _source(keys)))
    return _ordered(found)


def _keys(entry: Entry) -> dict[str, Entry]:
    """The keys of a derived channel, those of its method included."""
    allowed: Iterable[str] = ("expr", "method", "unit")
    for key, value in entry.mapping().items():
        if key == "method" and value.text() in METHODS:
            allowed = ("method", "unit", *METHODS[str(value.text())].keys)
        elif key == "expr":
            allowed = ("expr", "unit")
            break
    return entry.mapping(allowed)


def _unit(keys: Mapping[str, Entry]) -> str:
    entry = keys.get("unit")
    if entry is None:
        method = keys.get("method")
        known = METHODS.get(method.text() or "") if method is not None else None
        return "" if known is None else known.unit
    unit = "" if entry.empty else entry.text() or ""
    return unit if known_unit(entry, unit) else ""


def _rule(parameters: Parameters, unit: str) -> Rule | None:
    keys = parameters.keys
    if "expr" in keys:
        return _expression(keys["expr"], parameters.known)
    if "method" not in keys:
        parameters.entry.problem("says neither expr: nor method:", f"the methods are {', '.join(METHODS)}")
        return None
    name = keys["method"].text()
    if name is not None and name not in METHODS:
        keys["method"].problem(f"there is no method {name!r}", suggestion(name, METHODS))
    method = METHODS.get(name or "")
    return None if method is None else method.read(parameters, unit)


def _expression(entry: Entry, known: Known) -> Rule | None:
    text = entry.text()
    if text is None:
        return None

    def unit_of(name: str) -> str | None:
        known.check(name, entry)
        return known.units.get(name)

    try:
        expression = parse(text, unit_of)
    except ExpressionError as error:
        entry.problem(error.what, error.hint)
        return None
    for name in expression.inputs:
        known.check(name, entry)
    return expression


def _source(keys: Mapping[str, Entry]) -> str:
    """The rule on one line: `hypot(g_lat, g_long)`, `gear_ratio(rpm: rpm, …)`."""
    if "expr" in keys:
        return " ".join(str(keys["expr"].text()).split())
    words = [
        f"{key}: {', '.join(str(item.text()) for item in entry.items())}"
        for key, entry in keys.items()
        if key not in ("method", "unit")
    ]
    return f"{keys['method'].text()}({'; '.join(words)})"


def _ordered(found: Mapping[str, tuple[Entry, Derived]]) -> list[Derived]:
    """Each after its inputs, else in the order of the file; circles are problems of the first channel in them."""
    ordered: dict[str, Derived] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in ordered or name not in found:
            return
        if name in path:
            circle = path[path.index(name) :]
            first = min(circle, key=lambda member: found[member][0].where)
            turned = circle[circle.index(first) :] + circle[: circle.index(first)]
            found[first][0].problem(f"goes in a circle: {' reads '.join([*turned, first])}")
            return
        path.append(name)
        _, channel = found[name]
        for needed in channel.inputs:
            visit(needed)
        path.pop()
        ordered[name] = channel

    for name in found:
        visit(name)
    return list(ordered.values())
