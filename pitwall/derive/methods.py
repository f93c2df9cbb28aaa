"""Rules that are no expressions: inputs on one clock in, a column out, and for those that sum up a state.

Law: a state is an argument and a result; whatever the batches, the same samples give the same bits.  Pure.
"""

from __future__ import annotations

import numpy as np

from pitwall.car.rules import Distance, GearRatio
from pitwall.derive.channel import Float64
from pitwall.derive.past import Newest, integral
from pitwall.frames import Int64

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


def distance(rule: Distance, state: Newest | None, t: Int64, speed: Float64) -> tuple[Float64, Newest | None]:
    """The way at every row, from 0 at the first speed; NaN where the speed is missing, which later rows bridge."""
    return integral(state, t, speed, rule.factor)
