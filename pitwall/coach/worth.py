"""What was done in a corner in, what it cost out, in seconds, down the straight behind it included.

Laws: what a driver does differently elsewhere on that lap is not counted; a figure needs no lap without mistakes, but
of three others in that corner the median must be good.  Pure.

Two ways, as mistakes are of two kinds.  On the *approach* the slowest point is taken as given, and the time is that
over what the car could have done up to it (`pace`).  *Around* the slowest point the lap is compared with others there,
and the speed that was won or lost by it is carried on, up the approach and down the straight behind, by the car's own
power: from there to the next corner no more of the lap's differences is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.metrics import OFF_PCT, POWER_PCT
from pitwall.coach.pace import TABLE_MPS, Pace, approached
from pitwall.coach.sections import Places
from pitwall.track.corners import STEP_M, Float64

GRIP_SHARE: Final = 0.5
"""Of a lap's other grip in the corner that its time is corrected for: on half of the way the car is at that limit, and
the rest brakes and pulls (found on simulated laps; all and none of it are worse there by a third)."""
OFF_M: Final = 12.0
"""With the foot off for so long, the next corner's braking has begun."""
BEHIND_M: Final = 60.0
"""Nearer to the slowest point than that, a foot that is off is not braking for the next corner."""


def approach_s(lap: Driven, car: Pace, first: int, last: int) -> float:
    """Lost from row `first` to row `last`, where it is slowest, against what the car can do; NaN where that is not
    known."""
    if not car.known or last <= first:
        return np.nan
    speed = lap.role("speed")[first : last + 1]
    if not np.isfinite(speed).all():
        return np.nan
    could = np.maximum(approached(lap, car, first, last), 1.0)
    return float(np.sum(STEP_M / np.maximum(speed, 1.0) - STEP_M / could))


def around_s(
    lap: Driven,
    others: Sequence[Driven],
    car: Pace,
    place: Places,
    slowest: int,
    *,
    before_m: float,
    after_m: float,
    faster: float,
) -> float:
    """Lost about the slowest point, against the median of the others there; NaN where that is not known.

    slowest: its row.  before_m, after_m: from there, or less.  faster: by so much the lap would have gone faster there
    than the others.
    """
    speed = lap.role("speed")
    first = max(place.before, slowest - round(before_m / STEP_M))
    last = min(place.after, slowest + round(after_m / STEP_M), len(lap) - 1)
    if not others or not car.known or last <= first:
        return np.nan
    speeds = [other.role("speed") for other in others]
    before, behind = (median([float(each[row]) for each in speeds]) for row in (first, last))
    if not np.isfinite(speed[place.before : last + 1]).all() or math.isnan(before + behind):
        return np.nan
    usual_s = median([float(other.t_s[last] - other.t_s[first]) for other in others])
    lost_s = float(lap.t_s[last] - lap.t_s[first]) - usual_s / faster
    lost_s += _carried_on(lap, car, behind * faster, last, place, slowest)
    lost_s += _carried_back(lap, car, before * faster, first, place)
    return lost_s


def faster_by_grip(own_g: float, others_g: Sequence[float]) -> float:
    """By so much a lap would have gone faster than others, of its greatest lateral acceleration and theirs."""
    usual = median(others_g)
    share = math.sqrt(own_g / usual) if usual > 0 else math.nan  # of a speed
    return share**GRIP_SHARE if math.isfinite(share) else 1.0


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
