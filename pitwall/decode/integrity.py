"""Payloads of a message with a checksum or a counter in, those that fail out.

Laws:

1. A frame whose checksum is wrong, or that is too short for it, fails; and so does one whose counter stands still, or
   has a value that it can't have.  The first reason counts.
2. A counter that jumps fails nothing: the frames that it skipped are counted as missed.
3. A counter is compared with that of the last frame of the same stream that did not fail, in whatever batch it came.

Pure: no clock, no files; the last counter is rebuilt by replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.car.checksums import METHODS
from pitwall.car.definition import Checksum, Counter, Message
from pitwall.decode.multiplex import Mask
from pitwall.decode.reading import Reading, unsigned
from pitwall.frames import UInt8

SHORT_OF_CHECKSUM: Final = "too short for its checksum"
WRONG_CHECKSUM: Final = "wrong checksum"
OUT_OF_RANGE: Final = "counter out of range"
REPEATED: Final = "counter repeated"


@dataclass(frozen=True, slots=True)
class Verdict:
    """failed: bool (m,).  reasons: what each failed for, no frame twice.  missed: frames that counters skipped."""

    failed: Mask
    reasons: list[tuple[str, Mask]]
    missed: int


class Integrity:
    """The checksum and the counter of one stream of a message, folded from its first frame on."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        message = reading.message
        self._check = None if message.checksum is None else _Check(reading, message, message.checksum)
        self._counter = message.counter
        self._last: int | None = None

    def verdict(self, payloads: UInt8, lengths: UInt8) -> Verdict:
        """payloads: uint8 (m, columns), of the next m frames in log order; lengths: uint8 (m,)."""
        failed = np.zeros(len(payloads), np.bool_)
        reasons: list[tuple[str, Mask]] = []
        missed = 0
        if self._check is not None:
            short = lengths < self._check.needed
            reasons += [(SHORT_OF_CHECKSUM, short), (WRONG_CHECKSUM, ~short & ~self._check.right(payloads))]
            failed = reasons[0][1] | reasons[1][1]
        if self._counter is not None:
            found, missed = self._counted(self._counter, payloads, lengths, ~failed)
            reasons += found
            for _, where in found:
                failed = failed | where
        return Verdict(failed, reasons, missed)

    def _counted(
        self, counter: Counter, payloads: UInt8, lengths: UInt8, open_: Mask
    ) -> tuple[list[tuple[str, Mask]], int]:
        reader = self._reading.readers[counter.signal]
        raw = unsigned(reader, reader.raw(payloads)).astype(np.int64)
        open_ = open_ & (lengths >= reader.needed)
        impossible = open_ & (raw >= counter.modulo)
        rows = np.flatnonzero(open_ & ~impossible)
        repeated = np.zeros(len(payloads), np.bool_)
        if not len(rows):
            return [(OUT_OF_RANGE, impossible), (REPEATED, repeated)], 0
        values = raw[rows]
        first = values[0] - 1 if self._last is None else self._last
        steps = (values - np.concatenate([[first], values[:-1]])) % counter.modulo
        repeated[rows[steps == 0]] = True
        self._last = int(values[-1])
        return [(OUT_OF_RANGE, impossible), (REPEATED, repeated)], int((steps[steps > 0] - 1).sum())


class _Check:
    """Whether payloads have the checksum that their other bytes give."""

    def __init__(self, reading: Reading, message: Message, checksum: Checksum) -> None:
        self._reader = reading.readers[checksum.signal]
        self._method = METHODS[checksum.method]
        self._checksum = checksum
        self._own = self._reader.signal.bits()
        self.needed = max(self._reader.needed, *(byte + 1 for byte in checksum.over))

    def right(self, payloads: UInt8) -> Mask:
        covered = [
            payloads[:, byte] & np.uint8(0xFF ^ self._own[byte]) if byte in self._own else payloads[:, byte]
            for byte in self._checksum.over
        ]
        found = self._method([*self._checksum.before, *covered, *self._checksum.after], len(payloads))
        sent = unsigned(self._reader, self._reader.raw(payloads))
        right: Mask = sent == (found & np.uint64((1 << self._reader.signal.length) - 1))
        return right
