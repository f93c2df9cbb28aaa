"""Everything that the log does to a disk: the seam at which a test makes it fail, lie or stop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_CREATE: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class Space(NamedTuple):
    """Bytes of a file system: what we may still write, and what there is in all."""

    free: int
    size: int


class Disk:
    """The operating system's.  Each method is one call that may fail with OSError."""

    def create(self, path: Path) -> int:
        """A new file to append to; an old one of that name is emptied (only temporary names are created)."""
        return os.open(path, _CREATE, 0o644)

    def write(self, fd: int, data: memoryview) -> int:
        """Append some of `data`; how many bytes."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Make the bytes of a file durable."""
        os.fdatasync(fd)

    def sync_file(self, path: Path) -> None:
        """Make the bytes of a file durable that another process wrote."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def rename(self, path: Path, to: Path) -> None:
        """Give a file its name."""
        path.rename(to)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def read(self, path: Path) -> bytes:
        """All of a file, from the disk itself where the system lets go of what it remembers of it."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            return file.read()

    def make_folder(self, path: Path) -> None:
        """Make a folder that is not there yet."""
        path.mkdir()

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""
        path.rmdir()

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable: created, renamed, removed."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def open_lock(self, path: Path) -> int:
        """The file that the one writer locks, and says in what it does; made where there is none."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def publish(self, fd: int, block: bytes) -> None:
        """Put `block`, always of the same size, over the beginning of a file: on a full disk as well."""
        os.pwrite(fd, block, 0)

    def allocate(self, path: Path, size: int) -> None:
        """A new file that really takes `size` bytes of the disk."""
        fd = os.open(path, _CREATE, 0o644)
        try:
            os.posix_fallocate(fd, 0, size)
        finally:
            os.close(fd)

    def space(self, folder: Path) -> Space:
        """How much room there is."""
        found = os.statvfs(folder)
        return Space(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)

    def is_at(self, fd: int, path: Path) -> bool:
        """Whether an open file still is the one of that name: neither it nor a folder above it was removed or moved."""
        try:
            there = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        here = os.fstat(fd)
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


DISK: Final = Disk()


def write_all(disk: Disk, fd: int, data: bytes | bytearray) -> None:
    """Append all of `data`, however little the disk takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]
