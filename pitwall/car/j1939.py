"""A 29-bit id in, whose message it is by SAE J1939 out; and which raw values are none.

Laws: a frame's parameter group is its id without priority, source address and (below PDU format 240) destination; the
priority tells no messages apart.  Sources: SAE J1939-21 (ids), SAE J1939-71 (ranges of values).  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pitwall.car.definition import Message, Signal

ANY_SENDER: Final = 0xFE
"""J1939's null address: no frame that gives values comes from it, and DBCs write it for `whoever sends`."""

_FIRST_BROADCAST: Final = 240  # PDU formats from here on have no destination: all 18 bits are the group's
_NUMBER_BITS: Final = (8, 32)  # ranges of these lengths keep their top byte's last values free


def group(id: int) -> int:
    """The parameter group number of a 29-bit id."""
    number = id >> 8 & 0x3FFFF
    return number if number >> 8 & 0xFF >= _FIRST_BROADCAST else number & 0x3FF00


def sender(id: int) -> int:
    """The source address of a 29-bit id."""
    return id & 0xFF


def message(read: Message) -> Message:
    """A message of 29 bits as one of J1939: its id in the DBC says its group, and who sends it."""
    if not read.extended:
        return read
    return replace(read, pgn=group(read.id), sender=None if sender(read.id) == ANY_SENDER else sender(read.id))


def void(signal: Signal) -> Sequence[tuple[int, int]]:
    """The raw values, as inclusive ranges of the unsigned number, that say `error` or `not available`.

    Of 8 to 32 bits: those whose top byte is 0xFE or 0xFF.  Of 2 bits: 2 and 3.  Of 3 to 7 bits: the last one, as what
    the one before it means differs from signal to signal.  Others, and floating point numbers: none.
    """
    shortest, longest = _NUMBER_BITS
    if signal.floating or not 2 <= signal.length <= longest:
        return ()
    last = (1 << signal.length) - 1
    if signal.length >= shortest:
        return ((0xFE << (signal.length - shortest), last),)
    return ((2, 3),) if signal.length == 2 else ((last, last),)
