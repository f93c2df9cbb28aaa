"""Rows of channels and control rows in, the rows of the tables of laps out.

Law: `laptime` is appended to, fix by fix; the other tables are small, and whole as of any commit: a start line that
becomes known late cuts what was driven before it, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from pitwall.car import Car
from pitwall.derive import Rows, Table
from pitwall.frames import Control
from pitwall.project.tracks import known
from pitwall.track.cutting import Cutter
from pitwall.track.definition import Track, said
from pitwall.track.fixes import Fixing
from pitwall.track.lap import Lap
from pitwall.track.lapping import Closed, Lapping, laptime_table

Small = Mapping[str, Sequence[tuple[object, ...]]]
"""Tables, by their names, and all of their rows."""


class Laps:
    """The laps of one session.  tables: what its rows can be of; none for a car that does not say where it is."""

    def __init__(self, car: Car, tables: Sequence[Table]) -> None:
        """tables: of the car's channels."""
        self._fixing = Fixing(tables, dict(car.roles))
        table = laptime_table([channel.name for table in tables for channel in table.channels])
        self.tables: tuple[Table, ...] = (table,) if self._fixing.finds else ()
        self._lapping = Lapping(known(), table)
        self._small: Small = {}
        self._changes = 0

    def fold(self, rows: Sequence[Rows], control: Sequence[tuple[object, ...]]) -> list[Rows]:
        """The rows of `laptime` that the next rows give.  control: rows of the table `control`."""
        if not self.tables:
            return []
        lines: list[tuple[int, Track]] = []
        ended = None
        for offset, t, kind, fact in control:
            if kind == Control.START_LINE.name.lower():
                track = _track(str(fact))
                if track is not None:
                    lines.append((int(str(offset)), track))
            elif kind == Control.SESSION_END.name.lower():
                ended = int(str(t))
        found = [_rounded(part) for part in self._lapping.fold(self._fixing.fold(rows), lines)]
        if ended is not None:
            self._lapping.end(ended)
        return found

    @property
    def closed(self) -> Sequence[Closed]:
        """Laps that the newest rows ended, and that can be trusted."""
        return self._lapping.closed

    @property
    def place(self) -> str:
        """Where the first fix was, as `BuiltFrom` has it; empty: there was none, or it was not asked for."""
        here = self._lapping.here
        return "" if here is None else f"{here[0]!r},{here[1]!r}"

    @property
    def course(self) -> Cutter | None:
        """What laps are cut on; None: nothing yet."""
        return self._lapping.cutter

    def small(self) -> Small:
        """The other tables, as of now; the same object until they may differ."""
        cutter = self._lapping.cutter
        if cutter is not None and self._lapping.changes != self._changes:
            length = None if cutter.judge.path is None else cutter.judge.path.length_m
            self._small = {
                "track": [_track_row(cutter.track, length)],
                "laps": [_lap_row(lap) for lap in cutter.judge.laps],
                "sectors": [(s.lap, s.number, s.t_start, s.t_end, s.time_s, s.best) for s in cutter.judge.sectors],
                "crossings": [(c.t_ns, c.line, c.lap, c.counted, c.why or None, c.lat, c.lon) for c in cutter.crossed],
            }
            self._changes = self._lapping.changes
        return self._small

    def behind(self) -> str:
        """What the newest row of `laptime` stands on, in words: the track, the lap, and the one it is compared with."""
        cutter = self._lapping.cutter
        if cutter is None:
            return "no start line was known until then"
        track, reference = cutter.track, cutter.judge.reference
        words = [f"track: {track.name or 'without a name'} ({track.source})"]
        began = cutter.began_ns
        words.append("no lap was under way" if began is None else f"lap {cutter.number}, since {began * 1e-9:.3f} s")
        path = "none yet" if cutter.judge.path is None else f"{cutter.judge.path.length_m:.1f} m long"
        words.append(f"path of the first good lap: {path}")
        compared = "none yet" if reference is None else f"lap {reference.number}, {reference.time_s:.3f} s"
        return "; ".join([*words, f"best lap so far: {compared}"])


def _rounded(rows: Rows) -> Rows:
    """To a millimetre and a tenth of a millisecond: more is noise, and costs DuckDB more than all else of laps."""
    lap, distance, delta, age, predicted = rows.values
    values = (lap, np.round(distance, 3), np.round(delta, 4), np.round(age, 3), np.round(predicted, 4))
    return Rows(rows.table, rows.at, rows.t, values)


def _track(fact: str) -> Track | None:
    """What a control row says; None where it makes no sense: it stands in `control`, and changes nothing."""
    try:
        track = said(json.loads(fact))
    except ValueError:
        return None
    return None if isinstance(track, str) else track


def _track_row(track: Track, length_m: float | None) -> tuple[object, ...]:
    said = {key: value for key, value in asdict(track).items() if value not in (None, ())}
    return track.name or None, track.source, track.learned, length_m, json.dumps(said)


def _lap_row(lap: Lap) -> tuple[object, ...]:
    whole = (lap.number, lap.kind, lap.t_start, lap.t_end, lap.time_s, lap.flying, lap.valid, lap.why or None)
    best = (lap.best, lap.best_so_far_s, lap.delta_s)
    return (*whole, *best, lap.distance_m, lap.top_speed_mps, lap.min_speed_mps, lap.fuel_used)
