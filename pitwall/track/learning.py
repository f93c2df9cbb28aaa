"""Fixes of an unknown track in, a start line out: where the path comes back to itself, in the direction of before.

Laws:

1. What is found depends on the fixes up to there, not on how they came in pieces.
2. A place is come back to when the car has been away from it, and then drives along its old path for a while: a bridge
   over it, or a turn in the paddock, is none.

Pure; state is folded from piece to piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.track.definition import Line, Track
from pitwall.track.fixes import NONE, Fixes, joined
from pitwall.track.plane import Plane, plane_about

EVERY_M: Final = 10.0  # the path is looked at in points so far apart
MOVING_MPS: Final = 2.0  # below it a path is a receiver's noise
NEAR_M: Final = 12.0  # a track's width, or nearly
COSINE: Final = 0.77  # of 40 degrees, by which the directions may differ
SHORTEST_M: Final = 200.0  # the shortest lap
ALONG: Final = 3  # points one behind the other that must fit
POINTS: Final = 3_000  # that are remembered: 30 km, and the Nordschleife has 21
HALF_WIDTH_M: Final = 15.0  # of the line that is laid across


@dataclass(frozen=True, slots=True)
class Found:
    """index: of the fix at which it was clear.  track: with its start line."""

    index: int
    track: Track


class Learner:
    """Folds fixes until a loop is closed."""

    def __init__(self) -> None:
        self._plane: Plane | None = None
        self._before = NONE
        self._way_m = 0.0
        self._cell = 0
        self._points = np.empty((0, 5))  # x, y, direction x and y, way
        self._last: tuple[float, float, float] | None = None  # of the newest point: x, y, way
        self._fits: list[int] = []

    def fold(self, fixes: Fixes) -> Found | None:
        """The loop that the next fixes close; those behind it are not looked at."""
        if not len(fixes):
            return None
        if self._plane is None:
            self._plane = plane_about((float(fixes.lat[0]), float(fixes.lon[0])))
        known = joined([self._before, fixes])
        old = len(known) - len(fixes)
        x, y = self._plane.metres(known.lat, known.lon)
        dx, dy, dt = np.diff(x), np.diff(y), np.diff(known.t)
        steps = np.sqrt(dx * dx + dy * dy)
        steps = np.where(steps > MOVING_MPS * 1e-9 * dt, steps, 0.0)
        steps = steps if old else np.append(0.0, steps)
        way = np.cumsum(np.append(self._way_m, steps))[1:]
        cells = np.floor(way / EVERY_M)
        new = np.flatnonzero(cells != np.append(float(self._cell), cells[:-1])).tolist()
        self._before, self._way_m, self._cell = fixes.part(slice(-1, None)), float(way[-1]), int(cells[-1])
        for i in new:
            track = self._point(float(x[old + i]), float(y[old + i]), float(way[i]))
            if track is not None:
                return Found(i, track)
        return None

    def _point(self, x: float, y: float, way: float) -> Track | None:
        last, self._last = self._last, (x, y, way)
        if last is None:
            return None
        dx, dy = x - last[0], y - last[1]
        chord = (dx * dx + dy * dy) ** 0.5
        if not 0.5 * EVERY_M <= chord <= 3 * EVERY_M:  # a jump, or a turn on the spot
            self._fits = []
            return None
        dx, dy = dx / chord, dy / chord
        fit = self._fitting(x, y, dx, dy, way)
        self._fits = [*self._fits, fit] if fit is not None else []
        self._points = np.concatenate([self._points[1 - POINTS :], [[x, y, dx, dy, way]]])
        return self._track(self._points[self._fits[0]]) if len(self._fits) == ALONG else None

    def _fitting(self, x: float, y: float, dx: float, dy: float, way: float) -> int | None:
        """The nearest earlier point that this one lies beside, in its direction."""
        points = self._points[: int(np.searchsorted(self._points[:, 4], way - SHORTEST_M))]
        if not len(points):
            return None
        ex, ey = points[:, 0] - x, points[:, 1] - y
        square = ex * ex + ey * ey
        if square.min() > NEAR_M * NEAR_M:  # all of the first lap
            return None
        square = np.where(points[:, 2] * dx + points[:, 3] * dy >= COSINE, square, np.inf)
        best = int(np.argmin(square))
        return best if square[best] <= NEAR_M * NEAR_M else None

    def _track(self, point: Float64) -> Track:
        assert self._plane is not None
        x, y, dx, dy, _ = (float(value) for value in point)
        left = self._plane.degrees(x - dy * HALF_WIDTH_M, y + dx * HALF_WIDTH_M)
        right = self._plane.degrees(x + dy * HALF_WIDTH_M, y - dx * HALF_WIDTH_M)
        heading = float(np.degrees(np.arctan2(dx, dy))) % 360.0
        return Track("", Line(left, right, heading), source="where the path came back to itself", learned=True)
