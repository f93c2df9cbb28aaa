"""Where projections live, which of them can be trusted, and how a new one takes the place of the old.

    <session>.<fingerprint, 12 hex>.duckdb    a finished generation
    <session>.<fingerprint, 12 hex>.json      its seal: what it was built from, its size and the CRC-32 of its bytes
    <session>.<pid>-<n>.building              one being built; nobody else opens it, and one process may build several
    .<session>.lock                           there while it is built; held (flock), with its builder's process id
    ….broken-<n>                              what could not be trusted, put aside; the newest few are kept

Laws:

1. DuckDB is given a finished generation only if its bytes are, to the last, those that its builder closed: then opening
   it can't be worse than it was then.  Damage, a write-ahead log that someone left, a file from elsewhere or of another
   version of DuckDB are found without opening anything (some would end the process, not raise).
2. A generation appears whole: built under another name, synced, renamed.  Who reads the old one reads on.
3. Nothing is ever repaired, and nothing of a session is renamed or removed but by the holder of its lock.
4. A lock is held once its file, locked, is seen to bear its name still: its holder removes it when done.
5. What could not be pitwall's own (a folder that is not empty, under a projection's name) is put aside, never wiped.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pitwall.errors import PitwallError, UsageError
from pitwall.project import seal, turn
from pitwall.project.building import Building, discard, drop, remove
from pitwall.project.built import BuiltFrom
from pitwall.project.room import Room, WriteError

KEEP_BROKEN: Final = 3
"""Files put aside that are kept, in the whole folder: to be looked into, not to fill the disk."""

SPILL_KEPT_S: Final = 86_400.0
"""What a query that was killed had put aside; none runs for a day."""

_GENERATION: Final = re.compile(r"(?P<session>.+)\.(?P<fingerprint>[0-9a-f]{12})\.duckdb")
_SESSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Generations:
    """The folder of projections.  room: whether there is any to build in."""

    def __init__(self, folder: Path, room: Room | None = None) -> None:
        self.folder = folder
        self.room = room or Room(folder)

    def file(self, session: str, fingerprint: str) -> Path:
        """Where that generation lives, whether it is there or not.  UsageError: no session is called so."""
        return self.folder / f"{_checked(session)}.{fingerprint[:12]}.duckdb"

    def find(self, session: str, fingerprint: str) -> BuiltFrom | None:
        """What the finished generation was built from; None: there is none that can be trusted."""
        return seal.trusted(self.file(session, fingerprint))

    def said(self, session: str, fingerprint: str) -> BuiltFrom | None:
        """What the generation's seal says that it was built from, quickly: its bytes are not looked at.

        None: there is none, or it says nothing.
        """
        return seal.said(self.file(session, fingerprint))

    def newest(self, session: str) -> BuiltFrom | None:
        """What the newest generation that can be trusted was built from, stale or not; None: there is none."""
        for file in sorted(self.of(session), key=_age_s):
            built = seal.trusted(file)
            if built is not None and built.session == session and self.file(session, built.fingerprint) == file:
                return built
        return None

    @contextlib.contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """Keeps others from making room by removing the generation, while it is read."""
        fd = -1
        with contextlib.suppress(OSError):  # it is being removed: opening it will tell
            fd = seal.hold(file)
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield
        finally:
            if fd >= 0:
                os.close(fd)

    @contextlib.contextmanager
    def building(self, session: str) -> Iterator[Building]:
        """The right to build the session's projection.  BusyError: another process, or thread, has it."""
        path = self.folder / f".{_checked(session)}.lock"
        with _writing_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = turn.take(path, session)
        try:
            with _writing_to(self.folder):
                self._sweep(session)
            yield Building(self, session)
        finally:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: whoever opened it meanwhile sees that the name is gone
            os.close(lock)

    def spill(self, name: str) -> Path:
        """Where a connection of this process to `name` puts aside what memory can't hold; DuckDB makes it."""
        # one for each file: two connections to a file must agree on it, and two files must not share it
        return self.folder / f".spill-{os.getpid()}-{name}"

    def sessions(self) -> list[str]:
        """The sessions that have finished generations here, in the order of their names."""
        matches = [_GENERATION.fullmatch(file.name) for file in self.folder.glob("*.duckdb")]
        return sorted({match["session"] for match in matches if match and _SESSION.fullmatch(match["session"])})

    def forget(self, session: str) -> None:
        """Removes the session's projections, put aside or not.  BusyError: one is being built."""
        with self.building(session), _writing_to(self.folder):
            for file in self.of(session):
                remove(file)
            for file in self._broken():
                if re.match(re.escape(session) + r"\.[0-9a-f]{12}\.", file.name):
                    drop(file)

    def give_way(self, sessions: Sequence[str], enough: Callable[[int], bool]) -> list[str]:
        """Makes room until there is `enough`: what was put aside goes first, then the generations of `sessions`.

        In their order, but for those that are being built or read.  Which sessions' were removed.
        enough: told how many things were removed.
        """
        aside = [*self._broken(), *self._dead_spills()]
        for count, left in enumerate(aside):
            if enough(count):
                return []
            with contextlib.suppress(OSError):
                (discard if left.name.startswith(".spill-") else drop)(left)
        removed: list[str] = []
        for session in sessions:
            if enough(len(aside) + len(removed)):
                break
            try:
                with self.building(session):
                    gone = [remove(file) for file in self.of(session) if not _is_read(file)]
            except (PitwallError, OSError):  # it is being built, or the disk fails: the next may go
                continue
            removed += [session] * bool(gone)
        return removed

    def put_aside(self, session: str, fingerprint: str) -> Path | None:
        """Renames a generation that could not be trusted, with the lock held; the file's new name, if there was one."""
        file = self.file(session, fingerprint)
        with _writing_to(self.folder):
            return self._put_aside(file)

    def _put_aside(self, file: Path) -> Path | None:
        moved = None
        if seal.is_plain(seal.seal_of(file)):
            seal.seal_of(file).unlink(missing_ok=True)
        for found in (seal.seal_of(file), seal.wal_of(file), file):
            if os.path.lexists(found):
                moved = self._broken_name(found)
                found.rename(moved)
        self._forget_broken()
        return moved

    def of(self, session: str) -> list[Path]:
        """The files of the session's finished generations, trusted or not."""
        found = []
        for file in self.folder.glob("*.duckdb"):
            match = _GENERATION.fullmatch(file.name)
            if match and match["session"] == session:
                found.append(file)
        return found

    def _sweep(self, session: str) -> None:
        """Removes what builders that died have left: with the lock held, no living one has a file."""
        for left in self.folder.glob("*.building*"):
            if re.fullmatch(re.escape(session) + r"\.\d+(-\d+)?\.building.*", left.name):
                discard(left)
        long_ago = time.time() - SPILL_KEPT_S
        for left in self.folder.glob(".spill-*"):
            with contextlib.suppress(FileNotFoundError):  # its owner, or another sweeper, was faster
                if left.lstat().st_mtime < long_ago:
                    discard(left)

    def _dead_spills(self) -> list[Path]:
        """What queries of processes that are no more had put aside."""
        found = []
        for left in self.folder.glob(".spill-*"):
            match = re.match(r"\.spill-(\d{1,9})-", left.name)
            if match and not _lives(int(match[1])):
                found.append(left)
        return found

    def _broken_name(self, file: Path) -> Path:
        return file.with_name(f"{file.name}.broken-{max(map(_number, self._broken()), default=0) + 1}")

    def _broken(self) -> list[Path]:
        """What was put aside, the oldest first."""
        found = [file for file in self.folder.glob("*.broken-*") if re.search(r"\.broken-\d+$", file.name)]
        return sorted(found, key=_number)

    def _forget_broken(self) -> None:
        for file in self._broken()[:-KEEP_BROKEN]:
            drop(file)


@contextlib.contextmanager
def _writing_to(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"can't be written: {error.strerror or error}",
            where=folder,
            hint="give a folder that can be: --projections",
        ) from error


def _age_s(file: Path) -> float:
    """Seconds since it was built; of one that is gone meanwhile, any."""
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return math.inf


def _is_read(file: Path) -> bool:
    """Whether somebody holds the generation by `Generations.reading`."""
    try:
        fd = seal.hold(file)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _checked(session: str) -> str:
    if not _SESSION.fullmatch(session):
        raise UsageError("no session can be called so", where=repr(session[:80]), hint="see `pitwall sessions`")
    return session


def _number(broken: Path) -> int:
    return int(broken.name.rpartition("-")[2])


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
