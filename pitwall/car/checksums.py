"""The methods of checksums that messages carry: bytes of many payloads in, the checksum of each out, column by column.

Names and parameters of the CRCs are those of the public catalogue of parametrised CRC algorithms (Greg Cook,
reveng.sourceforge.io/crc-catalogue); each is tested against the check value that it gives for `123456789`.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Sums = npt.NDArray[np.uint32]
Bytes = Sequence[npt.NDArray[np.uint8] | int]
"""One after the other, the bytes of every payload: uint8 (m,) each, or one number for all."""


def summed(columns: Bytes, rows: int) -> Sums:
    """The sum of the bytes."""
    total = np.zeros(rows, np.uint32)
    for column in columns:
        total += np.asarray(column, np.uint32)
    return total


def folded(columns: Bytes, rows: int) -> Sums:
    """The exclusive or of the bytes."""
    total = np.zeros(rows, np.uint32)
    for column in columns:
        total ^= np.asarray(column, np.uint32)
    return total


def crc(bits: int, polynomial: int, first: int, last: int) -> Callable[[Bytes, int], Sums]:
    """A CRC of 8 or 16 bits, most significant bit first.  first: what it begins with.  last: xored at its end."""

    def computed(columns: Bytes, rows: int) -> Sums:
        table = _table(bits, polynomial)
        value = np.full(rows, first, np.uint32)
        for column in columns:
            index = (value >> np.uint32(bits - 8)) ^ np.asarray(column, np.uint32)
            value = ((value << np.uint32(8)) & np.uint32(2**bits - 1)) ^ table[index]
        value ^= np.uint32(last)
        return value

    return computed


METHODS: Final[dict[str, Callable[[Bytes, int], Sums]]] = {
    "sum8": summed,
    "xor8": folded,
    "crc8-smbus": crc(8, 0x07, 0x00, 0x00),
    "crc8-sae-j1850": crc(8, 0x1D, 0xFF, 0xFF),
    "crc8-autosar": crc(8, 0x2F, 0xFF, 0xFF),
    "crc16-ibm-3740": crc(16, 0x1021, 0xFFFF, 0x0000),
    "crc16-xmodem": crc(16, 0x1021, 0x0000, 0x0000),
}
"""(columns, rows m) -> uint32 (m,).  A signal that is narrower holds the lowest bits of it."""


@cache
def _table(bits: int, polynomial: int) -> npt.NDArray[Any]:
    """uint32 (256,): what each value of the top byte turns into."""
    values = np.arange(256, dtype=np.uint32) << np.uint32(bits - 8)
    for _ in range(8):
        top = (values >> np.uint32(bits - 1)) & np.uint32(1)
        values = ((values << np.uint32(1)) & np.uint32(2**bits - 1)) ^ (top * np.uint32(polynomial))
    return values
