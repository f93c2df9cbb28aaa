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

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from pitwall.bus.stamps import Ticks
from pitwall.errors import UsageError
from pitwall.frames import DATA_BYTES, Flag, Frames, Int64, UInt8, empty, frames, payloads

CR: Final = 13
BEL: Final = 7

STAMPS: Final = {"ms": (4, Ticks(1_000_000, 60_000)), "us": (8, Ticks(1_000, 3_600_000_000))}
"""Unit of an adapter's stamps -> hex digits, and the clock that they count."""

NO_STAMP: Final = -1

LONGEST: Final = 160
"""More bytes than the longest line has (147: an extended CAN FD frame of 64 bytes, stamped): those are no line."""

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
_LETTERS: Final = {int(flags): letter for letter, flags in _KINDS.items()}
_CLASSIC: Final = int(Flag.EXTENDED | Flag.REMOTE)
_FD: Final = int(Flag.EXTENDED | Flag.FD | Flag.BRS)
_LENGTHS: Final = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64, 0], np.int64)
"""Bytes by the digit of a dlc, above 8 those of CAN FD; the last: of what is no digit."""
_ANSWER_BYTES: Final = 6
ANSWER: Final = re.compile(rb"\r|\a|[zZ]\r|F[0-9A-Fa-f]{2}\r|V[0-9A-Fa-f]{4}\r|N[0-9A-Za-z]{4}\r")
"""All that an adapter says while its channel is open and that is no frame."""
_NO_HEX: Final = 16
_NO_FRAME: Final = 255


def _table(entries: dict[str, int], otherwise: int) -> UInt8:
    table = np.full(256, otherwise, np.uint8)
    for letter, value in entries.items():
        table[ord(letter)] = value
    return table


_HEX: Final = _table({c: int(c, 16) for c in "0123456789abcdefABCDEF"}, _NO_HEX)
_ENDS: Final = _table({"\r": 1, "\a": 1}, 0).astype(bool)
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


_NOTHING: Final = Heard(empty(), np.empty(0, np.int64), np.empty(0, np.int64), [])


class Decoder:
    """Bytes, as they come, into frames.

    stamp_digits: 0, 4 or 8, as the adapter was told; a line with more or fewer is malformed.
    fd: whether CAN FD may come, and lower-case d and b are no digits.
    amid: whether the first byte may lie within a line; what is left of that is passed over.
    """

    def __init__(self, stamp_digits: int = 0, *, fd: bool = False, amid: bool = False) -> None:
        self.malformed = -amid
        """Lines that were none, so far."""
        self._stamp_digits = stamp_digits
        self._begins = _table(dict.fromkeys("tTrR" + "db" * fd, 1), 0).astype(bool)
        # of a line whose end has not come; the half of a first one becomes a line that is none, and was not counted
        self._rest = b"?" * amid

    def feed(self, data: bytes) -> Heard:
        """What is whole once `data` has come."""
        if not data:
            return _NOTHING
        before = len(self._rest)
        text = np.frombuffer(self._rest + data, np.uint8)
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

    def end(self) -> None:
        """Nothing will come any more: half a line is none."""
        self.malformed += bool(self._rest)
        self._rest = b""

    def _lines(self, text: UInt8, starts: Int64, stops: Int64, before: int) -> Heard:
        """Frames and answers among the pieces `starts <= i < stops` of `text`, of which `before` bytes are not new."""
        flags = _FLAGS[text[starts]]
        extended = flags & np.uint8(Flag.EXTENDED) != 0
        dlc_at = starts + np.where(extended, 9, 4)
        dlc = _HEX[text[np.minimum(dlc_at, len(text) - 1)]]
        fd = flags & np.uint8(Flag.FD) != 0
        length = np.where(flags & np.uint8(Flag.REMOTE) != 0, 0, _LENGTHS[dlc])
        not_hex = np.cumsum(_HEX[text] == _NO_HEX)
        whole = (
            (flags != _NO_FRAME)
            & (text[stops - 1] == CR)
            & (dlc <= np.where(fd, 15, 8))
            & (stops == dlc_at + 2 + 2 * length + self._stamp_digits)
        )
        whole[whole] &= not_hex[starts[whole]] == not_hex[stops[whole] - 2]
        id = _number(text, dlc_at[whole], np.where(extended[whole], 8, 3), 8)
        possible = id <= np.where(extended[whole], 0x1FFFFFFF, 0x7FF)
        id = id[possible]
        whole[whole] = possible
        answers = self._answers(text, starts[~whole], stops[~whole]) if not whole.all() else []
        stops, length = stops[whole], length[whole]
        n = len(stops)
        data, more = _payload(text, dlc_at[whole] + 1, length)
        rows = frames(
            0,
            t=np.zeros(n, np.int64),
            id=id,
            data=data,
            len=np.where(flags[whole] & np.uint8(Flag.REMOTE) != 0, dlc[whole], length),
            flags=flags[whole],
            more=more,
        )
        stamps = np.full(n, NO_STAMP, np.int64)
        if self._stamp_digits:
            stamps = _number(text, stops - 1, np.full(n, self._stamp_digits), self._stamp_digits)
            stamps[stamps == 16**self._stamp_digits - 1] = NO_STAMP
        return Heard(rows, stamps, stops - 1 - before, answers)

    def _answers(self, text: UInt8, starts: Int64, stops: Int64) -> list[bytes]:
        """The answers among pieces that are no frames; all others are malformed."""
        may_be = np.flatnonzero((stops - starts <= _ANSWER_BYTES) & _ENDS[text[stops - 1]])
        pieces = [text[starts[i] : stops[i]].tobytes() for i in may_be.tolist()]
        answers = [piece.removesuffix(b"\r") for piece in pieces if ANSWER.fullmatch(piece)]
        self.malformed += len(starts) - len(answers)
        return answers


def encode(rows: Frames) -> bytes:
    """The frames among `rows` as lines, in their order; control rows and error frames are none.

    Raises UsageError for one whose length no frame has.
    """
    lines = []
    columns = rows.id.tolist(), rows.flags.tolist(), rows.len.tolist(), payloads(rows)
    for id, bits, length, payload in zip(*columns, strict=True):
        if bits & (Flag.CONTROL | Flag.ERROR):
            continue
        bits = bits & (_FD if bits & Flag.FD else _CLASSIC) | (Flag.EXTENDED if id > 0x7FF else 0)
        code = int(np.searchsorted(_LENGTHS[:16], length))
        if code > (15 if bits & Flag.FD else 8) or _LENGTHS[code] != length:
            raise UsageError(f"no CAN frame has {length} bytes", where=f"frame {id:#x}")
        digits = 8 if bits & Flag.EXTENDED else 3
        lines.append(f"{_LETTERS[bits]}{id:0{digits}X}{code:X}{payload.hex().upper()}\r")
    return "".join(lines).encode()


def _number(text: UInt8, stops: Int64, digits: Int64, most: int) -> Int64:
    """int64 (n,): the hex number of each row's `digits` before `stops`; `most`: the most that any has."""
    back = np.arange(most, 0, -1)
    nibbles = _HEX[text[np.maximum(stops[:, None] - back, 0)]].astype(np.int64)
    nibbles[back > digits[:, None]] = 0
    number: Int64 = nibbles @ (np.int64(16) ** (back - 1))
    return number


def _payload(text: UInt8, starts: Int64, length: Int64) -> tuple[UInt8, pa.BinaryArray | None]:
    """The columns `data` and `more` of rows whose payloads of `length` bytes begin at `starts`."""
    at = np.arange(2 * DATA_BYTES)
    nibbles = _HEX[text[np.minimum(starts[:, None] + at, len(text) - 1)]]
    nibbles[at >= 2 * length[:, None]] = 0
    data = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
    beyond = np.maximum(length - DATA_BYTES, 0)
    if not beyond.any():
        return data, None
    offsets = np.concatenate([[0], np.cumsum(beyond)])
    high = np.repeat(starts + 2 * DATA_BYTES - 2 * offsets[:-1], beyond) + 2 * np.arange(offsets[-1])
    rest = _HEX[text[high]] << 4 | _HEX[text[high + 1]]
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(rest)]
    return data, pa.Array.from_buffers(pa.binary(), len(length), buffers)
