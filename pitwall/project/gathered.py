"""Rows of one table in, whole row groups of DuckDB's out; and the count of what was there.

Rows are copied: what a batch was decoded from need not be kept for the few of its rows that wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import pyarrow as pa

from pitwall.frames import Int64
from pitwall.project.columns import Float64

if TYPE_CHECKING:
    from pitwall.derive import Rows, Table

Column = TypeVar("Column", Int64, Float64)


Columns = tuple[Int64, list[Float64]]
"""Rows of one table: t (m,), and the values of each of its channels (m,)."""


class Gathered:
    """The rows of one table that wait to be inserted, and the counts of those that were.

    groups: how many whole row groups wait.
    """

    def __init__(self, table: Table, limit: int) -> None:
        """limit: rows of a row group."""
        self._limit = limit
        self.table = table
        self.names = ["t", *(channel.name for channel in table.channels)]
        self.row_bytes = 8 * len(self.names)
        self._whole: list[Columns] = []
        self._rows = 0  # of the row group that is being filled
        self._size = 0  # rows that there is to be room for in the next one
        self._t: Int64 = np.empty(0, np.int64)
        self._values: list[Float64] = [np.empty(0) for _ in table.channels]
        n = len(table.channels)
        self._count, self._first, self._last = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)

    @property
    def groups(self) -> int:
        return len(self._whole)

    def weight(self) -> int:
        """Bytes of the rows that wait."""
        return (len(self._whole) * self._limit + self._rows) * self.row_bytes

    def add(self, rows: Rows, first: int) -> int:
        """Gathers what the row group has room for of `rows` from row `first` on, copied; how many that are."""
        room = self._make_room(len(rows.t) - first)
        part, place = slice(first, first + room), slice(self._rows, self._rows + room)
        self._t[place] = rows.t[part]
        for gathered, column in zip(self._values, rows.values, strict=True):
            gathered[place] = column[part]
        self._rows += room
        if self._rows == self._limit:
            self._whole.append(self._cut())
        return room

    def take_whole(self) -> list[Columns]:
        """The whole row groups; they wait no more."""
        taken, self._whole = self._whole, []
        return taken

    def take(self) -> list[Columns]:
        """All rows; they wait no more."""
        return [*self.take_whole(), *([self._cut()] if self._rows else [])]

    def _cut(self) -> Columns:
        cut = self._t[: self._rows], [column[: self._rows] for column in self._values]
        self._t, self._values = np.empty(0, np.int64), [np.empty(0) for _ in self._values]
        self._rows, self._size = 0, self._rows
        return cut

    def _make_room(self, wanted: int) -> int:
        if self._rows + wanted > len(self._t):
            # as much as the last time, at once: growing by doubling copies all rows once more
            size = min(self._limit, max(2 * len(self._t), self._rows + wanted, self._size))
            self._t = _grown(self._t, size, self._rows)
            self._values = [_grown(column, size, self._rows) for column in self._values]
        return min(wanted, len(self._t) - self._rows)

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

    def forget(self) -> None:
        """Counts anew."""
        for counted in (self._count, self._first, self._last):
            counted[:] = 0

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
