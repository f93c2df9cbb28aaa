"""One writer a logs folder: an advisory lock that dies with its process, and says whose it is."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from pitwall.errors import LogError

NAME: Final = ".lock"
_PATIENCE_S: Final = (
    0.03  # a look at who holds the lock (`holder`) takes it for an instant: long enough not to trip over one
)
_AGAIN_S: Final = 0.003


class Lock:
    """The lock of a logs folder, held from creation to `release`.

    Raises LogError, naming the pid, where another holds it.
    """

    def __init__(self, logs: Path) -> None:
        path = logs / NAME
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LogError(f"the logs folder can't be written: {error.strerror}", where=logs) from error
        give_up = time.monotonic() + _PATIENCE_S
        while not self._taken():
            if time.monotonic() > give_up:
                pid = os.pread(self._fd, 32, 0).split(b"\n")[0].decode("ascii", "replace") or "unknown"
                os.close(self._fd)
                raise LogError(
                    f"the process {pid} is recording here already", where=logs, hint="stop it, or use another --logs"
                )
            time.sleep(_AGAIN_S)
        self.tell("")

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def tell(self, session: str) -> None:
        """Say in the lock file who holds it, and which session is being written."""
        text = f"{os.getpid()}\n{session}\n".encode()
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))

    def release(self) -> None:
        """Let the next writer in."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def recording(logs: Path) -> str | None:
    """The session that a living process is writing in `logs`, "" where it has none yet; None where nobody writes."""
    try:
        fd = os.open(logs / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        lines = os.pread(fd, 4096, 0).decode("utf-8", "replace").split("\n")
        return lines[1] if len(lines) > 1 else ""
    else:
        return None
    finally:
        os.close(fd)
