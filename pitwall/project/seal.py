"""A closed DuckDB file in, its seal out; and later, whether the file still is what was sealed.

The seal lies beside the file and holds what it was built from, its size, the CRC-32 of its bytes, and a CRC-32 of its
own; where the file took the place of another of its name, a second line holds the same of that one, so that at every
instant one of them fits.  Looking opens nothing with DuckDB, follows no symlink and waits for no FIFO: what is no plain
file is not trusted.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pitwall.project.built import BuiltFrom

_CHUNK: Final = 1 << 20
_LOOK: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAX_SEAL_BYTES: Final = 65_536


def seal_of(file: Path) -> Path:
    """Where the seal of a generation lies."""
    return file.with_suffix(".json")


def wal_of(file: Path) -> Path:
    """Where DuckDB keeps the write-ahead log of a file."""
    return file.with_name(f"{file.name}.wal")


def encode(file: Path, built: BuiltFrom) -> bytes:
    """Makes the closed file durable; its seal.  Raises OSError."""
    fd = os.open(file, _LOOK)
    try:
        os.fsync(fd)
        about = {"built_from": asdict(built), "bytes": os.fstat(fd).st_size, "crc32": _crc(fd)}
    finally:
        os.close(fd)
    return json.dumps(about | {"seal_crc32": _own_crc(about)}).encode()


def put(seal: Path, said: bytes) -> None:
    """A new seal, durable.  Raises OSError."""
    with seal.open("wb") as file:
        file.write(said)
        file.flush()
        os.fsync(file.fileno())


def both(new: bytes, file: Path) -> bytes:
    """The seal of what takes the place of `file`: until it does, that one is trusted as before."""
    for line, about, _ in _decoded(file):
        if _fits(file, about):
            return new + b"\n" + line
    return new


def trusted(file: Path) -> BuiltFrom | None:
    """What the file was built from, if its bytes are those that were sealed; None: it can't be trusted."""
    if os.path.lexists(wal_of(file)):
        return None
    return next((built for _, about, built in _decoded(file) if _fits(file, about)), None)


def said(file: Path) -> BuiltFrom | None:
    """What the file was built from, as its seal says, whatever the file is by now; None: it says nothing."""
    try:
        size = file.stat().st_size
        return next((built for _, about, built in _decoded(file) if about["bytes"] == size), None)
    except _NONSENSE:
        return None


def is_plain(path: Path) -> bool:
    """Whether there is a file of that name: no folder, link or FIFO."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def hold(file: Path) -> int:
    """A descriptor that tells others, while it is open, that the file is being read.  Raises OSError."""
    return os.open(file, _LOOK)


_NONSENSE: Final = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What may be raised by whatever lies there, as bytes: nested as deep as it likes, of any type."""


def _decoded(file: Path) -> Iterator[tuple[bytes, dict[str, Any], BuiltFrom]]:
    """What the seal says that makes sense: as it says it, its facts, and what was built from what."""
    try:
        lines = _read(seal_of(file)).splitlines()[:2]
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(*_NONSENSE):
            about = json.loads(line)
            if about.pop("seal_crc32") == _own_crc(about):
                yield line, about, BuiltFrom(**about["built_from"])


def _fits(file: Path, about: dict[str, Any]) -> bool:
    """Whether the file's bytes are those that were sealed."""
    try:
        fd = os.open(file, _LOOK)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        return stat.S_ISREG(found.st_mode) and found.st_size == about.get("bytes") and _crc(fd) == about.get("crc32")
    except OSError:
        return False
    finally:
        os.close(fd)


def _read(seal: Path) -> bytes:
    fd = os.open(seal, _LOOK)
    try:
        return os.read(fd, _MAX_SEAL_BYTES)
    finally:
        os.close(fd)


def _own_crc(about: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(about).encode())


def _crc(fd: int) -> int:
    crc, position = 0, 0
    while chunk := os.pread(fd, _CHUNK, position):
        crc = zlib.crc32(chunk, crc)
        position += len(chunk)
    return crc
