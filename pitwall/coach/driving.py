"""The laps of a drive in, what rules look at out: each corner and straight as driven, beside the driver's own best.

Laws: the best is the median of the best three *other* laps in that very section, so that a reference lap with a mistake
of its own misleads nobody, and a lap is never compared with itself; with no other lap all that is usual is missing.
Pure; what was computed is kept.
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
from pitwall.coach.metrics import (
    FIGURES,
    Cornering,
    Limits,
    Part,
    Places,
    Rows,
    braking_rows,
    limits,
    measured,
    places,
    section_s,
    slowest_row,
)
from pitwall.coach.pace import LEAST_SHARE, TABLE_MPS, Pace, pace
from pitwall.coach.straights import STRAIGHT_FIGURES, Straight, straight
from pitwall.coach.worth import approach_s, around_s
from pitwall.track.corners import STEP_M, Corner, Float64

BEST: Final = 3
"""Laps that a driver's own best is the median of."""
GOOD_SHARE: Final = 2 / 3
"""Of the other laps in a section, the best: a mistake on up to half of them does not move their median."""
PACED: Final = 8
"""The newest laps, which tell what the car can do: more say the same."""
ALLOWED_S: Final = 0.08
"""What an approach may lose to the car's own pace without a mistake: bumps, a slope, a lap's braking by chance."""
HABIT_SHARE: Final = 0.5
"""Of what a lap loses on the approach: where the others lose more than that, they do the same, and nothing is allowed.
Less is the corner's own (its slope and bumps), as it is on laps without a mistake."""
BEFORE_M: Final = 3
"""Rows before a pedal's moving from which on what it cost is counted: throttles come at 10 to 50 Hz."""


class Driving:
    """laps: of one session, all over the distance of `first`, one of them or an earlier one: its path is the corners'.

    reference: the lap that times are lost against; None: `first`.
    known, straights: what was measured before, each lap when it was over, by the lap's number and the corner's place.
    """

    def __init__(
        self,
        laps: Sequence[Driven],
        first: Driven,
        corners: Sequence[Corner],
        known: Mapping[tuple[int, int], Cornering] | None = None,
        straights: Mapping[tuple[int, int], Straight] | None = None,
        *,
        reference: Driven | None = None,
    ) -> None:
        self.laps = tuple(laps)
        self.reference = first if reference is None else reference
        self.places: tuple[Places, ...] = places(corners, first)
        places_of = {lap.number: i for i, lap in enumerate(self.laps)}
        self._cornering: dict[tuple[int, int], Cornering] = {
            (places_of[number], corner): found for (number, corner), found in (known or {}).items()
        }
        self._order: dict[tuple[int, str], list[int]] = {}
        self._braking: dict[int, Rows] = {}
        self._usual: dict[tuple[int, tuple[int, ...]], Cornering] = {}
        self._straight: dict[tuple[int, int], Straight] = {
            (places_of[number], corner): found for (number, corner), found in (straights or {}).items()
        }

    @cached_property
    def limits(self) -> Limits:
        return limits(self.laps)

    @cached_property
    def pace(self) -> Pace:
        return pace(self.laps[-PACED:], self.limits)

    def cornering(self, lap: int, corner: int) -> Cornering:
        """Both by their place in `laps` and `places`."""
        if (lap, corner) not in self._cornering:
            found = measured(self.laps[lap], self.reference, self.places[corner], self.limits)
            self._cornering[lap, corner] = found
        return self._cornering[lap, corner]

    def usual(self, corner: int, laps: tuple[int, ...]) -> Cornering:
        """Each figure is the median of those laps'."""
        if (corner, laps) not in self._usual:
            every = np.array([_cornering_figures(self.cornering(lap, corner)) for lap in laps], np.float64)
            medians = dict(zip(FIGURES, _medians(every, len(FIGURES)).tolist(), strict=True))
            self._usual[corner, laps] = Cornering(lap=-1, corner=self.places[corner].corner.name, **medians)
        return self._usual[corner, laps]

    def straight(self, lap: int, corner: int) -> Straight:
        """The one that leads to the corner."""
        if (lap, corner) not in self._straight:
            lifted_m = self.places[corner].corner.apex_m - self.cornering(lap, corner).lift_m
            found = straight(self.laps[lap], self.places[corner], self.limits, lifted_m)
            self._straight[lap, corner] = found
        return self._straight[lap, corner]

    def best_others(self, lap: int, corner: int, section: str) -> list[int]:
        """The other laps in the order of that section of the corner, by their places in `laps`: the best half and more.

        The first `BEST` of them are what the driver's own best is the median of.
        """
        if (corner, section) not in self._order:
            part = _part(self.places[corner], section)
            times = [section_s(each, part) for each in self.laps]
            self._order[corner, section] = sorted(range(len(times)), key=lambda other: (times[other], other))
        most = max(BEST, math.ceil(GOOD_SHARE * (len(self.laps) - 1)))
        return [other for other in self._order[corner, section] if other != lap][:most]

    def braking(self, lap: int) -> Rows:
        """Where the driver brakes on the lap at that place."""
        if lap not in self._braking:
            self._braking[lap] = braking_rows(self.laps[lap], self.limits)
        return self._braking[lap]

    def seen(self, lap: int, corner: int, section: str) -> Seen:
        """What a rule that speaks of that section of the corner looks at."""
        good = tuple(self.best_others(lap, corner, section))
        return Seen(self, lap, corner, good[:BEST], good)


@dataclass(frozen=True, eq=False)
class Seen:
    """One corner, and the straight to it, on one lap.

    others: the best of the other laps there, which the driver's figures are compared with.  good: most of the others,
    which its time is: the best three alone would charge him with what is chance.
    """

    driving: Driving
    index: int
    corner: int
    others: tuple[int, ...]
    good: tuple[int, ...]

    @property
    def lap(self) -> Driven:
        return self.driving.laps[self.index]

    @property
    def place(self) -> Places:
        return self.driving.places[self.corner]

    @cached_property
    def own(self) -> Cornering:
        return self.driving.cornering(self.index, self.corner)

    @cached_property
    def usual(self) -> Cornering:
        """Each figure is the median of the others'."""
        return self.driving.usual(self.corner, tuple(sorted(self.others)))

    @cached_property
    def straight(self) -> Straight:
        return self.driving.straight(self.index, self.corner)

    @cached_property
    def usual_straight(self) -> Straight:
        every = np.array(
            [_straight_figures(self.driving.straight(lap, self.corner)) for lap in self.others], np.float64
        )
        medians = dict(zip(STRAIGHT_FIGURES, _medians(every, len(STRAIGHT_FIGURES)).tolist(), strict=True))
        return Straight(lap=-1, corner=self.place.corner.name, **medians)

    @cached_property
    def brake_share(self) -> float:
        """The braking, straight ahead and while turning in, as a share of what this car reaches at such speeds."""
        car, own = self.driving.pace, self.own
        if not car.known or np.isnan(own.brake_m):
            return np.nan
        first = max(0, round((self.place.corner.apex_m - own.brake_m) / STEP_M))
        last = slowest_row(self.lap.role("speed"), self.place.corner)
        rows = first + np.flatnonzero(self.driving.braking(self.index)[first:last])[BEFORE_M:-BEFORE_M]
        rows = rows[np.isfinite(self.lap.role("speed")[rows]) & np.isfinite(self.lap.role("g_lat")[rows])]
        if not len(rows):
            return np.nan
        speed, turned = self.lap.role("speed")[rows], self.lap.role("g_lat")[rows] / car.lateral_g
        most = car.slowing[np.minimum((speed / TABLE_MPS).astype(np.int64), len(car.slowing) - 1)]
        most = most * np.sqrt(np.maximum(LEAST_SHARE, 1 - np.square(turned)))
        return float(np.sum(-self.lap.gain_mps2[rows]) / np.sum(most))

    def approach_s(self, from_m: float, *, habits: bool = True) -> float:
        """Lost from there to the slowest point, beyond what the others lose on the same metres.

        habits: what the others lose in the same way is counted too; False: what this lap loses more than they.
        """
        if np.isnan(from_m):
            return np.nan
        first = max(self.place.before, round(from_m / STEP_M) - BEFORE_M)
        usual = [approach_s(self.driving.laps[other], self.driving.pace, self.place, first) for other in self.others]
        slowest = self.place.corner.apex_m + self.usual.min_m
        least = 0 if np.isnan(slowest) else round(slowest / STEP_M)
        lost = approach_s(self.lap, self.driving.pace, self.place, first, least)
        allowed = _median(usual) if usual else 0.0
        return lost - (0.0 if habits and allowed > max(ALLOWED_S, HABIT_SHARE * lost) else allowed)

    def along_m(self, before_apex_m: float) -> float:
        """Along the lap."""
        return self.place.corner.apex_m - before_apex_m

    def around_s(self, *, before_m: float, after_m: float, as_gripping: bool = True) -> float:
        """Lost about the slowest point, against the others there.

        NaN where the lap alone is slowest at the corner's very end: it is then on its way into the next one.
        """
        end_m = self.place.corner.end_m - self.place.corner.apex_m - STEP_M
        if self.own.min_m >= end_m > self.usual.min_m:
            return np.nan
        others = [self.driving.laps[other] for other in self.good]
        return around_s(
            self.lap,
            others,
            self.driving.pace,
            self.place,
            before_m=before_m,
            after_m=after_m,
            as_gripping=as_gripping,
        )


def _part(place: Places, section: str) -> Part:
    parts = {"entry": place.entry, "middle": place.middle, "exit": place.exit}
    return parts.get(section, Part(place.entry.first, place.exit.last))


_cornering_figures = attrgetter(*FIGURES)
_straight_figures = attrgetter(*STRAIGHT_FIGURES)


def _medians(rows: Float64, n: int) -> Float64:
    """Of each column, (k, n) -> (n,), of what is known in it."""
    if not len(rows):
        return np.full(n, np.nan)
    ordered = np.sort(rows, axis=0)  # what is missing sorts to the end
    count = np.count_nonzero(~np.isnan(ordered), axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(rows) - 1)
    columns = np.arange(rows.shape[1])
    return np.asarray(np.where(count > 0, (ordered[low, columns] + ordered[high, columns]) / 2, np.nan), np.float64)


def _median(values: Sequence[float]) -> float:
    there = [value for value in values if np.isfinite(value)]
    return float(np.median(there)) if there else np.nan
