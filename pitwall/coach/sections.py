"""The corners of a course in, where each is entered, driven round and left out, in rows of a lap.

Sections tile the lap.  A corner's *middle* is the part about the place where the reference lap is slowest in it; its
*exit* runs from there down the straight, as far as speed shows how the corner was left; its *entry* is what lies
between the exit of the corner before it and its middle, and so holds where the driver lifts and brakes for it.  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.stretches import Smoothed, Stretches
from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Corner, Float64

MIDDLE_SHARE: Final = 0.25
"""Of a corner's length, either side of its slowest point."""
APPROACH_M: Final = 40.0
"""So long before the fastest point of a straight the next corner's entry begins at the latest: who brakes too early
does it there."""
NEAR_APEX_M: Final = 12.0
"""Either side of the reference lap's apex: how far off a line lies is a mean over so much of it."""
MEAN_ROWS: Final = 3
"""Either side of a row, of what is noisy: some metres in all."""
PARTS: Final = ("entry", "middle", "exit", "corner")
"""Of a corner, those that a time is taken of; the last one is all of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the lap, in rows: `first <= i < last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Places:
    """The sections of a corner, the same on every lap; they tile the lap with those of the other corners.

    before: the row where the reference lap is slowest in the corner before it, or at its apex if that is first (0: for
    the first corner).  after: where it is slowest in the next one, or the last row.
    """

    corner: Corner
    entry: Part
    middle: Part
    exit: Part
    before: int = 0
    after: int = 0


class Sections:
    """All corners of a course.  first: the lap whose path they are of.  places: of each.

    apex_m: float64 (k,).  begin, apex, end: int64 (k,), rows of each corner, `begin <= i < end`.  entry: where its
    entry begins.  before: the row before which nothing is of it.  middle: its rows.  parts: first and last rows of
    `PARTS`, int64 (4, k) each.  driven, turning, approach: the whole corner, up to its apex, and with its entry.
    about_apex: int64 (k, 25), rows about it, `there` (k, 25) where those are rows of the lap; near: int64 (k, 25, 25),
    rows about each of them.
    """

    def __init__(self, corners: Sequence[Corner], first: Driven) -> None:
        self.first = first
        self.places = places(corners, first)
        n = len(first)
        self.apex_m = np.array([c.apex_m for c in corners], np.float64)
        self.begin = _rows([c.begin_m for c in corners])
        self.apex = _rows([c.apex_m for c in corners])
        self.end = np.minimum(_rows([c.end_m for c in corners]) + 1, n)
        self.right = np.array([c.right for c in corners], np.bool_)
        entry, middle, exit_ = ([getattr(place, part) for place in self.places] for part in PARTS[:3])
        self.entry = _ints([part.first for part in entry])
        self.before = _ints([place.before for place in self.places])
        driven_round = Stretches(_ints([part.first for part in middle]), _ints([part.last for part in middle]))
        self.middle = Smoothed(driven_round, MEAN_ROWS)
        first_of = [[part.first for part in each] for each in (entry, middle, exit_, entry)]
        last_of = [[part.last for part in each] for each in (entry, middle, exit_, exit_)]
        self.parts = np.array(first_of, np.int64), np.array(last_of, np.int64)
        about = np.arange(-round(NEAR_APEX_M / STEP_M), round(NEAR_APEX_M / STEP_M) + 1)
        rows = self.apex[:, None] + about
        self.about_apex, self.there = np.clip(rows, 3, n - 4), (rows >= 3) & (rows <= n - 4)
        self.near = np.clip(self.about_apex[:, :, None] + about, 0, n - 1)
        self.driven = Stretches(self.begin, self.end)
        self.turning = Stretches(self.begin, self.apex + 1)
        self.approach = Stretches(self.entry, self.apex + 1)

    def __len__(self) -> int:
        return len(self.places)

    def times_s(self, lap: Driven) -> Float64:
        """Seconds that the lap took for each of `PARTS`, float64 (4, k); 0 where it has no rows of it: an open course
        may end in a corner."""
        first, last = self.parts
        last = np.minimum(last, len(lap) - 1)
        return np.asarray(np.where(last > first, lap.t_s[last] - lap.t_s[np.minimum(first, last)], 0.0), np.float64)

    def slowest(self, speed: Float64) -> Int64:
        """int64 (k,): the rows where speed (n,) is least in each corner; its middle where speed is not known."""
        there = speed[self.driven.rows]
        least = self.driven.reduced(np.fmin, there)
        at = self.driven.first_where(there == self.driven.spread(least))
        return np.where(at < 0, (self.begin + np.maximum(self.end, self.begin)) // 2, at)


def places(corners: Sequence[Corner], reference: Driven) -> tuple[Places, ...]:
    """The sections of every corner, by where the reference lap was slowest in it; none where there is no corner."""
    if not corners:
        return ()
    n, speed = len(reference), reference.role("speed")
    slowest = [slowest_row(speed, corner) for corner in corners]
    begins = [0]
    for k in range(1, len(corners)):
        before, behind = slowest[k - 1], slowest[k]
        straight = speed[before : behind + 1]
        fastest = before + (int(np.nanargmax(straight)) if np.isfinite(straight).any() else len(straight) // 2)
        halfway = round((corners[k - 1].end_m + corners[k].begin_m) / 2 / STEP_M)
        begins.append(max(before + 1, min(halfway, fastest - round(APPROACH_M / STEP_M))))
    ends = [*begins[1:], n]
    found: list[Places] = []
    for corner, at, begin, end in zip(corners, slowest, begins, ends, strict=True):
        half = round(MIDDLE_SHARE * (corner.end_m - corner.begin_m) / STEP_M)
        first, last = max(begin, at - half), min(end, at + half + 1)
        k = len(found)
        # who rolls out of a fast corner into the next one is slowest at its very end
        before = min(slowest[k - 1], round(corners[k - 1].apex_m / STEP_M)) if k else 0
        after = slowest[k + 1] if k + 1 < len(slowest) else n - 1
        found.append(Places(corner, Part(begin, first), Part(first, last), Part(last, end), before, after))
    return tuple(found)


def slowest_row(speed: Float64, corner: Corner) -> int:
    """Where in the corner the speed is least."""
    first, last = round(corner.begin_m / STEP_M), min(round(corner.end_m / STEP_M) + 1, len(speed))
    part = speed[first:last]
    if not len(part):
        return first
    at = int(np.argmin(np.where(np.isnan(part), np.inf, part)))
    return first + (len(part) // 2 if np.isnan(part[at]) else at)


def _rows(metres: Sequence[float]) -> Int64:
    return _ints([round(m / STEP_M) for m in metres])


def _ints(values: Sequence[int]) -> Int64:
    return np.array(values, np.int64)
