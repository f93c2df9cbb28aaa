"""What was done in a corner in, what it cost out, in seconds, down the straight behind it included.

Laws: what a driver does differently elsewhere on that lap is not counted; a figure needs no lap without mistakes, but
of three others in that corner the median must be good.  Pure.

Two ways, as mistakes are of two kinds.  On the *approach* the slowest point is taken as given, and the time is that
over what the car could have done up to it (`pace`).  *Around* the slowest point the lap is compared with others there,
and the speed that was won or lost by it is carried on, up the approach and down the straight behind, by the car's own
power: from there to the next corner no more of the lap's differences is counted.  The others are taken as they would
have been with the lap's own grip and braking there: those are a lap's chance, and no mistake of line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.metrics import OFF_PCT, POWER_PCT
from pitwall.coach.pace import TABLE_MPS, Pace, approached
from pitwall.coach.sections import Places
from pitwall.track.corners import STEP_M, Float64

OFF_M: Final = 12.0
"""With the foot off for so long, the next corner's braking has begun."""
BEHIND_M: Final = 60.0
"""Nearer to the slowest point than that, a foot that is off is not braking for the next corner."""


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """A lap that another one is held against in a corner.

    slowest, braked: the rows where it is slowest there, and where it begins to brake for it.  grip, braking: as shares
    of its own, those of the lap that is judged, which would have gone its way with them.
    """

    lap: Driven
    slowest: int
    braked: int
    grip: float
    braking: float

    def speeds(self, first: int, last: int) -> tuple[Float64, Float64]:
        """Its speeds from row `first` to row `last`, and what they had been with that grip and braking.

        With so much grip the energy at the slowest point is as much more; that stays with the car until the next
        braking, and what the brakes took on the way there is as much as they are used.
        """
        speed = self.lap.role("speed")[first : last + 1]
        energy, slowest = np.square(speed), float(self.lap.role("speed")[self.slowest]) ** 2
        had = energy + (self.grip - 1) * slowest
        begin, end = (max(0, row - first) for row in (self.braked, self.slowest))
        had[begin:end] += (self.braking - 1) * (energy[begin:end] - slowest)
        had[:begin] = energy[:begin]
        return speed, np.sqrt(np.maximum(had, 1.0))


def approach_s(lap: Driven, car: Pace, first: int, last: int, *, braking: float = 1.0) -> float:
    """Lost from row `first` to row `last`, where it is slowest, against what the car can do; NaN where that is not
    known.  braking: of what the car can do, so much."""
    if not car.known or last <= first:
        return np.nan
    speed = lap.role("speed")[first : last + 1]
    if not np.isfinite(speed).all():
        return np.nan
    could = np.maximum(approached(lap, car, first, last, braking), 1.0)
    return float(np.sum(STEP_M / np.maximum(speed, 1.0) - STEP_M / could))


def around_s(
    lap: Driven,
    others: Sequence[Beside],
    car: Pace,
    place: Places,
    slowest: int,
    *,
    before_m: float,
    after_m: float,
) -> float:
    """Lost about the slowest point, against the median of the others there; NaN where that is not known.

    slowest: its row.  before_m, after_m: from there, or less.
    """
    speed = lap.role("speed")
    first = max(place.before, slowest - round(before_m / STEP_M))
    last = min(place.after, slowest + round(after_m / STEP_M), len(lap) - 1)
    if not others or not car.known or last <= first:
        return np.nan
    if not np.isfinite(speed[place.before : last + 1]).all():
        return np.nan
    took_s, before, behind = [], [], []
    for other in others:
        drove, had = other.speeds(first, last)
        share = drove / had
        took_s.append(float(np.sum(np.diff(other.lap.t_s[first : last + 1]) * (share[1:] + share[:-1]) / 2)))
        before.append(float(had[0]))
        behind.append(float(had[-1]))
    usual_s = median(took_s)
    if math.isnan(usual_s):
        return np.nan
    lost_s = float(lap.t_s[last] - lap.t_s[first]) - usual_s
    lost_s += _carried_on(lap, car, median(behind), last, place, slowest)
    lost_s += _carried_back(lap, car, median(before), first, place)
    return lost_s


def median(values: Sequence[float]) -> float:
    """As `np.median` has it, of a few, in less time; NaN where one of them is, or there is none."""
    if not values or any(map(math.isnan, values)):
        return math.nan
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _carried_on(lap: Driven, car: Pace, usual_mps: float, at: int, place: Places, slowest: int) -> float:
    """Seconds that the speed lost by row `at` costs until the next corner's braking."""
    speed, off = lap.role("speed"), lap.role("throttle") < OFF_PCT
    until, length = place.after, round(OFF_M / STEP_M)
    runs = np.convolve(off[at + 1 : until], np.ones(length), "valid") if until - at > length else np.empty(0)
    begins = np.flatnonzero(runs == length) + at + 1
    begins = begins[begins > slowest + BEHIND_M / STEP_M]
    if len(begins):
        until = int(begins[0])
    unknown = np.flatnonzero(~np.isfinite(speed[at:until]))
    if len(unknown):  # the last metres of a lap may be
        until = at + int(unknown[0])
    up, most = car.speeds_up, len(car.speeds_up) - 1
    more, lost_s = usual_mps**2 - float(speed[at]) ** 2, 0.0
    own = np.maximum(speed[at:until], 1.0)
    gained = np.array(up)[np.minimum((own / TABLE_MPS).astype(np.int64), most)]
    # a straight, for a corner of a lap that a rule speaks of
    for energy, took_s, by_own in zip((own * own).tolist(), (STEP_M / own).tolist(), gained.tolist(), strict=True):
        could = max(1.0, energy + more) ** 0.5
        lost_s += took_s - STEP_M / could
        more += up[min(most, int(could / TABLE_MPS))] - by_own
    return lost_s


def _carried_back(lap: Driven, car: Pace, usual_mps: float, at: int, place: Places) -> float:
    """Seconds that were lost before row `at` because the car had to be slower there: it braked sooner."""
    speed, power = lap.role("speed"), lap.role("throttle") >= POWER_PCT
    down = np.flatnonzero(power[place.before : at + 1])
    on = place.before + (int(down[-1]) if len(down) else 0)
    if on >= at:
        return 0.0
    own = np.maximum(speed[on : at + 1], 1.0)
    braked = np.sqrt(np.maximum(1.0, np.square(own) + usual_mps**2 - own[-1] ** 2))
    return float(np.sum(STEP_M / own[:-1] - STEP_M / np.minimum(braked, _full_power(own, car))[:-1]))


def _full_power(own: Float64, car: Pace) -> Float64:
    """The speeds from the first on, had power stayed on."""
    up, most = car.speeds_up, len(car.speeds_up) - 1
    energy, found = float(own[0]) ** 2, [float(own[0])]
    for _ in range(len(own) - 1):
        energy = max(1.0, energy + up[min(most, int(energy**0.5 / TABLE_MPS))])
        found.append(energy**0.5)
    return np.array(found)
