"""A damaged segment in; every message behind the damage that still verifies out, and what is wrong on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pitwall.log.folder import check_version
from pitwall.log.tag import Flaw, Kind, Tag
from pitwall.log.walk import Walk

MISSING: Final = "a batch is missing before this one"
_MOVED: Final = "a batch stands here that is not the next"
_CHAIN: Final = "the batch does not continue the one before"
_SECOND_SCHEMA: Final = "a second schema"


@dataclass(slots=True)
class Fault:
    """Something wrong at a place of a file, and the offsets that should have come there."""

    position: int
    what: str
    first: int
    last: int


@dataclass(slots=True)
class Survey:
    """A segment's file from the byte `start` on.

    faults: in the order of the bytes.  survivors: the tag and position of every batch and footer that verifies,
    likewise.  chain: CRC of the last of them; None where damage stands behind it.
    """

    start: int
    faults: list[Fault]
    survivors: list[tuple[Tag, int]]
    chain: int | None

    def in_order(self) -> list[tuple[Tag, int]]:
        """The survivors in the order of their offsets, the footer last."""
        return sorted(self.survivors, key=lambda survivor: (survivor[0].offset, survivor[0].kind is Kind.FOOTER))


def survey(walk: Walk, expected: int, chain: int | None) -> Survey:
    """Goes through the file from `walk.position` to where nothing verifies any more, and leaves `walk` there.

    expected, chain: offset and predecessor's CRC of the batch that should come next; chain None: not known.
    Raises LogError where a message was written by a newer pitwall.
    """
    found = Survey(walk.position, [], [], chain)
    while True:
        start = walk.position
        message = walk.next()
        if isinstance(message, Flaw):
            behind = walk.resync()
            if behind is None:
                walk.position = start
                return found
            if behind.position > start:  # else it was being written, and has become whole between two looks
                found.faults.append(Fault(start, message.what, expected, behind.tag.offset))
                found.chain = None
            message = behind
        tag = message.tag
        check_version(tag, walk.path)
        if tag.kind is Kind.SCHEMA:
            found.faults.append(Fault(message.position, _SECOND_SCHEMA, expected, expected))
            continue
        if found.chain is not None and (tag.prev != found.chain or tag.offset != expected):
            what = _CHAIN if tag.offset == expected else MISSING if tag.offset > expected else _MOVED
            found.faults.append(Fault(message.position, what, expected, tag.offset))
        found.survivors.append((tag, message.position))
        expected, found.chain = max(expected, tag.stop if tag.kind is Kind.ROWS else tag.offset), tag.crc


def take_fault(faults: list[Fault], first: int, last: int) -> Fault | None:
    """The fault that explains the loss of these offsets, taken out of `faults`."""
    for i, fault in enumerate(faults):
        if fault.first < last and fault.last > first:
            return faults.pop(i)
    return None
