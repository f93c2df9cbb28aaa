"""Laps in, what the car was seen to do out: how hard it speeds up at full power, and slows down, at each speed.

Law: nothing is taken from a book of cars: a lap is compared with what this car did on other metres of this session, so
that what a driver does wrong in one corner on every lap still shows.  Pure.

Time lost on the way to a corner is told by a lap simulation in small (the point mass on a friction circle of Brayshaw
and Harrison, "A quasi steady state approach to race car lap simulation", 2005, forward at full power, backward at full
braking): from the speed that the driver really had to the one that he really had at the slowest point.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.coach.driven import FULL_PCT, Driven, high, steady_rows
from pitwall.coach.metrics import BRAKING_SHARE, Limits, braking_rows
from pitwall.track.corners import STEP_M, Float64

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


Gains = tuple[npt.NDArray[np.int16], Float64]
"""m/s² at rows of laps: the bin of speed that each is in, int16 (r,), and the gain, float64 (r,)."""


@dataclass(frozen=True, eq=False)
class Pace:
    """slowing, speeding: float64 (k,), m/s² at `TABLE_MPS` steps of speed from 0; lateral_g: the most round a corner.

    slowing is straight ahead; what cornering leaves of it follows from the friction circle.
    at_full: what was gained at full power; speeding is not computed before a worth takes it.
    """

    slowing: Float64
    lateral_g: float
    at_full: Sequence[Gains]

    @property
    def known(self) -> bool:
        return len(self.slowing) > 0

    @cached_property
    def speeding(self) -> Float64:
        return _table(self.at_full, 50.0)

    @cached_property
    def speeds_up(self) -> list[float]:
        """What is added to the square of the speed on a row, at steps of speed; so is what `slows_down` takes."""
        found: list[float] = (2 * STEP_M * self.speeding).tolist()
        return found

    @cached_property
    def slows_down(self) -> list[float]:
        found: list[float] = (2 * STEP_M * self.slowing).tolist()
        return found

    @cached_property
    def never_turns(self) -> bool:
        """Whether full power speeds up, and braking slows down, at any speed."""
        return min(self.speeds_up) >= 0 and min(self.slows_down) >= 0


UNKNOWN: Final = Pace(np.empty(0), np.nan, ())


def pace(laps: Sequence[Driven], most: Limits, at_full: Sequence[Gains]) -> Pace:
    """Of these laps together; `UNKNOWN` where a channel that it takes is missing.  at_full: of each lap."""
    lateral_g = high([lap.lateral_ordered for lap in laps])
    if not lateral_g > 0:
        return UNKNOWN
    braking = _braking(laps, most, lateral_g)
    if not (_tells(at_full) and _tells([braking])):
        return UNKNOWN
    return Pace(_table([braking], BRAKING_PERCENTILE, rises=True), lateral_g, at_full)


def gains_at_full(lap: Driven) -> Gains:
    """What full power gave on a lap, where it was on, and stayed so."""
    rows = steady_rows(lap.role("throttle") >= FULL_PCT)
    return _gains(lap.role("speed")[rows], lap.gain_mps2[rows])


def _braking(laps: Sequence[Driven], most: Limits, lateral_g: float) -> Gains:
    """What the brakes take, straight ahead."""
    least = BRAKING_SHARE * most.brake
    slowed = [
        lap.braked(least) if most.brake > 0 and lap.has("brake") else lap.slowed(steady_rows(braking_rows(lap, most)))
        for lap in laps
    ]
    speed, lateral, gain = (np.concatenate(columns) for columns in zip(*slowed, strict=True))
    turned = np.abs(lateral) / lateral_g
    straight = turned < STRAIGHT_SHARE
    left = np.sqrt(np.maximum(LEAST_SHARE, 1 - np.square(turned[straight])))
    return _gains(speed[straight], -gain[straight] / left)


def approached(lap: Driven, car: Pace, first: int, last: int, braking: float) -> Float64:
    """The speeds (last - first + 1,) that the car could have had from row `first` to `last`, as fast there as it was.

    Round the same path: what a bend takes of the braking is told by the lap's own lateral acceleration.
    braking: with so much of what it can do.
    """
    speed, lateral = lap.role("speed")[first : last + 1], np.abs(lap.role("g_lat")[first : last + 1])
    bend = np.nan_to_num(lateral / np.square(np.maximum(speed, 3.0)) / car.lateral_g).tolist()  # of the circle, per v²
    up, down, most = car.speeds_up, car.slows_down, len(car.slowing) - 1
    steady = car.never_turns
    # some hundred rows, for a corner of a lap that a rule speaks of
    could, energy = [float(speed[0])], float(speed[0]) ** 2
    for _ in range(len(bend) - 1):
        energy = max(0.0, energy + up[min(most, int(energy**0.5 / TABLE_MPS))])
        could.append(energy**0.5)
    energy = float(speed[-1]) ** 2
    could[-1] = min(could[-1], energy**0.5)
    for i in range(len(bend) - 2, -1, -1):
        left = braking * max(LEAST_SHARE, 1 - (bend[i] * energy) ** 2) ** 0.5
        energy += left * down[min(most, int(energy**0.5 / TABLE_MPS))]
        if energy**0.5 >= could[i] and steady:
            break  # before that it could have been faster still, and got there slower
        could[i] = min(could[i], energy**0.5)
    return np.array(could)


def _gains(speed: Float64, gain: Float64) -> Gains:
    """Of rows where both are known."""
    there = (speed >= 0) & (speed < FASTEST_MPS) & np.isfinite(gain)
    return (speed[there] / BIN_MPS).astype(np.int16), gain[there]


def _tells(parts: Sequence[Gains]) -> bool:
    """Whether there are enough rows of any speed."""
    return _enough(parts[-1][0]) or _enough(np.concatenate([bins for bins, _ in parts]))  # one lap's are, as a rule


def _enough(bins: npt.NDArray[np.int16]) -> bool:
    return int(np.bincount(bins, minlength=1).max()) >= FEWEST


def _table(parts: Sequence[Gains], percent: float, *, rises: bool = False) -> Float64:
    """By speed, of gains that tell: as `np.percentile` has it.  Beyond what was driven it goes on as at its end.

    rises: at no speed it is less than the median of the slower ones.  So brakes do, as air only adds to what tyres
    take: who brakes gently wherever he is fastest could do as well there as when slower.
    """
    bins, gain = (np.concatenate(each) for each in zip(*parts, strict=True))
    gain = gain[np.argsort(bins, kind="stable")]  # those of one bin together; of small whole numbers that is quick
    counts = np.bincount(bins)
    told = (counts >= FEWEST).nonzero()[0]
    last = counts.cumsum()[told]
    first = last - counts[told]
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        gain[begin:end].sort()
    place = percent / 100 * (last - first - 1)
    low = place.astype(np.int64)
    below, above, part = gain[first + low], gain[np.minimum(first + low + 1, last - 1)], place - low
    values = np.where(part < 0.5, below + (above - below) * part, above - (above - below) * (1 - part))
    if rises:
        slower = values.tolist()
        values = np.array([max(value, statistics.median(slower[: i + 1])) for i, value in enumerate(slower)])
    return np.asarray(np.interp(np.arange(0.0, 120.0, TABLE_MPS), (told + 0.5) * BIN_MPS, values), np.float64)
