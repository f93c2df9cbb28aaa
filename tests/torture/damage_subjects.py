"""The logs that are spoilt: their files' bytes, where in them each batch lies, and every row that they hold."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest import mock

import pyarrow as pa

from pitwall.frames import to_arrow
from pitwall.log import clustered, encryption, keys, tag
from pitwall.log.folder import Segment, segments
from pitwall.log.tag import Kind, Message
from pitwall.log.walk import Walk
from tests.log.drives import NoSealing, everything, record, traffic

KEY: Final = bytes(range(7, 39))


@dataclass(frozen=True)
class Batch:
    """A message of a file: its bytes start <= position < end, the rows first <= offset < stop that go with them.

    begin, finish: the same bytes in the plain form of the file, where it is encrypted.
    """

    file: str
    start: int
    end: int
    first: int
    stop: int
    begin: int
    finish: int


@dataclass(frozen=True)
class Subject:
    """A whole session to be spoilt.

    files: name to bytes.  rows: all that it holds.  messages: of each file, in order.  newest: the file that ends it,
    where that is an open segment.  foreign: of each file, a segment of another session with the same name.
    """

    name: str
    session: str
    files: dict[str, bytes]
    rows: pa.RecordBatch
    messages: tuple[Batch, ...]
    newest: str | None
    encrypted: bool = False
    foreign: dict[str, bytes] = field(default_factory=dict)

    @property
    def target(self) -> str:
        """The file whose bytes are spoilt: the largest."""
        return max(self.files, key=lambda name: len(self.files[name]))

    def of(self, file: str) -> list[Batch]:
        """The messages of one file."""
        return [one for one in self.messages if one.file == file]


def tiny(folder: Path) -> list[Subject]:
    """A small segment in each of the three forms in which one lies on a disk."""
    parts = [traffic(n, seed=n, start_ns=i * 10**12) for i, n in enumerate((3, 5, 4))]
    with encrypting(folder, on=True):
        encrypted = _subject("tiny encrypted", record(folder / "tiny-encrypted", parts, end=True))
    return [
        _subject("tiny open", record(folder / "tiny-open", parts)),
        _subject("tiny sealed", record(folder / "tiny-sealed", parts, end=True)),
        encrypted,
    ]


def large(folder: Path) -> list[Subject]:
    """Segments of many batches: open, sealed and encrypted.

    Those of the sealed ones are made smaller than pitwall makes them, so that one file has many at little cost.
    """
    parts = [traffic(10 + 37 * i % 90, seed=i, start_ns=i * 10**11) for i in range(40)]
    loud = [traffic(3000, seed=i, start_ns=i * 10**12, fd=False) for i in range(18)]
    with mock.patch.object(clustered, "MAX_ROWS", 1500):
        sealed = record(folder / "large-sealed", loud[:12], end=True)
        with encrypting(folder, on=True):
            encrypted = _subject("large encrypted", record(folder / "large-encrypted", loud, end=True))
    return [_subject("large open", record(folder / "large-open", parts)), _subject("large sealed", sealed), encrypted]


def full_size(folder: Path) -> Subject:
    """A sealed segment as pitwall makes it: four batches of 65,536 rows, and a smaller one."""
    parts = [traffic(1 << 16, seed=i, start_ns=i * 10**15, fd=False) for i in range(4)]
    return _subject("full size", record(folder / "full-size", parts, end=True))


def several(folder: Path) -> list[Subject]:
    """Sessions of several segments: all open, all sealed, all encrypted, and sealed ones before open ones."""
    parts = [traffic(10 + i, seed=i, start_ns=i * 10**12) for i in range(12)]
    others = [traffic(10 + i, seed=50 + i, start_ns=i * 10**12) for i in range(12)]

    def each(name: str, *, end: bool = False, **options: object) -> Subject:
        path = record(folder / name, parts, end=end, segment_bytes=3000, **options)
        other = record(folder / f"{name}-other", others, end=end, segment_bytes=3000, session_id="other", **options)
        foreign = {one.name: one.read_bytes() for one in other.iterdir()}
        return _subject(name, path, foreign)

    with encrypting(folder, on=True):
        encrypted = each("several encrypted", end=True)
    opened = each("several open", disk=NoSealing())
    sealed = each("several sealed", end=True)
    path = folder / "both" / opened.session
    path.mkdir(parents=True)
    firsts = sorted(sealed.files)[:3]
    for name in firsts:  # the same rows, and so the same offsets
        (path / name).write_bytes(sealed.files[name])
    for name in sorted(opened.files)[3:]:
        (path / name).write_bytes(opened.files[name])
    mixed = _subject("sealed and open", path, {**sealed.foreign, **opened.foreign})
    return [opened, sealed, encrypted, mixed]


@contextmanager
def encrypting(folder: Path, *, on: bool) -> Iterator[None]:
    """With the key set, or without one."""
    file = folder / "key"
    file.write_bytes(KEY)
    with mock.patch.dict(os.environ):
        os.environ.pop(keys.VARIABLE, None)
        if on:
            os.environ[keys.VARIABLE] = str(file)
        yield


def _subject(name: str, path: Path, foreign: dict[str, bytes] | None = None) -> Subject:
    listed = segments(path)
    messages = tuple(message for segment in listed for message in _messages(segment))
    subject = Subject(
        name=name,
        session=path.name,
        files={segment.path.name: segment.path.read_bytes() for segment in listed},
        rows=to_arrow(everything(path)),
        messages=messages,
        newest=None if listed[-1].sealed else listed[-1].path.name,
        encrypted=listed[-1].path.suffix == ".enc",
        foreign=foreign or {},
    )
    assert sum(one.stop - one.first for one in messages) == subject.rows.num_rows
    shutil.rmtree(path.parent)
    return subject


def _messages(segment: Segment) -> Iterator[Batch]:
    size = segment.path.stat().st_size
    seed = tag.seed(segment.path.parent.name, segment.first)
    with Walk(segment.path, sealed=segment.sealed, seed=seed) as walk:
        while isinstance(found := walk.next(), Message):
            rows = found.tag.rows if found.tag.kind is Kind.ROWS else 0
            at = found.tag.offset
            start, end = found.position, found.end
            if segment.path.suffix == ".enc":
                start, end = _chunks(start, end, size)
            yield Batch(segment.path.name, start, end, at, at + rows, found.position, found.end)


def _chunks(start: int, end: int, size: int) -> tuple[int, int]:
    """The bytes of an encrypted file that hold the chunks with the plain bytes start <= position < end."""
    whole = encryption.CHUNK_BYTES + encryption.TAG_BYTES
    first, last = start // encryption.CHUNK_BYTES, (end - 1) // encryption.CHUNK_BYTES
    head = encryption.HEADER_BYTES
    return head + first * whole, min(head + (last + 1) * whole, size - head)
