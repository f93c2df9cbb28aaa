"""The laps of a drive in, what rules look at out: all corners and straights as driven, beside the driver's own best.

Laws: the best is the median of the best three *other* laps in that very section, so that a reference lap with a mistake
of its own misleads nobody, and a lap is never compared with itself; with no other lap all that is usual is missing.
Pure; what was computed is kept.

All corners of a lap are looked at together: (k,) is one value of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.metrics import FIGURES, Cornering, Limits, braking_rows, lateral_g, limits, measured
from pitwall.coach.pace import LEAST_SHARE, TABLE_MPS, Gains, Pace, gains_at_full, pace
from pitwall.coach.sections import PARTS, Places, Sections
from pitwall.coach.straights import STRAIGHT_FIGURES, Straight, straight
from pitwall.coach.stretches import Stretches
from pitwall.coach.worth import Beside, approach_s, around_s, median
from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Float64

BEST: Final = 3
"""Laps that a driver's own best is the median of."""
COMPARED: Final = 5
"""Laps that a worth is the median of: more say the same."""
MISTAKEN_S: Final = 0.1
"""Who takes longer than the best in a section by so much made a mistake there; by less, laps differ by chance."""
PACED: Final = 8
"""The newest laps, which tell what the car can do: more say the same."""
BRAKED_SHARE: Final = 0.9
"""Of the usual braking: who brakes less behind a roll does so because he rolled."""
PEDAL_M: Final = 10
"""Rows behind the first touch of a brake by which it is down."""
CHANCE: Final = (0.94, 1.06)
"""Of another lap's grip, what a lap's may be by chance: who uses less leaves some unused."""
BRAKING: Final = (0.87, 1.15)
"""The same of its braking."""
ALLOWED_S: Final = 0.08
"""What an approach may lose to the car's own pace without a mistake: bumps, a slope, a lap's braking by chance."""
HABIT_SHARE: Final = 0.5
"""Of what a lap loses on the approach: where the others lose more than that, they do the same, and nothing is allowed.
Less is the corner's own (its slope and bumps), as it is on laps without a mistake."""
TURNING_SHARE: Final = 0.8
"""Of the greatest lateral acceleration: beyond that little is left to brake with, and how much nobody can tell."""
BEFORE_M: Final = 3
"""Rows before a pedal's moving from which on what it cost is counted: throttles come at 10 to 50 Hz."""

_cornering_figures = attrgetter(*FIGURES)
_straight_figures = attrgetter(*STRAIGHT_FIGURES)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One lap as it was measured.  times_s: float64 (4, k), of `PARTS`.  lateral_g: (k,), the greatest in each middle.

    figures: float64 (k, f), all of `cornering` and of `straight`, in their order.
    at_full: what full power gave.
    """

    cornering: Cornering
    straight: Straight
    times_s: Float64
    lateral_g: Float64
    figures: Float64
    at_full: Gains


class Driving:
    """laps: of one session, all over the distance of the sections' first lap, one of them or an earlier one.

    reference: the lap that times are lost against; None: the sections' first.
    known: what was measured before, each lap when it was over, by the lap's number.
    """

    def __init__(
        self,
        laps: Sequence[Driven],
        sections: Sections,
        known: Mapping[int, Measured] | None = None,
        *,
        reference: Driven | None = None,
    ) -> None:
        self.laps = tuple(laps)
        self.sections = sections
        self.reference = sections.first if reference is None else reference
        self._measured = [(known or {}).get(lap.number) for lap in self.laps]
        self._brake_share: dict[int, Float64] = {}

    @property
    def places(self) -> tuple[Places, ...]:
        return self.sections.places

    @cached_property
    def limits(self) -> Limits:
        return limits(self.laps)

    @cached_property
    def pace(self) -> Pace:
        newest = range(len(self.laps))[-PACED:]
        at_full = [self.measured(lap).at_full for lap in newest]
        return pace([self.laps[lap] for lap in newest], self.limits, at_full)

    def measured(self, lap: int) -> Measured:
        """By its place in `laps`."""
        found = self._measured[lap]
        if found is None:
            found = self._measured[lap] = self._measure(self.laps[lap])
        return found

    def _measure(self, lap: Driven) -> Measured:
        sections = self.sections
        cornering = measured(lap, self.reference, sections, self.limits)
        straights = straight(lap, sections, self.limits, cornering.lift_m)
        figures = np.array([*_cornering_figures(cornering), *_straight_figures(straights)]).T.copy()
        return Measured(
            cornering, straights, sections.times_s(lap), lateral_g(lap, sections.middle), figures, gains_at_full(lap)
        )

    @cached_property
    def figures(self) -> Float64:
        """float64 (n, k, f), of each lap."""
        return np.array([self.measured(lap).figures for lap in range(len(self.laps))])

    @cached_property
    def _order(self) -> Int64:
        """int64 (n, 4, k): the laps in the order of their times in `PARTS` of each corner."""
        times_s = np.array([self.measured(lap).times_s for lap in range(len(self.laps))])
        return np.argsort(times_s, axis=0, kind="stable")

    def best_others(self, lap: int) -> Int64:
        """int64 (n - 1, 4, k): the other laps in the order of their times in `PARTS` of the corners.

        The first `BEST` of them are what the driver's own best is the median of.
        """
        n, order = len(self.laps), self._order
        others = order.transpose(1, 2, 0)
        ascending: Int64 = others[others != lap].reshape(*order.shape[1:], n - 1)
        return ascending.transpose(2, 0, 1)

    def seen(self, lap: int) -> Mapping[str, Seen]:
        """What a rule looks at, by the section of the corners that it speaks of."""
        good = self.best_others(lap)
        usual = _medians(self.figures[good[:BEST], np.arange(len(self.sections))])
        return {name: Seen(self, lap, part, good[:, part], usual[part]) for name, part in _PART_OF.items()}

    def brake_share(self, lap: int) -> Float64:
        """(k,): the braking, straight ahead and turning in, as a share of what this car reaches at such speeds."""
        if lap not in self._brake_share:
            self._brake_share[lap] = self._braked(self.laps[lap], self.measured(lap).cornering)
        return self._brake_share[lap]

    def _braked(self, lap: Driven, own: Cornering) -> Float64:
        car, sections = self.pace, self.sections
        if not car.known:
            return np.full(len(sections), np.nan)
        there = np.isfinite(own.brake_m)
        first = np.maximum(0, sections.apex - _rows(np.where(there, own.brake_m, 0.0)))
        to_slowest = Stretches(first, np.where(there, sections.apex + _rows(own.min_m), 0))
        rows, on = to_slowest.where(braking_rows(lap, self.limits)[to_slowest.rows])
        on = Stretches(on.first + BEFORE_M, on.last - BEFORE_M)
        rows = rows[on.rows]
        speed, turned = lap.role("speed")[rows], lap.role("g_lat")[rows] / car.lateral_g
        known = np.isfinite(speed) & (np.abs(turned) < TURNING_SHARE)
        most = car.slowing[np.minimum(_rows(np.where(known, speed, 0.0) / TABLE_MPS), len(car.slowing) - 1)]
        most = most * np.sqrt(np.maximum(LEAST_SHARE, 1 - np.square(turned)))
        slowed, could = (on.reduced(np.add, np.where(known, each, 0.0)) for each in (-lap.gain_mps2[rows], most))
        with np.errstate(invalid="ignore"):  # of nothing that is known there is no share
            return np.asarray(slowed / could, np.float64)


@dataclass(frozen=True, eq=False)
class Seen:
    """All corners, and the straights to them, on one lap; and what the best of the other laps in a section did.

    part: of `PARTS`.  good: int64 (n - 1, k), the other laps, the best in that section first.  figures: (k, f), as the
    best three of them have them.
    """

    driving: Driving
    index: int
    part: int
    good: Int64
    figures: Float64

    @property
    def lap(self) -> Driven:
        return self.driving.laps[self.index]

    @property
    def sections(self) -> Sections:
        return self.driving.sections

    @cached_property
    def own(self) -> Cornering:
        return self.driving.measured(self.index).cornering

    @cached_property
    def usual(self) -> Cornering:
        """Each figure is the median of the best three others'."""
        return Cornering(*self.figures.T[: len(FIGURES)])

    @cached_property
    def straight(self) -> Straight:
        return self.driving.measured(self.index).straight

    @cached_property
    def usual_straight(self) -> Straight:
        return Straight(*self.figures.T[len(FIGURES) :])

    @property
    def brake_share(self) -> Float64:
        return self.driving.brake_share(self.index)

    def along_m(self, before_apex_m: Float64) -> Float64:
        """(k,) -> (k,): along the lap."""
        return np.asarray(self.sections.apex_m - before_apex_m, np.float64)

    def alike(self, corner: int) -> list[int]:
        """The others that made no mistake there; of many those in the middle.

        The best alone would charge a driver with what is chance: each has once been lucky.
        """
        good: list[int] = self.good[:, corner].tolist()
        times_s = [float(self.driving.measured(lap).times_s[self.part, corner]) for lap in good]
        best_s = median(times_s[:BEST])
        known = max(BEST, sum(time_s <= best_s + MISTAKEN_S for time_s in times_s))
        first = max(0, min(known, len(good)) - COMPARED) // 2
        return good[first:known][:COMPARED]

    def approach_s(self, corner: int, from_m: float, *, habits: bool = True) -> float:
        """Lost from there to the slowest point, beyond what the others lose on the same metres.

        habits: what the others lose in the same way is counted too; False: what this lap loses more than they.
        """
        if np.isnan(from_m):
            return np.nan
        place, car, first = self.sections.places[corner], self.driving.pace, self._first(corner, from_m)

        def lost_s(lap: int, least: int = 0) -> float:
            last = min(max(self._slowest(lap, corner), least), place.after)
            return approach_s(self.driving.laps[lap], car, first, last, braking=self._grip(lap, corner, alike))

        alike = self.alike(corner)
        usual = [lost_s(other) for other in alike]
        slowest_m = float(place.corner.apex_m + self.usual.min_m[corner])
        # who rolled so long that he is slowest before the others are lost time up to there
        lost = lost_s(self.index, 0 if math.isnan(slowest_m) else round(slowest_m / STEP_M))
        allowed = median([each for each in usual if math.isfinite(each)]) if usual else 0.0
        return lost - (0.0 if habits and allowed > max(ALLOWED_S, HABIT_SHARE * lost) else allowed)

    def rolled_s(self, corner: int, from_m: float) -> float:
        """Lost from there until the brake was down, against power held up to where braking as hard leads to the same
        speed there: how hard the lap brakes is another matter."""
        brake_m, own = float(self.own.brake_m[corner]), float(self.brake_share[corner])
        if math.isnan(brake_m) or math.isnan(own) or math.isnan(from_m):
            return self.approach_s(corner, from_m)
        others = (float(self.driving.brake_share(lap)[corner]) for lap in self.alike(corner))
        usual = median([each for each in others if math.isfinite(each)])
        braking = own if math.isnan(usual) else max(own, BRAKED_SHARE * usual)
        braked = int((self.sections.apex_m[corner] - brake_m) / STEP_M) + PEDAL_M
        last = min(braked, self._slowest(self.index, corner))
        return approach_s(self.lap, self.driving.pace, self._first(corner, from_m), last, braking=braking)

    def around_s(
        self, corner: int, *, before_m: float, after_m: float, as_gripping: bool = True, as_braking: bool = True
    ) -> float:
        """Lost about the slowest point, against the others there.

        as_gripping: a lap is not blamed for what its grip there differs by (tyres, the road); False: it is, where to
        leave grip unused is the mistake.  as_braking: nor for how hard it brakes.
        NaN where the lap alone is slowest at the corner's very end: it is then on its way into the next one.
        """
        place = self.sections.places[corner]
        end_m = place.corner.end_m - place.corner.apex_m - STEP_M
        if self.own.min_m[corner] >= end_m > self.usual.min_m[corner]:
            return np.nan
        return around_s(
            self.lap,
            [self._beside(lap, corner, as_gripping, as_braking) for lap in self.alike(corner)],
            self.driving.pace,
            place,
            self._slowest(self.index, corner),
            before_m=before_m,
            after_m=after_m,
        )

    def _grip(self, lap: int, corner: int, others: Sequence[int]) -> float:
        own, *usual = (float(self.driving.measured(each).lateral_g[corner]) for each in (lap, *others))
        return _within(own / median(usual), *CHANCE) if usual and median(usual) > 0 else 1.0

    def _beside(self, other: int, corner: int, as_gripping: bool, as_braking: bool) -> Beside:
        slowest, brake_m = self._slowest(other, corner), float(self.driving.measured(other).cornering.brake_m[corner])
        own_g, other_g = (float(self.driving.measured(lap).lateral_g[corner]) for lap in (self.index, other))
        grip = own_g / other_g if as_gripping and other_g > 0 else 1.0
        braking = float(self.brake_share[corner] / self.driving.brake_share(other)[corner]) if as_braking else 1.0
        braked = slowest if math.isnan(brake_m) else round((self.sections.apex_m[corner] - brake_m) / STEP_M)
        return Beside(self.driving.laps[other], slowest, braked, _within(grip, *CHANCE), _within(braking, *BRAKING))

    def _first(self, corner: int, from_m: float) -> int:
        """The row from which on what a pedal cost is counted."""
        return max(self.sections.places[corner].before, round(from_m / STEP_M) - BEFORE_M)

    def _slowest(self, lap: int, corner: int) -> int:
        """The row."""
        return int(self.sections.apex[corner]) + round(
            float(self.driving.measured(lap).cornering.min_m[corner]) / STEP_M
        )


def _within(share: float, least: float, most: float) -> float:
    """1 where it is not known."""
    return min(most, max(least, share)) if math.isfinite(share) else 1.0


_PART_OF: Final = {**{name: part for part, name in enumerate(PARTS)}, "straight": len(PARTS) - 1}
"""Which of `PARTS` other laps are best in, where a rule speaks of that section: of a straight, all of the corner."""


def _rows(metres: Float64) -> Int64:
    return (metres / STEP_M).astype(np.int64)


def _medians(laps: Float64) -> Float64:
    """(m, …) -> (…): of each figure, of what is known of `BEST` laps at most; NaN where nothing is."""
    known = ~np.isnan(laps)
    count = known.sum(axis=0)
    a, b, c = (np.where(known[i], laps[i], np.inf) if i < len(laps) else np.inf for i in range(BEST))
    least, more = np.minimum(a, b), np.maximum(a, b)
    first, second = np.minimum(least, c), np.minimum(more, np.maximum(least, c))
    of_two = (first + np.where(count == 2, second, first)) / 2
    return np.asarray(np.where(count == 0, np.nan, np.where(count == BEST, second, of_two)), np.float64)
