"""Pins: a session with one stays on this machine until it is taken out.  It is a file `pinned` in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pitwall.errors import LogError
from pitwall.log import durable
from pitwall.log.disk import DISK

NAME: Final = "pinned"


def pinned(folder: Path) -> bool:
    """Whether the session in `folder` is pinned."""
    return (folder / NAME).exists()


def pin(folder: Path) -> None:
    """Pin the session in `folder`; to do so twice is harmless.  Raises LogError where the disk won't have it."""
    try:
        durable.put(folder / NAME, b"")
    except OSError as error:
        raise LogError(f"can't be pinned: {error.strerror}", where=folder) from error


def unpin(folder: Path) -> None:
    """Take the pin out, if there is one.  Raises LogError where the disk won't have it."""
    try:
        (folder / NAME).unlink(missing_ok=True)
        DISK.sync_folder(folder)
    except OSError as error:
        raise LogError(f"can't be unpinned: {error.strerror}", where=folder) from error
