"""A file of the log in, its bytes from any position out: as they lie on the disk, or decrypted on the way.

The seam between a segment's reader and where its bytes are.  Read with `pread`, never mapped: a file that shrinks
under a mapping kills the process.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

ENCRYPTED_SUFFIX: Final = ".enc"
"""Put behind the name of a file that was encrypted (`pitwall.log.encryption`)."""

SECTOR_BYTES: Final = 4096
"""What a disk loses at once."""


class ByteFile(Protocol):
    """Bytes to be read from any position."""

    @property
    def size(self) -> int:
        """How many there are, now."""

    @property
    def inode(self) -> int:
        """Which file it is, whatever its name has become."""

    def pread(self, size: int, position: int) -> bytes:
        """`size` bytes from `position` on, fewer where there are no more."""

    def close(self) -> None:
        """Let go of it."""


class OnDisk:
    """A file as it lies on the disk."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    @property
    def inode(self) -> int:
        return os.fstat(self._fd).st_ino

    def pread(self, size: int, position: int) -> bytes:
        try:
            data = os.pread(self._fd, size, position)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        if len(data) < size and (stop := min(self.size, position + size)) > position + len(data):
            data += b"".join(self._sectors(position + len(data), stop))  # there are more: the disk stopped at a bad one
        return data

    def _sectors(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes start <= position < stop, zeros for a sector that the disk can't read: no checksum fits them."""
        while start < stop:
            size = min(stop, start - start % SECTOR_BYTES + SECTOR_BYTES) - start
            try:
                data = os.pread(self._fd, size, start)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data = bytes(size)
            if not data:
                return  # the file was cut meanwhile
            yield data
            start += len(data)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class InMemory:
    """Bytes that were read from elsewhere."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def inode(self) -> int:
        return -1

    def pread(self, size: int, position: int) -> bytes:
        return self._data[position : position + size]

    def close(self) -> None:
        self._data = b""


def open_bytes(path: Path) -> ByteFile:
    """The bytes of a segment's file, decrypted where its name says that they are encrypted.

    Raises OSError where it can't be opened, LogError where its key is missing or another one.
    """
    file = OnDisk(path)
    return decrypting(file, path) if is_encrypted(path) else file


def is_encrypted(path: Path) -> bool:
    """Whether the name says so, a temporary one too."""
    return ENCRYPTED_SUFFIX in path.suffixes


def decrypting(file: ByteFile, path: Path) -> ByteFile:
    """What was encrypted into `file`, which closes with it.  Raises LogError where its key is missing or another.

    Nothing, where the file is damaged so that nobody can tell what it was encrypted with.
    """
    from pitwall.log.encryption import DamagedError, Decrypting  # late: who has no key does without its library

    try:
        return Decrypting(file, path)
    except DamagedError:  # costs this segment; its session's others are read
        file.close()
        return InMemory(b"")
    except BaseException:
        file.close()
        raise
