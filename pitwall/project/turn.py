"""Who may build a session's projection: one at a time, by a lock file that is there only while somebody does.

Law: the lock is held once the locked file is seen to bear its name still. Its holder removes the name before letting
go, so whoever had opened it meanwhile finds that it has locked a file without a name, and begins again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from pitwall.errors import PitwallError
from pitwall.project.seal import is_plain


class BusyError(PitwallError):
    """Another process builds the session's projection."""


def take(path: Path, session: str) -> int:
    """A descriptor that holds the lock.  BusyError: another does.  Raises OSError."""
    while True:
        if path.is_symlink() or (path.exists() and not is_plain(path) and not path.is_dir()):
            path.unlink(missing_ok=True)  # a link or a FIFO, that nobody can hold
        elif path.is_dir() and not path.is_symlink():
            path.rmdir()  # nor a folder; one that holds something is somebody's own, and is told of
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            if _locked(fd, session) and _bears(path, fd):
                with contextlib.suppress(OSError):  # a full disk: who holds it is told to others, and no more
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its holder was done, and removed it, between the two lines: there is a new one, or none


def _locked(fd: int, session: str) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
        raise BusyError(
            f"its projection is being built{f' by process {holder}' if holder else ''}",
            where=session,
            hint="wait until it is done, or stop that process",
        ) from None
    return True


def _bears(path: Path, fd: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        named, opened = path.lstat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
