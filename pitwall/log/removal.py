"""A session's folder in, free space out: at once as far as anybody can see, and in the end in truth.

The folder is renamed to a hidden name first, so that a session that is half removed is never listed.  Only then is it
looked at whether it may go: nobody can add to it, or pin it, any more.  `finish` takes up what a crash left, and looks
again.

    <logs>/.removing-<session>      archived: goes, if it holds nothing but what the record of it names
    <logs>/.discarding-<session>    to be removed with no copy anywhere
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pitwall.errors import LogError
from pitwall.log import pins, records
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import TEMPORARY_SUFFIX
from pitwall.log.manifest import Manifest
from pitwall.log.session import find

REMOVING: Final = ".removing-"
DISCARDING: Final = ".discarding-"
"""Put before the name of a session that is being removed."""

LOCK: Final = ".archive.lock"

Forget = Callable[[str], None]
"""Removes what was built from a session.  May raise PitwallError: it is then tried again by the next who comes."""


class BusyError(LogError):
    """Another process archives, restores or removes here."""


@contextmanager
def alone(logs: Path) -> Iterator[None]:
    """Nobody else archives, restores or removes in `logs` meanwhile.  Raises BusyError where another process does."""
    try:
        fd = os.open(logs / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogError(f"the logs folder can't be written: {error.strerror}", where=logs) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(fd, 32, 0).split(b"\n")[0].decode("ascii", "replace").strip() or "unknown"
            what = f"the process {pid} is archiving, restoring or removing here"
            raise BusyError(what, where=logs, hint="try again when it is done") from error
        with suppress(OSError):  # a full disk: what is done here makes room on it
            os.pwrite(fd, f"{os.getpid()}\n".encode().ljust(32), 0)  # never shorter: who reads meanwhile reads a pid
        yield
    finally:
        os.close(fd)


def remove(folder: Path, manifest: Manifest, forget: Forget, disk: Disk = DISK) -> None:
    """Remove the archived session in `folder`, and what was built from it.  The caller is `alone`.

    Raises LogError where it was added to or pinned since its files were listed: then it is here as it was.
    """
    hidden = folder.with_name(REMOVING + folder.name)
    disk.rename(folder, hidden)
    why = _stays(hidden, manifest)
    if why:
        _show(hidden, folder, disk)
        raise LogError(why, where=folder, hint="it is here still, and whole; try again")
    disk.sync_folder(folder.parent)
    _empty(hidden, folder.name, forget, disk)


def discard(logs: Path, name: str, *, forget: Forget, disk: Disk = DISK) -> None:
    """Remove the session `name`, with no copy anywhere.  Raises LogError where it is not ended, or is pinned."""
    with alone(logs):
        finish(logs, forget, disk)
        session = find(logs, name)
        folder, hidden = session.path, logs / f"{DISCARDING}{session.id}"
        if session.state != "ended" or pins.pinned(folder):
            raise LogError(f"the session is {'pinned' if session.state == 'ended' else session.state}", where=folder)
        try:
            disk.rename(folder, hidden)
            if pins.pinned(hidden):
                _show(hidden, folder, disk)
                raise LogError("the session is pinned", where=folder)
            disk.sync_folder(logs)
            _empty(hidden, session.id, forget, disk)
        except OSError as error:
            raise LogError(f"the session can't be removed: {error.strerror}", where=folder) from error


def finish(logs: Path, forget: Forget, disk: Disk = DISK) -> None:
    """Remove what is still there of sessions whose removal was begun.  The caller is `alone`.  Raises OSError."""
    for hidden in sorted(logs.glob(f"{DISCARDING}*")):
        _empty(hidden, hidden.name.removeprefix(DISCARDING), forget, disk)
    for hidden in sorted(logs.glob(f"{REMOVING}*")):
        session = hidden.name.removeprefix(REMOVING)
        record = next((one for one in records.archived(logs) if one.session == session), None)
        if record is None or _stays(hidden, record.manifest):
            _show(hidden, logs / session, disk)
        else:
            _empty(hidden, session, forget, disk)


def _stays(hidden: Path, manifest: Manifest) -> str | None:
    """Why a session that was about to be removed can't be, if anything speaks against it."""
    if pins.pinned(hidden):
        return "the session was pinned meanwhile"
    archived = {entry.name: entry.bytes for entry in manifest.files}
    for path in hidden.iterdir():
        if not is_leftover(path) and archived.get(path.name) != path.lstat().st_size:
            return f"the session was added to meanwhile: {path.name} is not in the archive"
    return None


def is_leftover(path: Path) -> bool:
    """Whether the file is what a write that never came to its end has left."""
    return path.suffix == TEMPORARY_SUFFIX and path.is_file()


def _show(hidden: Path, folder: Path, disk: Disk) -> None:
    disk.rename(hidden, folder)
    disk.sync_folder(folder.parent)


def _empty(hidden: Path, session: str, forget: Forget, disk: Disk) -> None:
    forget(session)
    for path in sorted(hidden.iterdir()):
        disk.unlink(path)
    disk.remove_folder(hidden)
    disk.sync_folder(hidden.parent)
