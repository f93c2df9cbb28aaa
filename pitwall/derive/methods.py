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
    ascending = np.argsort(rule.ratios, kind="stable")
    none = len(ascending)
    ordered = np.array(rule.ratios)[ascending]
    boundaries = np.sqrt(ordered[1:] * ordered[:-1])
    # three edges between each two gears: from the first one on the upper gear may stay, from the second one on it is
    # the nearest, from the third one on the lower gear may stay no longer
    away = 1 + rule.hysteresis
    edges = np.stack([boundaries / away, boundaries, boundaries * away], axis=1).ravel()
    moving = (speed_mps >= rule.min_speed_mps) & (ratio > 0)
    passed = np.where(moving, np.searchsorted(edges, ratio), 3 * none)
    places = _kept(none if state is None else state, passed, none)
    gears = np.append((ascending + 1).astype(np.float64), np.nan)
    return gears[places], int(places[-1]) if len(places) else state


def _kept(state: int, passed: Int64, none: int) -> Int64:
    """The place at every row (n,): the one before it where that may stay, else the nearest.

    A row is a table from the place before it to its own, and tables compose: in log2(k) passes, of k rows each, for the
    longest k in which no row says its place alone.  A row that has passed as many edges as the one before changes
    nothing, so that only the others are counted: some for every change of gear.
    """
    rows = np.flatnonzero(np.append(True, passed[1:] != passed[:-1]))[: len(passed)]
    edges = passed[rows, None]
    sure = np.flatnonzero(passed[rows] % 3 == 0)
    longest = np.diff(np.concatenate([[-1], sure, [len(rows)]])).max()
    lowest, nearest, highest = edges // 3, (edges + 1) // 3, (edges + 2) // 3
    before = np.arange(none + 1)
    table = np.where((lowest <= before) & (before <= highest), before, nearest).astype(np.uint8)
    reach = 1  # table[i] leads from before row i - reach + 1 to row i
    while reach < longest:
        table[reach:] = np.take_along_axis(table[reach:], table[:-reach], axis=1)
        reach *= 2
    return np.repeat(table[:, state], np.diff(np.append(rows, len(passed))))


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
