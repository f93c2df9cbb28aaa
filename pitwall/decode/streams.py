"""Frames in, one stream after the other out: the frames of one bus, id and kind, in log order.

Law: which streams there are, and what is in each, does not depend on whether the frames came clustered.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pitwall.frames import DATA_BYTES, STREAM_FLAGS, Flag, Frames, Int64, UInt8

# plain integers: an IntFlag's arithmetic costs more than all else that is done for a stream
_EXTENDED: Final = int(Flag.EXTENDED)
_CONTROL: Final = int(Flag.CONTROL)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """`m` frames, at least one, of one bus, id and kind, in log order.

    flags: those of STREAM_FLAGS.  at: int64 (m,), log offsets, ascending.  t: int64 (m,).
    len: uint8 (m,), bytes of payload.  shortest: no frame has fewer.
    data: uint8 (m, 8).  more: binary (m,), what is beyond 8 bytes, or None.
    """

    bus: int
    id: int
    flags: int
    at: Int64
    t: Int64
    len: UInt8
    shortest: int
    data: UInt8
    more: pa.BinaryArray | None

    @property
    def key(self) -> int:
        """As `pitwall.frames.stream_key` has it."""
        return self.bus << 40 | self.flags << 32 | self.id

    @property
    def is_extended(self) -> bool:
        """Whether the id is one of 29 bits."""
        return bool(self.flags & _EXTENDED)

    @property
    def is_control(self) -> bool:
        """Whether this is no CAN traffic at all."""
        return bool(self.flags & _CONTROL)

    def payloads(self, columns: int) -> UInt8:
        """uint8 (m, columns), C-contiguous: the payloads, zero-padded."""
        return payloads(self.data, self.more, columns)

    def last_payload(self) -> bytes:
        """The payload of the newest of the frames."""
        beyond = b"" if self.more is None else self.more[-1].as_py()
        payload: bytes = self.data[-1].tobytes()[: int(self.len[-1])]
        return payload + beyond


def streams(rows: Frames) -> Iterator[Stream]:
    """Every stream of `rows`, each once."""
    if len(rows) == 0:
        return
    order = rows.order
    data = np.ascontiguousarray(rows.data)
    bus, id, flags = rows.bus, rows.id, rows.flags & np.uint8(STREAM_FLAGS)
    t, lengths, more = rows.t, rows.len, rows.more
    if order is None:
        order = _order(bus, id, flags)
        bus, id, flags, t, lengths = bus[order], id[order], flags[order], t[order], lengths[order]
        data = data.view(np.uint64)[order].view(np.uint8)
        more = None if more is None else more.take(pa.array(order))
    at = order + rows.start
    shortest = int(lengths.min())
    uniform = shortest == int(lengths.max())
    change = id[1:] != id[:-1]
    for column in (bus, flags):
        change |= column[1:] != column[:-1]
    edges = [0, *(np.flatnonzero(change) + 1).tolist(), len(rows)]
    for first, last in pairwise(edges):
        part = slice(first, last)
        yield Stream(
            bus=int(bus[first]),
            id=int(id[first]),
            flags=int(flags[first]),
            at=at[part],
            t=t[part],
            len=lengths[part],
            shortest=shortest if uniform else int(lengths[part].min()),
            data=data[part],
            more=None if more is None else more.slice(first, last - first),
        )


def payloads(data: UInt8, more: pa.BinaryArray | None, columns: int) -> UInt8:
    """uint8 (m, columns), C-contiguous: payloads, zero-padded.  data, more: columns of a log."""
    if columns == DATA_BYTES:
        return data
    rows = np.zeros((len(data), columns), np.uint8)
    rows[:, :DATA_BYTES] = data
    if more is not None:
        first, last, content = _extents(more)
        places = first[:, None] + np.arange(columns - DATA_BYTES)
        rows[:, DATA_BYTES:][places < last[:, None]] = content[places[places < last[:, None]]]
    return rows


def _order(bus: UInt8, id: npt.NDArray[np.uint32], flags: UInt8) -> Int64:
    """The order that clusters by stream and keeps log order within one.

    Sorted digit by digit, 16 bits at a time, as numpy sorts those in linear time; on most buses one digit varies.
    """
    kind = bus.astype(np.uint16) << np.uint16(8) | flags
    order: Int64 = np.arange(len(id), dtype=np.int64)
    for digit in (id.astype(np.uint16), (id >> np.uint32(16)).astype(np.uint16), kind):
        if not (digit == digit[0]).all():
            order = order[np.argsort(digit[order], kind="stable")]
    return order


def _extents(column: pa.BinaryArray) -> tuple[npt.NDArray[Any], npt.NDArray[Any], UInt8]:
    """Where each value begins (m,) and ends (m,) in the bytes of the column, and those."""
    offsets = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, column.offset * 4).astype(np.int64)
    content = column.buffers()[2]
    return offsets[:-1], offsets[1:], np.frombuffer(content or b"", np.uint8)
