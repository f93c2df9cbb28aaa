"""Payloads of one message in, the values of one of its signals out, for all of its frames at once.

Laws: a value is exactly cantools' own, as the nearest float64: raw * scale + signal_offset, in whole numbers where the
raw value, scale and offset are whole.  Whatever stands in a payload gives a value and never an error.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.car.definition import Signal
from pitwall.frames import UInt8

Float64 = npt.NDArray[np.float64]
Raw = npt.NDArray[Any]
"""Raw values (m,): int64, uint64, a narrower integer, or a float, as the signal has them."""

WORD: Final = 8  # bytes that are read at once

_EXACT: Final = 2**53  # whole numbers up to here are exact in a float64
_INFINITE: Final = int(np.finfo(np.float64).max)
_FLOATS: Final = {16: (np.uint16, np.float16), 32: (np.uint32, np.float32), 64: (np.uint64, np.float64)}
_WHOLE_BYTES: Final = (8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Reader:
    """How one signal is read.

    needed: the fewest bytes of payload that hold it.
    raw: payloads uint8 (m, width), C-contiguous -> raw values (m,).  scaled: raw values -> float64 (m,), newly made.
    """

    signal: Signal
    needed: int
    raw: Callable[[UInt8], Raw]
    scaled: Callable[[Raw], Float64]


def width(needed: int) -> int:
    """Columns that payloads must have for `needed` bytes: 8, or for more a whole number of words and one to spare."""
    return WORD if needed <= WORD else (needed // WORD + 2) * WORD


def reader(signal: Signal, columns: int) -> Reader:
    """How `signal` is read from payloads of `columns` bytes, as `width` gives."""
    return Reader(signal, signal.bytes_needed, _raw(signal, columns), _scaled(signal))


def _raw(signal: Signal, columns: int) -> Callable[[UInt8], Raw]:
    length = signal.length
    if length in _WHOLE_BYTES and signal.first_bit % 8 == 0 and not (signal.floating and length == 8):
        kind = "f" if signal.floating else "i" if signal.signed else "u"
        dtype = np.dtype(f"{'>' if signal.big_endian else '<'}{kind}{length // 8}")
        first_byte = signal.first_bit // 8
        return lambda payloads: _view(payloads, dtype, first_byte)
    top = _top(signal, columns)
    right = np.uint64(64 - length)
    if signal.floating:
        unsigned, floating = _FLOATS[length]
        return lambda payloads: (top(payloads) >> right).astype(unsigned).view(floating)
    if signal.signed:
        # the sign bit is on top: an arithmetic shift carries it down
        return lambda payloads: top(payloads).view(np.int64) >> np.int64(right)
    return lambda payloads: top(payloads) >> right


def _top(signal: Signal, columns: int) -> Callable[[UInt8], npt.NDArray[np.uint64]]:
    """Reads the signal's bits as the top bits of a word, whatever is below them."""
    length = signal.length
    first_byte = min(signal.first_bit // 8, columns - WORD)
    shift = signal.first_bit - 8 * first_byte
    over = shift + length - 64  # bits in a ninth byte
    ninth = first_byte + WORD
    if signal.big_endian:
        word = np.dtype(">u8")
        left = np.uint64(shift)
        if over <= 0:
            return lambda payloads: _view(payloads, word, first_byte).astype(np.uint64) << left
        down = np.uint64(8 - shift)
        return lambda payloads: (
            (_view(payloads, word, first_byte).astype(np.uint64) << left)
            | (payloads[:, ninth].astype(np.uint64) >> down)
        )
    word = np.dtype("<u8")
    if over <= 0:
        up = np.uint64(-over)
        return lambda payloads: _view(payloads, word, first_byte).astype(np.uint64, copy=False) << up
    down, up, left = np.uint64(shift), np.uint64(64 - shift), np.uint64(64 - length)
    return lambda payloads: (
        ((_view(payloads, word, first_byte).astype(np.uint64) >> down) | (payloads[:, ninth].astype(np.uint64) << up))
        << left
    )


def _view(payloads: UInt8, dtype: np.dtype[Any], first_byte: int) -> Raw:
    """The number at `first_byte` of every payload, in place; it need not be aligned."""
    return np.ndarray((payloads.shape[0],), dtype, payloads, first_byte, (payloads.shape[1],))


def _scaled(signal: Signal) -> Callable[[Raw], Float64]:
    scale, signal_offset = signal.scale, signal.signal_offset
    if not _fits(signal):
        # object arrays compute with Python's whole numbers, which don't round; slow, but right
        return lambda raw: (raw.astype(object) * scale + signal_offset).astype(np.float64)
    factor, bias = np.float64(scale), np.float64(signal_offset)

    def scaled(raw: Raw) -> Float64:
        values: Float64 = raw.astype(np.float64)
        if factor != 1:
            values *= factor
        if bias != 0:
            values += bias
        return values

    return scaled


def _fits(signal: Signal) -> bool:
    """Whether float arithmetic gives what exact arithmetic, rounded once at its end, would."""
    scale, signal_offset = signal.scale, signal.signal_offset
    if signal.floating or isinstance(scale, float):
        return True
    if scale == 1 and (signal_offset == 0 or isinstance(signal_offset, float)):
        return True  # one rounding either way
    largest: int = 2**signal.length * abs(scale)
    if isinstance(signal_offset, int):
        largest += abs(signal_offset)
    return largest <= _EXACT or largest >= _INFINITE
