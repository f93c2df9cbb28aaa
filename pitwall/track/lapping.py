"""Fixes in, laps out, on whatever track it is: set by hand, known, or learned on the way.

Laws:

1. A start line set by hand counts for the whole session, and the newest one alone; a known track counts once its start
   line is crossed; until then, laps are cut where the path comes back to itself.
2. When the line becomes known, what was driven before is cut as well.
3. However fixes come in pieces, laps and columns are the same to the bit.

Pure; state is folded from piece to piece, and rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.derive.channel import Channel, Float64, Rows, Table
from pitwall.track.cutting import Cutter
from pitwall.track.definition import Track
from pitwall.track.driven import COLUMNS
from pitwall.track.fixes import NONE, Fixes, joined
from pitwall.track.gate import crossings, gate
from pitwall.track.judging import Trace
from pitwall.track.learning import Learner
from pitwall.track.plane import LatLon, apart_m

NEAR_M: Final = 3_000.0
"""A known track whose start line is further from the first fix is another one."""
KEPT: Final = 1 << 19
"""Fixes that are kept to be cut again, the newest: five hours of a 25 Hz receiver, 25 MB."""
_CHUNKS: Final = 256

LAPTIME: Final = "laptime"
"""The table of what each fix gives."""
_UNITS: Final = {"lap": "", "lap_distance": "m", "delta": "s", "delta_age": "s", "predicted_lap": "s"}
_SOURCES: Final = {
    "lap": "the lap that is under way",
    "lap_distance": "along the path that is driven, from the start line",
    "delta": "lost to the best lap so far, by the same distance",
    "delta_age": "how old a delta is that is held",
    "predicted_lap": "the best lap so far, and the delta",
}


def near(tracks: Sequence[Track], here: LatLon) -> list[Track]:
    """Those that who begins there may be on, the nearest first."""
    apart = [(apart_m(here, track.start.middle), i) for i, track in enumerate(tracks)]
    return [tracks[i] for metres, i in sorted(apart) if metres <= NEAR_M]


def laptime_table(taken: Sequence[str]) -> Table:
    """The table of what each fix gives.  taken: channels of the car; one of ours of the same name is `gps_…`."""
    names = {name.casefold() for name in taken}
    channels = []
    for name in COLUMNS:
        own = f"gps_{name}" if name in names else name
        channels.append(Channel(own, _UNITS[name], _SOURCES[name]))
    return Table(LAPTIME, tuple(channels))


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """A lap that can be trusted has ended on the course of `cutter`.

    known_ns: of the fix that said so; None: it was cut anew, later, when the newest fix was at `now_ns`.
    """

    cutter: Cutter
    trace: Trace
    known_ns: int | None
    now_ns: int


class Lapping:
    """The laps of a session, folded from its first fix on.  cutter: of the course; None: none is known yet.

    changes: how often what it says of laps may have changed.  closed: laps that the newest fixes ended.
    here: the first fix, which says what tracks are near; None: none was asked for yet.
    """

    def __init__(self, tracks: Sequence[Track], table: Table) -> None:
        self.cutter: Cutter | None = None
        self.changes = 0
        self.closed: list[Closed] = []
        self.here: LatLon | None = None
        self._table = table
        self._tracks = tracks
        self._known: list[Cutter] | None = None  # of tracks that are near; None: no fix yet
        self._learner: Learner | None = Learner()
        self._kept: list[Fixes] = []
        self._before = NONE
        self._ended_ns: int | None = None

    def fold(self, fixes: Fixes, lines: Sequence[tuple[int, Track]] = ()) -> list[Rows]:
        """The rows that the next fixes give.  lines: start lines set by hand, at their log offsets, ascending."""
        found: list[Rows] = []
        self.closed = []
        for offset, track in lines:
            first = int(np.searchsorted(fixes.at, offset))
            found += self._take(fixes.part(slice(None, first)))
            fixes = fixes.part(slice(first, None))
            self._known, self._learner = [], None
            self._go_over(track)
        return _one(self._table, [*found, *self._take(fixes)])

    def end(self, t_ns: int) -> None:
        """The session is over."""
        self._ended_ns = t_ns
        if self.cutter is not None:
            self.cutter.end(t_ns)
            self.changes += 1

    def _take(self, fixes: Fixes) -> list[Rows]:
        found: list[Rows] = []
        while len(fixes):
            change = self._changing(fixes)
            part = fixes if change is None else fixes.part(slice(None, change[0]))
            done = self._drive(part, found)
            self._keep(part.part(slice(None, done)))
            if done < len(part):  # it is driven the other way round
                assert self.cutter is not None
                self._go_over(self.cutter.turned())
                fixes = fixes.part(slice(done, None))
                continue
            if change is None:
                break
            self._go_over(change[1])
            fixes = fixes.part(slice(change[0], None))
        return found

    def _drive(self, fixes: Fixes, found: list[Rows]) -> int:
        """Drives them on the course, if there is one; how many that were."""
        if self.cutter is None or not len(fixes):
            return len(fixes)
        said = len(self.cutter.judge.laps) + len(self.cutter.crossed)
        columns = self.cutter.fold(fixes)
        self.changes += len(self.cutter.judge.laps) + len(self.cutter.crossed) != said
        self._take_traces(anew=False)
        done = len(fixes) if self.cutter.turned_at is None else self.cutter.turned_at
        if done:
            found.append(Rows(self._table, fixes.at[:done], fixes.t[:done], tuple(c[:done] for c in columns)))
        return done

    def _changing(self, fixes: Fixes) -> tuple[int, Track] | None:
        """The fix at which another course becomes known, and that; None: none does."""
        if self._known is None:
            self.here = float(fixes.lat[0]), float(fixes.lon[0])
            self._known = [Cutter(track) for track in near(self._tracks, self.here)]
        if not self._known and self._learner is None:
            return None
        path = joined([self._before, fixes])
        old = len(path) - len(fixes)
        found: tuple[int, Track] | None = None
        for known in self._known:
            x, y = known.plane.metres(path.lat, path.lon)
            start = gate(known.track.start, known.plane)
            for each in crossings(start, path.t, x, y):
                if start.sense in (0, each.sense) and (found is None or each.index - old < found[0]):
                    found = each.index - old, known.track
                    break
        if self._learner is not None:
            part = fixes if found is None else fixes.part(slice(None, found[0]))
            learned = self._learner.fold(part)
            if learned is not None:
                return learned.index, learned.track
        return found

    def _go_over(self, track: Track) -> None:
        """To another course; what was driven so far is cut by it."""
        if track.learned:
            self._learner = None
        elif self._known is not None:
            self._known, self._learner = [], None
        self.changes += 1
        while True:
            self.cutter = Cutter(track)
            driven = joined(self._kept).part(slice(-KEPT, None))
            self.cutter.fold(driven)
            if self.cutter.turned_at is None:
                break
            track = self.cutter.turned()
        self._take_traces(anew=True)
        if self._ended_ns is not None:  # a line that is set behind the end of a session
            self.cutter.end(self._ended_ns)

    def _take_traces(self, *, anew: bool) -> None:
        assert self.cutter is not None
        now_ns = int(self._before.t[0]) if len(self._before) else 0
        for trace in self.cutter.judge.traces:
            self.closed.append(Closed(self.cutter, trace, None if anew else trace.known_ns, now_ns))
        self.cutter.judge.traces.clear()

    def _keep(self, fixes: Fixes) -> None:
        if not len(fixes):
            return
        self._before = fixes.part(slice(-1, None))
        self._kept.append(fixes)
        if len(self._kept) > _CHUNKS:
            self._kept = [joined(self._kept).part(slice(-KEPT, None))]


def _one(table: Table, parts: list[Rows]) -> list[Rows]:
    """The parts as one, if there are any."""
    if len(parts) <= 1:
        return parts
    values: list[Float64] = [np.concatenate(columns) for columns in zip(*(part.values for part in parts), strict=True)]
    at, t = np.concatenate([part.at for part in parts]), np.concatenate([part.t for part in parts])
    return [Rows(table, at, t, tuple(values))]
