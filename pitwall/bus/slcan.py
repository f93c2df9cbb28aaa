"""SLCAN bytes in, frames out, and back: CAN frames as lines of ASCII, as LAWICEL's CAN232 first wrote them.

    t 123 2 AABB \\r            a frame of 11-bit id 123, dlc 2; T has an id of 29 bits, r and R are remote frames
    d 123 9 AABB… \\r           CAN FD of 12 bytes; D is extended; b and B switched their bit rate
    t 123 2 AABB 0FA0 \\r       with the adapter's stamp, of as many digits as it was told (`STAMPS`)

Laws: a line that no adapter can have meant is counted, and never guessed; it takes no neighbour with it; any cut of the
byte stream gives the same.  Pure: no clock, no device.

A frame that was cut off is followed by another's first letter.  t, T, r and R are no hex digits, so that they begin a
line wherever they stand; d and b are digits in lower case, which nobody who speaks CAN FD writes (`fd`); D and B begin
one only where a line begins.

Sources: LAWICEL CAN232 manual, 3.2 (frames, Z1: 0 to 59,999 ms, V, N, F, BEL); normaldotcom/canable2-fw (d, D, b, B);
Nakakiyo092/canable2-fw (Z2: 8 digits of us that begin again at 3,600,000,000, all F where it doesn't know).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pitwall.bus.message import payload_columns, payloads
from pitwall.bus.stamps import Ticks
from pitwall.frames import DATA_BYTES, Flag, Frames, Int64, UInt8, frames

CR: Final = 13
BEL: Final = 7

STAMPS: Final = {"ms": (4, Ticks(1_000_000, 60_000)), "us": (8, Ticks(1_000, 3_600_000_000))}
"""Unit of an adapter's stamps -> hex digits, and the clock that they count."""

NO_STAMP: Final = -1

LONGEST: Final = 160
"""More bytes than the longest line has (an extended CAN FD frame of 64 bytes with its stamp: 147): those are no line."""

_KINDS: Final = {
    "t": Flag(0),
    "T": Flag.EXTENDED,
    "r": Flag.REMOTE,
    "R": Flag.REMOTE | Flag.EXTENDED,
    "d": Flag.FD,
    "D": Flag.FD | Flag.EXTENDED,
    "b": Flag.FD | Flag.BRS,
    "B": Flag.FD | Flag.BRS | Flag.EXTENDED,
}
"""The letter that a line of each kind of frame begins with -> its flags."""
_LETTERS: Final = {flags: letter for letter, flags in _KINDS.items()}
_FD_LENGTHS: Final = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64], np.int64)
_NO_HEX: Final = 16
_NO_FRAME: Final = 255


def _table(entries: dict[str, int], otherwise: int) -> UInt8:
    table = np.full(256, otherwise, np.uint8)
    for letter, value in entries.items():
        table[ord(letter)] = value
    return table


_HEX: Final = _table({c: int(c, 16) for c in "0123456789abcdefABCDEF"}, _NO_HEX)
_FLAGS: Final = _table({letter: int(flags) for letter, flags in _KINDS.items()}, _NO_FRAME)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a piece of the stream held.

    rows: its frames, in order, each at t = 0.  stamps: int64 (n,), each one's stamp, `NO_STAMP` where there is none.
    ends: int64 (n,), where in the piece each frame's line ended.
    answers: what the adapter said that is no frame, without its CR: b"" for a command that it took, b"\\a" for one that
    it refused, b"F08", ….
    """

    rows: Frames
    stamps: Int64
    ends: Int64
    answers: list[bytes]


class Decoder:
    """Bytes, as they come, into frames.

    stamp_digits: 0, 4 or 8, as the adapter was told; a line with more or fewer is malformed.  fd: whether CAN FD may come.
    """

    def __init__(self, stamp_digits: int = 0, *, fd: bool = False) -> None:
        self.malformed = 0
        """Lines that were none, so far."""
        self._stamp_digits = stamp_digits
        self._begins = _table(dict.fromkeys("tTrR" + "db" * fd, 1), 0).astype(bool)
        self._rest = b""  # of a line whose end has not come

    def feed(self, data: bytes) -> Heard:
        """What is whole once `data` has come."""
        before = len(self._rest)
        text = np.frombuffer(self._rest + data, np.uint8)
        if not len(text):
            return _NOTHING
        first = self._begins[text]
        first[0] = True
        first[1:] |= _ENDS[text[:-1]]
        starts = np.flatnonzero(first)
        stops = np.append(starts[1:], len(text))
        if _ENDS[text[-1]]:
            self._rest = b""
        else:
            # cut short, what is too long to be a line stays so, and needs no more room
            self._rest = text[starts[-1] :][:LONGEST].tobytes()
            starts, stops = starts[:-1], stops[:-1]
        if not len(starts):
            return _NOTHING
        return self._lines(text, starts, stops, before)

    def _lines(self, text: UInt8, starts: Int64, stops: Int64, before: int) -> Heard:
        """Whole pieces of text, `starts <= i < stops` each, that begin where a line may: frames, answers, or neither."""
        flags = _FLAGS[text[starts]]
        ...
        raise NotImplementedError
