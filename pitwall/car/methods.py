"""The keys of a derived channel that names a method in, its rule out.

A new method is a rule in `rules`, a reader in METHODS here, and its arithmetic in `pitwall.derive`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from pitwall.car import units
from pitwall.car.document import Entry, suggestion
from pitwall.car.expression import MAX_WINDOW_S
from pitwall.car.rules import Distance, FuelUsed, GearRatio, LateralG, LongitudinalG, Position, Rule, WheelSlip

MIN_SPEED: Final = "5 km/h"
"""Below it wheel speed says too little of the gear."""

MIN_SLIP_SPEED: Final = "3 m/s"
"""Slip is a part of at least this: near a standstill wheels turn, and stop turning, one by one."""

SLOPE: Final = "0.2 s"
"""A speed of 10 to 50 Hz, rounded as loggers do, has a slope over it, and a driver feels no less."""

SLOSH: Final = "30 s"
"""Fuel runs to and fro in the tank for as long as a corner or a braking lasts."""

MAX_GEARS: Final = 16


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

    def result(self, base: str, unit: str, what: str) -> float | None:
        """From `base` to the channel's own unit; None, and a problem of `unit`, where that measures something else."""
        try:
            return float(units.conversion(base, unit)[0])
        except units.UnitError as error:
            entry = self.keys["unit"]
            if unit or entry.empty:  # else it is unknown, which has been said
                entry.problem(f"{unit!r} is no unit of {what}", error.hint)
            return None

    def window_ns(self, key: str, default: str) -> int | None:
        """How far back to look, in nanoseconds."""
        seconds = self.quantity(key, "s", default)
        if seconds is None:
            return None
        if not 1e-9 <= seconds <= MAX_WINDOW_S:
            self.keys[key].problem(f"must be more than 0 and at most {MAX_WINDOW_S:g} s, and is {seconds:g} s")
            return None
        return round(seconds * 1e9)

    def choice(self, key: str, known: tuple[str, ...]) -> str | None:
        """One of the words `known`."""
        entry = self._given(key)
        word = None if entry is None else entry.text()
        if entry is None or word is None or word in known:
            return word
        entry.problem(f"{' or '.join(known)} is expected here, not {word!r}")
        return None

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
    hysteresis = _hysteresis(parameters, ratios) if "hysteresis" in parameters.keys else 0.0
    if unit:
        parameters.keys["unit"].problem("a gear has no unit")
    if rpm is None or speed is None or rpm_factor is None or speed_factor is None or ratios is None:
        return None
    if final_drive is None or circumference is None or min_speed is None or hysteresis is None:
        return None
    return GearRatio(rpm, speed, ratios, final_drive, circumference, min_speed, rpm_factor, speed_factor, hysteresis)


def _hysteresis(parameters: Parameters, ratios: tuple[float, ...] | None) -> float | None:
    hysteresis = parameters.number("hysteresis")
    if hysteresis is None or ratios is None:
        return None
    boundaries = [math.sqrt(a * b) for a, b in pairwise(sorted(ratios))]
    most = min((math.sqrt(b / a) - 1 for a, b in pairwise(boundaries)), default=1.0)
    if hysteresis >= most:
        entry = parameters.keys["hysteresis"]
        entry.problem(f"must be less than {most:.3f}, or some gear could never begin, and is {hysteresis:g}")
        return None
    return hysteresis


def _distance(parameters: Parameters, unit: str) -> Rule | None:
    speed = parameters.channel("speed")
    speed_factor = parameters.factor("speed", speed, "m/s")
    of_metre = parameters.result("m", unit, "distance")
    fixes = _fixes(parameters) if {"lat", "lon"} & parameters.keys.keys() else ()
    if speed is None or speed_factor is None or of_metre is None or fixes is None:
        return None
    lat, lon = fixes or (None, None)
    return Distance(speed, of_metre * speed_factor, lat, lon, 1 / of_metre)


def _position(parameters: Parameters, unit: str) -> Rule | None:
    axis = parameters.choice("axis", ("lat", "lon"))
    fixes = _fixes(parameters)
    speed, yaw_rate = parameters.channel("speed"), parameters.channel("yaw_rate")
    speed_factor = parameters.factor("speed", speed, "m/s")
    yaw_factor = parameters.factor("yaw_rate", yaw_rate, "rad/s")
    if parameters.result("deg", unit, "position") not in (None, 1.0):
        parameters.keys["unit"].problem("a position is in degrees")
    if axis is None or fixes is None or speed is None or yaw_rate is None:
        return None
    if speed_factor is None or yaw_factor is None:
        return None
    return Position(axis, *fixes, speed, yaw_rate, speed_factor, yaw_factor)


def _fixes(parameters: Parameters) -> tuple[str, str] | None:
    lat, lon = parameters.channel("lat"), parameters.channel("lon")
    for key, channel in (("lat", lat), ("lon", lon)):
        if parameters.factor(key, channel, "deg") not in (None, 1.0):
            parameters.keys[key].problem(f"{channel!r} must be in degrees", "unit: deg, in channels:")
            return None
    return None if lat is None or lon is None else (lat, lon)


def _g_from_yaw(parameters: Parameters, unit: str) -> Rule | None:
    axis = parameters.choice("axis", ("lat", "long"))
    speed = parameters.channel("speed")
    speed_factor = parameters.factor("speed", speed, "m/s")
    of_unit = parameters.result("m/s^2", unit, "acceleration")
    for key, other in (("yaw_rate", "lat"), ("window", "long")):
        if axis not in (None, other) and key in parameters.keys:
            parameters.keys[key].problem(f"is for axis: {other}, and has no effect here")
    if axis == "lat":
        yaw_rate = parameters.channel("yaw_rate")
        yaw_factor = parameters.factor("yaw_rate", yaw_rate, "rad/s")
        if speed is None or speed_factor is None or of_unit is None or yaw_rate is None or yaw_factor is None:
            return None
        return LateralG(speed, yaw_rate, speed_factor * yaw_factor * of_unit)
    window_ns = parameters.window_ns("window", SLOPE)
    if axis is None or speed is None or speed_factor is None or of_unit is None or window_ns is None:
        return None
    return LongitudinalG(speed, window_ns, speed_factor * of_unit)


def _fuel_used(parameters: Parameters, unit: str) -> Rule | None:
    fuel = parameters.channel("fuel")
    factor = parameters.factor("fuel", fuel, unit)
    window_ns = parameters.window_ns("window", SLOSH)
    lap = parameters.channel("lap") if "lap" in parameters.keys else None
    if fuel is None or factor is None or window_ns is None or (lap is None and "lap" in parameters.keys):
        return None
    return FuelUsed(fuel, window_ns, factor, lap)


def _wheel_slip(parameters: Parameters, unit: str) -> Rule | None:
    driven, free = parameters.channel("driven"), parameters.channel("free")
    driven_factor = parameters.factor("driven", driven, "m/s")
    free_factor = parameters.factor("free", free, "m/s")
    min_speed = parameters.quantity("min_speed", "m/s", MIN_SLIP_SPEED)
    of_ratio = parameters.result("", unit, "slip")
    if driven is None or free is None or driven_factor is None or free_factor is None:
        return None
    if min_speed is None or of_ratio is None:
        return None
    return WheelSlip(driven, free, min_speed, driven_factor, free_factor, of_ratio)


@dataclass(frozen=True)
class Method:
    """keys: its parameters.  unit: of what it gives, where the definition doesn't say."""

    keys: tuple[str, ...]
    unit: str
    read: Callable[[Parameters, str], Rule | None]


METHODS: Final = {
    "gear_ratio": Method(
        ("rpm", "speed", "ratios", "final_drive", "tyre_circumference", "min_speed", "hysteresis"), "", _gear_ratio
    ),
    "distance": Method(("speed", "lat", "lon"), "m", _distance),
    "position": Method(("axis", "lat", "lon", "speed", "yaw_rate"), "deg", _position),
    "g_from_yaw": Method(("axis", "speed", "yaw_rate", "window"), "g", _g_from_yaw),
    "fuel_used": Method(("fuel", "window", "lap"), "l", _fuel_used),
    "wheel_slip": Method(("driven", "free", "min_speed"), "%", _wheel_slip),
}
