"""Laps in, what the car was seen to do out: how hard it speeds up at full power, and slows down, at each speed.

Law: nothing is taken from a book of cars: a lap is compared with what this car did on other metres of this session, so
that what a driver does wrong in one corner on every lap still shows.  Pure.

Time lost on the way to a corner is told by a lap simulation in small (the point mass on a friction circle of Brayshaw
and Harrison, "A quasi steady state approach to race car lap simulation", 2005, forward at full power, backward at full
braking): from the speed that the driver really had to the one that he really had at the slowest point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven, high, percentile
from pitwall.coach.metrics import FULL_PCT, Limits, braking_rows
from pitwall.coach.stretches import Rows
from pitwall.track.corners import STEP_M, Float64

STEADY_M: Final = 10.0
"""A pedal that has been down for so long, and stays so: what is measured is not its going down."""
BIN_MPS: Final = 2.0
FASTEST_MPS: Final = 250.0
"""No car is faster: what says so is a sensor that errs."""
FEWEST: Final = 15
"""Rows of a speed that are too few to say what the car does there."""
BRAKING_PERCENTILE: Final = 70.0
"""Of the decelerations at a speed: some are of drivers who brake gently, none is beyond the tyres."""
STRAIGHT_SHARE: Final = 0.6
"""Of the greatest lateral acceleration: whoever corners harder than that hardly brakes."""
LEAST_SHARE: Final = 0.05
"""Of the squared friction circle: some braking is always left, and a root always defined."""
TABLE_MPS: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Pace:
    """speeding, slowing: float64 (k,), m/s² at `TABLE_MPS` steps of speed from 0.  lateral_g: the most round a corner.

    slowing is straight ahead; what cornering leaves of it follows from the friction circle.
    """

    speeding: Float64
    slowing: Float64
    lateral_g: float

    @property
    def known(self) -> bool:
        return len(self.speeding) > 0


UNKNOWN: Final = Pace(np.empty(0), np.empty(0), np.nan)


def pace(laps: Sequence[Driven], most: Limits) -> Pace:
    """Of these laps together; `UNKNOWN` where a channel that it takes is missing."""
    lateral_g = high([lap.lateral_ordered for lap in laps])
    if not lateral_g > 0:
        return UNKNOWN
    parts: dict[str, list[tuple[Float64, Float64]]] = {"up": [], "down": []}
    for lap in laps:
        speed = lap.role("speed")
        gain = lap.gain_mps2
        full = _steady(lap.role("throttle") >= FULL_PCT)
        parts["up"].append((speed[full], gain[full]))
        turned = np.abs(lap.role("g_lat")) / lateral_g
        down = _steady(braking_rows(lap, most)) & (turned < STRAIGHT_SHARE)
        left = np.sqrt(np.maximum(LEAST_SHARE, 1 - np.square(turned[down])))
        parts["down"].append((speed[down], -gain[down] / left))
    up, down_ = (_table(each, q) for each, q in ((parts["up"], 50.0), (parts["down"], BRAKING_PERCENTILE)))
    return UNKNOWN if up is None or down_ is None else Pace(up, down_, lateral_g)


def approached(lap: Driven, car: Pace, first: int, last: int) -> Float64:
    """The speeds (last - first + 1,) that the car could have had from row `first` to `last`, as fast there as it was.

    Round the same path: what a bend takes of the braking is told by the lap's own lateral acceleration.
    """
    speed, lateral = lap.role("speed")[first : last + 1], np.abs(lap.role("g_lat")[first : last + 1])
    bend = np.nan_to_num(lateral / np.square(np.maximum(speed, 3.0)) / car.lateral_g).tolist()  # of the circle, per v²
    most, up, down = len(car.speeding) - 1, car.speeding.tolist(), car.slowing.tolist()
    ahead, energy = [float(speed[0])], float(speed[0]) ** 2
    for _ in range(len(bend) - 1):  # some hundred rows, for a corner of a lap that a rule speaks of
        energy = max(0.0, energy + 2 * STEP_M * up[min(most, int(energy**0.5 / TABLE_MPS))])
        ahead.append(energy**0.5)
    back, energy = [float(speed[-1])], float(speed[-1]) ** 2
    for i in range(len(bend) - 2, -1, -1):
        left = max(LEAST_SHARE, 1 - (bend[i] * energy) ** 2) ** 0.5
        energy += 2 * STEP_M * left * down[min(most, int(energy**0.5 / TABLE_MPS))]
        back.append(energy**0.5)
    return np.asarray(np.minimum(np.array(ahead), np.array(back[::-1])), np.float64)


def _steady(on: Rows) -> Rows:
    """Where it is on, and was and will be for `STEADY_M`."""
    reach = round(STEADY_M / STEP_M)
    wide = np.concatenate(([False], np.full(reach, on[0]), on, np.full(reach, on[-1])))
    count = np.cumsum(wide, dtype=np.int64)
    return np.asarray(count[2 * reach + 1 :] - count[: -2 * reach - 1] == 2 * reach + 1, np.bool_)


def _table(parts: list[tuple[Float64, Float64]], percent: float) -> Float64 | None:
    """By speed; None where nothing is known.  Beyond what was driven it goes on as at its end."""
    speed, gain = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    there = (speed >= 0) & (speed < FASTEST_MPS) & np.isfinite(gain)
    speed, gain = speed[there], gain[there]
    if len(speed) < FEWEST:
        return None
    bins = (speed / BIN_MPS).astype(np.int16)
    gain = gain[np.argsort(bins, kind="stable")]  # those of one bin together; of small whole numbers that is quick
    ends = np.cumsum(np.bincount(bins)).tolist()
    at, values = [], []
    for each, (first, last) in enumerate(pairwise((0, *ends))):
        if last - first >= FEWEST:
            at.append((each + 0.5) * BIN_MPS)
            values.append(percentile(np.sort(gain[first:last]), percent))
    if not at:
        return None
    return np.asarray(np.interp(np.arange(0.0, 120.0, TABLE_MPS), at, values), np.float64)
