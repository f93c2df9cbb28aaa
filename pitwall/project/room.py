"""The file system of the projections in, whether rows may still be written there: projections give way to the log.

Laws:

1. Below the floor nothing is built: what is left belongs to the log.  So it is, too, while the recorder says that it is
   short of room on the same file system, and after a write that failed.
2. It is written again once twice the floor is free (what was given way for would else be at the floor again at once),
   or, after a failed write, once a trial write goes well.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pitwall.errors import PitwallError
from pitwall.project.filling import Filling

FLOOR_BYTES: Final = 256 << 20
"""Left to the log: 20 minutes of a bus at 8,000 frames/s, and four times the recorder's reserve."""

SMALL: Final = 8
"""Of a file system under 2 GB: this part of it, the eighth."""

TRIAL_BYTES: Final = 1 << 20
"""What a trial writes, and removes again."""

TRIALS_S: Final = (1.0, 5.0, 30.0, 120.0)
"""Between a write that failed and the trial of another; the last for ever."""

STEADY_S: Final = 600.0
"""Writing that has gone well for so long begins with the first of these pauses again."""

_FULL: Final = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def is_full(what: str) -> bool:
    """Whether a failed write, in the system's words or DuckDB's, failed for lack of room."""
    return any(word in what for word in _FULL)


Measure = Callable[[Path], tuple[int, int]]
"""Bytes free, and bytes in all, of the file system of a folder."""


class WriteError(PitwallError):
    """The projection can't be written.  Nothing of the log is lost: it is a replay away."""


class NoRoomError(WriteError):
    """There is too little room for projections."""


@dataclass(frozen=True, slots=True)
class Space:
    """How it stands.

    free, floor: bytes.  why: nothing is written, and why; empty: all is well.  low: less is free than should be.
    short: there is too little room, by whatever sign.  removed: generations that were removed so far to make room.
    lasts_s: until nothing is free, at the rate of the last minutes; None: nobody can say.
    """

    free: int = 0
    floor: int = 0
    why: str = ""
    low: bool = False
    short: bool = False
    removed: int = 0
    lasts_s: float | None = None


def measure(folder: Path) -> tuple[int, int]:
    """What the system says of the file system that `folder` is on, or will be; of memory, no more than is free."""
    found = os.statvfs(_existing(folder))
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    if str(folder.absolute()).startswith("/dev/shm/"):  # noqa: S108  compared, not made
        free = min(free, available_memory())
    return free, total


def available_memory() -> int:
    """Bytes of memory that can be had without swapping; what a machine does not tell is no limit."""
    with contextlib.suppress(OSError, ValueError, IndexError), Path("/proc/meminfo").open() as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 1 << 62


class Room:
    """Whether there is room for projections in `folder`.  For any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        floor: int | None = None,
        measure: Measure = measure,
        pressed: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """floor: bytes to leave free; None: FLOOR_BYTES, or the eighth of a small file system.

        pressed: whether the recorder is short of room on this file system.  clock: monotonic seconds.
        """
        self.folder = folder
        self._floor = floor
        self._measure = measure
        self._pressed = pressed
        self._clock = clock
        self._lock = threading.Lock()
        self._low = False
        self._failure = ""
        self._failures = 0
        self._trying = False  # one at a time
        self._failed_s = 0.0
        self._space = Space()
        self._filling = Filling()

    @property
    def why(self) -> str:
        """Why nothing was to be written when it was last looked at; empty: all was well."""
        return self._space.why

    @property
    def space(self) -> Space:
        """How it stood when it was last looked at."""
        return self._space

    def look(self) -> Space:
        """How it stands."""
        with self._lock:
            self._look()
            tries = bool(self._failure) and self._space.why == self._failure and self._is_due() and not self._trying
            self._trying = self._trying or tries
        if tries:  # without the lock: a disk that hangs keeps nobody who only looks
            well = self._trial()
            with self._lock:
                self._trying = False
                if well:
                    self._failure = ""
                else:
                    self._failures += 1
                    self._failed_s = self._clock()
                self._look()
        return self._space

    def spare(self) -> int:
        """Bytes that may be written before the floor is reached."""
        space = self.look()
        return max(0, space.free - space.floor)

    def check(self) -> None:
        """NoRoomError: nothing is to be written."""
        space = self.look()
        if space.why:
            raise NoRoomError(
                space.why, where=self.folder, hint="make room, or name another folder: --projections; no frame is lost"
            )

    def failed(self, what: str) -> None:
        """A write failed: nothing is to be written until a trial goes well."""
        with self._lock:
            now = self._clock()
            self._failures = self._failures + 1 if now - self._failed_s < STEADY_S else 1
            self._failed_s = now
            self._failure = what
            self._space = replace(self._space, why=what)

    def gave_way(self, count: int) -> None:
        """So many generations were removed."""
        with self._lock:
            self._space = replace(self._space, removed=self._space.removed + count)

    def _look(self) -> None:
        try:
            free, total = self._measure(self.folder)
        except OSError as error:
            self._space = replace(self._space, free=0, why=f"{error.strerror}", low=False, short=False)
            return
        floor = self._floor if self._floor is not None else min(FLOOR_BYTES, total // SMALL)
        why, short = self._reason(free, floor)
        lasts_s = self._filling.saw(self._clock(), free)
        self._space = Space(free, floor, why, self._low, short, self._space.removed, lasts_s)

    def _is_due(self) -> bool:
        """Whether it is time for a trial."""
        return self._clock() - self._failed_s >= TRIALS_S[min(self._failures, len(TRIALS_S)) - 1]

    def _reason(self, free: int, floor: int) -> tuple[str, bool]:
        """Why nothing is to be written, and whether for lack of room."""
        was_low, self._low = self._low, free < (2 * floor if self._low else floor)
        if self._low:
            again = f", and go on at {_size(2 * floor)}" if was_low else ""
            return f"{_size(free)} are free; projections leave {_size(floor)} to the log{again}", True
        if self._pressed():
            return "the recorder is short of room on the same file system", True
        if self._failure:
            return self._failure, is_full(self._failure)
        return "", False

    def _trial(self) -> bool:
        """Whether something can be written."""
        file = self.folder / f".trial-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                rest = TRIAL_BYTES
                while rest > 0:
                    rest -= os.write(fd, bytes(min(rest, 65_536)))
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                file.unlink()
        return True


def _existing(folder: Path) -> Path:
    return next((place for place in (folder, *folder.absolute().parents) if place.exists()), Path("/"))


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:,.0f} MB"
