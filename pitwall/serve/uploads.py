"""Captures on their way in: blocks of a request's body in, a file out that only this server knows; gone with it.

    <projections>/.imports-<random>/<random>/<name>     where a key is set, within the private folder of projections

Laws:

1. What a client calls its file is a name, never a path, an option, or anything but letters, digits, `.`, `-` and `_`.
2. Captures give way to the log as projections do: below the floor of `Room` nothing is taken.
3. A folder is locked by the server that made it; what one that was killed has left is swept when the next begins.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from pitwall.project.private import passing, sweep
from pitwall.serve.limits import MAX_CAPTURE_BYTES, MAX_IMPORTS, MAX_NAME
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO
    from pathlib import Path

    from pitwall.project.room import Room

PREFIX: Final = ".imports-"


class Uploads:
    """One server's, from the first to `close`.  For any thread."""

    def __init__(self, folder: Path, room: Room) -> None:
        """folder: of the projections.  room: in it."""
        self._parent = folder
        self._room = room
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._stack = ExitStack()
        self._there: set[Upload] = set()

    def sweep(self) -> None:
        """Removes what servers that are no more have left."""
        sweep(self._parent, PREFIX)

    def begin(self, name: str, length: int | None) -> Upload:
        """A file for what a client calls `name`.  length: of it; None: it will be seen.

        Problem: it is too large, there are too many, or there is no room.
        """
        if length is not None:
            check_length(length)
        self._check_room(length or 0)
        with self._lock:
            if len(self._there) >= MAX_IMPORTS:
                raise Problem(
                    "too-busy",
                    f"{len(self._there)} captures are being uploaded and imported",
                    hint="see /jobs, and come back when one is done",
                    headers={"Retry-After": "10"},
                )
            try:
                if self._folder is None:
                    self._folder = self._stack.enter_context(passing(self._parent, PREFIX))
                folder = self._folder / secrets.token_hex(8)
                folder.mkdir(mode=0o700)
                upload = Upload(folder / file_name(name), self._check_room, self._there.discard)
            except OSError as error:
                raise unwritable(error) from error
            self._there.add(upload)
            return upload

    def close(self) -> None:
        """Removes all that is still there."""
        with self._lock:
            self._stack.close()
            self._folder = None

    def _check_room(self, more: int) -> None:
        space = self._room.look()
        if space.why or space.free - more < space.floor:
            why = space.why or f"{space.free:,} bytes are free, and {space.floor:,} of them are the log's"
            raise Problem("no-room", why, hint="make room, or import it with `pitwall import` from where it lies")


class Upload:
    """A capture: written block by block, read by an import, and removed."""

    def __init__(self, path: Path, check_room: Callable[[int], None], gone: Callable[[Upload], None]) -> None:
        self.path = path
        self.bytes = 0
        self._check_room = check_room
        self._gone = gone
        self._lock = threading.Lock()
        self._file: FileIO = path.open("xb", buffering=0)

    def write(self, block: bytes) -> None:
        """The next part of it.  Problem: it is too large, or can't be written."""
        check_length(self.bytes + len(block))
        self._check_room(len(block))
        with self._lock:  # who removes it waits for a write: a descriptor must not be closed under one
            rest = memoryview(block)
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                raise unwritable(error) from error
        self.bytes += len(block)

    def finish(self) -> None:
        """That was all of it."""
        with self._lock:
            self._file.close()

    def remove(self) -> None:
        """It is not wanted any more."""
        with self._lock:
            with suppress(OSError):  # a disk that fails as it is closed; it goes all the same
                self._file.close()
            shutil.rmtree(self.path.parent, ignore_errors=True)
        self._gone(self)


def check_length(length: int) -> None:
    """Problem: that is more than is taken."""
    if length > MAX_CAPTURE_BYTES:
        raise Problem(
            "too-large",
            f"a capture of {MAX_CAPTURE_BYTES:,} bytes is taken at most",
            hint="gzip it, cut it, or import it with `pitwall import` from where it lies",
        )


def unwritable(error: OSError) -> Problem:
    """What keeps a capture from being written."""
    return Problem("no-room", f"it can't be kept: {(error.strerror or str(error)).lower()}", hint="see /health")


def file_name(name: str) -> str:
    """What a capture is called here: the last part of `name`, letters, digits, `.`, `-` and `_`, of some length.

    Its end stays, which tells the format; it never begins with `.` or `-`.
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() or letter in ".-_" else "_" for letter in last)
    return plain[-MAX_NAME:].lstrip(".-") or "capture"
