"""The one event type: a frame, or a control row, in the total order of its session's log.

Everything that pitwall records, decodes, replays or exports is a `Frames`: columns of equal length.  Laws:

1. Row `i` of a log has the offset `i`; offsets are dense, start at 0 and never change.
2. `t` never runs backwards along the offsets.
3. A row is a CAN frame, or (flag `CONTROL`) a fact about the session whose `id` is a `Control` kind and whose
   `more` is a JSON object.
4. `data` is zero-padded beyond `len`; `more` is empty but for CAN FD frames longer than 8 bytes and control rows.

Pure: no clock, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pitwall.imports import without

with without("pandas"):
    pa.array([0])  # pyarrow looks for pandas once, and remembers

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]
UInt8 = npt.NDArray[np.uint8]

SCHEMA: Final = pa.schema(
    [
        pa.field("t", pa.int64(), nullable=False),
        pa.field("bus", pa.uint8(), nullable=False),
        pa.field("id", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint8(), nullable=False),
        pa.field("len", pa.uint8(), nullable=False),
        pa.field("data", pa.binary(8), nullable=False),
        pa.field("more", pa.binary(), nullable=False),
    ]
)
"""The schema of the log, as any Arrow reader sees it."""

DATA_BYTES: Final = 8
"""Payload bytes kept in `data`; what a CAN FD frame holds beyond them is in `more`."""


class Flag(IntFlag):
    """What kind of frame a row is; the bits of the column `flags`."""

    EXTENDED = 1  # 29-bit arbitration id
    REMOTE = 2  # a remote frame: `len` is what it asks for, `data` is empty
    ERROR = 4  # an error frame, as the adapter reports one
    FD = 8  # CAN FD
    BRS = 16  # CAN FD, bit rate switched
    ESI = 32  # CAN FD, error state indicator
    TX = 64  # sent by us (or an echo of it), not heard
    CONTROL = 128  # no frame at all: a control row


class Control(IntEnum):
    """The kind of a control row; the value of its `id`."""

    SESSION_START = 1
    SESSION_END = 2
    RECOVERED = 3  # the writer found and cut a torn tail: what was cut, and where
    LOST = 4  # frames that are missing from here on back: how many, of which bus, by which cause
    CLOCK_JUMP = 5  # wall-clock time moved against the monotonic clock
    SOURCE = 6  # a source's state changed: connected, silent, lost, reconnected, ended
    NOTE = 7  # a person's words
    IMPORTED = 8  # a capture file began here: its name, and what of it could not be read
    CAR_EDITED = 9  # another definition is shown from here on: its fingerprint, its text, its DBCs' digests
    CLOCKS = 10  # an adapter's clock is laid on ours anew from the next frame of its bus on: a stamp, and its time
    START_LINE = 11  # where laps begin, and sectors: {"line": [[lat, lon], [lat, lon]], "sectors": [line, …], "name"}
    LOGGER = 12  # what a logger's file says beside its values: its header, its columns and their ids, its own laps
    GAP = 13  # the recorder did not run for a while: frozen, or suspended with the machine
    ANSWER = 14  # what a language model answered, or why it was refused: it can't be computed again
    TAGS = 15  # a person's words for the session, in place of those before: {"tags": [word, …]}


LOGGER_BUS: Final = "gps"
"""The bus that GPS loggers' values are on, whatever the car: the shipped DBC decodes it where the car defines none."""

STREAM_FLAGS: Final = int(Flag.EXTENDED | Flag.REMOTE | Flag.ERROR | Flag.TX | Flag.CONTROL)
"""The flags that, with bus and id, keep one stream of frames apart from another: an echo is not what was heard."""


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """`n` rows of a log, starting at the offset `start`, as columns.

    start: offset of the first row.
    t: int64 (n,), ns since the session began.  bus: uint8 (n,).  id: uint32 (n,).  flags: uint8 (n,).
    len: uint8 (n,), payload bytes (0 for a control row).  data: uint8 (n, 8), zero-padded.
    more: binary (n,), or None where every row's is empty.
    order: int64 (n,), where rows are clustered by `stream_key`: row `i` has the offset `start + order[i]`.
        None: rows are in log order, row `i` has the offset `start + i`.
    """

    start: int
    t: Int64
    bus: UInt8
    id: UInt32
    flags: UInt8
    len: UInt8
    data: UInt8
    more: pa.BinaryArray | None = None
    order: Int64 | None = None

    def __len__(self) -> int:
        return int(self.t.shape[0])

    @property
    def stop(self) -> int:
        """Offset of the row after the last one."""
        return self.start + len(self)

    @property
    def offsets(self) -> Int64:
        """int64 (n,): the offset of every row, in the order of the rows."""
        order = np.arange(len(self), dtype=np.int64) if self.order is None else self.order
        return order + self.start


def empty(start: int = 0) -> Frames:
    """No frames, at the offset `start`."""
    return frames(start, t=np.empty(0, np.int64), id=np.empty(0, np.uint32), data=np.empty((0, DATA_BYTES), np.uint8))


def frames(
    start: int,
    *,
    t: npt.ArrayLike,
    id: npt.ArrayLike,
    data: UInt8,
    len: npt.ArrayLike = DATA_BYTES,
    bus: npt.ArrayLike = 0,
    flags: npt.ArrayLike = 0,
    more: pa.BinaryArray | None = None,
) -> Frames:
    """A `Frames` from columns of any integer type; a scalar `bus`, `flags` or `len` holds for every row."""
    t = np.ascontiguousarray(t, np.int64)
    n = t.shape
    return Frames(
        start=start,
        t=t,
        bus=np.ascontiguousarray(np.broadcast_to(np.asarray(bus, np.uint8), n)),
        id=np.ascontiguousarray(np.broadcast_to(np.asarray(id, np.uint32), n)),
        flags=np.ascontiguousarray(np.broadcast_to(np.asarray(flags, np.uint8), n)),
        len=np.ascontiguousarray(np.broadcast_to(np.asarray(len, np.uint8), n)),
        data=np.ascontiguousarray(data, np.uint8).reshape(-1, DATA_BYTES),
        more=more,
    )


def control(kind: Control, t_ns: int, fact: bytes, *, start: int = 0, bus: int = 0) -> Frames:
    """One control row of `kind` at `t_ns`.  fact: a JSON object, encoded."""
    return frames(
        start,
        t=[t_ns],
        id=[int(kind)],
        data=np.zeros((1, DATA_BYTES), np.uint8),
        len=0,
        bus=bus,
        flags=int(Flag.CONTROL),
        more=pa.array([fact], pa.binary()),
    )


def without_control(rows: Frames) -> Frames:
    """The frames among rows in log order."""
    heard = rows.flags & np.uint8(Flag.CONTROL) == 0
    return rows if heard.all() else take(rows, np.flatnonzero(heard))


def take(rows: Frames, index: npt.NDArray[Any]) -> Frames:
    """The rows at `index`, in that order, as if they were a log of their own from `rows.start`."""
    return Frames(
        start=rows.start,
        t=rows.t[index],
        bus=rows.bus[index],
        id=rows.id[index],
        flags=rows.flags[index],
        len=rows.len[index],
        data=rows.data[index],
        more=None if rows.more is None else _binary(rows.more.take(pa.array(index))),
    )


def cut(rows: Frames, first: int, last: int) -> Frames:
    """The rows `first <= i < last` of rows in log order (counted from 0, as a slice), with their offsets."""
    assert rows.order is None, "only rows in log order can be cut"
    first, last, _ = slice(first, last).indices(len(rows))
    part = slice(first, last)
    more = None if rows.more is None else _binary(rows.more.slice(first, max(0, last - first)))
    return Frames(
        start=rows.start + first,
        t=rows.t[part],
        bus=rows.bus[part],
        id=rows.id[part],
        flags=rows.flags[part],
        len=rows.len[part],
        data=rows.data[part],
        more=more,
    )


def moved(rows: Frames, start: int) -> Frames:
    """The same rows, at the offset `start`."""
    return Frames(start, rows.t, rows.bus, rows.id, rows.flags, rows.len, rows.data, rows.more, rows.order)


def concat(parts: Sequence[Frames]) -> Frames:
    """Parts in log order, one behind the other; they start where the first starts."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return empty()
    assert all(part.order is None for part in parts), "only rows in log order can be joined"
    more = None
    if any(part.more is not None for part in parts):
        more = _binary(pa.concat_arrays([more_of(part) for part in parts]))
    return Frames(
        start=parts[0].start,
        t=np.concatenate([part.t for part in parts]),
        bus=np.concatenate([part.bus for part in parts]),
        id=np.concatenate([part.id for part in parts]),
        flags=np.concatenate([part.flags for part in parts]),
        len=np.concatenate([part.len for part in parts]),
        data=np.concatenate([part.data for part in parts]),
        more=more,
    )


def stream_key(rows: Frames) -> npt.NDArray[np.uint64]:
    """uint64 (n,): equal where two rows are of one stream: bus << 40 | flags & STREAM_FLAGS << 32 | id."""
    kind = (rows.bus.astype(np.uint64) << np.uint64(8)) | (rows.flags & np.uint8(STREAM_FLAGS))
    return (kind << np.uint64(32)) | rows.id


def clustered(rows: Frames) -> Frames:
    """The same rows clustered by `stream_key`, each cluster in log order, with the `order` that restores them."""
    if rows.order is not None:
        return rows
    order = np.argsort(stream_key(rows), kind="stable")
    return _with_order(take(rows, order), order.astype(np.int64))


def in_log_order(rows: Frames) -> Frames:
    """The same rows, each where its offset says."""
    if rows.order is None:
        return rows
    back = np.empty(len(rows), np.int64)
    back[rows.order] = np.arange(len(rows), dtype=np.int64)
    return take(rows, back)


def to_arrow(rows: Frames) -> pa.RecordBatch:
    """The rows, in log order, in the log's own `SCHEMA`."""
    rows = in_log_order(rows)
    n = len(rows)
    data = pa.Array.from_buffers(pa.binary(DATA_BYTES), n, [None, pa.py_buffer(np.ascontiguousarray(rows.data))])
    columns = [pa.array(column) for column in (rows.t, rows.bus, rows.id, rows.flags, rows.len)]
    return pa.RecordBatch.from_arrays([*columns, data, more_of(rows)], schema=SCHEMA)


def from_arrow(batch: pa.RecordBatch, start: int) -> Frames:
    """A record batch of `SCHEMA` as `Frames` at the offset `start`, without copying."""
    n = batch.num_rows
    data = batch.column(5)
    payload = np.frombuffer(data.buffers()[1], np.uint8, n * DATA_BYTES, data.offset * DATA_BYTES)
    more = _binary(batch.column(6))
    return Frames(
        start=start,
        t=batch.column(0).to_numpy(),
        bus=batch.column(1).to_numpy(),
        id=batch.column(2).to_numpy(),
        flags=batch.column(3).to_numpy(),
        len=batch.column(4).to_numpy(),
        data=payload.reshape(n, DATA_BYTES),
        more=more if holds_bytes(more) else None,
    )


def same(a: Frames, b: Frames) -> bool:
    """Whether both hold the same rows at the same offsets, however they are clustered."""
    return a.start == b.start and to_arrow(a).equals(to_arrow(b))


def _with_order(rows: Frames, order: Int64) -> Frames:
    return Frames(rows.start, rows.t, rows.bus, rows.id, rows.flags, rows.len, rows.data, rows.more, order)


def payloads(rows: Frames) -> list[bytes]:
    """The payload of every row of rows in log order (empty for a remote frame)."""
    block = rows.data.tobytes()
    lengths = np.where(rows.flags & np.uint8(Flag.REMOTE), 0, rows.len).tolist()
    heads = [
        block[at : at + min(n, DATA_BYTES)] for at, n in zip(range(0, len(block), DATA_BYTES), lengths, strict=True)
    ]
    if rows.more is None:
        return heads
    return [head + rest for head, rest in zip(heads, rows.more.to_pylist(), strict=True)]


def more_of(rows: Frames) -> pa.BinaryArray:
    """binary (n,): the column `more`, as a column also where every row's is empty."""
    if rows.more is not None:
        return rows.more
    # n empty values: n + 1 zero offsets and no bytes
    offsets = pa.py_buffer(bytes(4 * (len(rows) + 1)))
    return _binary(pa.Array.from_buffers(pa.binary(), len(rows), [None, offsets, pa.py_buffer(b"")]))


def _binary(column: pa.Array) -> pa.BinaryArray:
    assert isinstance(column, pa.BinaryArray)
    return column


def holds_bytes(column: pa.BinaryArray) -> bool:
    """Whether any value of a column `more` is not empty."""
    offsets = np.frombuffer(column.buffers()[1], np.int32, len(column) + 1, column.offset * 4)
    return bool(offsets[0] != offsets[-1])
