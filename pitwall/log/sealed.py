"""Rows in, the bytes of a sealed segment out: an Arrow IPC file of large, clustered, compressed batches.

Each of its messages, and its footer, has its tag.  Pure: no clock, no files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa

from pitwall.frames import Frames, concat, cut
from pitwall.log import clustered, rows
from pitwall.log import opening as openings
from pitwall.log import tag as tags
from pitwall.log.opening import Opening
from pitwall.log.tag import Kind, Tag
from pitwall.log.walk import FILE_MAGIC

_LEVEL: Final = 3  # zstd; 1 is 0.4 bytes a frame larger, 9 is 0.1 smaller and takes five times as long


def encode(opening: Opening, end: Tag, batches: Iterable[Frames]) -> Iterator[bytearray]:
    """The bytes of the file, message by message.

    opening: with `ended` set.  end: the last tag of the segment while it was open.
    batches: non-empty, in log order, at most `clustered.MAX_ROWS` rows each (see `large`).
    """
    seed = opening.seed
    sink = _Sink()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", _LEVEL), use_threads=False)
    schema = clustered.SCHEMA.with_metadata(openings.metadata(opening))
    last: Tag | None = None
    count = first_t = 0
    with pa.ipc.new_file(sink, schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(clustered.encode(batch), custom_metadata={tags.KEY: tags.PLACEHOLDER})
            if last is None:
                first_t = int(batch.t[0])
                begun, last = _begin(sink, opening)
                yield begun
            message = sink.take()
            last = _stamp(message, rows.tag(batch, batch.start, last), seed)
            count += len(batch)
            yield message
    assert last is not None, "a segment without rows is not sealed"
    message = sink.take()
    footer = end._replace(kind=Kind.FOOTER, offset=end.stop, rows=count, first_t=first_t, prev=last.crc)
    _stamp(message, footer, seed)
    yield message


def large(batches: Iterable[Frames]) -> Iterator[Frames]:
    """The same rows in batches of `clustered.MAX_ROWS`; a smaller one before a gap in the offsets, and at the end."""
    held: list[Frames] = []
    count = 0
    for batch in batches:
        if held and held[-1].stop != batch.start:
            yield concat(held)
            held, count = [], 0
        while count + len(batch) >= clustered.MAX_ROWS:
            fits = clustered.MAX_ROWS - count
            yield concat([*held, cut(batch, 0, fits)])
            batch = cut(batch, fits, len(batch))
            held, count = [], 0
        if len(batch):
            held.append(batch)
            count += len(batch)
    if held:
        yield concat(held)


def _begin(sink: _Sink, opening: Opening) -> tuple[bytearray, Tag]:
    """The first bytes of the file, up to its first batch, and the tag of its schema message."""
    magic = sink.take(len(FILE_MAGIC))
    assert magic == FILE_MAGIC
    prefix = sink.take(tags.PREFIX_BYTES)
    message = prefix + sink.take(int.from_bytes(prefix[4:], "little"))
    tag = _stamp(message, opening.tag, 0)
    return magic + message, tag


def _stamp(message: bytearray, tag: Tag, seed: int) -> Tag:
    return tags.stamp(message, message.index(tags.PLACEHOLDER), tag, seed)


class _Sink(io.RawIOBase):
    """What Arrow writes into, and what is taken out of it a message at a time."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self._held += data
        return len(data)

    def tell(self) -> int:
        return self._taken + len(self._held)

    def take(self, size: int | None = None) -> bytearray:
        """The first `size` bytes that were not taken yet, or all of them."""
        taken = self._held[:size]
        del self._held[: len(taken)]
        self._taken += len(taken)
        return taken
