"""A text file of delimited rows in, its rows cell by cell out, with their lines: what the CSV of loggers has in common.

Cells may be quoted; the delimiter is a comma, a semicolon or a tab, whichever the first line with any has most of;
where it is no comma, a comma in a number is a decimal one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import Final

from pitwall.bus.lines import Lines
from pitwall.bus.loggers.sheet import PROGRESS_ROWS, Sheet, never_whole
from pitwall.bus.reading import Reading

DELIMITERS: Final = ",;\t"
QUOTED: Final = re.compile(r'"[^"]*"')


class Rows:
    """The rows of a file, first those of its head, then, behind the names of the columns, those with values."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._lines = Lines(reading.path, reading.losses, silent=_is_empty, whole=never_whole)
        self._delimiter = ""  # until a line has one
        self._width = 0

    def head(self) -> Iterator[list[str]]:
        """The rows as they come, none of them a loss."""
        for line in self._lines:
            self._lines.answered()
            self._delimiter = self._delimiter or _delimiter(line)
            yield _cells(line, self._delimiter or ",")

    def titles(self, first: str) -> tuple[list[list[str]], list[str]]:
        """The rows before the one of titles, which begins with `first`, and the titles; none: there is no such row."""
        before: list[list[str]] = []
        for cells in self.head():
            if cells[0].strip() == first and len(cells) > 1:
                self.named(cells)
                return before, [cell.strip() for cell in cells]
            before.append(cells)
        return before, []

    def named(self, cells: list[str]) -> None:
        """The row that `head` gave last has the names of the columns."""
        self._width = len(cells)

    def into(self, sheet: Sheet, t_ns: Callable[[list[str]], int]) -> None:
        """The rest of the rows into the sheet, each at the time that `t_ns` tells.  ValueError: it has none."""
        for line in self._lines:
            cells = _cells(line, self._delimiter)
            if len(cells) != self._width:
                self._lines.missed(ValueError(f"{len(cells)} cells, not {self._width}"))
                continue
            if self._delimiter != ",":
                cells = [cell.replace(",", ".") for cell in cells]
            try:
                at = t_ns(cells)
            except ValueError as error:
                self._lines.missed(error)
                continue
            self._lines.answered()
            sheet.add(at, cells, self._lines.number)
            if len(sheet) % PROGRESS_ROWS == 0:
                self._reading.progress(self._lines.tell())

    def close(self) -> None:
        self._lines.close()


def _is_empty(line: str) -> bool:
    return not line.strip(' ,;\t\r\n"')


def _delimiter(line: str) -> str:
    """The delimiter that a line has most of outside quotes; "" if it has none."""
    bare = QUOTED.sub("", line)
    best = max(DELIMITERS, key=bare.count)
    return best if best in bare else ""


def _cells(line: str, delimiter: str) -> list[str]:
    text = line.rstrip("\r\n")
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return [text]
