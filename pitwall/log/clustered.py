"""Rows in, record batches of a sealed segment out, and back: the clustered layout.

Rows are clustered by `frames.stream_key`, each cluster in log order, so that like stands beside like: on a real
capture 3.2 bytes a frame where plain rows take 6.0, and a decoder finds each message's frames side by side.  Columns,
of a batch of n <= 65,536 rows:

    bus, id, flags, len, b0 … b7, more   of the row itself, as in `frames.SCHEMA`; b0 … b7 are the payload's bytes
    order                                uint16; the running sum (modulo 65,536) of this column is the row's place in
                                         log order, from 0
    gap, gap_high                        uint32 each; gap + gap_high * 2^32 is, *in log order*, the time in ns since
                                         the row before (of the first row, since t = 0)

so that `place = cumsum(order)` and `t = cumsum(gap)[place]`.  Pure: no clock, no files.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from pitwall.frames import DATA_BYTES, Frames, Int64, clustered, holds_bytes, more_of
from pitwall.log.tag import Message

MAX_ROWS: Final = 1 << 16
"""Rows of a batch at most: what `order` can number, and what stays in a core's cache while it is decoded."""

_BYTES: Final = [f"b{i}" for i in range(DATA_BYTES)]

SCHEMA: Final = pa.schema(
    [
        pa.field("gap", pa.uint32(), nullable=False),
        pa.field("gap_high", pa.uint32(), nullable=False),
        pa.field("order", pa.uint16(), nullable=False),
        pa.field("bus", pa.uint8(), nullable=False),
        pa.field("id", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint8(), nullable=False),
        pa.field("len", pa.uint8(), nullable=False),
        *(pa.field(name, pa.uint8(), nullable=False) for name in _BYTES),
        pa.field("more", pa.binary(), nullable=False),
    ]
)

_FIRST_BYTE: Final = SCHEMA.get_field_index("b0")
_HIGH: Final = np.int64(32)


def encode(rows: Frames) -> pa.RecordBatch:
    """Rows in log order, at most `MAX_ROWS`, as a record batch of `SCHEMA`."""
    gap = np.diff(rows.t, prepend=np.int64(0))
    near = clustered(rows)
    assert near.order is not None
    columns = [
        gap.astype(np.uint32),
        (gap >> _HIGH).astype(np.uint32),
        np.diff(near.order, prepend=np.int64(0)).astype(np.uint16),
        near.bus,
        near.id,
        near.flags,
        near.len,
        *(np.ascontiguousarray(near.data[:, i]) for i in range(DATA_BYTES)),
    ]
    return pa.RecordBatch.from_arrays([*(pa.array(column) for column in columns), more_of(near)], schema=SCHEMA)


def decode(message: Message) -> Frames:
    """The rows of a verified message, clustered, with their `order`."""
    batch = pa.ipc.read_record_batch(pa.py_buffer(message.data), SCHEMA)
    gap, gap_high, order, bus, id, flags, length = (batch.column(i).to_numpy() for i in range(_FIRST_BYTE))
    place: Int64 = np.cumsum(order, dtype=np.uint16).astype(np.int64)
    t: Int64 = gap.astype(np.int64)
    if gap_high.any():
        t += gap_high.astype(np.int64) << _HIGH
    np.cumsum(t, out=t)  # in place: one array less for the allocator to give back, which took longer than the sum
    data = np.empty((batch.num_rows, DATA_BYTES), np.uint8)
    for i in range(DATA_BYTES):
        data[:, i] = batch.column(_FIRST_BYTE + i).to_numpy()
    more = batch.column(_FIRST_BYTE + DATA_BYTES)
    return Frames(
        start=message.tag.offset,
        t=t.take(place),
        bus=bus,
        id=id,
        flags=flags,
        len=length,
        data=data,
        more=more if holds_bytes(more) else None,
        order=place,
    )
