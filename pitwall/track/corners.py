"""The path of a lap in, the corners of it out: where the car really turned.

Laws: a corner is where the path, smoothed over `SMOOTH_M`, keeps turning one way and tighter than `WIDEST_M`, by
`LEAST_TURN_DEG` in all; two corners never overlap; corners come in the order that they are driven.  Pure.

Curvature is the change of heading a metre, positive to the right, as lateral acceleration is on the bus.  A path of
GPS fixes is good to some decimetres, and at 10 to 25 Hz has one every 1 to 7 m: what turns within less than `SMOOTH_M`
is noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

STEP_M: Final = 1.0
"""Everything over distance is in rows one metre apart."""
SMOOTH_M: Final = 8.0
WIDEST_M: Final = 400.0
"""A wider bend is a straight: at 50 m/s it takes 0.6 g, at 30 m/s 0.2 g."""
LEAST_TURN_DEG: Final = 9.0
JOINED_M: Final = 12.0
"""Two bends the same way that are no farther apart are one corner."""
NAMED_WITHIN_M: Final = 75.0
"""A corner takes the name of the nearest point that a track's file names, if it is no farther away than this."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One corner of a lap.  begin_m, apex_m, end_m: along the lap.  turn_deg: positive to the right.

    radius_m: of the path where it turns most tightly, which is its apex.
    """

    name: str
    begin_m: float
    apex_m: float
    end_m: float
    turn_deg: float
    radius_m: float

    @property
    def right(self) -> bool:
        return self.turn_deg > 0


def curvature(x_m: Float64, y_m: Float64, *, closed: bool) -> Float64:
    """1/m (n,): of a path in points `STEP_M` apart, positive to the right.  closed: whether its end meets its begin."""
    x, y = (_smoothed(column, SMOOTH_M, closed=closed) for column in _unwrapped(x_m, y_m, closed=closed))
    heading = np.unwrap(np.arctan2(_slope(x, closed=closed), _slope(y, closed=closed)))
    turn = _slope(heading, closed=False)
    if closed:  # the heading has gone round once more than the path: its ends do not meet
        turn[0], turn[-1] = turn[1], turn[-2]
    return _smoothed(turn, SMOOTH_M / 2, closed=closed)


def found(x_m: Float64, y_m: Float64, *, closed: bool) -> tuple[Corner, ...]:
    """The corners of a path in points `STEP_M` apart, named T1, T2, … in their order."""
    kappa = curvature(x_m, y_m, closed=closed)
    bends = []
    for side in (1.0, -1.0):
        bends += _stretches(side * kappa > 1 / WIDEST_M)
    corners: list[Corner] = []
    for first, last in sorted(_joined(bends, kappa)):
        turn_deg = float(np.degrees(np.sum(kappa[first:last]) * STEP_M))
        if abs(turn_deg) < LEAST_TURN_DEG:
            continue
        apex = first + int(np.argmax(np.abs(kappa[first:last])))
        begin, end = first * STEP_M, (last - 1) * STEP_M
        radius = float(1 / abs(kappa[apex]))
        name = f"T{len(corners) + 1}"
        corners.append(Corner(name, begin, apex * STEP_M, end, turn_deg, radius))
    return tuple(corners)


def named(
    corners: Sequence[Corner], x_m: Float64, y_m: Float64, names: Sequence[tuple[str, float, float]]
) -> tuple[Corner, ...]:
    """The corners under the names of a track's file.  names: (name, x_m, y_m) of apexes.  x_m, y_m: the lap's path.

    A corner that nobody named keeps its number; a name that lies at no corner is nobody's.
    """
    taken: dict[int, str] = {}
    apexes = np.array([(x_m[round(c.apex_m / STEP_M)], y_m[round(c.apex_m / STEP_M)]) for c in corners])
    for name, x, y in names:
        if not len(apexes):
            break
        away = np.hypot(apexes[:, 0] - x, apexes[:, 1] - y)
        nearest = int(np.argmin(away))
        if away[nearest] <= NAMED_WITHIN_M and nearest not in taken:
            taken[nearest] = name
    return tuple(replace(corner, name=taken.get(k, corner.name)) for k, corner in enumerate(corners))


def _stretches(on: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where `on` holds without a break, as slices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _joined(bends: list[tuple[int, int]], kappa: Float64) -> list[tuple[int, int]]:
    """Bends with their neighbours of the same side that are hardly apart."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(bends):
        if joined:
            before = joined[-1]
            same = np.sign(kappa[before[0]]) == np.sign(kappa[first])
            if same and (first - before[1]) * STEP_M <= JOINED_M:
                joined[-1] = (before[0], last)
                continue
        joined.append((first, last))
    return joined


def _unwrapped(x: Float64, y: Float64, *, closed: bool) -> tuple[Float64, Float64]:
    """A closed path whose ends lie a little apart (GPS drifts in a lap's time) as one whose ends meet."""
    if not closed:
        return x, y
    share = np.arange(len(x)) / len(x)
    step = np.hypot(x[1] - x[0], y[1] - y[0])
    gap_x, gap_y = x[-1] - x[0], y[-1] - y[0]
    away = np.hypot(gap_x, gap_y)
    if away <= step:
        return x, y
    keep = step / away  # the last point lies one step before the first
    return x - share * gap_x * (1 - keep), y - share * gap_y * (1 - keep)


def _slope(values: Float64, *, closed: bool) -> Float64:
    if closed:
        return np.asarray((np.roll(values, -1) - np.roll(values, 1)) / (2 * STEP_M), np.float64)
    return np.asarray(np.gradient(values, STEP_M), np.float64)


def _smoothed(values: Float64, width_m: float, *, closed: bool) -> Float64:
    """Means over a Gaussian of standard deviation `width_m`; at an open end what is there stays for what is not."""
    reach = int(np.ceil(4 * width_m / STEP_M))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP_M / width_m) ** 2)
    padded = np.pad(values, reach, mode="wrap" if closed and len(values) > reach else "edge")
    return np.asarray(np.convolve(padded, weights / weights.sum(), "valid"), np.float64)
