"""One entry of the section `channels:` and the signal that it names in, a measured channel out.

Values.  value of the signal → `table`, or else unit conversion → times `sign` → times `scale` → plus `offset` (in the
channel's unit) → `limits` → `despike` → `zero` → `low_pass`.  Conversion to offset are folded into one factor and one
bias, in decimal arithmetic.

Law: what can have no effect on any value is a problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from pitwall.car import units
from pitwall.car.definition import Fold, Measured, Signal
from pitwall.car.document import Entry
from pitwall.car.kinds import NO_UNIT
from pitwall.car.steps import STANDSTILL, Despike, Limits, LowPass, Step, Table, Zero

NS: Final = 1e9  # in a second

_REMEDY: Final = "signal_unit: says which it is where the DBC does not"
_SAY_UNIT: Final = f"unit: {NO_UNIT}, or the unit that it has"

Range = tuple[float, float]
"""The least and the greatest value that there can be."""


def measured(
    name: str,
    entry: Entry,
    keys: Mapping[str, Entry],
    values: Mapping[str, Any],
    bus: str,
    message: str,
    signal: Signal,
) -> Measured | None:
    """The channel `name` of a signal; None, and problems, where it can't be.

    keys, values: what the entry says, and what it means (None: that is no such value, and has been said).
    `zero` waits for `with_zero`: it needs to know the other channels.
    """
    unit = _unit(entry, keys, values, signal)
    if unit is None or any(value is None for value in values.values()):
        return None
    wanted, unit_factor, unit_bias = unit
    have = values.get("signal_unit", signal.unit)
    folds = tuple(_folds(f"{have} to {wanted}", unit_factor, unit_bias, values))
    channel = Measured(
        name=name,
        unit=wanted,
        bus=bus,
        message=message,
        signal=signal.name,
        factor=folds[-1].factor if folds else 1.0,
        bias=folds[-1].bias if folds else 0.0,
        table=values.get("table"),
        steps=_steps(values),
        hold_ns=round(values["hold"] * NS) if "hold" in values else None,
        folds=folds,
        where=entry.place,
    )
    _effects(channel, keys, signal)
    return channel


def with_zero(channel: Measured, zero: Entry, span_s: float, speed: Measured | None) -> Measured:
    """The channel with its zero found where `speed`, which plays that role, stands still; or a problem of `zero`."""
    if speed is None:
        zero.problem("needs to know when the car stands", "roles: {speed: …}, a channel of a signal")
    elif speed.name == channel.name:
        zero.problem("the speed itself says when the car stands", "offset: says what is known of it")
    else:
        try:
            factor, bias = units.conversion("m/s", speed.unit)
        except units.UnitError as error:
            zero.problem(f"the speed {speed.name!r} is in {speed.unit or 'no unit'!r}: {error.what}", error.hint)
            return channel
        still = float(Decimal(repr(units.quantity(STANDSTILL, "m/s"))) * factor + bias)
        step = Zero(round(span_s * NS), speed.name, still)
        before = sum(isinstance(step, Limits | Despike) for step in channel.steps)
        return replace(channel, steps=(*channel.steps[:before], step, *channel.steps[before:]))
    return channel


def _folds(converting: str, factor: Decimal, bias: Decimal, values: Mapping[str, Any]) -> Iterator[Fold]:
    """The conversion of units, if it is one, and the keys `sign`, `scale` and `offset`, each with all before it."""
    if factor != 1 or bias != 0:
        yield Fold(converting, float(factor), float(bias))
    for key in ("sign", "scale", "offset"):
        if key not in values:
            continue
        number = Decimal(repr(values[key]))
        if key == "offset":
            bias += number
        else:
            factor, bias = factor * number, bias * number
        yield Fold(f"{key} {values[key]:g}", float(factor), float(bias))


def _steps(values: Mapping[str, Any]) -> tuple[Step, ...]:
    low_pass = LowPass(values["low_pass"]) if "low_pass" in values else None
    return tuple(step for step in (values.get("limits"), values.get("despike"), low_pass) if step is not None)


def _unit(
    entry: Entry, keys: Mapping[str, Entry], values: Mapping[str, Any], signal: Signal
) -> tuple[str, Decimal, Decimal] | None:
    """(unit, factor, bias) of a channel from its signal; None, and a problem, where it does not convert."""
    have = values.get("signal_unit", signal.unit)
    wanted = values.get("unit")
    if have is None or ("unit" in keys and wanted is None):
        return None  # that has been said
    as_it_is = (Decimal(1), Decimal(0))
    if "table" in keys:
        if "signal_unit" in keys:
            keys["signal_unit"].problem("has no effect: the table says what the signal's values mean")
        if wanted is None:
            entry.problem("the values of its table have no unit", _SAY_UNIT)
            return None
        return wanted, *as_it_is
    if wanted is None:
        if not have and "signal_unit" not in keys:
            entry.problem(f"signal {signal.name} has no unit, and the channel says none", _SAY_UNIT)
            return None
        return have, *as_it_is
    if not have:
        # a DBC that says no unit leaves it to the definition to say which it is
        return wanted, *as_it_is
    try:
        units.meaning(have)
        return wanted, *units.conversion(have, wanted)
    except units.UnitError as error:
        keys["unit"].problem(f"signal {signal.name} is in {have!r}: {error.what}", _REMEDY)
        return None


def _effects(channel: Measured, keys: Mapping[str, Entry], signal: Signal) -> None:
    """Limits and despiking that no value of the signal can meet are problems."""
    span = _range(signal)
    if span is None:
        return
    if channel.table is not None:
        span = _through(channel.table, span)
    low, high = sorted(end * channel.factor + channel.bias for end in span)
    can_be = f"the channel can be {low:g} to {high:g} {channel.unit}".rstrip()
    for step in channel.steps:
        match step:
            case Limits(least, most) if least <= low and high <= most:
                keys["limits"].problem("exclude nothing", can_be)
            case Limits(least, most) if most < low or high < least:
                keys["limits"].problem("exclude everything", can_be)
            case Despike(by) if by >= high - low:
                keys["despike"].problem(f"no value can be more than {by:g} away from another", can_be)


def _range(signal: Signal) -> Range | None:
    """What its bits can hold, as its DBC scales it; None: any number."""
    if signal.floating:
        return None
    raw = (-(2 ** (signal.length - 1)), 2 ** (signal.length - 1) - 1) if signal.signed else (0, 2**signal.length - 1)
    low, high = sorted(end * signal.scale + signal.signal_offset for end in raw)
    return float(low), float(high)


def _through(table: Table, span: Range) -> Range:
    """What the table makes of raw values within `span`: its ends count where the signal gets there."""
    inside = [value for raw, value in zip(table.raw, table.values, strict=True) if span[0] <= raw <= span[1]]
    ends = [_at(table, end) for end in span]
    return min(*inside, *ends), max(*inside, *ends)


def _at(table: Table, raw: float) -> float:
    points = list(zip(table.raw, table.values, strict=True))
    if raw <= points[0][0]:
        return points[0][1]
    for (x, y), (next_x, next_y) in pairwise(points):
        if raw <= next_x:
            return y + (next_y - y) * (raw - x) / (next_x - x)
    return points[-1][1]
