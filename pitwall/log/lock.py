"""One writer a logs folder: an advisory lock that dies with its process, and says whose it is and how it is doing."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from pitwall.errors import LogError
from pitwall.log import published
from pitwall.log.disk import DISK, Disk
from pitwall.log.published import Recorder, State

NAME: Final = ".lock"
_PATIENCE_S: Final = 0.03  # a look at who holds the lock takes it for an instant: long enough not to trip over one
_AGAIN_S: Final = 0.003
_LOOKS: Final = 20  # at a block that is being written just then


class Lock:
    """The lock of a logs folder, held from creation to `release`.

    Raises LogError, naming the pid, where another holds it.
    """

    def __init__(self, logs: Path, disk: Disk = DISK) -> None:
        self._path = logs / NAME
        self._disk = disk
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._fd = disk.open_lock(self._path)
            except OSError as error:
                raise LogError(f"the logs folder can't be written: {error.strerror}", where=logs) from error
            try:
                while not self._taken():
                    if time.monotonic() > give_up:
                        found = _read(self._fd)
                        raise LogError(
                            f"the process {found.pid if found and found.pid else 'unknown'} is recording here already",
                            where=logs,
                            hint="stop it, or use another --logs",
                        )
                    time.sleep(_AGAIN_S)
                if self.stands:  # else the file was removed before we had its lock: that locks nobody out
                    break
            except BaseException:
                self.release()
                raise
            self.release()
        self.publish(State())

    @property
    def stands(self) -> bool:
        """Whether the lock file is where it was: while it isn't, others may think that nobody records."""
        try:
            return self._disk.is_at(self._fd, self._path)
        except OSError:
            return False

    def publish(self, state: State) -> None:
        """Say who holds the lock, and how that is doing.  A disk that won't have it is no reason to stop."""
        try:
            self._disk.publish(self._fd, published.encode(os.getpid(), state))
        except OSError:
            return

    def release(self) -> None:
        """Let the next writer in."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def recorder(logs: Path) -> Recorder | None:
    """Who writes in `logs`, and how that is doing; None where nobody does."""
    try:
        fd = os.open(logs / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(fd) or Recorder(0, State())
    else:
        return None
    finally:
        os.close(fd)


def recording(logs: Path) -> str | None:
    """The session that a living process is writing in `logs`, "" where it has none yet; None where nobody writes."""
    found = recorder(logs)
    return found.state.session if found else None


def _read(fd: int) -> Recorder | None:
    for _ in range(_LOOKS):
        found = published.decode(os.pread(fd, published.BLOCK_BYTES, 0))
        if found is not None:
            return found
        time.sleep(0.0005)
    return None
