"""A past session that is being played in; at any moment, a picture of it as `/live` would have shown it there, out.

Its channels' values are read ahead, WINDOW_NS at a time; its laps and its cues are few, and known from the beginning.

Law: what is shown is wholly of one generation. Where another takes its place (a car was edited) it goes on from that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.coach.cues import Cue
from pitwall.coach.finding import Level, Priority
from pitwall.project.database import literal
from pitwall.project.lap_answers import lap_facts
from pitwall.serve.following import NEWS_NS
from pitwall.serve.foxglove.messages import WINDOW_NS, channels, span
from pitwall.serve.newest import NEVER, Cast, LiveChannel, Picture, Status
from pitwall.serve.player import Player

if TYPE_CHECKING:
    import duckdb

    from pitwall.serve.foxglove.messages import Span
    from pitwall.serve.problem import Problem
    from pitwall.serve.reading import Edition, Readings
    from pitwall.serve.serving import About, Serving


class _ReplacedError(Exception):
    """The projection was built anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """What of a session's projection is known from the beginning.  edition: what all of it is from.

    ends: of what there is to play.  laps: all of them, by when they ended.  cues: all of them, by time.
    """

    about: About
    edition: Edition
    cast: Cast
    ends: Span
    laps: Sequence[Mapping[str, Any]]
    cues: Sequence[Cue]


@dataclass(eq=False)
class Reel:
    """A session that is being played, as a broadcast's source: its picture, and what was read ahead.

    trouble: why it can't be played on.
    """

    film: Film
    player: Player
    trouble: Problem | None = None
    sought: bool = True  # the values before where it is played have to be read
    shown: Picture = field(default_factory=Picture)
    _read: dict[str, Any] = field(default_factory=dict)
    _read_to: int = 0

    @property
    def cast(self) -> Cast:
        return self.film.cast

    def picture(self) -> Picture:
        return self.shown

    def watch(self, told: Callable[[], None]) -> None:
        """Its broadcast looks by itself."""

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def recorder(self) -> None:
        return None

    def seek(self, t: int) -> None:
        """Goes there."""
        self.player.seek(t)
        self.sought = True

    def steer(self, speed: float | None, pause: bool | None, seek_s: float | None) -> None:
        """Another way from now on; None: as it was.  ValueError: nobody can play so fast."""
        if speed is not None:
            self.player.set_speed(speed)
        if pause is not None:
            self.player.playing = not pause
        if seek_s is not None:
            self.seek(round(seek_s * 1e9))

    def place(self) -> dict[str, Any]:
        """Where the picture is that is shown, ns, how fast it is played, and whether it rests."""
        return {"t": self.shown.status.projected, "speed": self.player.speed, "paused": not self.player.playing}

    async def step(self, readings: Readings, now_s: float) -> None:
        """Shows what is due by now."""
        while True:
            try:
                await self._step(readings, now_s)
                return
            except _ReplacedError:
                self.film = film = await _film(readings, self.film.about)
                self.player.first, self.player.last = film.ends.first, film.ends.last
                self.seek(self.player.at)

    async def _step(self, readings: Readings, now_s: float) -> None:
        t, v = self.shown.t.copy(), self.shown.v.copy()
        if self.sought:
            self.sought, self._read_to = False, 0
            found = await self._ask(readings, partial(_last, to=self.player.at))
            t, v = np.full(len(self.cast.channels), NEVER, np.int64), np.full(len(self.cast.channels), np.nan)
            t[found["place"]], v[found["place"]] = found["t"], found["value"]
        begin, end = self.player.step(now_s)
        while begin < end:
            if begin >= self._read_to or not self._read:
                stop = begin + WINDOW_NS
                self._read = await self._ask(readings, partial(_between, begin=begin, stop=stop))
                self._read_to = stop
            stop = min(end, self._read_to)
            part = slice(*np.searchsorted(self._read["t"], [begin, stop]).tolist())
            places = self._read["place"][part]
            t[places], v[places] = self._read["t"][part], self._read["value"][part]
            begin = stop
        if self.sought:
            return  # it was sent elsewhere while it was read: what is there is shown by the next step
        state = "ended" if self.player.ended else "playing" if self.player.playing else "paused"
        at = min(self.player.at, self.player.last)
        status = Status(state=state, heard_at_s=now_s, written=at, projected=at, committed=at)
        self.shown = Picture(self.shown.number + 1, self.cast, t, v, status, self._cue(), self._laps())

    def _cue(self) -> Cue | None:
        """What was said last before where it is played, while it is news."""
        said = bisect_right(self.film.cues, self.player.at - 1, key=lambda cue: cue.t_ns)
        cue = self.film.cues[said - 1] if said else None
        return cue if cue is not None and self.player.at - cue.t_ns <= NEWS_NS else None

    def _laps(self) -> Sequence[Mapping[str, Any]]:
        """Those that are over; the same object while they are the same."""
        laps, same = self.film.laps, self.shown.cast is self.cast
        over = bisect_right(laps, self.player.at - 1, key=lambda lap: lap["t_end"])
        return self.shown.laps if same and over == len(self.shown.laps) else laps[:over]

    async def _ask(self, readings: Readings, samples: Callable[[duckdb.DuckDBPyConnection], _Samples]) -> _Samples:
        film = self.film
        places = {channel.name: i for i, channel in enumerate(film.cast.channels)}

        def of(edition: Edition) -> None:
            if film.edition.is_replaced_by(edition):
                raise _ReplacedError

        def question(cursor: duckdb.DuckDBPyConnection) -> _Samples:
            found = samples(cursor)
            names, of = np.unique(np.asarray(found["channel"], dtype=str), return_inverse=True)
            known = np.array([places[name] for name in names.tolist()], np.intp)
            return {"t": np.asarray(found["t"]), "value": np.asarray(found["value"]), "place": known[of]}

        return (await readings.ask(film.cast.session, question, of=of)).answer


_Samples = dict[str, Any]
"""Columns: t, value, and whose it is."""

_NEAR_NS: Final = (10_000_000_000, 600_000_000_000)
"""So far back a channel's last value is looked for at first, and then: most are near, and a whole day is billions."""


def _last(cursor: duckdb.DuckDBPyConnection, to: int) -> _Samples:
    """The last value of each channel before `to`."""
    found: list[_Samples] = []
    missing = [name for (name,) in cursor.execute("SELECT name FROM channels WHERE rows > 0").fetchall()]
    for back in (*_NEAR_NS, to):
        if missing:
            among = ", ".join(map(literal, missing))
            sql = (
                "SELECT channel, max(t) AS t, arg_max(value, t) AS value FROM signals "  # noqa: S608
                f"WHERE channel IN ({among}) AND t >= $from AND t < $to GROUP BY channel"
            )
            found.append(cursor.execute(sql, {"from": max(0, to - back), "to": to}).fetchnumpy())
            there = set(found[-1]["channel"].tolist())
            missing = [name for name in missing if name not in there]
    empty = {"channel": np.empty(0, object), "t": np.empty(0, np.int64), "value": np.empty(0)}
    return {name: np.concatenate([none, *(one[name] for one in found)]) for name, none in empty.items()}


def _between(cursor: duckdb.DuckDBPyConnection, begin: int, stop: int) -> _Samples:
    """All samples from `begin` on, before `stop`, by their time."""
    sql = "SELECT channel, t, value FROM signals WHERE t >= $from AND t < $to ORDER BY t"
    return cursor.execute(sql, {"from": begin, "to": stop}).fetchnumpy()


async def reel_of(serving: Serving, name: str, speed: float) -> Reel:
    """That session, at its beginning.  Problem, PitwallError, duckdb.Error: it can't be had."""
    film = await _film(serving.readings, await serving.about(name))
    return Reel(film, Player(film.ends.first, film.ends.last, film.ends.first, speed))


async def _film(readings: Readings, about: About) -> Film:
    roles, holds = await readings.roles(about.id), await readings.holds(about.id)

    def question(
        cursor: duckdb.DuckDBPyConnection,
    ) -> tuple[tuple[LiveChannel, ...], Span, list[dict[str, Any]], list[Cue]]:
        known = channels(cursor)
        shown = tuple(LiveChannel(c.name, c.unit, c.table, c.source, holds.get(c.name)) for c in known)
        return shown, span(cursor, known), _laps_of(cursor), _cues_of(cursor)

    told = await readings.ask(about.id, question)
    known, ends, laps, cues = told.answer
    cast = Cast(about.id, about.car, about.started_at_ns, told.edition.fingerprint, known, roles)
    return Film(about, told.edition, cast, ends, laps, cues)


def _laps_of(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    return sorted((lap for lap in lap_facts(cursor) if lap["t_end"] is not None), key=lambda lap: int(lap["t_end"]))


def _cues_of(cursor: duckdb.DuckDBPyConnection) -> list[Cue]:
    columns = "t, lap, distance_m, priority, what, coalesce(corner, ''), ahead_m, worth_s"
    levels = ", ".join(level.value for level in Level)
    rows = cursor.execute(f"SELECT {columns}, {levels} FROM cues ORDER BY t, rowid").fetchall()  # noqa: S608
    return [
        Cue(t, lap, at_m, Priority[name.upper()], what, corner, ahead_m, worth_s, dict(zip(Level, words, strict=True)))
        for t, lap, at_m, name, what, corner, ahead_m, worth_s, *words in rows
    ]
