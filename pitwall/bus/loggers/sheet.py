"""The rows of a logger's file in, cell by cell; frames and the control rows that go before them out.

Laws: a number becomes the float64 that its text says, then its column's arithmetic, and nothing else; an empty cell,
and NaN, is a value that is missing; a cell that is no number is a loss, named by line and column, and costs its row
nothing; a position of exactly 0, 0 is none.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.gps import fact_row, made_id, value_frames
from pitwall.bus.loggers.columns import Column
from pitwall.bus.reading import Reading
from pitwall.frames import LOGGER_BUS, Control, Frames, Int64

SECONDS: Final = re.compile(r"([+-]?)(\d{1,11})(?:[.,](\d*))?")
NS: Final = 1_000_000_000


def never_whole(_line: str) -> bool:
    """Whether a last line without an end is whole: of numbers nobody can tell, and half a number is a wrong one."""
    return False


PROGRESS_ROWS: Final = 4096
"""How often who waits is told."""


def ns_of(text: str) -> int:
    """Decimal seconds as ns, exactly, to the nearest; ValueError where it is none."""
    match = SECONDS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text.strip()!r} is no time")
    digits = (match[3] or "").ljust(9, "0")
    ns = int(match[2]) * NS + int(digits[:9]) + (digits[9:10] >= "5")
    return -ns if match[1] == "-" else ns


class Sheet:
    """The rows of one file, as they are gathered."""

    def __init__(self, reading: Reading, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self._reading = reading
        self._sources = list(range(len(self.columns)))  # which cell of a row each column is made of
        self._width = len(self.columns)
        self._times = array("q")
        self._cells = array("d")

    def __len__(self) -> int:
        return len(self._times)

    def add(self, t_ns: int, cells: Sequence[str], line: int) -> None:
        """One row.  cells: as many as there are columns.  line: where it stands, from 1."""
        self._times.append(t_ns)
        self._cells.extend(map(self._number, cells, self.columns, [line] * len(cells)))

    def _number(self, cell: str, column: Column, line: int) -> float:
        try:
            value = float(cell)
            if not math.isinf(value) and "_" not in cell:
                return value
        except ValueError:
            if not cell.strip():
                return math.nan
        self._reading.losses.add(f"{column.name} is no number: {cell.strip()[:40]!r}", line)
        return math.nan

    def path(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """lat and lon of the rows that have both, in degrees."""
        values = self._values()
        named = {column.signal: i for i, column in enumerate(self.columns)}
        if not {"lat", "lon"} <= named.keys():
            return np.empty(0), np.empty(0)
        lat, lon = values[:, named["lat"]], values[:, named["lon"]]
        there = ~(np.isnan(lat) | np.isnan(lon))
        return lat[there], lon[there]

    def frames(
        self, about: Mapping[str, Any], others: Sequence[tuple[Control, Mapping[str, Any]]] = ()
    ) -> Iterator[Frames]:
        """A control row that says `about` the file and its columns, then `others`, then the values; nothing of no rows.

        Control rows have the time of the first row there is.
        """
        if not len(self):
            return
        bus = self._reading.buses[LOGGER_BUS]
        t: Int64 = np.frombuffer(self._times, np.int64)
        first = int(t.min())
        said = {"file": self._reading.losses.path.name, **about, "columns": [column.fact for column in self.columns]}
        for kind, fact in ((Control.LOGGER, said), *others):
            yield fact_row(kind, first, fact, bus=bus)
        yield value_frames(t, [column.id for column in self.columns], self._values(), bus=bus)

    def largest(self, signal: str) -> float:
        """The largest number of the column of that signal, as the file has it; 0 where there is none."""
        at = [i for i, column in enumerate(self.columns) if column.signal == signal]
        return float(np.nanmax(self._raw()[:, at], initial=0.0))

    def also(self, signal: str, name: str) -> None:
        """Keep the column of that signal once more, as the file has it, called `name`."""
        at = next(i for i, column in enumerate(self.columns) if column.signal == signal)
        own = Column(
            self.columns[at].name, self.columns[at].unit, name, made_id(name, [one.id for one in self.columns])
        )
        self.columns = (*self.columns, own)
        self._sources.append(at)

    def _raw(self) -> npt.NDArray[np.float64]:
        return np.frombuffer(self._cells, np.float64).reshape(len(self), self._width)

    def _values(self) -> npt.NDArray[np.float64]:
        """float64 (rows, columns), in the units of the signals."""
        raw = self._raw()[:, self._sources]
        values = np.empty_like(raw)
        for i, column in enumerate(self.columns):
            values[:, i] = column.arithmetic(raw[:, i])
        places = [i for i, column in enumerate(self.columns) if column.signal in ("lat", "lon")]
        if len(places) == 2:
            nowhere = (raw[:, places] == 0).all(axis=1)
            values[np.ix_(nowhere, places)] = np.nan
            said = f"{self._reading.losses.path}: {np.count_nonzero(nowhere):,} rows at 0, 0 have no position"
            if nowhere.any() and said not in self._reading.notes:
                self._reading.notes.append(said)
        return values
