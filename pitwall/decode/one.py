"""One frame's payload and a signal in, which bits are the signal's and what they hold out.

Law: the raw value and the signal's value are read by the code that reads whole batches.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pitwall.car.definition import Message, Signal
from pitwall.decode.signals import reader, width


@dataclass(frozen=True, slots=True)
class Bits:
    """What one payload holds of a signal.

    mask: as long as the payload, with the signal's bits set.  raw: as those bits say it.  value: in the DBC's unit.
    """

    payload: bytes
    mask: bytes
    raw: int | float
    value: float


def bits(signal: Signal, payload: bytes) -> Bits:
    """What `payload` holds of `signal`; bits beyond its end count as 0."""
    columns = width(signal.bytes_needed)
    row = np.frombuffer(payload[:columns].ljust(columns, b"\0"), np.uint8).reshape(1, columns)
    read = reader(signal, columns)
    with np.errstate(all="ignore"):
        raw = read.raw(row)
        return Bits(payload, mask(signal, len(payload)), raw[0].item(), float(read.scaled(raw)[0]))


def mask(signal: Signal, length: int) -> bytes:
    """`length` bytes in which the signal's bits are set, as far as they reach."""
    marked = bytearray(length)
    for bit in range(signal.first_bit, min(signal.first_bit + signal.length, 8 * length)):
        # a big-endian signal counts from each byte's top bit
        marked[bit // 8] |= 0x80 >> bit % 8 if signal.big_endian else 1 << bit % 8
    return bytes(marked)


def absent(message: Message, signal: Signal, payload: bytes) -> str:
    """Why `payload` does not hold `signal`, in words; empty: it does."""
    by_name = {one.name: one for one in message.signals}
    seen: set[str] = set()
    wanted: Signal | None = signal
    while wanted is not None and wanted.name not in seen:
        if len(payload) < wanted.bytes_needed:
            size = f"{len(payload)} byte{'s' * (len(payload) != 1)}"
            return f"the frame has {size}, and {wanted.name} needs {wanted.bytes_needed}"
        if wanted.multiplexer is None:
            return ""
        seen.add(wanted.name)
        multiplexer = by_name.get(wanted.multiplexer)
        if multiplexer is not None:
            raw = bits(multiplexer, payload).raw
            if not any(first <= raw <= last for first, last in wanted.multiplexer_ids):
                return f"it is not the turn of {wanted.name}: {multiplexer.name} is {raw}"
        wanted = multiplexer
    return f"nothing says when it is the turn of {signal.name}"
