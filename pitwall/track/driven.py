"""What is known of a lap while it is driven, and of the fixes that it is driven by.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.derive.channel import Float64
from pitwall.frames import Int64
from pitwall.track.distance import Follower
from pitwall.track.fixes import Fixes

SECOND: Final = 1_000_000_000
AWAY_M: Final = 50.0
"""A lap goes at least so far from its line: who stands on it and wanders has driven none."""
GAP_NS: Final = SECOND
"""Fixes further apart than this, and GAP_M, are a gap; one or two that are missing are bridged."""
GAP_M: Final = 10.0
JUMP_MPS: Final = 150.0
"""Nothing that is timed by GPS is faster: a position that moves so has jumped."""
JUMP_M: Final = 5.0
LONGEST_NS: Final = 1800 * SECOND
"""No lap takes longer: it is not traced beyond that."""

COLUMNS: Final = ("lap", "lap_distance", "delta", "delta_age", "predicted_lap")
"""What each fix gives: the lap's number; metres along the path; seconds lost to the reference by there, the age in
seconds of a delta that is held; the lap time that this comes to.  NaN: there is none."""


@dataclass(slots=True)
class Driven:
    """A lap that is under way.  from_line: it began at the line, where times are known.

    x_m, y_m: where it began.  away: it has gone AWAY_M from there.  way_m: driven.  top, least: speeds.  gap_ns: the
    longest time without a position.  why: what speaks against it.  passed: when each sector line was, None: unseen.
    trace: time, way, x, y and distance, piece by piece.  delta, delta_ns: the newest one, and when that was.
    """

    number: int
    t_ns: int
    from_line: bool
    x_m: float = np.nan
    y_m: float = np.nan
    fuel: float = np.nan
    way_m: float = 0.0
    away: bool = False
    top: float = np.nan
    least: float = np.nan
    gap_ns: int = 0
    why: list[str] = field(default_factory=list)
    passed: list[int | None] = field(default_factory=list)
    trace: list[tuple[Int64, Float64, Float64, Float64, Float64]] = field(default_factory=list)
    follower: Follower = field(default_factory=Follower)
    delta: float = np.nan
    delta_ns: int = 0

    def go(self, piece: Piece, part: slice) -> Float64:
        """Drives these fixes; the way since the lap began at each."""
        x, y, speed = piece.x[part], piece.y[part], piece.fixes.speed[part]
        way = np.concatenate(((self.way_m,), piece.steps[part])).cumsum()[1:]
        self.way_m = float(way[-1])
        if np.isnan(self.x_m):
            self.x_m, self.y_m = float(x[0]), float(y[0])
        if not self.away:
            dx, dy = x - self.x_m, y - self.y_m
            self.away = bool((dx * dx + dy * dy).max() >= AWAY_M * AWAY_M)
        self.top = float(np.fmax.reduce(speed, initial=self.top))
        self.least = float(np.fmin.reduce(speed, initial=self.least))
        return way

    def keep(self, piece: Piece, part: slice, way: Float64, s: Float64) -> None:
        """Remembers these fixes for when the lap is over."""
        t = piece.fixes.t[part]
        if int(t[0]) - self.t_ns > LONGEST_NS:
            self.trace.clear()
        else:
            self.trace.append((t, way, piece.x[part], piece.y[part], s))


@dataclass(slots=True)
class Piece:
    """The next `n` fixes.  x, y: float64 (n,), metres.  columns: COLUMNS, to be filled in, float64 (n,) each.

    steps: float64 (n,), metres from the fix before each.  gaps: bool (n,), what was between the two was not seen.
    before_ns: when the fix before the first one was.
    """

    fixes: Fixes
    x: Float64
    y: Float64
    steps: Float64
    gaps: npt.NDArray[np.bool_]
    columns: list[Float64]
    before_ns: int

    def since_ns(self, index: int) -> int:
        """From the fix before that one to it."""
        before = int(self.fixes.t[index - 1]) if index else self.before_ns
        return int(self.fixes.t[index]) - before

    def speed(self, index: int) -> float:
        """Of the step to that fix, in m/s."""
        since_ns = self.since_ns(index)
        return float(self.steps[index]) / (since_ns * 1e-9) if since_ns else 0.0


def piece_of(fixes: Fixes, t: Int64, x: Float64, y: Float64) -> Piece:
    """fixes: new ones, at least one.  t, x, y: of those and, in front, of the fix before them, if there is one."""
    at = len(t) - len(fixes)
    dx, dy, dt = x[1:] - x[:-1], y[1:] - y[:-1], t[1:] - t[:-1]
    steps = np.sqrt(dx * dx + dy * dy)
    gaps = ((dt > GAP_NS) & (steps > GAP_M)) | (steps > JUMP_MPS * 1e-9 * dt + JUMP_M)
    if at == 0:
        steps, gaps = np.append(0.0, steps), np.append(False, gaps)
    columns = [np.full(len(fixes), np.nan) for _ in COLUMNS]
    return Piece(fixes, x[at:], y[at:], steps, gaps, columns, int(t[0]))
