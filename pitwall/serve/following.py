"""One session being followed: batches of its log in, rows into its projection, pictures of its newest values out."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pitwall.decode.traffic import Traffic
from pitwall.log.remarks import NOTHING
from pitwall.project.database import quoted
from pitwall.project.lap_answers import facts_so_far, lap_facts
from pitwall.project.pipeline import Pipeline
from pitwall.project.query import open_projection
from pitwall.serve.gauges import Gauges
from pitwall.serve.newest import Cast, LiveChannel, Picture, Status
from pitwall.serve.origins import channels_of_buses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    from pitwall.car import Car
    from pitwall.coach.cues import Cue
    from pitwall.decode.traffic import Heard
    from pitwall.derive import Rows
    from pitwall.frames import Frames
    from pitwall.log.opening import Header
    from pitwall.log.reader import Tail
    from pitwall.log.session import Session
    from pitwall.project.generations import Generations
    from pitwall.project.laps import Small
    from pitwall.project.loop import Projector

QUIET_S: Final = 2.0
"""A bus that is silent for so long has no frames a second."""
NEWS_NS: Final = 3_000_000_000
"""A cue that is older has passed its corner."""


class Following:
    """One session being followed: its projector, its tail, its gauges.  remarks: what people said of it so far."""

    def __init__(self, about: Header, projector: Projector, tail: Tail, *, written: int) -> None:
        """written: offset behind the log's last row as of now, which is to be caught up with."""
        self.tail = tail
        self.recording = False
        self._finished = False
        self._about = about
        self._projector = projector
        self._written = written
        self._gauges = Gauges(projector.pipeline.tables, channels_of_buses(projector.pipeline.car))
        self._cast = _cast(projector.pipeline, about, self._gauges)
        self.remarks = NOTHING
        self._small: Small | None = None
        self._laps: list[dict[str, Any]] = []  # of these
        self._traffic, self._taking = Traffic(), threading.Lock()
        self._heard_at_s: float | None = None

    @property
    def behind(self) -> bool:
        """Whether rows that were there at the beginning have not been projected yet."""
        return self._projector.offset < self._written

    def saw(self, frames: Frames, rows: list[Rows]) -> None:
        """A batch that was applied, and the rows that it gave."""
        self._gauges.take(frames, rows)
        with self._taking:
            self._traffic.take(frames)
        self.remarks = self.remarks.and_of(frames)
        live = self.recording and frames.start >= self._written
        self._heard_at_s = time.monotonic() if live else _heard_at_s(self._about, self._gauges.newest_t)

    def traffic(self) -> Heard:
        """The newest frame of each id.  For any thread.

        Of a session that is being recorded it is as of now: an id that has gone quiet slows down.
        """
        with self._taking:
            newest, heard_at_s = self._traffic.newest_t, self._heard_at_s
            quiet_s = time.monotonic() - heard_at_s if self.recording and heard_at_s is not None else 0.0
            return self._traffic.heard(newest + round(max(0.0, quiet_s) * 1e9))

    def finish(self) -> None:
        """Ends the projection: it is whole, and whoever asks sees all of it."""
        self._projector.finish()
        self._finished = True

    def picture(self, number: int) -> Picture:
        """The newest values as of now."""
        state = "recording" if self.recording and not self.tail.ended else "interrupted"
        if self.behind or self.tail.ended:
            state = "catching up"
        if self._finished:
            state = "ended" if self.tail.ended else "interrupted"
        quiet = self._heard_at_s is None or time.monotonic() - self._heard_at_s > QUIET_S
        status = Status(
            state=state,
            frames_per_s=0.0 if quiet or self._finished else self._gauges.frames_per_s(),
            heard_at_s=self._heard_at_s,
            written=max(self._written, self.tail.offset),
            projected=self._projector.offset,
            committed=self._projector.committed.offset,
            damages=len(self.tail.damages),
            problems=tuple(f"{part}: {reason}" for part, reason in self._projector.pipeline.problems()),
        )
        return replace(self._gauges.picture(number, self._cast, status), cue=self._cue(), laps=self._laps_so_far())

    def _laps_so_far(self) -> list[dict[str, Any]]:
        small = self._projector.pipeline.laps()
        if small is not self._small:
            self._small, self._laps = small, facts_so_far(small)
        return self._laps

    def _cue(self) -> Cue | None:
        """What was said last, while it is news: what was said before anybody looked was said to nobody."""
        cue = self._projector.pipeline.cue
        if cue is None or not self.recording or self.behind or self._gauges.newest_t - cue.t_ns > NEWS_NS:
            return None
        return cue


def finished(session: Session, car: Car, generations: Generations, number: int) -> Picture:
    """The last values of a session whose projection is whole.  number: the picture's."""
    with open_projection(session, car, generations) as projection:
        pipeline = Pipeline(car, session.header)
        gauges = Gauges(pipeline.tables)
        for name, t, v in _last_values(projection.connection, gauges.channels):
            gauges.set(name, t, v)
        status = Status(
            state="ended",
            heard_at_s=_heard_at_s(session.header, int(session.duration_s * 1e9)),
            written=session.rows,
            projected=session.rows,
            committed=session.rows,
        )
        picture = gauges.picture(number, _cast(pipeline, session.header, gauges), status)
        return replace(picture, laps=lap_facts(projection.connection))


def _cast(pipeline: Pipeline, about: Header, gauges: Gauges) -> Cast:
    fingerprint, roles = pipeline.built.fingerprint, dict(pipeline.car.roles)
    return Cast(about.session, about.car, about.started_at_ns, fingerprint, gauges.channels, roles)


def _heard_at_s(about: Header, t: int) -> float:
    """time.monotonic() of what happened `t` ns into a session, by the wall clock: for what was not heard live."""
    return time.monotonic() - max(0.0, time.time() - (about.started_at_ns + t) / 1e9)


def _last_values(
    connection: duckdb.DuckDBPyConnection, channels: Sequence[LiveChannel]
) -> Iterator[tuple[str, int, float]]:
    """Name, t and value of each channel's last value, where it has one."""
    for channel in channels:
        table, column = quoted(channel.table), quoted(channel.name)
        row = connection.execute(
            f"SELECT t, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY t DESC LIMIT 1"  # noqa: S608
        ).fetchone()
        if row is not None:
            yield channel.name, *row
