"""Where projections are kept: the folder that was named or, while a key is set, a private one that is wiped at the end.

    /dev/shm/pitwall-<uid>-<random>/       in memory, where there is enough of it
    <projections>/.private-<random>/       else on the disk

And what is only passing through (`passing`), which goes the same way.

Laws:

1. A private folder is made new, for its owner alone (0700), by the process that wipes it; nobody names one.  It is
   locked (flock, on the folder itself) as long as that process lives.
2. Removed is only such a folder: one of that name, the user's own, no link, that nobody has locked.  What a killed
   process left goes when the next begins.  Of the folder that was named only what pitwall made is removed, by its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from pitwall.errors import PitwallError
from pitwall.log import keys
from pitwall.project.generations import Generations
from pitwall.project.room import WriteError, measure

logger = logging.getLogger(__name__)

MEMORY: Final = Path("/dev/shm")  # noqa: S108  what is made in it is made as `mkdtemp` does

MEMORY_WANTED: Final = 1 << 30
"""Bytes of memory that must be free to keep projections there: twice twenty hours of a dash logger's stream."""

BYTES_A_ROW: Final = 32
"""And where the session is known, so much for each row of its log: twice what a dash logger's row takes."""

_IN_MEMORY: Final = f"pitwall-{os.getuid()}-"
_ON_DISK: Final = ".private-"


@contextlib.contextmanager
def kept(projections: Path, *, rows: int = 0, memory: Path = MEMORY) -> Iterator[Path]:
    """The folder to keep projections in until the `with` ends: `projections` where no key is set.

    rows: of the log, that are to be projected, where that is known.  WriteError: no folder can be made.
    With a key set, plain generations in `projections` are removed.
    """
    for folder, prefix in ((memory, _IN_MEMORY), (projections, _ON_DISK)):
        sweep(folder, prefix)
    if not keys.in_use():
        yield projections
        return
    _remove_plain(projections)
    in_memory = _free(memory) >= max(MEMORY_WANTED, BYTES_A_ROW * rows)
    with ended_by_signals(), passing(*((memory, _IN_MEMORY) if in_memory else (projections, _ON_DISK))) as folder:
        yield folder


@contextlib.contextmanager
def passing(parent: Path, prefix: str, *, option: str = "--projections") -> Iterator[Path]:
    """A new folder within `parent`, which `option` names, wiped when the `with` ends.  WriteError: it can't be made."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder, lock = _made(parent, prefix)
    except OSError as error:
        hint = f"name another folder: {option}"
        raise WriteError(f"can't be written: {error.strerror}", where=parent, hint=hint) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _made(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder, and the descriptor that keeps it from being swept.  Raises OSError."""
    while True:
        folder = parent / f"{prefix}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):  # swept between the two lines: make another
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if _locked(fd) and folder.is_dir():
                    return folder, fd
            except OSError:  # a file system that knows no locks
                os.close(fd)
                folder.rmdir()
                raise
            os.close(fd)


def sweep(parent: Path, prefix: str) -> None:
    """Removes the private folders of processes that are no more."""
    try:
        left = [folder for folder in parent.iterdir() if folder.name.startswith(prefix)]
    except OSError:
        return
    for folder in left:
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            about = os.fstat(fd)
            if about.st_uid == os.getuid() and stat.S_IMODE(about.st_mode) == 0o700 and _locked(fd):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # no locks are known there: nobody can tell that it is left over
            continue
        finally:
            os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(memory: Path) -> int:
    """Bytes that may be kept in memory; 0 where `memory` is not in memory."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        if not any(mount.split()[1:3] == [str(memory), "tmpfs"] for mount in mounts) or not os.access(memory, os.W_OK):
            return 0
        return measure(memory)[0]
    except (OSError, ValueError):
        return 0


def _remove_plain(projections: Path) -> None:
    """Removes the generations that were made without a key, and says so."""
    generations = Generations(projections)
    found = generations.sessions() if projections.is_dir() else []
    removed = []
    for session in found:
        try:
            generations.forget(session)
            removed.append(session)
        except PitwallError as error:
            logger.warning("its projection is plain, and could not be removed: %s", error)
    if removed:
        logger.warning(
            "%s: a key is set (%s): the plain projections of %d sessions were removed; they are a replay away",
            projections,
            keys.VARIABLE,
            len(removed),
        )


@contextlib.contextmanager
def ended_by_signals(after: signal.Handlers = signal.SIG_DFL) -> Iterator[None]:
    """SIGTERM and SIGHUP end the process by way of every `finally`, where nobody handles them.

    after: what they do from then on.
    """
    taken: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        for other in taken:
            signal.signal(other, signal.SIG_IGN)  # a second one is not to break off the wiping
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken += [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, after)
