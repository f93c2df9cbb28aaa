"""Rules that are no expressions: inputs on one clock in, a column out, and for those that sum up a state.

Law: a state is an argument and a result; whatever the batches, the same samples give the same bits.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pitwall.car.definition import Distance, GearRatio
from pitwall.derive.channel import Float64
from pitwall.frames import Int64

_SECONDS: float = 1e-9  # of a nanosecond
_MINUTE: float = 60.0


def gear(rule: GearRatio, rpm: Float64, speed: Float64) -> Float64:
    """The gear of every row, 1, 2, …; NaN below the rule's speed, or where the engine does not turn.

    Nearest as a quotient: between two gears the boundary is the geometric mean of their ratios.
    """
    speed_mps = speed * rule.speed_factor
    with np.errstate(all="ignore"):
        wheel_rpm = speed_mps / rule.tyre_circumference_m * _MINUTE
        ratio = rpm * rule.rpm_factor / wheel_rpm / rule.final_drive
    ratios = np.array(rule.ratios)
    ascending = np.argsort(ratios, kind="stable")
    boundaries = np.sqrt(ratios[ascending][1:] * ratios[ascending][:-1])
    gears = (ascending + 1).astype(np.float64)[np.searchsorted(boundaries, ratio)]
    moving = (speed_mps >= rule.min_speed_mps) & (ratio > 0)
    return np.where(moving, gears, np.nan)


@dataclass(frozen=True, slots=True)
class Travelled:
    """How far a distance has come: the newest speed, when it was, and the way until then."""

    t: int
    speed: float
    total: float


def distance(rule: Distance, state: Travelled | None, t: Int64, speed: Float64) -> tuple[Float64, Travelled | None]:
    """The way at every row, from 0 at the first speed; NaN where the speed is missing, which later rows bridge."""
    there = ~np.isnan(speed)
    if not there.all():
        way = np.full(len(t), np.nan)
        way[there], state = distance(rule, state, t[there], speed[there])
        return way, state
    if len(t) == 0:
        return np.empty(0), state
    before = Travelled(int(t[0]), float(speed[0]), 0.0) if state is None else state
    times = np.append(np.int64(before.t), t)
    speeds = np.append(before.speed, speed)
    steps = (speeds[1:] + speeds[:-1]) * 0.5 * (np.diff(times) * _SECONDS) * rule.factor
    # one running sum, never the sum of partial sums: its bits must not depend on where a batch begins
    way = np.cumsum(np.append(before.total, steps))[1:]
    return way, Travelled(int(t[-1]), float(speed[-1]), float(way[-1]))
