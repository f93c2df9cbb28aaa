"""Rows in, the DuckDB file of one generation out.  Readers see all rows up to a log offset, that offset, or neither.

Laws:

1. Rows, the small tables and the offset behind them are committed in one transaction.
2. Rows stand in a table in the order of the log; how they were cut into calls leaves no trace.
3. A store is written from its beginning to its end and never opened again to go on: what stops half-way is thrown away.

Rows are gathered until DuckDB can write them as whole row groups, once and for all (2.6 times as fast as in pieces that
it must merge), two at a time (it writes each on a core of its own), and inserted on a thread of their own while the
caller decodes what comes next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from pitwall.project import columns, layout
from pitwall.project.built import BuiltFrom
from pitwall.project.database import connect, quoted
from pitwall.project.gathered import Columns, Gathered
from pitwall.project.handover import Handover
from pitwall.project.recent import Held, Recent

if TYPE_CHECKING:
    from pitwall.derive import Rows, Table

INSERT_ROWS: Final = 122_880
"""One of DuckDB's row groups."""

INSERT_GROUPS: Final = 2
"""Row groups of one INSERT."""

GATHER_BYTES: Final = 56 << 20
"""Rows gathered for all tables together; beyond it those of the table that has most are inserted."""

HANDED_BYTES: Final = 40 << 20
"""Rows on their way into DuckDB."""


class Store:
    """One generation, being written.  Not thread-safe, but for `cursor` and `held`.

    built: what it has been built from so far, as committed.  held: the newest rows of its tables, of the same commit.
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
        spill_bytes: int | None = None,
        recent: Recent | None = None,
    ) -> None:
        """A new, empty projection in `file`, which must not exist, or in memory.

        recent: is given the rows, too; None: nobody asks for the newest ones, again and again, while they come.
        """
        self._gather_bytes = gather_bytes
        self.built = built
        self.held: Held | None = None
        self._recent = recent
        columns_in_all = sum(1 + len(table.channels) for table in tables)
        self._connection = connect(file, spill, columns=columns_in_all, spill_bytes=spill_bytes)
        self._readers = self._connection.cursor()
        self._tables = {table.name: Gathered(table, insert_rows) for table in tables}
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

    def append(
        self,
        rows: Sequence[Rows],
        control: Sequence[tuple[object, ...]] = (),
        rejected: Sequence[tuple[object, ...]] = (),
    ) -> None:
        """Takes rows of its tables, each table's in the order of the log.  They are seen after the next commit.

        control, rejected: rows of the tables of these names.
        """
        for part in rows:
            if self._recent is not None:
                self._recent.take(part)
            gathered = self._tables[part.table.name]
            done = 0
            while done < len(part.t):
                count = gathered.add(part, done)
                done += count
                self._gathered_bytes += count * gathered.row_bytes
                if gathered.groups == INSERT_GROUPS:
                    self._hand_over(gathered, gathered.take_whole())
        for name, fixed in (("control", control), ("rejected", rejected)):
            if fixed:
                self._handover.give(partial(self._insert_fixed, name, list(fixed)))
        while self._gathered_bytes > self._gather_bytes:
            heaviest = max(self._tables.values(), key=Gathered.weight)
            self._hand_over(heaviest, heaviest.take_whole() or heaviest.take())

    def commit(self, built: BuiltFrom, small: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
        """Lets readers see all that was appended, as built from the log up to `built.offset`.

        small: all rows of small tables, which take the place of those there.  Returns before it is done; `wait` waits.
        """
        self._hand_over_all()
        held = None
        if self._recent is not None:
            self._recent.forget(small.keys() & self._tables.keys())
            held = Held(built, self._recent.parts())
        self._handover.give(partial(self._commit, built, dict(small), held))

    @property
    def idle(self) -> bool:
        """Whether readers see all that was committed."""
        return self._handover.idle

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
        with contextlib.suppress(duckdb.Error):  # what a full disk has spoilt says so again and again
            for feed in self._feeds:
                self._connection.unregister(feed)
        for connection in (self._readers, self._connection):
            with contextlib.suppress(duckdb.Error):
                connection.close()

    def _create(self, tables: Sequence[Table]) -> None:
        self._connection.execute("BEGIN")
        for statement in layout.statements(tables):
            self._connection.execute(statement)
        self._connection.execute("COMMIT")
        for name in [*layout.FIXED, *self._tables]:
            self._feeds[_feed_name(name)] = feed = _Feed(_schema(name, self._tables.get(name)))
            self._connection.register(_feed_name(name), feed)
        self._begin()
        self._commit(self.built, {})

    def _hand_over_all(self) -> None:
        for gathered in self._tables.values():
            if gathered.weight():
                self._hand_over(gathered, gathered.take())

    def _hand_over(self, gathered: Gathered, taken: list[Columns]) -> None:
        weight = sum(len(t) for t, _ in taken) * gathered.row_bytes
        self._gathered_bytes -= weight
        self._handover.give(partial(self._insert, gathered, taken), weight)

    # what follows runs on the store's own thread

    def _insert(self, gathered: Gathered, taken: list[Columns]) -> None:
        batches = []
        for t, values in taken:
            arrays = [columns.float64(column) for column in values]
            gathered.count(t, arrays)
            batches.append(pa.RecordBatch.from_arrays([columns.int64(t), *arrays], names=gathered.names))
        self._feed(gathered.table.name, batches)

    def _insert_fixed(self, name: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._feed(name, [_fixed(name, rows)])

    def _commit(
        self, built: BuiltFrom, given: Mapping[str, Sequence[tuple[object, ...]]], held: Held | None = None
    ) -> None:
        self._begin()
        for name in given.keys() & self._tables.keys():  # its rows go, whenever they came
            self._tables[name].forget()
        channels = [row for gathered in self._tables.values() for row in gathered.channels()]
        origin = astuple(built)
        small: dict[str, Sequence[tuple[object, ...]]] = {**given, "channels": channels, "built_from": [origin]}
        for name, rows in small.items():
            self._connection.execute(f"DELETE FROM {name}")  # noqa: S608
            self._insert_fixed(name, rows)
        self._connection.execute("COMMIT")
        self._in_transaction = False
        self.built, self.held = replace(built), held

    def _feed(self, name: str, batches: list[pa.RecordBatch]) -> None:
        self._begin()
        feed = self._feeds[_feed_name(name)]
        feed.batches = batches
        self._connection.execute(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(_feed_name(name))}")  # noqa: S608
        feed.batches = []

    def _begin(self) -> None:
        if not self._in_transaction:
            self._connection.execute("BEGIN")
            self._in_transaction = True


class _Feed:
    """A table of DuckDB's whose rows are those of whatever `batches` are there when it is asked.

    Registered once: registering batches costs more than inserting the few rows of a live commit.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.batches: list[pa.RecordBatch] = []
        self._schema = schema

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.RecordBatchReader.from_batches(self._schema, self.batches).__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()


def _feed_name(table: str) -> str:
    return f"rows of {table}"


def _schema(name: str, gathered: Gathered | None) -> pa.Schema:
    if gathered is None:
        return _fixed(name, []).schema
    types = [pa.int64(), *([pa.float64()] * len(gathered.table.channels))]
    return pa.schema(list(zip(gathered.names, types, strict=True)))


def _fixed(name: str, rows: Sequence[tuple[object, ...]]) -> pa.RecordBatch:
    names, types = zip(*layout.FIXED[name], strict=True)
    values: list[Any] = list(zip(*rows, strict=True)) or [()] * len(names)
    arrays = [_ARRAYS[type](column) for type, column in zip(types, values, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=list(names))


_ARRAYS: Final[dict[str, Any]] = {
    "VARCHAR": columns.text,
    "BIGINT": columns.whole,
    "DOUBLE": lambda values: columns.float64(np.array(values, np.float64)),
    "BOOLEAN": lambda values: columns.int64(np.array(values, np.int64)),
}
