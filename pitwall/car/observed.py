"""The frames of a capture in, what each id of each bus did out: how often, how long, and which bits moved.

Laws: only what was heard counts (no echoes, no remote or error frames), and what is told of an id is what its frames
show.  That a field counts or that a byte is a checksum is a guess, and is called one.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.car.checksums import METHODS
from pitwall.frames import DATA_BYTES, Flag, Frames, clustered, more_of, stream_key, take

UInt8 = npt.NDArray[np.uint8]

NOT_HEARD: Final = int(Flag.TX | Flag.REMOTE | Flag.ERROR | Flag.CONTROL)
COUNTS: Final = 0.9  # of the steps of a counter; the others are frames that were lost
MIN_STEPS: Final = 16  # fewer prove no counter
MIN_FRAMES: Final = 32  # fewer prove no checksum
MIN_VALUES: Final = 16  # that a checksum has had
STEADY: Final = 0.8  # of the intervals of a cycle, within a quarter of their median

_FIELDS: Final = ((0, 8), (0, 4), (4, 4), (0, 2), (2, 2), (4, 2), (6, 2))
"""Where in a byte a counter may lie: first bit, bits; the longest first, for its lowest bits count too."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A field that nearly always steps by one, from 0 to `modulo` - 1 and round again.  first: its lowest bit."""

    byte: int
    first: int
    bits: int
    modulo: int


@dataclass(frozen=True, slots=True)
class Checksum:
    """The last or the first byte, where `method` of the other bytes gives it but for a constant.

    Of an exclusive or that could be any byte: it is said to be the last.
    before: the bytes, none or one, that make it exact when they are computed in front; None where more would be needed.
    """

    byte: int
    method: str
    before: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Byte:
    """One byte of the payload, in the frames that are long enough for it.  moved: the bits that changed."""

    lowest: int
    highest: int
    values: int
    moved: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What one id of one bus did.

    bus: as in the frames.  lengths: of its payloads, ascending.  rate_hz: frames a second from the first to the last,
    None of a single one.  cycle_ms: how often it is sent, where that is steady.  bytes: of the longest payload.
    """

    bus: int
    id: int
    extended: bool
    fd: bool
    frames: int
    lengths: tuple[int, ...]
    rate_hz: float | None
    cycle_ms: int | None
    bytes: tuple[Byte, ...]
    counters: tuple[Counter, ...]
    checksum: Checksum | None

    @property
    def length(self) -> int:
        """Bytes of its longest payload."""
        return self.lengths[-1]


def observed(frames: Frames) -> list[Seen]:
    """Every id that was heard, by bus and id, standard ids before extended ones."""
    heard = take(frames, np.flatnonzero(frames.flags & np.uint8(NOT_HEARD) == 0))
    rows = clustered(heard)
    edges = np.flatnonzero(np.diff(stream_key(rows))) + 1
    found = [_seen(take(rows, np.arange(*span))) for span in _spans(edges.tolist(), len(rows))]
    return sorted(found, key=lambda seen: (seen.bus, seen.extended, seen.id))


def _spans(edges: list[int], count: int) -> Iterator[tuple[int, int]]:
    return ((first, last) for first, last in pairwise([0, *edges, count]) if last > first)


def _seen(rows: Frames) -> Seen:
    """rows: the frames of one id, in the order of their times."""
    payload = payloads(rows)
    held = [payload[rows.len > place, place] for place in range(payload.shape[1])]
    rate_hz, cycle_ms = _rate(rows.t)
    counters = tuple(counter for place, column in enumerate(held) for counter in _counters(place, column))
    return Seen(
        bus=int(rows.bus[0]),
        id=int(rows.id[0]),
        extended=bool(rows.flags[0] & Flag.EXTENDED),
        fd=bool(np.any(rows.flags & np.uint8(Flag.FD))),
        frames=len(rows),
        lengths=tuple(np.unique(rows.len).tolist()),
        rate_hz=rate_hz,
        cycle_ms=cycle_ms,
        bytes=tuple(_byte(column) for column in held),
        counters=counters,
        checksum=_checksum(payload[rows.len == payload.shape[1]], {counter.byte for counter in counters}),
    )


def payloads(rows: Frames) -> UInt8:
    """uint8 (n, longest payload), zero-padded: `data`, and behind it what a CAN FD frame has in `more`."""
    longest = int(rows.len.max(initial=0))
    if longest <= DATA_BYTES or rows.more is None:
        return rows.data[:, : min(longest, DATA_BYTES)]
    more = more_of(rows)
    offsets = np.frombuffer(more.buffers()[1], np.int32, len(more) + 1, more.offset * 4)
    content = np.frombuffer(more.buffers()[2], np.uint8)
    place = np.arange(longest - DATA_BYTES)
    held = place < np.diff(offsets)[:, None]
    behind = content[np.where(held, offsets[:-1, None] + place, 0)] * held
    return np.concatenate([rows.data, behind.astype(np.uint8)], axis=1)


def _byte(column: UInt8) -> Byte:
    moved = int(np.bitwise_or.reduce(column ^ column[0]))
    return Byte(int(column.min()), int(column.max()), len(np.unique(column)), moved)


def _rate(t: npt.NDArray[np.int64]) -> tuple[float | None, int | None]:
    if len(t) < 2 or t[-1] == t[0]:
        return None, None
    gaps = np.diff(t)
    median = float(np.median(gaps))
    steady = np.mean(np.abs(gaps - median) <= median / 4) >= STEADY
    cycle_ms = round(median / 1e6)
    return (len(t) - 1) / float(t[-1] - t[0]) * 1e9, cycle_ms if steady and cycle_ms > 0 else None


def _counters(place: int, column: UInt8) -> list[Counter]:
    """The fields of a byte that count; none within another."""
    found: list[Counter] = []
    taken = 0
    for first, bits in _FIELDS:
        mask = (2**bits - 1) << first
        if taken & mask:
            continue
        modulo = _counts((column >> np.uint8(first)) & np.uint8(2**bits - 1), column.astype(np.int16) >> (first + bits))
        # a field that never has its highest bit is a shorter one
        if modulo is not None and modulo > 2 ** (bits - 1):
            taken |= mask
            found.append(Counter(place, first, bits, modulo))
    return found


def _counts(values: UInt8, above: npt.NDArray[np.int16]) -> int | None:
    """How many values a counter has, where `values` are those of one that has gone round at least once.

    above: the bits above it: where it carries into them, it is but the end of something longer.
    """
    if len(values) <= MIN_STEPS:
        return None
    top = int(values.max())
    before, after = values[:-1], values[1:]
    round_again = (before == top) & (after == 0)
    if top < 2 or not np.any(round_again):
        return None
    steps = round_again | (after.astype(np.int16) - before == 1)
    carried = np.mean(np.diff(above)[round_again] == 1) >= COUNTS
    return top + 1 if np.mean(steps) >= COUNTS and not carried else None


def _checksum(payload: UInt8, counting: set[int]) -> Checksum | None:
    """Such a byte, if any.  payload: uint8 (n, m), the frames of full length.  counting: bytes that count, which
    are no checksums."""
    rows, length = payload.shape
    moving = {place for place in range(length) if np.any(payload[:, place] != payload[0, place])} if rows else set()
    if rows < MIN_FRAMES or len(moving) < 3:
        return None
    for place in (length - 1, 0):
        sums = payload[:, place]
        if place not in moving - counting or len(np.unique(sums)) < MIN_VALUES:
            continue
        others = [payload[:, other] for other in range(length) if other != place]
        for method, computed in METHODS.items():
            if method.startswith("crc16"):
                continue
            value = (computed(others, rows) & np.uint32(0xFF)).astype(np.uint8)
            # what else goes into it (an id, a data id, what it begins with) is the same for every frame, and a constant
            constant = value - sums if method == "sum8" else value ^ sums
            if np.all(constant == constant[0]):
                return Checksum(place, method, _before(method, others, sums))
    return None


def _before(method: str, others: list[UInt8], sums: UInt8) -> tuple[int, ...] | None:
    """What makes it exact; of one frame, for the constant is that of all."""
    one = [column[:1] for column in others]
    for before in ((), *((byte,) for byte in range(256))):
        if METHODS[method]([*before, *one], 1)[0] & 0xFF == sums[0]:
            return before
    return None
