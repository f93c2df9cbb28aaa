"""A session and an offset in, the raw frame there out."""

from __future__ import annotations

from dataclasses import dataclass

from pitwall.frames import Flag, more_of
from pitwall.log.reader import read
from pitwall.log.session import Session


@dataclass(frozen=True, slots=True)
class Frame:
    """A raw frame.  offset: in the log.  t: ns.  bus: as the log calls it."""

    offset: int
    t: int
    bus: str
    id: int
    extended: bool
    payload: bytes


def frame(session: Session, offset: int) -> Frame:
    """The frame at `offset`, which the log can give."""
    rows = next(read(session.path, offset, offset + 1, damaged=lambda _: None))
    return Frame(
        offset,
        int(rows.t[0]),
        session.header.buses[int(rows.bus[0])],
        int(rows.id[0]),
        bool(int(rows.flags[0]) & Flag.EXTENDED),
        rows.data[0].tobytes()[: int(rows.len[0])] + more_of(rows)[0].as_py(),
    )
