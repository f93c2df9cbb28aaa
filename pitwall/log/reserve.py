"""The reserve: a file of no content that takes up room, and gives it up when the disk is full.

What waits to be written then finds room at once, for minutes; the recorder says so, and whoever can frees more.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from pitwall.log.disk import Disk, Space

NAME: Final = ".reserve"
FULL: Final = (errno.ENOSPC, errno.EDQUOT)

SHARE_OF_FREE: Final = 16
"""It is made where it takes no more than this part of what is free; with less room than that, space is low."""
_SHARE_OF_ALL: Final = 64  # of the whole file system: 64 MB of 4 GB
_LEAST_BYTES: Final = 64 << 10
_GIVEN_S: Final = 1.0  # whoever found the disk full just before the reserve went may try again as well

Result = TypeVar("Result")


class Reserve:
    """The reserve of the folder `logs`, `size` bytes where that is little of the file system; 0: none.

    low: whether the disk was nearly full when `keep` looked last, or the reserve has been given up since.
    """

    def __init__(self, logs: Path, disk: Disk, size: int) -> None:
        self.low = False
        self._logs = logs
        self._path = logs / NAME
        self._disk = disk
        self._size = size
        self._given_s = -_GIVEN_S
        self._mutex = threading.Lock()

    def keep(self) -> None:
        """Have the reserve where there is room for it.  Trouble with it is nobody's: it is tried again next time."""
        if not self._size:
            return
        with self._mutex:
            try:
                space = self._disk.space(self._logs)
                size = _fitting(self._size, space)
                held = self._path.exists()
                room = space.free + (size if held else 0)
                self.low = room < SHARE_OF_FREE * size
                if not held and not self.low and size >= _LEAST_BYTES:
                    self._make(size)
            except OSError:
                return

    def give(self) -> bool:
        """Give the room up; whether that may have helped."""
        with self._mutex:
            if not self._size:
                return False
            try:
                self._disk.unlink(self._path)
            except OSError:
                return time.monotonic() - self._given_s < _GIVEN_S
            self._given_s = time.monotonic()
            self.low = True
            return True

    def _make(self, size: int) -> None:
        try:
            self._disk.allocate(self._path, size)
        except OSError:
            self._disk.unlink(self._path)  # a part of it would be taken for all
            raise


class Relieved(Disk):
    """A disk, as far as rows need one, on which what finds no room is tried again once the reserve is gone."""

    def __init__(self, disk: Disk, reserve: Reserve) -> None:
        self._disk = disk
        self._reserve = reserve

    def create(self, path: Path) -> int:
        return self._with_room(lambda: self._disk.create(path))

    def write(self, fd: int, data: memoryview) -> int:
        return self._with_room(lambda: self._disk.write(fd, data))

    def rename(self, path: Path, to: Path) -> None:
        self._with_room(lambda: self._disk.rename(path, to))

    def make_folder(self, path: Path) -> None:
        self._with_room(lambda: self._disk.make_folder(path))

    def sync(self, fd: int) -> None:
        self._disk.sync(fd)

    def sync_file(self, path: Path) -> None:
        self._disk.sync_file(path)

    def unlink(self, path: Path) -> None:
        self._disk.unlink(path)

    def sync_folder(self, path: Path) -> None:
        self._disk.sync_folder(path)

    def is_at(self, fd: int, path: Path) -> bool:
        return self._disk.is_at(fd, path)

    def _with_room(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except OSError as error:
            if error.errno not in FULL or not self._reserve.give():
                raise
        return work()


def _fitting(size: int, space: Space) -> int:
    return min(size, space.size // _SHARE_OF_ALL) & -4096
