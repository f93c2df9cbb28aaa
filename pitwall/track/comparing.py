"""Laps as times by distance, or as fixes, in, what one has lost to another out, and the best lap from any point.

Plain functions on arrays.  A trace is a lap's time since its start at evenly spaced distances, float64 (n + 1,), the
line at both of its ends.  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.track.distance import Follower, Path
from pitwall.track.driven import piece_of
from pitwall.track.fixes import Fixes
from pitwall.track.plane import Plane

POINTS: Final = 2_000
"""Of a trace: every metre or two of most tracks."""


def trace_at(s_m: Any, t_s: Any, time_s: float, length_m: float, points: int = POINTS) -> Float64:
    """The trace of a lap.  s_m, t_s: (m,), distance and time since its start; missing ones are left out."""
    s = np.ma.filled(np.ma.asarray(s_m, np.float64), np.nan)
    t = np.ma.filled(np.ma.asarray(t_s, np.float64), np.nan)
    there = (s > 0) & (s < length_m)
    s, t = np.maximum.accumulate(s[there]), t[there]
    s, t = np.concatenate(([0.0], s, [length_m])), np.concatenate(([0.0], t, [time_s]))
    rising = np.append(True, s[1:] > s[:-1])
    rising[-1] = True
    trace: Float64 = np.interp(np.linspace(0.0, length_m, points + 1), s[rising], t[rising])
    return trace


def placed(path: Path, plane: Plane, fixes: Fixes, start_ns: int) -> tuple[Float64, Float64]:
    """(seconds since `start_ns`, distances along `path`), float64 (m,), of a lap's fixes, as a lap of its own has them,
    once what the receivers' errors of two days differ by is taken off.

    fixes: of the lap that began at `start_ns`, and perhaps some before it.  Distances are NaN where it is off the path.
    """
    first = int(np.searchsorted(fixes.t, start_ns))
    x, y = plane.metres(fixes.lat, fixes.lon)
    front = max(0, first - 1)
    piece = piece_of(fixes.part(slice(first, None)), fixes.t[front:], x[front:], y[front:])
    if first:  # what is left of the step over the line is the lap's
        piece.steps[0] *= (int(fixes.t[first]) - start_ns) / piece.since_ns(0)
    way = np.cumsum(piece.steps)
    s, left = Follower().follow(path, way, piece.x, piece.y, piece.gaps)
    dx, dy = _apart(path, s, left)
    s, _ = Follower().follow(path, way, piece.x - dx, piece.y - dy, piece.gaps)
    t: Float64 = np.asarray((piece.fixes.t - start_ns) * 1e-9, np.float64)
    return t, s


def _apart(path: Path, s_m: Float64, left_m: Float64) -> tuple[float, float]:
    """How far east and north a receiver's error puts a lap from the path: the same all lap long, another each day.

    By least squares of what lies left of the path, beside what a driver who keeps to one side has: around a loop the
    three are told apart, and on a straight the shift along it stays 0, which nothing tells.
    """
    there = np.isfinite(s_m)
    if not there.any():
        return 0.0, 0.0
    legs = path.legs[np.clip((s_m[there] / path.step_m).astype(np.int64), 0, len(path.legs) - 1)]
    sides = np.stack([-legs[:, 1], legs[:, 0], np.ones(len(legs))], axis=1)
    (dx, dy, _), *_ = np.linalg.lstsq(sides, left_m[there], rcond=1e-3)
    return float(dx), float(dy)


def best_rolling(numbers: Sequence[int], traces: Sequence[Float64]) -> float | None:
    """The shortest time from any point to the same point a lap later, in s; laps need not begin at the line for it.

    numbers: of the laps, ascending; only laps one behind the other are joined.
    """
    if not traces:
        return None
    best = min(float(trace[-1]) for trace in traces)
    for i in range(1, len(traces)):
        if numbers[i] == numbers[i - 1] + 1:
            best = min(best, float((traces[i - 1][-1] - traces[i - 1] + traces[i]).min()))
    return best


def lost(lap: Float64, reference: Float64) -> Float64:
    """Seconds that the lap has lost to the reference by each distance, float64 (n + 1,)."""
    return lap - reference
