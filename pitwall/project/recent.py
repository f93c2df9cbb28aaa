"""Rows in, the newest of every table out, in memory: what most questions to a session being recorded are about.

Laws:

1. A table's rows from `since` on are all there, in the order of the log, to the bit as they came.
2. What `parts` gave never changes, and may be read by any thread while more rows come.
3. All tables together take KEPT_BYTES at most, whatever comes, and twice one table's share while its rows move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from pitwall.frames import Int64

if TYPE_CHECKING:
    from pitwall.derive import Rows, Table
    from pitwall.project.built import BuiltFrom

Float64 = npt.NDArray[np.float64]

KEPT_NS: Final = 75_000_000_000
"""Of each table, before its newest row: the minute that pages plot, and a client that is some seconds behind."""

KEPT_BYTES: Final = 64 << 20
"""A minute of 8,000 frames/s, of ten messages with a hundred channels, is 42 MB, and a quarter is room for what comes.
A car that says more has less than a minute here."""

LEAST_ROWS: Final = 256
"""That there is room for at first."""

EVER: Final = -(1 << 63)
NEVER: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The newest rows of a table.  t: int64 (m,) ns, ascending.  values: float64 (c, m), its channels; NaN: missing.

    since: ns; every row of the table from then on is here.
    """

    table: Table
    t: Int64
    values: Float64
    since: int


Parts = Mapping[str, Part]
"""Of each table, by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The newest rows of a projection as it was built from `built`."""

    built: BuiltFrom
    parts: Parts


class Recent:
    """The newest rows of a projection's tables.  For one thread; what `parts` gave is for all.

    begin: ns; rows from before it are passed over: they will be old once all that is there already has come.
    """

    def __init__(
        self, tables: Sequence[Table], keep_ns: int = KEPT_NS, most_bytes: int = KEPT_BYTES, begin: int = EVER
    ) -> None:
        columns = sum(1 + len(table.channels) for table in tables)
        most_rows = most_bytes // (8 * max(1, columns))
        self._tables = {table.name: _Newest(table, keep_ns, most_rows, begin) for table in tables}

    def take(self, rows: Rows) -> None:
        """The next rows of one of the tables, in the order of the log; they are copied."""
        if len(rows.t):
            self._tables[rows.table.name].add(rows.t, rows.values)

    def forget(self, names: Iterable[str]) -> None:
        """The tables of these names are empty again."""
        for name in names:
            self._tables[name].clear()

    def parts(self) -> Parts:
        """What there is as of now."""
        return {name: newest.part() for name, newest in self._tables.items()}


class _Newest:
    """Those of one table, in arrays that are written from their beginning to their end, once."""

    def __init__(self, table: Table, keep_ns: int, most_rows: int, begin: int) -> None:
        self._table = table
        self._keep_ns = keep_ns
        self._most_rows = most_rows
        self._begin = begin
        self.clear()

    def clear(self) -> None:
        self._t: Int64 = np.empty(0, np.int64)
        self._values: Float64 = np.empty((len(self._table.channels), 0))
        self._rows = 0
        self._since = EVER

    def part(self) -> Part:
        return Part(self._table, self._t[: self._rows], self._values[:, : self._rows], self._since)

    def add(self, t: Int64, values: Sequence[Float64]) -> None:
        """t: (m,), m > 0."""
        if bool((t[1:] < t[:-1]).any()) or (self._rows and t[0] < self._t[self._rows - 1]):
            self._since = NEVER  # no source does that; one that did would be answered by the store
        if t[-1] < self._begin:
            self._since = max(self._since, int(t[-1]) + 1)
            return
        skip = max(0, len(t) - self._most_rows // 2)
        if skip:  # more than is kept
            since = max(self._since, int(t[skip - 1]) + 1)
            self.clear()
            self._since = since
        more = len(t) - skip
        if self._rows + more > len(self._t):
            self._make_room(more, int(t[-1]))
        place = slice(self._rows, self._rows + more)
        self._t[place] = t[skip:]
        for kept, column in zip(self._values, values, strict=True):
            kept[place] = column[skip:]
        self._rows += more

    def _make_room(self, more: int, newest_t: int) -> None:
        """For `more` rows, in arrays of its own: those there are may be being read."""
        before = self._t[: self._rows]
        old = int(np.searchsorted(before, newest_t - self._keep_ns))
        # where the bytes keep fewer than the time would: not full again at once
        old = max(old, min(self._rows, self._rows + more - self._most_rows * 3 // 4))
        if old:
            self._since = max(self._since, int(before[old - 1]) + 1)
        kept = self._rows - old
        size = min(self._most_rows, max(2 * (kept + more), LEAST_ROWS))
        t, values = np.empty(size, np.int64), np.empty((len(self._values), size))
        t[:kept], values[:, :kept] = before[old:], self._values[:, old : self._rows]
        self._t, self._values, self._rows = t, values, kept
