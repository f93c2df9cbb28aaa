"""Rows of one table in, columns as long as DuckDB likes them out; and the count of what was there.

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


class Gathered:
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
