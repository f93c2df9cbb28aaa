"""Laps as times by distance in, what one has lost to another out, and the best lap from any point.

Plain functions on arrays.  A trace is a lap's time since its start at evenly spaced distances, float64 (n + 1,), the
line at both of its ends.  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pitwall.derive.channel import Float64

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
