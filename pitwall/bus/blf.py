"""A BLF file's bytes in, the same file out without what is damaged, so that python-can's reader reads to its end.

Vector's binary log: a file header, then containers (`LOBJ` objects of type 10) of deflated bytes, which are a row of
`LOBJ` objects that may run on from one container into the next.  python-can's reader stops for good at the first
container or object that is not as it should be, and says nothing of a file that ends too soon.
Source: python-can's `can/io/blf.py`, which follows Toby Lorenz' vector_blf.

Law: a byte is passed on only if its container is whole and passes its checksum (adler-32), or is the last of the file.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pitwall.bus.losses import Losses
from pitwall.errors import UsageError

FILE_HEADER = struct.Struct("<4sL8xQ")  # "LOGG", size of the header, size of the file
FILE_HEADER_BYTES = 72  # what python-can reads of it
OBJECT = struct.Struct("<4sHHLL")  # "LOBJ", size of the header, its version, size of the object, type
CONTAINER_HEAD = struct.Struct("<H6xL4x")  # compression, size of the bytes within
CONTAINER, RESTORE_POINTS = 10, 115
STORED, DEFLATED = 0, 2
FRAME_BYTES = {1: (48, 64), 73: (64, 80), 86: (48, 80), 100: (116, 128), 101: (72, 1024)}
"""Least and most bytes of the objects that hold a frame, by type: a size beyond them is no size."""
OBJECT_BYTES = 16 << 20
"""The longest object of any other kind: an attached text or database."""


def mended(path: Path, losses: Losses) -> BinaryIO:
    """The file as python-can's reader wants it: read once, from its beginning.

    Raises UsageError where it is no BLF file.
    """
    file = path.open("rb")
    head = file.read(FILE_HEADER_BYTES)
    if len(head) < FILE_HEADER_BYTES or head[:4] != b"LOGG":
        file.close()
        raise UsageError("no BLF file", where=losses.path)
    _, header_bytes, file_bytes = FILE_HEADER.unpack_from(head)
    size = path.stat().st_size
    if size < file_bytes:
        losses.add(f"cut short: {size:,} bytes of {file_bytes:,}")
    file.seek(max(header_bytes, FILE_HEADER_BYTES))
    return io.BufferedReader(_Pieces(file, head, _wrapped(_objects(_containers(file, losses), losses))))


class _Pieces(io.RawIOBase):
    """The file's header, then what a generator makes of the rest of it."""

    def __init__(self, file: BinaryIO, head: bytes, pieces: Iterator[bytes]) -> None:
        # its size, in bytes 4 to 8, as what is here: python-can skips the rest of it
        self._left = memoryview(head[:4] + struct.pack("<L", len(head)) + head[8:])
        self._file, self._pieces = file, pieces

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        n = min(len(buffer), len(self._left))
        buffer[:n] = self._left[:n]
        self._left = self._left[n:]
        return n

    def close(self) -> None:
        self._file.close()
        super().close()


def _wrapped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whole objects as a container each, not compressed."""
    for piece in pieces:
        size = OBJECT.size + CONTAINER_HEAD.size + len(piece)
        head = OBJECT.pack(b"LOBJ", OBJECT.size, 1, size, CONTAINER) + CONTAINER_HEAD.pack(STORED, len(piece))
        yield head + piece + b"\0" * (size % 4)


def _containers(file: BinaryIO, losses: Losses) -> Iterator[bytes | None]:
    """The bytes within each container; None where some are missing."""
    while True:
        at = file.tell()
        head = file.read(OBJECT.size)
        if not head.strip(b"\0"):
            return
        if len(head) < OBJECT.size:
            losses.add(f"cut short in the header of an object at byte {at:,}")
            return
        signature, _, _, size, kind = OBJECT.unpack(head)
        body = file.read(size - OBJECT.size) if signature == b"LOBJ" and size >= OBJECT.size else b""
        last = len(body) < size - OBJECT.size
        inner, used = _inner(body, last, sure=kind == CONTAINER) if body else (None, 0)
        if inner is None and body and kind != CONTAINER and not last:
            if kind != RESTORE_POINTS:
                losses.add(f"passed over: an object of type {kind} outside of the containers at byte {at:,}")
            file.read(size % 4)
            yield None
            continue
        if inner is not None:
            yield inner
            file.seek(at + OBJECT.size + used + size % 4)
            if used == size - OBJECT.size or (last and used == len(body)):
                if last:
                    losses.add(f"cut short in a container of {size:,} bytes at byte {at:,}")
                continue
        found = _find_object(file, max(at + 1, at + used))
        losses.add(f"damaged or cut short: {found - at - used:,} bytes at byte {at + used:,}")
        yield None


def _inner(body: bytes, last: bool, *, sure: bool) -> tuple[bytes | None, int]:
    """What a container holds, and how many bytes of `body` that took; None where it is damaged.

    last: the file ends in it; what there is, is taken.  sure: its header says that it is one; else a checksum has to.
    """
    if len(body) < CONTAINER_HEAD.size:
        return None, 0
    method, size = CONTAINER_HEAD.unpack_from(body)
    inner, used = body[CONTAINER_HEAD.size :], len(body)
    if method == DEFLATED:
        inflate = zlib.decompressobj()
        try:
            inner = inflate.decompress(inner)
        except zlib.error:
            return None, 0
        used -= len(inflate.unused_data)
        last = last and not inflate.eof
        if not inflate.eof and not last:
            return None, 0
    elif method != STORED or not sure:
        return None, 0
    if last and not sure:
        return None, 0
    return (inner, used) if last or len(inner) == size else (None, 0)


def _find_object(file: BinaryIO, start: int) -> int:
    """Moves to the next object at or after the byte `start`, or to the end; returns where that is."""
    file.seek(start)
    carry = b""
    at = start
    while chunk := file.read(1 << 20):
        block = carry + chunk
        index = block.find(b"LOBJ")
        if index >= 0:
            file.seek(at + index)
            return at + index
        carry = block[-3:]
        at += len(block) - len(carry)
    return file.tell()


def _objects(containers: Iterator[bytes | None], losses: Losses) -> Iterator[bytes]:
    """The bytes of whole objects, container by container, without what lies between them."""
    rest = b""
    gap = False  # bytes are missing before this: what follows begins in the middle of an object
    for data in containers:
        if data is None:
            rest, gap = b"", True
            continue
        block = rest + data
        whole, rest = _whole_objects(block, gap, losses)
        gap = False
        if whole:
            yield whole
    if rest.strip(b"\0"):
        losses.add("cut short in the middle of a frame or event")


def _whole_objects(block: bytes, gap: bool, losses: Losses) -> tuple[bytes, bytes]:
    """The whole objects of a block, joined, and the beginning of one that it ends in.

    gap: the block begins anywhere, so that what comes before its first object is no news.
    """
    pieces: list[bytes] = []
    at = 0
    while True:
        found = block.find(b"LOBJ", at, None if gap else at + 8)  # objects are padded by up to 3 bytes
        if found < 0 and len(block) - at < 8:
            return b"".join(pieces), block[at:]
        start = found
        if found < 0 or not _is_object(block, found):
            start = block.find(b"LOBJ", max(at, found + 1))
            while start >= 0 and not _is_object(block, start):
                start = block.find(b"LOBJ", start + 1)
            if not gap:
                losses.add(
                    f"damaged: {(start if start >= 0 else len(block)) - at:,} bytes of a container are no object"
                )
            if start < 0:
                return b"".join(pieces), b""
        gap = False
        size = OBJECT.unpack_from(block, start)[3] if start + OBJECT.size <= len(block) else OBJECT_BYTES
        if start + size > len(block):
            return b"".join(pieces), block[start:]
        pieces.append(block[start : start + size] + b"\0" * (-size % 4))
        at = start + size


def _is_object(block: bytes, at: int) -> bool:
    """Whether a believable object begins here; one whose header is cut off is believed."""
    if at + OBJECT.size > len(block):
        return True
    _, header, _, size, kind = OBJECT.unpack_from(block, at)
    least, most = FRAME_BYTES.get(kind, (OBJECT.size, OBJECT_BYTES))
    return bool(header >= OBJECT.size and least <= size <= most)
