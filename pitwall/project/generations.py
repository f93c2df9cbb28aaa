"""Where projections live, which of them can be trusted, and how a new one takes the place of the old.

    <session>.<fingerprint, 12 hex>.duckdb    a finished generation
    <session>.<fingerprint, 12 hex>.json      its seal: what it was built from, its size and the CRC-32 of its bytes
    <session>.<pid>.building                  one being built; nobody else opens it
    .<session>.lock                           held (flock) by whoever builds the session; holds its process id
    ….broken-<n>                              what could not be trusted, put aside; the newest few are kept

Laws:

1. DuckDB is given a finished generation only if its bytes are, to the last, those that its builder closed: then opening
   it can't be worse than it was then.  Damage, a write-ahead log that someone left, a file from elsewhere or of another
   version of DuckDB are found without opening anything (some would end the process, not raise).
2. A generation appears whole: built under another name, synced, renamed.  Who reads the old one reads on.
3. Nothing is ever repaired, and nothing of a session is renamed or removed but by the holder of its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pitwall.errors import PitwallError, UsageError
from pitwall.project.built import BuiltFrom

KEEP_BROKEN: Final = 3
"""Files put aside that are kept, in the whole folder: to be looked into, not to fill the disk."""

SPILL_KEPT_S: Final = 86_400.0
"""What a query that was killed had put aside; none runs for a day."""

_CHUNK: Final = 1 << 20
_GENERATION: Final = re.compile(r"(?P<session>.+)\.(?P<fingerprint>[0-9a-f]{12})\.duckdb")
_SESSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class BusyError(PitwallError):
    """Another process builds the session's projection."""


class Generations:
    """The folder of projections."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, session: str, fingerprint: str) -> Path:
        """Where that generation lives, whether it is there or not.  UsageError: no session is called so."""
        return self.folder / f"{_checked(session)}.{fingerprint[:12]}.duckdb"

    def find(self, session: str, fingerprint: str) -> BuiltFrom | None:
        """What the finished generation was built from; None: there is none that can be trusted."""
        file = self.file(session, fingerprint)
        try:
            return _trusted(file)
        except OSError:
            return None

    @contextlib.contextmanager
    def building(self, session: str) -> Iterator[Building]:
        """The right to build the session's projection.  BusyError: another process, or thread, has it."""
        _checked(session)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / f".{session}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise PitwallError(
                f"can't be written: {error.strerror}",
                where=self.folder,
                hint="give a folder that can be: --projections",
            ) from error
        try:
            _take(lock, session)
            self._sweep(session)
            building = Building(self, session)
            try:
                yield building
            finally:
                building.discard()
        finally:
            os.close(lock)

    def spill(self, name: str) -> Path:
        """Where a connection of this process to `name` puts aside what memory can't hold; DuckDB makes it."""
        # one for each file: two connections to a file must agree on it, and two files must not share it
        return self.folder / f".spill-{os.getpid()}-{name}"

    def forget(self, session: str) -> None:
        """Removes the session's projections.  BusyError: one is being built."""
        with self.building(session):
            for file in self._generations(session):
                _remove(file)

    def put_aside(self, session: str, fingerprint: str) -> Path | None:
        """Renames a generation that could not be trusted, with the lock held; the file's new name, if there was one."""
        file = self.file(session, fingerprint)
        _seal_of(file).unlink(missing_ok=True)
        moved = None
        for found in (_wal_of(file), file):
            if found.exists():
                moved = self._broken_name(found)
                found.rename(moved)
        self._forget_broken()
        return moved

    def _generations(self, session: str) -> list[Path]:
        found = []
        for file in self.folder.glob("*.duckdb"):
            match = _GENERATION.fullmatch(file.name)
            if match and match["session"] == session:
                found.append(file)
        return found

    def _sweep(self, session: str) -> None:
        """Removes what builders that died have left: with the lock held, no living one has a file."""
        for left in self.folder.glob("*.building*"):
            if re.fullmatch(re.escape(session) + r"\.\d+\.building.*", left.name):
                _discard(left)
        long_ago = time.time() - SPILL_KEPT_S
        for left in self.folder.glob(".spill-*"):
            if left.stat().st_mtime < long_ago:
                _discard(left)

    def _broken_name(self, file: Path) -> Path:
        taken = [int(match[1]) for other in self._broken() if (match := re.search(r"\.broken-(\d+)$", other.name))]
        return file.with_name(f"{file.name}.broken-{max(taken, default=0) + 1}")

    def _broken(self) -> list[Path]:
        return list(self.folder.glob("*.broken-*"))

    def _forget_broken(self) -> None:
        newest_last = sorted(self._broken(), key=lambda file: int(file.name.rpartition("-")[2]))
        for file in newest_last[:-KEEP_BROKEN]:
            file.unlink(missing_ok=True)


@dataclass
class Building:
    """A generation being built: `file` is where.  Its builder holds the session's lock."""

    generations: Generations
    session: str

    @property
    def file(self) -> Path:
        """The file to build in; not there yet."""
        return self.generations.folder / f"{self.session}.{os.getpid()}.building"

    @property
    def spill(self) -> Path:
        """Where its connection may put aside what does not fit in memory."""
        return self.file.with_name(f"{self.file.name}.spill")

    def swap_in(self, built: BuiltFrom) -> Path:
        """Makes the closed file the session's generation, and removes the others; where it is now."""
        if _wal_of(self.file).exists():
            raise PitwallError("was not closed: its write-ahead log is still there", where=self.file)
        generations = self.generations
        place = generations.file(self.session, built.fingerprint)
        with self.file.open("rb") as file:
            os.fsync(file.fileno())
            seal = {"built_from": asdict(built), "bytes": os.fstat(file.fileno()).st_size, "crc32": _crc(file.fileno())}
        if place.exists() and generations.find(self.session, built.fingerprint) is None:
            generations.put_aside(self.session, built.fingerprint)
        # a crash between the two renames leaves a file that its seal does not fit: it is built again
        self.file.rename(place)
        new_seal = self.file.with_name(f"{self.file.name}.json")
        new_seal.write_text(json.dumps(seal))
        new_seal.rename(_seal_of(place))
        _sync_folder(generations.folder)
        for other in generations._generations(self.session):
            if other != place:
                _remove(other)
        return place

    def discard(self) -> None:
        """Removes what was built and not swapped in."""
        for left in (self.file, _wal_of(self.file), self.spill):
            _discard(left)


def _trusted(file: Path) -> BuiltFrom | None:
    if _wal_of(file).exists():
        return None
    try:
        seal = json.loads(_seal_of(file).read_bytes())
        built = BuiltFrom(**seal["built_from"])
        size, crc = seal["bytes"], seal["crc32"]
    except (ValueError, TypeError, KeyError):
        return None
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return built if os.fstat(fd).st_size == size and _crc(fd) == crc else None
    finally:
        os.close(fd)


def _crc(fd: int) -> int:
    crc, position = 0, 0
    while chunk := os.pread(fd, _CHUNK, position):
        crc = zlib.crc32(chunk, crc)
        position += len(chunk)
    return crc


def _take(lock: int, session: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
        raise BusyError(
            f"its projection is being built{f' by process {holder}' if holder else ''}",
            where=session,
            hint="wait until it is done, or stop that process",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _checked(session: str) -> str:
    if not _SESSION.fullmatch(session):
        raise UsageError("no session can be called so", where=repr(session[:80]), hint="see `pitwall sessions`")
    return session


def _seal_of(file: Path) -> Path:
    return file.with_suffix(".json")


def _wal_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def _remove(generation: Path) -> None:
    for part in (_seal_of(generation), _wal_of(generation), generation):
        _discard(part)


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
