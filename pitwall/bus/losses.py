"""What of a capture could not be read: counted, the first ones named.

Law: every loss is counted; memory is bounded however damaged the file is.
"""

from __future__ import annotations

from pathlib import Path

NAMED = 20
"""Losses told one by one; what follows is a number, since line after line of garbage tells nothing new."""


class Losses:
    """The losses of the file `path`, as problems `file:line: what` or `file: what`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._named: list[str] = []

    def add(self, what: str, line: int | None = None) -> None:
        """One more loss, at `line` (from 1) where the file has lines."""
        self.count += 1
        if len(self._named) < NAMED:
            where = f"{self.path}:{line}" if line else f"{self.path}"
            self._named.append(" ".join(f"{where}: {what}".split()))

    @property
    def problems(self) -> list[str]:
        """The first `NAMED` losses, and how many more there were."""
        rest = self.count - len(self._named)
        return self._named + ([f"{self.path}: {rest:,} more like these"] if rest else [])


def reason(error: BaseException) -> str:
    """An exception of a reader as a few words."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def glimpse(line: str) -> str:
    """The beginning of a line, fit to be printed."""
    text = line.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
