"""Fixes of a course in, its laps out: cut at its lines, each with its times, and why it can't be trusted.

Laws:

1. A lap is judged when it ends, by what came before: whoever replays it says what was said live.
2. However fixes come in pieces, the laps and the columns are the same to the bit.
3. What was not seen is not made up: a lap whose line was crossed unseen says so.

Pure; state is folded from piece to piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.track.definition import SECTORS, Track
from pitwall.track.distance import Follower
from pitwall.track.driven import AWAY_M, COLUMNS, SECOND, Driven, Piece, piece_of
from pitwall.track.fixes import NONE, Fixes, joined
from pitwall.track.gate import WINDOW, Crossing, Gate, crossings, directed, gate, refined
from pitwall.track.judging import Judge
from pitwall.track.lap import Crossed
from pitwall.track.plane import plane_about
from pitwall.track.standing import Standing, Stop

MIN_LAP_NS: Final = 10 * SECOND
"""No circuit is driven faster; a line crossed again before that was not left."""
SURE_MPS: Final = 3.0
"""A line whose direction nobody says has that of the first crossing at this speed, or more."""
TURNS: Final = 2
"""So many crossings the other way, one behind the other, say more than the first one."""
ON_TRACK_M: Final = 7.5
"""Who stands this near to the path that is driven stands on the track, not in the pits."""


_Act = Callable[[Piece, Crossing], None]


class Cutter:
    """The laps of one course.  judge: holds them.  crossed: its lines, so far.

    turned_at: the fix of the newest ones at which it is clear that the start line is driven over the other way than it
    was first, out of the pits; None: it is not.
    """

    def __init__(self, track: Track) -> None:
        self.track = track
        self.plane = plane_about(track.start.middle)
        self.crossed: list[Crossed] = []
        self._start = gate(track.start, self.plane)
        self._finish = None if track.finish is None else gate(track.finish, self.plane)
        self._lines = [gate(line, self.plane) for line in track.sectors]
        self.judge = Judge(self._start, self._finish or self._start, len(self._lines))
        self._before = NONE  # the newest fixes
        self._standing = Standing()
        self._open: Driven | None = None
        self._begun = False
        self._next = 0  # number of the next lap
        self._in_pits = False
        self._left_ns: int | None = None  # when the lap that ended in the pits began
        self._backwards: list[int] = []  # crossings since the line was last passed in its direction
        self.turned_at: int | None = None

    @property
    def number(self) -> int:
        """Of the lap that is under way; -1: none is."""
        return -1 if self._open is None else self._open.number

    @property
    def began_ns(self) -> int | None:
        """When the lap that is under way began; None: none is."""
        return None if self._open is None else self._open.t_ns

    def fold(self, fixes: Fixes) -> list[Float64]:
        """The COLUMNS at the next fixes, float64 (n,) each."""
        n = len(fixes)
        self.turned_at = None
        if n == 0:
            return [np.empty(0) for _ in COLUMNS]
        if not self._begun:
            self._begun = True
            if self._finish is None:
                self._open = self._opened(int(fixes.t[0]), from_line=False)
        known = joined([self._before, fixes])
        x, y = self.plane.metres(known.lat, known.lon)
        first = max(0, len(known) - n - 1)
        piece = piece_of(fixes, known.t[first:], x[first:], y[first:])
        self._before = known.part(slice(-WINDOW, None))
        done = 0
        for index, divides, act in self._events(piece, known, x, y):
            if divides and index > done:
                self._drive(piece, done, index)
                done = index
            act()
        self._drive(piece, done, n)
        return piece.columns

    def end(self, t_ns: int) -> None:
        """The session is over: the lap that is under way came to no end."""
        if self._open is not None and self._begun:
            last = int(self._before.t[-1]) if len(self._before) else t_ns
            self.judge.cut_short(self._open, "in", max(last, self._open.t_ns), "the session ended on it")
        self._open = None

    def _events(self, piece: Piece, known: Fixes, x: Float64, y: Float64) -> list[tuple[int, bool, Callable[[], None]]]:
        """What happens, before which of the new fixes, and whether that may end a lap or begin one; in order.

        known: the new fixes, and in front some before them.
        """
        found: list[tuple[int, int, int, Callable[[], None]]] = [
            (index, 0, -1, partial(self._note_gap, piece, index)) for index in piece.gaps.nonzero()[0].tolist()
        ]
        at = len(known) - len(piece.x)
        first = max(0, at - 1)
        passing: list[tuple[Gate, _Act]] = [
            (line, partial(self._pass_sector, place)) for place, line in enumerate(self._lines)
        ]
        if self._finish is not None:
            passing.append((self._finish, self._pass_finish))
        passing.append((self._start, self._pass_start))
        for order, (line, act) in enumerate(passing):
            for each in crossings(line, known.t[first:], x[first:], y[first:]):
                upto = slice(max(0, first + each.index + 1 - WINDOW), first + each.index + 1)
                told = refined(each, line, known.t[upto], x[upto], y[upto], known.speed[upto])
                crossing = replace(told, index=first + each.index - at)
                found.append((crossing.index, crossing.t_ns, order, partial(act, piece, crossing)))
        found += [
            (stop.index, 0, SECTORS + 2, partial(self._stand, piece, stop))
            for stop in self._standing.fold(piece.fixes.t, piece.x, piece.y)
        ]
        sectors = range(-1, len(self._lines))  # gaps and sectors' lines: they divide no lap from another
        return [(index, order not in sectors, act) for index, _, order, act in sorted(found, key=lambda each: each[:3])]

    def _drive(self, piece: Piece, first: int, last: int) -> None:
        """The fixes `first <= i < last` belong to the lap that is under way."""
        lap, path = self._open, self.judge.path
        if lap is None or last <= first:
            return
        part = slice(first, last)
        way = lap.go(piece, part)
        if path is not None:
            s = lap.follower.follow(path, way, piece.x[part], piece.y[part], piece.gaps[part])[0]
        else:
            s = way if lap.from_line else np.full(len(way), np.nan)
        piece.columns[0][part], piece.columns[1][part] = lap.number, s
        if lap.from_line:
            lap.keep(piece, part, way, s)
            self.judge.compare(lap, piece, part, s)

    def _note_gap(self, piece: Piece, index: int) -> None:
        if self._open is not None:
            self._open.gap_ns = max(self._open.gap_ns, piece.since_ns(index))

    def _stand(self, piece: Piece, stop: Stop) -> None:
        lap = self._open
        if stop.moving:
            if self._in_pits:
                self._in_pits = False
                self._open = self._opened(stop.t_ns, from_line=False)
            return
        if lap is None or self._finish is not None:
            return
        if lap.from_line and self._stands_on_track(piece, stop.index):
            lap.why.append("stood still on the track")
            return
        if lap.from_line:
            self._left_ns = lap.t_ns
            self.judge.cut_short(lap, "in", max(stop.t_ns, lap.t_ns), "ended in the pits")
        elif lap.away:
            self.judge.cut_short(lap, "out", stop.t_ns, "never came to the line")
        else:
            self._next = lap.number
        self._open, self._in_pits = None, True

    def _stands_on_track(self, piece: Piece, index: int) -> bool:
        path = self.judge.path
        if path is None:
            return False
        dx, dy = path.x_m - piece.x[index], path.y_m - piece.y[index]
        return float((dx * dx + dy * dy).min()) <= ON_TRACK_M * ON_TRACK_M

    def _pass_sector(self, place: int, piece: Piece, crossing: Crossing) -> None:
        lap, line = self._open, f"sector {place + 1}"
        gate = self._lines[place]
        if gate.sense == 0 and lap is not None and lap.from_line and piece.speed(crossing.index) >= SURE_MPS:
            self._lines[place] = gate = gate.directed(crossing.sense)
        if crossing.sense != gate.sense:
            self._cross(crossing, line, "backwards")
        elif lap is None or not lap.from_line:
            self._cross(crossing, line, "no lap was under way")
        elif len(lap.passed) > place:
            self._cross(crossing, line, "it was passed before")
        else:
            unseen = piece.gaps[crossing.index]
            lap.passed += [None] * (place - len(lap.passed)) + [None if unseen else crossing.t_ns]
            self._cross(crossing, line, "" if not unseen else "it was passed unseen")

    def _pass_finish(self, piece: Piece, crossing: Crossing) -> None:
        lap = self._open
        assert self._finish is not None
        if self._finish.sense == 0 and lap is not None and piece.speed(crossing.index) >= SURE_MPS:
            self._finish = self._finish.directed(crossing.sense)
        if crossing.sense != self._finish.sense:
            self._cross(crossing, "finish", "backwards")
        elif lap is None:
            self._cross(crossing, "finish", "no run was under way")
        else:
            self._note_unseen(piece, crossing.index, lap)
            self._cross(crossing, "finish", "")
            self.judge.close(lap, crossing, piece)
            self._open = None

    def _pass_start(self, piece: Piece, crossing: Crossing) -> None:
        lap = self._open
        if self._start.sense == 0 and piece.speed(crossing.index) >= SURE_MPS:
            self._start = self._start.directed(crossing.sense)
        if crossing.sense != self._start.sense:
            self._cross(crossing, "start", "backwards" if self._start.sense else "too slow to say which way")
            self._look_turned(crossing)
            if lap is not None and lap.from_line and lap.away:
                lap.why.append("crossed the line backwards")
            return
        if lap is not None and lap.from_line and self._finish is None:
            if crossing.t_ns - lap.t_ns < MIN_LAP_NS:
                self._cross(crossing, "start", f"less than {MIN_LAP_NS // SECOND} s after the lap began")
                return
            if not lap.away:
                self._cross(crossing, "start", f"the lap had not gone {AWAY_M:g} m from the line")
                return
        self._cross(crossing, "start", "")
        if lap is not None and self._finish is None:
            self._note_unseen(piece, crossing.index, lap)
            if lap.from_line:
                self.judge.close(lap, crossing, piece)
            else:
                self.judge.cut_short(lap, "out", crossing.t_ns, "came out of the pits", since_ns=self._left_ns)
        self._left_ns = None
        self._in_pits = False
        self._backwards = []
        if self._next == 0:
            self._next = 1  # no out lap was seen
        self._open = new = self._opened(crossing.t_ns, from_line=True)
        new.fuel = float(piece.fixes.fuel[crossing.index])
        new.x_m, new.y_m = crossing.x_m, crossing.y_m
        self._note_unseen(piece, crossing.index, new)
        piece.steps[crossing.index] *= 1.0 - crossing.part  # what is left of the step is the new lap's

    def _look_turned(self, crossing: Crossing) -> None:
        """Two laps' worth of crossings the other way, and no lap yet this way: the first crossing has misled."""
        if self.track.start.heading_deg is not None or self._start.sense == 0 or self._finish is not None:
            return
        if not self._backwards or crossing.t_ns - self._backwards[-1] >= MIN_LAP_NS:
            self._backwards.append(crossing.t_ns)
        if len(self._backwards) == TURNS and self.turned_at is None and self.judge.reference is None:
            self.turned_at = crossing.index

    def turned(self) -> Track:
        """The same track, driven the other way."""
        return replace(self.track, start=directed(self.track.start, self.plane, -self._start.sense))

    def _note_unseen(self, piece: Piece, index: int, lap: Driven) -> None:
        if piece.gaps[index]:
            gap_s = piece.since_ns(index) * 1e-9
            lap.why.append(
                f"no position for {gap_s:.1f} s as the line was crossed" if gap_s > 1 else "its position jumped"
            )

    def _opened(self, t_ns: int, *, from_line: bool) -> Driven:
        self._next += 1
        return Driven(self._next - 1, t_ns, from_line, follower=Follower() if from_line else Follower(s_m=None))

    def _cross(self, crossing: Crossing, line: str, why: str) -> None:
        lat, lon = self.plane.degrees(crossing.x_m, crossing.y_m)
        self.crossed.append(Crossed(crossing.t_ns, line, self.number, not why, why, lat, lon))
