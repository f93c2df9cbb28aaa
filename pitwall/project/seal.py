"""A closed DuckDB file in, its seal out; and later, whether the file still is what was sealed.

The seal lies beside the file and holds what it was built from, its size, the CRC-32 of its bytes, and a CRC-32 of its
own.  Looking opens nothing with DuckDB, follows no symlink and waits for no FIFO: what is no plain file is not trusted.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
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


def trusted(file: Path) -> BuiltFrom | None:
    """What the file was built from, if its bytes are those that were sealed; None: it can't be trusted."""
    if os.path.lexists(wal_of(file)):
        return None
    try:
        about, built = _decoded(file)
        return built if _matches(file, about["bytes"], about["crc32"]) else None
    except _NONSENSE:
        return None


def offset_of(file: Path) -> int:
    """The offset that the file was built from, as its seal says, whatever the file is by now; -1: it says nothing."""
    try:
        return int(_decoded(file)[1].offset)
    except _NONSENSE:
        return -1


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


def _decoded(file: Path) -> tuple[dict[str, Any], BuiltFrom]:
    about = json.loads(_read(seal_of(file)))
    own_crc = about.pop("seal_crc32")
    if own_crc != _own_crc(about):
        raise ValueError("the seal is damaged")
    return about, BuiltFrom(**about["built_from"])


def _matches(file: Path, size: int, crc: int) -> bool:
    fd = os.open(file, _LOOK)
    try:
        found = os.fstat(fd)
        return stat.S_ISREG(found.st_mode) and found.st_size == size and _crc(fd) == crc
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
