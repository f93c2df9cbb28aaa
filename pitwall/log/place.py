"""What a reader of the log finds, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pitwall.log.folder import Segment
from pitwall.log.opening import End
from pitwall.log.tag import Message


@dataclass(frozen=True, slots=True)
class Damage:
    """Something wrong in a log.

    file, position: where, in bytes.  what: in words.  first, last: the offsets lost, first <= o < last; both None where
    none was, last alone where nothing tells how many.
    """

    file: Path
    position: int
    what: str
    first: int | None = None
    last: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.position}: {self.what}"
        if self.first is None:
            return where
        if self.last is None:
            return f"{where}; rows from {self.first} on are lost"
        return f"{where}; rows {self.first} to {self.last - 1} are lost"


@dataclass(frozen=True, slots=True)
class Torn:
    """Bytes at the end of an open segment that do not verify.  cut: they look like the beginning of a message."""

    file: Path
    position: int
    size: int
    what: str
    cut: bool


class Found(NamedTuple):
    """A verified batch.  Of its rows, those with first <= offset < stop are new."""

    segment: Segment
    message: Message
    first: int
    stop: int


@dataclass(slots=True)
class Place:
    """How far a reader has come, from segment to segment.

    at: offset behind the last row given.  session: whose log it is, once known.  end: where the segment before ended,
    if it was read to its end.  stopped: file, position and reason where it was not.
    torn: what stands unverified at the end of the newest segment.  ended: the end of the session was among the rows.
    """

    at: int
    session: str | None = None
    end: End | None = None
    stopped: tuple[Path, int, str] | None = None
    torn: Torn | None = None
    ended: bool = False
