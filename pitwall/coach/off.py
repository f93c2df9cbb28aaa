"""A lap beside the others in, where it left the track out.  Pure.

No channel tells where the road ends.  Whoever suddenly is far from where every other lap went, and loses time by it,
was off, or as good as off: avoided somebody, or missed a corner altogether.  Who goes that way slowly has chosen it:
into the pits, whose lane lies beside the start line more often than not, or an escape road.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.driving import Driving
from pitwall.coach.stretches import Runs
from pitwall.track.corners import STEP_M, Float64

AWAY_M: Final = 7.0
"""From where any other lap went: with what they differ by, that is outside of most roads; GPS errs by less."""
NEAR_M: Final = AWAY_M / 1.5
"""Whoever is no farther off in x, nor in y, is nearer than `AWAY_M`."""
FEWEST: Final = 3
"""Other laps that tell where the road is."""
MOST: Final = 7
"""As many are enough: the newest others."""
LOST_S: Final = 1.0
"""Less is a line that was tried."""
BEHIND_M: Final = 150.0
"""So long behind it is lost what it costs: whoever comes back is slow."""
SLOW_SHARE: Final = 0.6
"""Of the usual speed there.  A pit lane is driven at less; who leaves the road against his will has nearly all."""
SLOW_OVER_M: Final = 20.0
"""Speed is told over that way: fixes come every 2 to 5 m."""


@dataclass(frozen=True, slots=True)
class Off:
    """One of them.  at_m: along the lap, where it began.  t_s: since the lap began.  away_m: the farthest.  lost_s."""

    at_m: float
    t_s: float
    away_m: float
    lost_s: float


def offs(driving: Driving, index: int) -> list[Off]:
    """Those of the lap at that place among the laps; none where too few others are known."""
    lap = driving.laps[index]
    others = [other for i, other in enumerate(driving.laps) if i != index][-MOST:]
    if len(others) < FEWEST:
        return []
    away = _away(lap, others)
    runs = Runs(away > AWAY_M)
    if not len(runs.first):
        return []
    usual_s = _median([other.t_s for other in others])
    found: list[Off] = []
    reach, until = round(BEHIND_M / STEP_M), -1
    for first, last in zip(runs.first.tolist(), runs.last.tolist(), strict=True):
        if first <= until:
            continue
        until = min(last + reach, len(lap) - 1)
        begin = max(0, first - reach)
        chosen = _slow(lap.t_s, usual_s, first) or (until == len(lap) - 1 and _slow(lap.t_s, usual_s, until))
        if chosen:
            continue
        lost_s = float((lap.t_s[until] - lap.t_s[begin]) - (usual_s[until] - usual_s[begin]))
        if lost_s >= LOST_S:
            farthest = float(np.max(away[first:until])) if until > first else float(away[first])
            found.append(Off(first * STEP_M, float(lap.t_s[first]), farthest, lost_s))
    return found


def _slow(t_s: Float64, usual_s: Float64, row: int) -> bool:
    """Whether the car comes to that row much slower than usual."""
    before = max(0, row - round(SLOW_OVER_M / STEP_M))
    return bool(usual_s[row] - usual_s[before] < SLOW_SHARE * (t_s[row] - t_s[before]))


def _away(lap: Driven, others: Sequence[Driven]) -> Float64:
    """How far from where the others went, row by row, less what they differ by; 0 where it cannot be `AWAY_M`."""
    far = np.zeros(len(lap), np.bool_)
    for other in others[-(len(others) // 2 + 1) :]:  # where it is near to most of them it is near to their median
        for own, its in ((lap.x_m, other.x_m), (lap.y_m, other.y_m)):
            far |= np.abs(own - its) > NEAR_M
    found, rows = np.zeros(len(lap)), far.nonzero()[0]
    if not len(rows):
        return found
    x, y = (_median([column[rows] for column in each]) for each in zip(*((o.x_m, o.y_m) for o in others), strict=True))
    # what good laps differ by; one of them may have been off there, too
    road = _median([np.hypot(other.x_m[rows] - x, other.y_m[rows] - y) for other in others])
    found[rows] = np.hypot(lap.x_m[rows] - x, lap.y_m[rows] - y) - road
    return found


def _median(laps: Sequence[Float64]) -> Float64:
    """Row by row; nothing is missing.  As `np.median` has it, in less time."""
    ordered = np.sort(laps, axis=0)
    return np.asarray((ordered[(len(laps) - 1) // 2] + ordered[len(laps) // 2]) / 2, np.float64)
