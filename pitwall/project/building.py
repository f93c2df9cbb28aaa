"""A generation being built, and the moment that it takes the place of those before it.

Law: whenever its builder dies, what is there is the old one or the new, whole: a file bears a generation's name once it
is synced, its seal fits the old one and the new in between, and the others go last.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pitwall.errors import PitwallError
from pitwall.project import seal
from pitwall.project.built import BuiltFrom

if TYPE_CHECKING:
    from pitwall.project.generations import Generations


@dataclass
class Building:
    """The right to build a session's projection, whose holder has its lock; and a generation being built: `file`."""

    generations: Generations
    session: str
    number: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def another(self) -> Building:
        """A generation beside this one, by the same right.  The last that is swapped in is the one that stays."""
        return replace(self, number=next(self._numbers))

    @property
    def file(self) -> Path:
        """The file to build in; not there yet."""
        return self.generations.folder / f"{self.session}.{os.getpid()}-{self.number}.building"

    @property
    def spill(self) -> Path:
        """Where its connection may put aside what does not fit in memory."""
        return self.file.with_name(f"{self.file.name}.spill")

    def swap_in(self, built: BuiltFrom) -> Path:
        """Makes the closed file the session's generation, and removes the others; where it is now."""
        if os.path.lexists(seal.wal_of(self.file)):
            raise PitwallError("was not closed: its write-ahead log is still there", where=self.file)
        generations = self.generations
        place = generations.file(self.session, built.fingerprint)
        new_seal = self.file.with_name(f"{self.file.name}.json")
        seal.put(new_seal, seal.both(seal.encode(self.file, built), place))
        if generations.find(self.session, built.fingerprint) is None:
            generations.put_aside(self.session, built.fingerprint)
        # a crash between the two renames leaves the old file, that the new seal fits too, or no file and the old ones
        new_seal.rename(seal.seal_of(place))
        self.file.rename(place)
        _sync_folder(generations.folder)
        for other in generations.of(self.session):
            if other != place:
                remove(other)
        return place

    def discard(self) -> None:
        """Removes what was built and not swapped in."""
        for left in (self.file, seal.wal_of(self.file), self.file.with_name(f"{self.file.name}.json"), self.spill):
            with contextlib.suppress(OSError):  # whoever builds next sweeps
                discard(left)


def remove(generation: Path) -> Path:
    """Removes a generation with all that belongs to it."""
    for part in (seal.seal_of(generation), seal.wal_of(generation), generation):
        drop(part)
    return generation


def drop(path: Path) -> None:
    """Removes a file, or whatever is in its place but for a folder that holds something."""
    if path.is_dir() and not path.is_symlink():
        with contextlib.suppress(OSError):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Removes a file, or a folder with all that it holds."""
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
