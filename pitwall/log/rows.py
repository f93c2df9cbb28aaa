"""Rows in, one message of an open segment out, and back: the plain layout, `frames.SCHEMA` uncompressed.

The bytes are exactly those of Arrow's own stream writer.  Its metadata depends on nothing but the number of rows and
of bytes in `more`, so it is made by Arrow once for each such pair and kept: a small batch costs microseconds, not the
tenth of a millisecond of a call into Arrow. Pure: no clock, no files.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa

from pitwall.frames import SCHEMA, Control, Flag, Frames, from_arrow
from pitwall.log import tag as tags
from pitwall.log.tag import Kind, Message, Tag

MAX_ROWS: Final = 1 << 20
"""Rows of one batch at most: the writer cuts what is more, so that no reader meets a batch it can't hold."""

_CONTROL: Final = np.uint8(Flag.CONTROL)  # the highest bit of `flags`
_TEMPLATES: Final = 8192  # about 0.7 kB each


def encode(rows: Frames, before: Tag, seed: int) -> tuple[bytearray, Tag]:
    """`rows` (in log order, at least one) as a stamped message behind the one with the tag `before`; its own tag."""
    more_at, more = _more(rows)
    head, tag_at = _template(len(rows), len(more))
    body = (rows.t, rows.bus, rows.id, rows.flags, rows.len, rows.data)
    parts: list[bytes] = [head]
    for buffer in (*(np.ascontiguousarray(column).tobytes() for column in body), more_at, more):
        parts += (buffer, bytes(-len(buffer) % 8))
    message = bytearray().join(parts)
    return message, tags.stamp(message, tag_at, tag(rows, before.stop, before), seed)


def tag(rows: Frames, offset: int, before: Tag) -> Tag:
    """What a batch of `rows` at `offset` says of itself, behind `before`, until it is stamped."""
    control = rows.flags >= _CONTROL
    controls = int(np.count_nonzero(control))
    return Tag(
        Kind.ROWS,
        offset,
        rows=len(rows),
        controls=before.controls + controls,
        ends=before.ends or bool(controls and (rows.id[control] == int(Control.SESSION_END)).any()),
        first_t=int(rows.t[0]),
        last_t=int(rows.t[-1]),
        prev=before.crc,
        version=before.version,
    )


def decode(message: Message) -> Frames:
    """The rows of a verified message."""
    return from_arrow(pa.ipc.read_record_batch(pa.py_buffer(message.data), SCHEMA), message.tag.offset)


def decode_bytes(message: bytearray) -> Frames:
    """The rows of a message that was just encoded."""
    return from_arrow(pa.ipc.read_record_batch(pa.py_buffer(message), SCHEMA), 0)


@lru_cache(maxsize=_TEMPLATES)
def _template(rows: int, more_bytes: int) -> tuple[bytes, int]:
    """Prefix and metadata of a message as Arrow writes it, and where in it the tag goes."""
    columns = [_zeros(SCHEMA.field(i).type, rows) for i in range(len(SCHEMA) - 1)]
    ends = np.zeros(rows + 1, np.int32)
    ends[-1] = more_bytes
    columns.append(
        pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(ends), pa.py_buffer(bytes(more_bytes))])
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        batch = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
        writer.write_batch(batch, custom_metadata={tags.KEY: tags.PLACEHOLDER})
    message = sink.getvalue().to_pybytes()[len(SCHEMA.serialize()) :]
    head = message[: tags.PREFIX_BYTES + int.from_bytes(message[4 : tags.PREFIX_BYTES], "little")]
    return head, head.index(tags.PLACEHOLDER)


def _zeros(kind: pa.DataType, rows: int) -> pa.Array:
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(bytes(rows * (kind.bit_width // 8)))])


def _more(rows: Frames) -> tuple[bytes, bytes]:
    """The buffers of the column `more`: its offsets, from 0, and its bytes."""
    if rows.more is None:
        return bytes(4 * (len(rows) + 1)), b""
    column = rows.more
    _, at, values = column.buffers()
    offsets = np.frombuffer(at, np.int32, len(column) + 1, column.offset * 4)
    taken = b"" if values is None else values[int(offsets[0]) : int(offsets[-1])].to_pybytes()
    return (offsets - offsets[0]).tobytes(), taken
