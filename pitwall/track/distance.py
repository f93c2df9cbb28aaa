"""Positions of a lap and a driven path in, distances along that path out, and the time lost by then.

Laws:

1. A distance is that of the nearest point of the path: two laps that pass the same spot have the same distance there,
   whatever lines they drove.  On the lines at its ends it is 0 and the path's length, wherever they are crossed.
2. What is far from the path, or was not seen, has no distance: NaN.
3. A position's distance depends on the lap up to there, not on how it came in pieces.

The functions are plain ones on arrays.  Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.derive.channel import Float64

STEP_M: Final = 1.0
"""Points of a path are about so far apart: between them it is straight to a centimetre on any road."""
SMOOTH: Final = (
    4  # points either side that a leg's direction is taken over: centimetres of noise turn it by a fraction of 1 deg
)
FAR_M: Final = 25.0  # from the path: the pit lane, or the grass; no place on the track
ANCHOR_M: Final = 200.0  # of way between two looks around: two lines through that much road differ by a few metres
AROUND_M: Final = 40.0  # looked around then
LOST_M: Final = 400.0  # and after a gap
BLEND_M: Final = 120.0  # from an end, by which distances lean to the line there


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A lap as it was driven.  x_m, y_m: float64 (n + 1,), points `step_m` apart along it, both ends among them.

    legs: float64 (n, 6), from each point to the next: the path's direction about its middle (x, y); how far along and
    how far to the left of the origin, seen in that direction, its point lies; how much further along and left the next.
    lean: of the lines at its start and its end: metres along the path for each metre to the left.
    """

    length_m: float
    step_m: float
    x_m: Float64
    y_m: Float64
    legs: Float64
    lean: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A lap to compare with.  t_s: float64 (n + 1,), its time at each of the path's points.  time_s: all of it."""

    number: int
    time_s: float
    t_s: Float64


def path(s_m: Float64, x_m: Float64, y_m: Float64, lines: tuple[tuple[float, float], tuple[float, float]]) -> Path:
    """The path of a lap.  s_m: float64 (m,), the way driven, ascending from 0; x_m, y_m: float64 (m,), where that was.

    lines: the direction of the line at its start, and at its end, either way round.
    """
    length = float(s_m[-1])
    n = max(2 * SMOOTH, round(length / STEP_M))
    step = length / n
    at = np.arange(n + 1) * step
    x, y = np.interp(at, s_m, x_m), np.interp(at, s_m, y_m)
    leg = np.arange(n)
    behind, before = np.maximum(leg + 1 - SMOOTH, 0), np.minimum(leg + SMOOTH, n)
    dx, dy = x[before] - x[behind], y[before] - y[behind]
    norm = np.sqrt(dx * dx + dy * dy)
    norm = np.where(norm > 0, norm, 1.0)
    to = np.stack([dx / norm, dy / norm], axis=1)
    to_x, to_y = to.T
    first, last = (to[edge] + (to[edge] - to[within]) * _ON for edge, within in ((0, SMOOTH + 1), (-1, -SMOOTH - 2)))
    lean = _lean(lines[0], first[0], first[1]), _lean(lines[1], last[0], last[1])
    from_x, from_y, by_x, by_y = x[:-1], y[:-1], np.diff(x), np.diff(y)
    ahead, aside = from_x * to_x + from_y * to_y, from_y * to_x - from_x * to_y
    legs = np.stack([to_x, to_y, ahead, aside, by_x * to_x + by_y * to_y, by_y * to_x - by_x * to_y], axis=1)
    return Path(length, step, x, y, legs, lean)


def timed(path: Path, number: int, s_m: Float64, t_s: Float64, time_s: float) -> Reference:
    """A lap as a reference.  s_m: float64 (m,), distances along the path; NaN: none.  t_s: since its start."""
    there = np.isfinite(s_m) & (s_m > 0) & (s_m < path.length_m)
    s, t = np.maximum.accumulate(s_m[there]), t_s[there]
    s, t = np.concatenate(([0.0], s, [path.length_m])), np.concatenate(([0.0], t, [time_s]))
    rising = np.append(True, s[1:] > s[:-1])  # who rolls back passes no place anew
    return Reference(number, time_s, np.interp(np.arange(len(path.x_m)) * path.step_m, s[rising], t[rising]))


def at_distance(path: Path, column: Float64, s_m: Float64) -> Float64:
    """A column of the path's points, float64 (n + 1,), at distances float64 (m,); straight on beyond its ends."""
    along = s_m / path.step_m
    low = np.minimum(np.fmax(along, 0.0).astype(np.int64), len(column) - 2)  # NaN is looked up at 0, and stays
    first = column[low]
    result: Float64 = first + (column[low + 1] - first) * (along - low)
    return result


def located(path: Path, near_m: Float64, x_m: Float64, y_m: Float64) -> tuple[Float64, Float64]:
    """(distances, metres to the left of the path), float64 (m,), of points; near_m: about where each is.

    The foot of the perpendicular, by stepping along the path's direction; from within a quarter of a bend it is found.
    """
    highest, per_m = len(path.legs) - 1, 1.0 / path.step_m
    s = near_m
    for step in range(_STEPS):
        along = s * per_m
        low = np.minimum(np.maximum(along, 0.0).astype(np.int64), highest)
        to_x, to_y, ahead, aside, further, drift = path.legs.take(low, axis=0).T
        part = along - low
        s = s + (x_m * to_x + y_m * to_y - ahead - further * part)
        if step == _STEPS - 1:
            left = y_m * to_x - x_m * to_y - aside - drift * part
    if float(s.min()) < BLEND_M or float(s.max()) > path.length_m - BLEND_M:  # elsewhere it would change nothing
        start = np.clip(1.0 - s / BLEND_M, 0.0, 1.0)
        end = np.clip(1.0 - (path.length_m - s) / BLEND_M, 0.0, 1.0)
        s = s - left * (start * path.lean[0] + end * path.lean[1])
    return s, left


_ON: Final = SMOOTH / (2 * SMOOTH - 1)
"""How a direction at an end is told: that of its leg is one about `SMOOTH / 2` from it, that of the leg within one
`SMOOTH + 1.5`, and it goes on turning as between those."""
_STEPS: Final = 2
"""Each leaves of an error what the bend is off a straight line there: of a metre or two a millimetre in the end."""


def nearest(path: Path, x_m: float, y_m: float, low_m: float, high_m: float) -> tuple[float, float]:
    """(distance, metres from the path) of its nearest point between two distances."""
    first = min(max(int(low_m / path.step_m), 0), len(path.x_m) - 2)
    last = max(min(int(high_m / path.step_m) + 2, len(path.x_m)), first + 2)
    dx, dy = path.x_m[first:last] - x_m, path.y_m[first:last] - y_m
    dx *= dx
    dy *= dy
    dx += dy
    best = int(dx.argmin())
    return (first + best) * path.step_m, float(dx[best]) ** 0.5


@dataclass(slots=True)
class Follower:
    """Where on the path one lap is.  way_m, s_m: at the newest look around; s_m is None where nobody knows."""

    way_m: float = 0.0
    s_m: float | None = 0.0
    cell: int = 0

    def follow(
        self, path: Path, way_m: Float64, x_m: Float64, y_m: Float64, lost: npt.NDArray[np.bool_]
    ) -> tuple[Float64, Float64]:
        """(distances, metres to the left of the path) at the lap's next fixes, float64 (n,); NaN where there is none.

        way_m: float64 (n,), driven since the lap began.  lost: bool (n,), what was before a fix was not seen.
        """
        cells = np.floor(way_m / ANCHOR_M)
        look = lost.copy()
        look[1:] |= cells[1:] != cells[:-1]
        if len(cells):
            look[0] |= cells[0] != self.cell
        looks = look.nonzero()[0].tolist()
        if not looks and self.s_m is None:
            looks = [0]
        ways, places = [self.way_m], [np.nan if self.s_m is None else self.s_m]
        for i in looks:
            here = float(way_m[i])
            about = places[-1] + here - ways[-1]
            reach = LOST_M if lost[i] else AROUND_M
            low, high = (0.0, path.length_m) if math.isnan(about) else (about - reach, about + reach)
            found, off = nearest(path, float(x_m[i]), float(y_m[i]), low, high)
            ways.append(here)
            places.append(found if off <= FAR_M else about)
        if len(way_m):
            self.cell = int(cells[-1])
        self.way_m, self.s_m = ways[-1], None if np.isnan(places[-1]) else places[-1]
        counts = [b - a for a, b in pairwise((0, *looks, len(way_m)))]  # fixes behind each look, and before the first
        near = np.repeat(places, counts) + (way_m - np.repeat(ways, counts))
        unknown = np.isnan(near) if np.isnan(places[0]) else None  # a place that was found is never lost again
        s, left = located(path, near if unknown is None else np.where(unknown, 0.0, near), x_m, y_m)
        far = (np.abs(left) > FAR_M) | (np.abs(s - near) > 2 * AROUND_M)
        if unknown is not None:
            far |= unknown
        if far.any():
            s, left = np.where(far, np.nan, s), np.where(far, np.nan, left)
        return s, left


def _lean(line: tuple[float, float], to_x: float, to_y: float) -> float:
    along, left = line[0] * to_x + line[1] * to_y, line[1] * to_x - line[0] * to_y
    return 0.0 if abs(left) <= abs(along) else float(along / left)  # a line along the track says nothing
