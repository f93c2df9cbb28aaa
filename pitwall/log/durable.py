"""A whole small file on disk, or none: written under another name, made durable, renamed."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pitwall.log.disk import DISK, Disk, write_all
from pitwall.log.folder import TEMPORARY_SUFFIX


def put(path: Path, data: bytes, disk: Disk = DISK) -> None:
    """Have `data` alone in the file `path`, safe from a loss of power.  Raises OSError; what was there stays."""
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        fd = disk.create(temporary)
        try:
            write_all(disk, fd, data)
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            disk.unlink(temporary)
        raise
    disk.sync_folder(path.parent)


def make_folder(path: Path, disk: Disk = DISK) -> None:
    """Have the folder `path`, with those above it, safe from a loss of power."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        with suppress(FileExistsError):
            disk.make_folder(one)
        disk.sync_folder(one.parent)
