"""Rows in, the DuckDB file of one generation out.  Readers see all rows up to a log offset, that offset, or neither.

Laws:

1. Rows, the small tables and the offset behind them are committed in one transaction.
2. Rows stand in a table in the order of the log; how they were cut into calls leaves no trace.
3. A store is written from its beginning to its end and never opened again to go on: what stops half-way is thrown away.

Rows are gathered until DuckDB can write them as whole row groups, once and for all (2.6 times as fast as in pieces that
it must merge), and inserted on a thread of their own while the caller decodes what comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import duckdb
import numpy as np
import pyarrow as pa

from pitwall.frames import Int64
from pitwall.project import columns, layout
from pitwall.project.built import BuiltFrom
from pitwall.project.columns import Float64
from pitwall.project.database import connect, quoted
from pitwall.project.handover import Handover

if TYPE_CHECKING:
    from pitwall.derive import Rows, Table

INSERT_ROWS: Final = 122_880
"""One of DuckDB's row groups."""

GATHER_BYTES: Final = 96 << 20
"""Rows gathered for all tables together; beyond it those of the table that has most are inserted as they are."""

HANDED_BYTES: Final = 32 << 20
"""Rows on their way into DuckDB."""

Column = TypeVar("Column", Int64, Float64)


class Store:
    """One generation, being written.  Not thread-safe, but for `cursor`.

    built: what it has been built from so far, as committed.
    """

    def __init__(
        self,
        file: Path | None,
        spill: Path,
        tables: Sequence[Table],
        built: BuiltFrom,
        *,
        insert_rows: int = INSERT_ROWS,
        gather_bytes: int = GATHER_BYTES,
    ) -> None:
        """A new, empty projection in `file`, which must not exist, or in memory."""
        self._gather_bytes = gather_bytes
        self.built = built
        self._connection = connect(file, spill, columns=sum(1 + len(table.channels) for table in tables))
        self._readers = self._connection.cursor()
        self._tables = {table.name: _Gathered(table, insert_rows) for table in tables}
        self._feeds: dict[str, _Feed] = {}
        self._handover = Handover("pitwall-store", HANDED_BYTES)
        self._gathered_bytes = 0
        self._in_transaction = False
        self._closed = False
        try:
            self._create(tables)
        except BaseException:
            self.close()
            raise

    def append(self, rows: Sequence[Rows], control: Sequence[tuple[object, ...]] = ()) -> None:
        """Takes rows of its tables, each table's in the order of the log.  They are seen after the next commit.

        control: rows of the table `control`.
        """
        for part in rows:
            gathered = self._tables[part.table.name]
            done = 0
            while done < len(part.t):
                count = gathered.add(part, done)
                done += count
                self._gathered_bytes += count * gathered.row_bytes
                if gathered.is_full:
                    self._hand_over(gathered)
        if control:
            self._handover.give(partial(self._insert_fixed, "control", list(control)))
        while self._gathered_bytes > self._gather_bytes:
            self._hand_over(max(self._tables.values(), key=_Gathered.weight))

    def commit(self, built: BuiltFrom, ids: Sequence[tuple[object, ...]]) -> None:
        """Lets readers see all that was appended, as built from the log up to `built.offset`.

        ids: the rows of the table `ids`, all of them.  Returns before it is done; `wait` waits.
        """
        self._hand_over_all()
        self._handover.give(partial(self._commit, built, list(ids)))

    def wait(self) -> None:
        """Returns when readers see all that was committed."""
        self._handover.wait()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A reader's own cursor.  May be called from any thread; the reader closes it."""
        return self._readers.cursor()

    def finish(self) -> None:
        """Waits, makes the file whole (nothing of it is left in a write-ahead log) and closes it."""
        self.wait()
        try:
            self._connection.execute("CHECKPOINT")
        except duckdb.TransactionException:  # a reader is at it: what it had begun ends here
            self._connection.execute("FORCE CHECKPOINT")
        self.close()

    def close(self) -> None:
        """Lets go of the file as it is."""
        if self._closed:
            return
        self._closed = True
        self._handover.close()
        for feed in self._feeds:
            self._connection.unregister(feed)
        self._readers.close()
        self._connection.close()

    def _create(self, tables: Sequence[Table]) -> None:
        self._connection.execute("BEGIN")
        for statement in layout.statements(tables):
            self._connection.execute(statement)
        self._connection.execute("COMMIT")
        for name in [*layout.FIXED, *self._tables]:
            self._feeds[_feed_name(name)] = feed = _Feed()
            feed.batch = _no_rows(name, self._tables.get(name))
            self._connection.register(_feed_name(name), feed)
        self._begin()
        self._commit(self.built, [])

    def _hand_over_all(self) -> None:
        for gathered in self._tables.values():
            if gathered.rows:
                self._hand_over(gathered)

    def _hand_over(self, gathered: _Gathered) -> None:
        weight = gathered.weight()
        self._gathered_bytes -= weight
        self._handover.give(partial(self._insert, gathered, *gathered.take()), weight)

    # what follows runs on the store's own thread

    def _insert(self, gathered: _Gathered, t: Int64, values: list[Float64]) -> None:
        arrays = [columns.float64(column) for column in values]
        gathered.count(t, arrays)
        self._feed(gathered.table.name, pa.RecordBatch.from_arrays([columns.int64(t), *arrays], names=gathered.names))

    def _insert_fixed(self, name: str, rows: list[tuple[object, ...]]) -> None:
        if rows:
            self._feed(name, _fixed(name, rows))

    def _commit(self, built: BuiltFrom, ids: list[tuple[object, ...]]) -> None:
        self._begin()
        channels = [row for gathered in self._tables.values() for row in gathered.channels()]
        origin = (built.session, built.fingerprint, built.code, built.offset, built.lost, built.complete)
        small: dict[str, list[tuple[object, ...]]] = {"channels": channels, "ids": ids, "built_from": [origin]}
        for name, rows in small.items():
            self._connection.execute(f"DELETE FROM {name}")  # noqa: S608
            self._insert_fixed(name, rows)
        self._connection.execute("COMMIT")
        self._in_transaction = False
        self.built = replace(built)

    def _feed(self, name: str, batch: pa.RecordBatch) -> None:
        self._begin()
        feed = self._feeds[_feed_name(name)]
        feed.batch = batch
        self._connection.execute(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(_feed_name(name))}")  # noqa: S608
        feed.batch = batch.slice(0, 0)

    def _begin(self) -> None:
        if not self._in_transaction:
            self._connection.execute("BEGIN")
            self._in_transaction = True


class _Feed:
    """A table of DuckDB's whose rows are whatever `batch` is when it is asked.

    Registered once: registering a batch costs more than inserting the few rows of a live commit.
    """

    batch: pa.RecordBatch

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.batch.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.batch.schema.__arrow_c_schema__()


class _Gathered:
    """The rows of one table that wait to be inserted, and the counts of those that were."""

    def __init__(self, table: Table, limit: int) -> None:
        self._limit = limit
        self.table = table
        self.names = ["t", *(channel.name for channel in table.channels)]
        self.row_bytes = 8 * len(self.names)
        self.rows = 0
        self._t: Int64 = np.empty(0, np.int64)
        self._values: list[Float64] = [np.empty(0) for _ in table.channels]
        n = len(table.channels)
        self._count, self._first, self._last = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)

    @property
    def is_full(self) -> bool:
        """Whether they make a row group."""
        return self.rows == self._limit

    def weight(self) -> int:
        """Bytes of the rows that wait."""
        return self.rows * self.row_bytes

    def add(self, rows: Rows, first: int) -> int:
        """Gathers what fits of `rows` from row `first` on, copied; how many that are."""
        room = self._make_room(len(rows.t) - first)
        for gathered, column in zip((self._t, *self._values), (rows.t, *rows.values), strict=True):
            gathered[self.rows : self.rows + room] = column[first : first + room]
        self.rows += room
        return room

    def take(self) -> tuple[Int64, list[Float64]]:
        """All of them; they wait no more."""
        taken = self._t[: self.rows], [column[: self.rows] for column in self._values]
        self._t, self._values, self.rows = np.empty(0, np.int64), [np.empty(0) for _ in self._values], 0
        return taken

    def _make_room(self, wanted: int) -> int:
        if self.rows + wanted > len(self._t):
            size = min(self._limit, max(2 * len(self._t), self.rows + wanted))
            self._t = _grown(self._t, size, self.rows)
            self._values = [_grown(column, size, self.rows) for column in self._values]
        return min(wanted, len(self._t) - self.rows)

    def count(self, t: Int64, values: list[pa.Array]) -> None:
        """Counts what is there of each column, and when it first and last was."""
        for i, array in enumerate(values):
            n = len(array) - array.null_count
            if n == 0:
                continue
            first, last = 0, len(t) - 1
            if array.null_count:
                bits = np.frombuffer(array.buffers()[0], np.uint8)
                present = np.flatnonzero(np.unpackbits(bits, count=len(t), bitorder="little"))
                first, last = int(present[0]), int(present[-1])
            if self._count[i] == 0:
                self._first[i] = t[first]
            self._last[i] = t[last]
            self._count[i] += n

    def channels(self) -> list[tuple[object, ...]]:
        """The table's rows in `channels`."""
        table = self.table
        return [
            (channel.name, channel.unit, channel.source, table.name, channel.name, rows, rate_hz(rows, first, last))
            for channel, rows, first, last in zip(
                table.channels, self._count.tolist(), self._first.tolist(), self._last.tolist(), strict=True
            )
        ]


def rate_hz(rows: int, first_t: int, last_t: int) -> float:
    """How many come in a second, from the first to the last; NaN where that can't be said."""
    return (rows - 1) / ((last_t - first_t) / 1e9) if last_t > first_t else float("nan")


def _grown(column: Column, size: int, kept: int) -> Column:
    grown = np.empty(size, column.dtype)
    grown[:kept] = column[:kept]
    return cast("Column", grown)


def _feed_name(table: str) -> str:
    return f"rows of {table}"


def _no_rows(name: str, gathered: _Gathered | None) -> pa.RecordBatch:
    if gathered is None:
        return _fixed(name, [])
    types = [pa.int64(), *([pa.float64()] * len(gathered.table.channels))]
    return pa.RecordBatch.from_arrays(
        [pa.Array.from_buffers(type, 0, [None, pa.py_buffer(b"")]) for type in types], names=gathered.names
    )


def _fixed(name: str, rows: Sequence[tuple[object, ...]]) -> pa.RecordBatch:
    names, types = zip(*layout.FIXED[name], strict=True)
    values: list[Any] = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [_ARRAYS[type](column) for type, column in zip(types, values, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


_ARRAYS: Final[dict[str, Any]] = {
    "VARCHAR": columns.text,
    "BIGINT": lambda values: columns.int64(np.array(values, np.int64)),
    "DOUBLE": lambda values: columns.float64(np.array(values, np.float64)),
    "BOOLEAN": lambda values: columns.int64(np.array(values, np.int64)),
}
