"""A session's folder in, free space out: at once as far as anybody can see, and in the end in truth.

The folder is renamed to a hidden name first, so that a session that is half removed is never listed; `finish` takes up
what a crash left.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pitwall.errors import LogError
from pitwall.log import pins
from pitwall.log.disk import DISK, Disk
from pitwall.log.session import find

REMOVING: Final = ".removing-"
"""Put before the name of a session that is being removed."""

LOCK: Final = ".archive.lock"

Step = Callable[[str], None]
"""Told of each step once it is done, by a name: where a test stops, or is killed."""

Forget = Callable[[str], None]
"""Removes what was built from a session.  May raise PitwallError: it is then tried again by the next who comes."""


def onward(step: str) -> None:
    """The `Step` of every day."""


@contextmanager
def alone(logs: Path) -> Iterator[None]:
    """Nobody else archives, restores or removes in `logs` meanwhile.  Raises LogError where another process does."""
    try:
        fd = os.open(logs / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogError(f"the logs folder can't be written: {error.strerror}", where=logs) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            what = f"the process {pid} is archiving, restoring or removing here"
            raise LogError(what, where=logs, hint="try again when it is done") from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def remove(folder: Path, forget: Forget, step: Step = onward, disk: Disk = DISK) -> None:
    """Remove the session in `folder`, and what was built from it.  The caller is `alone`."""
    hidden = folder.with_name(REMOVING + folder.name)
    disk.rename(folder, hidden)
    disk.sync_folder(folder.parent)
    step("hidden")
    _empty(hidden, forget, step, disk)


def discard(logs: Path, name: str, *, forget: Forget, step: Step = onward) -> None:
    """Remove the session `name`, with no copy anywhere.  Raises LogError where it is not ended, or is pinned."""
    with alone(logs):
        finish(logs, forget, step)
        session = find(logs, name)
        if session.state != "ended" or pins.pinned(session.path):
            raise LogError(
                f"the session is {'pinned' if session.state == 'ended' else session.state}", where=session.path
            )
        try:
            remove(session.path, forget, step)
        except OSError as error:
            raise LogError(f"the session can't be removed: {error.strerror}", where=session.path) from error


def finish(logs: Path, forget: Forget, step: Step = onward, disk: Disk = DISK) -> None:
    """Remove what is still there of sessions whose removal was begun.  The caller is `alone`."""
    for hidden in sorted(logs.glob(f"{REMOVING}*")):
        _empty(hidden, forget, step, disk)


def _empty(hidden: Path, forget: Forget, step: Step, disk: Disk) -> None:
    forget(hidden.name.removeprefix(REMOVING))
    step("forgotten")
    for path in sorted(hidden.iterdir()):
        disk.unlink(path)
        step(f"unlinked {path.name}")
    hidden.rmdir()
    disk.sync_folder(hidden.parent)
    step("removed")
