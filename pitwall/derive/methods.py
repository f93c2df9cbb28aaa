"""Rules about the car itself (its gear, wheels, accelerations, fuel): columns on one clock in, a column out.

Law: a state is an argument and a result; whatever the batches, the same samples give the same bits.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.car.rules import FuelUsed, GearRatio, LateralG, LongitudinalG, WheelSlip
from pitwall.derive.channel import Float64
from pitwall.derive.past import Tail, rolling_mean, slope
from pitwall.frames import Int64

_MINUTE: Final = 60.0  # seconds


def gear(rule: GearRatio, state: int | None, t: Int64, rpm: Float64, speed: Float64) -> tuple[Float64, int | None]:
    """The gear of every row, 1, 2, …; NaN below the rule's speed, or where the engine does not turn.

    Nearest as a quotient: between two gears the boundary is the geometric mean of their ratios.  With hysteresis a gear
    is kept until the ratio has left it by so much; then it is the nearest again.  state: the gear's place in ascending
    ratios, their number for no gear.
    """
    speed_mps = speed * rule.speed_factor
    with np.errstate(all="ignore"):
        wheel_rpm = speed_mps / rule.tyre_circumference_m * _MINUTE
        ratio = rpm * rule.rpm_factor / wheel_rpm / rule.final_drive
    ratios = np.array(rule.ratios)
    ascending = np.argsort(ratios, kind="stable")
    boundaries = np.sqrt(ratios[ascending][1:] * ratios[ascending][:-1])
    moving = (speed_mps >= rule.min_speed_mps) & (ratio > 0)
    gears = np.append((ascending + 1).astype(np.float64), np.nan)
    places = np.where(moving, np.searchsorted(boundaries, ratio), len(ratios))
    if rule.hysteresis == 0 or len(t) == 0:
        return gears[places], state
    lowest = np.where(moving, np.searchsorted(boundaries * (1 + rule.hysteresis), ratio), len(ratios))
    highest = np.where(moving, np.searchsorted(boundaries / (1 + rule.hysteresis), ratio), len(ratios))
    places = _kept(len(ratios) if state is None else state, places, lowest, highest, len(ratios) + 1)
    return gears[places], int(places[-1])


def _kept(state: int, nearest: Int64, lowest: Int64, highest: Int64, states: int) -> Int64:
    """The place at every row (n,): the one before it where that is within lowest to highest, else the nearest.

    A row is a table from the place before it to its own, and tables compose: log2(n) passes compose all from the first
    row on.  Rows with the bounds of the row before change nothing, so that only those where bounds change are counted:
    some for every change of gear.
    """
    changed = np.append(True, (lowest[1:] != lowest[:-1]) | (highest[1:] != highest[:-1]))
    rows = np.flatnonzero(changed)
    before = np.arange(states)
    stays = (lowest[rows, None] <= before) & (before <= highest[rows, None])
    table = np.where(stays, before, nearest[rows, None]).astype(np.uint8)
    reach = 1  # table[i] leads from before row i - reach + 1 to row i
    while reach < len(rows):
        table[reach:] = np.take_along_axis(table[reach:], table[:-reach], axis=1)
        reach *= 2
    return np.repeat(table[:, state].astype(np.int64), np.diff(np.append(rows, len(nearest))))


def wheel_slip(rule: WheelSlip, driven: Float64, free: Float64) -> Float64:
    """(driven - free) / free, as SAE J670 has the longitudinal slip ratio: above 0 wheelspin, below 0 dragging.

    The free wheels' speed stands for the car's, and for not less than the rule's.
    """
    free_mps = free * rule.free_factor
    slip = (driven * rule.driven_factor - free_mps) / np.maximum(free_mps, rule.min_speed_mps) * rule.factor
    return _finite(slip)


def lateral_g(rule: LateralG, speed: Float64, yaw_rate: Float64) -> Float64:
    """Speed times yaw rate: the centripetal acceleration of a car that does not slide (Milliken, Race Car Vehicle
    Dynamics, chapter 5).  Positive where the yaw rate is."""
    return _finite(speed * yaw_rate * rule.factor)


def longitudinal_g(rule: LongitudinalG, state: Tail | None, t: Int64, speed: Float64) -> tuple[Float64, Tail | None]:
    """The change of speed over the rule's window, so that it comes half a window late; a hill is no part of it."""
    result, state = slope(state, t, speed, window_ns=rule.window_ns)
    return result * rule.factor, state


@dataclass(frozen=True, slots=True, eq=False)
class Tank:
    """The levels of the newest window, when the first one came, and the mean of the first full window."""

    levels: Tail | None
    first_t: int | None
    full: float | None


def fuel_used(rule: FuelUsed, state: Tank | None, t: Int64, fuel: Float64) -> tuple[Float64, Tank | None]:
    """What the mean level of the last window is below that of the first; missing until a window has gone by."""
    tank = Tank(None, None, None) if state is None else state
    mean, levels = rolling_mean(tank.levels, t, fuel, window_ns=rule.window_ns)
    there = ~np.isnan(mean)
    first_t, full = tank.first_t, tank.full
    if first_t is None and there.any():
        first_t = int(t[np.argmax(there)])
    if first_t is None:
        return mean, Tank(levels, None, None)
    later = t - first_t >= rule.window_ns
    if full is None and (there & later).any():
        full = float(mean[np.argmax(there & later)])
    used = np.full(len(t), np.nan) if full is None else np.where(later, (full - mean) * rule.factor, np.nan)
    return used, Tank(levels, first_t, full)


def _finite(values: Float64) -> Float64:
    return np.where(np.isfinite(values), values, np.nan)
