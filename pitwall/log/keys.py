"""A key file in, the key for encryption at rest out.

`PITWALL_KEY_FILE` names the file: 32 random bytes, as they are, as 64 hexadecimal digits or in base64.  Nothing is
encrypted without it.  The key is never written anywhere by pitwall but by `new`, and its `id` tells nothing about it.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pitwall.errors import LogError, UsageError
from pitwall.log.disk import DISK

VARIABLE: Final = "PITWALL_KEY_FILE"
KEY_BYTES: Final = 32
ID_BYTES: Final = 8
_ABOUT_ID: Final = b"pitwall key id"
_MAX_FILE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Key:
    """A key of 32 bytes, and the file it came from."""

    secret: bytes = field(repr=False)
    file: Path

    @property
    def id(self) -> bytes:
        """8 bytes that name the key in what it has encrypted."""
        return hmac.digest(self.secret, _ABOUT_ID, hashlib.sha256)[:ID_BYTES]


def in_use() -> bool:
    """Whether this process was told to encrypt what comes to rest."""
    return bool(os.environ.get(VARIABLE))


def current() -> Key | None:
    """The key of this process; None where none is set.  Raises LogError where the file is missing or holds no key."""
    name = os.environ.get(VARIABLE)
    return load(Path(name)) if name else None


@functools.lru_cache(maxsize=4)
def load(file: Path) -> Key:
    """The key in `file`.  Raises LogError where it is missing, unreadable, or holds no key."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_FILE_BYTES)
    except OSError as error:
        hint = f"{VARIABLE} names it; `pitwall key new FILE` makes one"
        raise LogError(f"the key can't be read: {error.strerror}", where=file, hint=hint) from error
    secret = _parse(data)
    if secret is None:
        raise LogError("the file holds no key", where=file, hint="32 bytes: raw, as 64 hex digits, or in base64")
    return Key(secret, file)


def new(file: Path) -> Key:
    """Make a key in `file`, which its owner alone may read.  Raises UsageError where there is a file already."""
    key = Key(secrets.token_bytes(KEY_BYTES), file)
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        hint = "a key that is lost can't be made again: choose another name"
        raise UsageError("there is a file already", where=file, hint=hint) from error
    except OSError as error:
        raise LogError(f"the key can't be written: {error.strerror}", where=file) from error
    with os.fdopen(fd, "wb") as opened:
        opened.write(key.secret.hex().encode() + b"\n")
        opened.flush()
        os.fsync(fd)
    DISK.sync_folder(file.parent)
    return key


def _parse(data: bytes) -> bytes | None:
    # 32 printable characters are a key cut short, or half of one in hex; 32 random bytes are never all printable
    if len(data) == KEY_BYTES and not all(32 <= byte < 127 for byte in data):
        return data
    text = data.strip()
    try:
        return (
            bytes.fromhex(text.decode("ascii"))
            if len(text) == 2 * KEY_BYTES
            else _checked(base64.b64decode(text, None, True))
        )
    except (ValueError, binascii.Error):
        return None


def _checked(secret: bytes) -> bytes | None:
    return secret if len(secret) == KEY_BYTES else None
