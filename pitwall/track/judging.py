"""Driven laps in, judged ones out: their times, whether they can be trusted, and what is best so far.

Law: a lap is judged when it ends, by what came before.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.track.distance import Path, Reference, at_distance, path, timed
from pitwall.track.driven import AWAY_M, LONGEST_NS, SECOND, Driven, Piece
from pitwall.track.gate import Crossing, Gate
from pitwall.track.lap import Lap, Sector

LONG_GAP_NS: Final = 5 * SECOND
"""In so long a line may be passed unseen."""
COOLING: Final = 1.25
"""A lap that takes so many times the best so far was not meant to be fast."""
HOLD_NS: Final = 10 * SECOND
"""For so long a delta is held where there is no new one, and says how old it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A flying lap that can be trusted, fix by fix, its ends at the line among them.

    start_ns: when it began.  known_ns: of the fix that ended it.  t_s, s_m, x_m, y_m: float64 (k,): seconds since then,
    metres along the path, and in the track's plane.
    """

    number: int
    start_ns: int
    known_ns: int
    t_s: Float64
    s_m: Float64
    x_m: Float64
    y_m: Float64


class Judge:
    """laps, sectors: so far.  path: of the first good lap; reference: the best one so far; None: there is none yet.

    traces: of good laps, until whoever wants them takes them.
    """

    def __init__(self, start: Gate, end: Gate, lines: int) -> None:
        """start, end: the lines that laps begin and end at.  lines: how many there are between sectors."""
        self.laps: list[Lap] = []
        self.sectors: list[Sector] = []
        self.traces: list[Trace] = []
        self.path: Path | None = None
        self.reference: Reference | None = None
        self._ends_of_path = (start.along_x, start.along_y), (end.along_x, end.along_y)
        self._lines = lines
        self._best_sectors: dict[int, float] = {}

    def compare(self, lap: Driven, piece: Piece, part: slice, s: Float64) -> None:
        """The delta at each fix; where there is none, the newest one, and how old that is."""
        if self.path is None or self.reference is None:
            return
        _, _, delta, age, predicted = piece.columns
        t = piece.fixes.t[part]
        now = (t - lap.t_ns) * 1e-9 - at_distance(self.path, self.reference.t_s, s)
        if not np.isnan(now.min()):  # the usual case: nothing is held
            delta[part], age[part], predicted[part] = now, 0.0, self.reference.time_s + now
            lap.delta, lap.delta_ns = float(now[-1]), int(t[-1])
            return
        newest = np.maximum.accumulate(np.where(np.isnan(now), 0, np.arange(1, len(t) + 1)))
        held = np.append(lap.delta, now)[newest]
        since = np.append(np.int64(lap.delta_ns), t)[newest]
        old = t - since
        kept = ~np.isnan(held) & (old <= HOLD_NS)
        delta[part] = np.where(kept, held, np.nan)
        age[part] = np.where(kept, old * 1e-9, np.nan)
        predicted[part] = self.reference.time_s + delta[part]
        lap.delta, lap.delta_ns = float(held[-1]), int(since[-1])

    def cut_short(self, lap: Driven, kind: str, t_ns: int, why: str, *, since_ns: int | None = None) -> None:
        """A lap that did not end, or begin, at the line.  since_ns: when the line was passed before it, if it was."""
        self.laps.append(
            Lap(
                number=lap.number,
                kind=kind,
                t_start=lap.t_ns,
                t_end=t_ns,
                time_s=None if since_ns is None else (t_ns - since_ns) * 1e-9,
                valid=False,
                why=why,
                best=False,
                best_so_far_s=None if self.reference is None else self.reference.time_s,
                delta_s=None,
                distance_m=lap.way_m,
                top_speed_mps=_some(lap.top),
                min_speed_mps=_some(lap.least),
                fuel_used=None,
            )
        )

    def close(self, lap: Driven, crossing: Crossing, piece: Piece) -> None:
        """A lap that began at the line and ends at one."""
        way_m = lap.way_m + crossing.part * float(piece.steps[crossing.index])
        time_s = (crossing.t_ns - lap.t_ns) * 1e-9
        why = self._why(lap, crossing.t_ns)
        before = self.reference
        flying = before is None or time_s <= COOLING * before.time_s
        best = not why and flying and (before is None or time_s < before.time_s)
        if lap.trace and crossing.t_ns - lap.t_ns <= LONGEST_NS:
            way, x, y, s, t = self._traced(lap, crossing, way_m)
            if self.path is None and not why and lap.gap_ns == 0:
                rising = np.append(True, way[1:] > way[:-1])
                self.path = path(way[rising], x[rising], y[rising], self._ends_of_path)
            self._note_sectors(lap, self._ends(lap, crossing.t_ns, s, t), counts=not why and flying)
            if flying and not why and self.path is not None:
                known_ns = int(piece.fixes.t[crossing.index])
                self.traces.append(Trace(lap.number, lap.t_ns, known_ns, t, s, x, y))
            if best and self.path is not None:
                self.reference = timed(self.path, lap.number, s, t, time_s)
        self.laps.append(
            Lap(
                number=lap.number,
                kind="flying" if flying else "cooling",
                t_start=lap.t_ns,
                t_end=crossing.t_ns,
                time_s=time_s,
                valid=not why,
                why=why,
                best=best,
                best_so_far_s=None if before is None else before.time_s,
                delta_s=None if before is None else time_s - before.time_s,
                distance_m=way_m,
                top_speed_mps=_some(lap.top),
                min_speed_mps=_some(lap.least),
                fuel_used=_some(lap.fuel - float(piece.fixes.fuel[crossing.index])),
            )
        )

    def _why(self, lap: Driven, t_ns: int) -> str:
        passed = [*lap.passed, *([None] * (self._lines - len(lap.passed)))]
        missed = [str(number) for number, at in enumerate(passed, start=1) if at is None]
        if missed:
            lap.why.append(f"did not pass the line of sector {', '.join(missed)}")
        if lap.gap_ns > LONG_GAP_NS:
            lap.why.append(f"no position for {lap.gap_ns * 1e-9:.1f} s")
        if t_ns - lap.t_ns > LONGEST_NS:
            lap.why.append(f"took longer than {LONGEST_NS // SECOND // 60} minutes")
        if lap.way_m < AWAY_M:
            lap.why.append("went nowhere")
        return "; ".join(dict.fromkeys(lap.why))

    def _traced(
        self, lap: Driven, crossing: Crossing, way_m: float
    ) -> tuple[Float64, Float64, Float64, Float64, Float64]:
        """way, x, y, distance and time since the start at the lap's fixes and, in front and behind, at its lines."""
        t, way, x, y, s = (np.concatenate(column) for column in zip(*lap.trace, strict=True))
        way = np.concatenate(([0.0], way, [way_m]))
        x = np.concatenate(([lap.x_m], x, [crossing.x_m]))
        y = np.concatenate(([lap.y_m], y, [crossing.y_m]))
        end = way_m if self.path is None else self.path.length_m
        s = np.concatenate(([0.0], s, [end]))
        times = np.concatenate(([0.0], (t - lap.t_ns) * 1e-9, [(crossing.t_ns - lap.t_ns) * 1e-9]))
        return way, x, y, s, times

    def _ends(self, lap: Driven, t_end: int, s: Float64, t: Float64) -> list[int | None]:
        """When each sector of a lap ended: at its line, or where there are none at thirds of the way."""
        if self._lines:
            return [*lap.passed, *([None] * (self._lines - len(lap.passed))), t_end]
        if self.path is None or np.isnan(s).all():
            return []
        reference = timed(self.path, lap.number, s, t, (t_end - lap.t_ns) * 1e-9)
        thirds = at_distance(self.path, reference.t_s, np.array([1.0, 2.0]) / 3.0 * self.path.length_m)
        return [*(lap.t_ns + round(float(third) * 1e9) for third in thirds), t_end]

    def _note_sectors(self, lap: Driven, ends: list[int | None], *, counts: bool) -> None:
        start: int | None = lap.t_ns
        for number, end in enumerate(ends, start=1):
            time_s = None if start is None or end is None else (end - start) * 1e-9
            best = counts and time_s is not None and time_s < self._best_sectors.get(number, np.inf)
            if best and time_s is not None:
                self._best_sectors[number] = time_s
            self.sectors.append(Sector(lap.number, number, start, end, time_s, best))
            start = end


def _some(value: float) -> float | None:
    return None if np.isnan(value) else value
