"""A finished generation in, its rows out as the log passes: what some other pipeline once made of the same frames.

A table knows times and no offsets.  Rows are those of the frames of their time.  Where several frames came at once, it
is known which of them made a row if the table's rows come at the same times in the pipeline of now, and else guessed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from pitwall.derive import Rows, Table
from pitwall.derive.channel import Channel, Float64
from pitwall.errors import PitwallError
from pitwall.frames import Frames, Int64, concat, cut, in_log_order
from pitwall.project.database import connect, quoted
from pitwall.project.generations import Generations
from pitwall.project.lap_changes import TABLES
from pitwall.project.laps import Small
from pitwall.project.layout import FIXED

_READ_ROWS: Final = 16_384
"""Rows of a table that are read at once: a projection has a hundred tables, and all of them are open."""


class Earlier:
    """The rows of one generation, in the order of the log.  tables: its own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, holds_s: Mapping[str, float | None]) -> None:
        """holds_s: of channels by name, which no projection knows."""
        channels: dict[str, list[Channel]] = {}
        for table, *named in connection.execute("SELECT table_name, name, unit, source FROM channels").fetchall():
            name, unit, source = map(str, named)
            channels.setdefault(str(table), []).append(Channel(name, unit, source, holds_s.get(name)))
        self.tables = [Table(name, tuple(found)) for name, found in channels.items()]
        self._connection = connection
        self._open = [_Reading(connection, table) for table in self.tables]

    def laps(self) -> Small:
        """Its tables of laps; empty where it has none: the code that made it knew of no laps."""
        try:
            return {
                name: self._connection.execute(
                    f"SELECT {', '.join(column for column, _ in FIXED[name])} FROM {name}"  # noqa: S608
                ).fetchall()
                for name in TABLES
            }
        except (duckdb.CatalogException, duckdb.BinderException):
            return {}

    def rows(self, frames: Frames, now: Iterable[Rows]) -> list[Rows]:
        """The rows of `frames`, in log order, behind whose last no frame of the same time comes.

        now: what the pipeline of now makes of them.
        """
        known = {rows.table.name: rows for rows in now}
        found = []
        for reading in self._open:
            t, values = reading.until(int(frames.t[-1]))
            if not len(t):
                continue
            same = known.get(reading.table.name)
            if same is not None and np.array_equal(same.t, t):
                found.append(Rows(reading.table, same.at, t, values))
                continue
            place = np.searchsorted(frames.t, t) + _repeats(t)
            there = place < len(frames)
            there[there] = frames.t[place[there]] == t[there]  # else the log can't give that frame any more
            column = tuple(each[there] for each in values)
            found.append(Rows(reading.table, frames.start + place[there], t[there], column))
        return found


@contextlib.contextmanager
def earlier(generations: Generations, file: Path, holds_s: Mapping[str, float | None]) -> Iterator[Earlier]:
    """The generation in `file`, as long as the `with` lasts.  PitwallError: it can't be read."""
    try:
        with (
            generations.reading(file),
            contextlib.closing(connect(file, generations.spill(file.stem), read_only=True)) as connection,
        ):
            yield Earlier(connection, holds_s)
    except duckdb.Error as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise PitwallError(f"can't be read: {first}", where=file, hint="`pitwall replay` builds it again") from error


def whole_times(batches: Iterable[Frames]) -> Iterator[Frames]:
    """The same frames, in log order, so cut that those of one time are in one batch."""
    kept: list[Frames] = []
    for batch in batches:
        frames = in_log_order(batch)
        if not len(frames):
            continue
        # what damage left out parts two batches
        if kept and kept[-1].stop != frames.start:
            yield concat(kept)
            kept = []
        last = int(np.searchsorted(frames.t, frames.t[-1]))
        if last and len(done := concat([*kept, cut(frames, 0, last)])):
            yield done
            kept = []
        kept.append(cut(frames, last, len(frames)))
    if kept:
        yield concat(kept)


class _Reading:
    """One table, read a piece at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table) -> None:
        columns = ", ".join(quoted(name) for name in ("t", *(channel.name for channel in table.channels)))
        cursor = connection.cursor()
        query = f"SELECT {columns} FROM {quoted(table.name)}"  # noqa: S608  the generation's own names
        self._batches: pa.RecordBatchReader = cursor.sql(query).to_arrow_reader(_READ_ROWS)
        self._cursor = cursor
        self.table = table
        self._t: Int64 = np.empty(0, np.int64)
        self._values: tuple[Float64, ...] = tuple(np.empty(0) for _ in table.channels)
        self._ended = False

    def until(self, t: int) -> tuple[Int64, tuple[Float64, ...]]:
        """The rows that come next, up to the time `t`."""
        while not self._ended and (not len(self._t) or self._t[-1] <= t):
            batch = next(self._batches, None)
            if batch is None:
                self._ended = True
                break
            more_t, *more = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
            self._t = np.concatenate((self._t, more_t))
            self._values = tuple(np.concatenate(pair) for pair in zip(self._values, more, strict=True))
        count = int(np.searchsorted(self._t, t, side="right"))
        found = self._t[:count], tuple(column[:count] for column in self._values)
        self._t, self._values = self._t[count:], tuple(column[count:] for column in self._values)
        return found


def _repeats(t: Int64) -> Int64:
    """int64 (m,): how many rows before each have its time."""
    rows = np.arange(len(t), dtype=np.int64)
    return rows - np.searchsorted(t, t)
