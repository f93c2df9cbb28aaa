"""Everything that the log does to a disk: the seam at which a test makes it fail, lie or stop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_CREATE: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


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

    def rename(self, path: Path, to: Path) -> None:
        """Give a file its name."""
        path.rename(to)

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make a folder that is not there yet."""
        path.mkdir()

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable: created, renamed, removed."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


DISK: Final = Disk()


def write_all(disk: Disk, fd: int, data: bytes | bytearray) -> None:
    """Append all of `data`, however little the disk takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(fd, rest) :]
