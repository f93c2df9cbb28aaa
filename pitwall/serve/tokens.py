"""Names in, secrets out, once: who may ask a server beside the holder of PITWALL_TOKEN.  A file keeps hashes alone.

Law: a secret stands in no file of ours, and what is revoked is refused from the next request on, by a server that runs
already. A secret is 32 random bytes, so that one SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from pitwall.errors import PitwallError, UsageError

logger = logging.getLogger("pitwall.serve")

SECRET_BYTES: Final = 32
SHORTEST: Final = 16
"""Characters of a PITWALL_TOKEN: fewer can be guessed."""
LINK_S: Final = 600.0
"""A link is good for so long: time to find the phone, not to find the link."""
MOST: Final = 100
"""Tokens in one file: each is compared on every request."""
MOST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Token:
    """One that may ask.  sha256: of its secret, in hexadecimal.  until_s: when it ends, Unix time; None: never.

    once: a link's: it is good for nothing but to be exchanged.
    """

    name: str
    sha256: str
    read_only: bool
    once: bool = False
    made_s: float = 0.0
    until_s: float | None = None


class Tokens:
    """The tokens in one file, as they are now.  clock: Unix time in seconds."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._seen: tuple[int, ...] | None = None
        self._known: tuple[Token, ...] = ()

    def all(self) -> tuple[Token, ...]:
        """Those that are good now.  UsageError: the file is none of ours."""
        now_s = self._clock()
        return tuple(token for token in self._read() if token.until_s is None or token.until_s > now_s)

    def who(self, secret: bytes) -> Token | None:
        """Whose secret that is; links' are nobody's.  A file that can't be read grants nothing."""
        seen = self._stamp()
        if seen != self._seen:
            self._seen = seen
            try:
                self._known = self._read()
            except (PitwallError, OSError) as error:
                self._known = ()
                logger.warning("%s: no token in it is good until that is mended", error)
        now_s = self._clock()
        return _holder(secret, [token for token in self._known if not token.once and _good(token, now_s)])

    def new(self, name: str, *, read_only: bool) -> str:
        """A new token's secret.  UsageError: the name is taken, or is none."""
        return self._add(name, read_only=read_only, once=False)

    def link(self, *, read_only: bool) -> str:
        """A secret that can be exchanged once, within LINK_S."""
        return self._add(f"link-{secrets.token_hex(3)}", read_only=read_only, once=True)

    def exchange(self, code: bytes) -> tuple[Token, str] | None:
        """For a link's secret a token and its own; None: it is no link's, or was used, or its time is up."""
        with self._changing() as tokens:
            found = _holder(code, [token for token in tokens if token.once])
            if found is None:
                return None
            secret = secrets.token_urlsafe(SECRET_BYTES)
            name = found.name.replace("link-", "page-")
            token = Token(name, _hash(secret.encode()), found.read_only, made_s=self._clock())
            tokens[tokens.index(found)] = token
        return token, secret

    def revoke(self, name: str) -> None:
        """From now on that token is nobody's.  UsageError: there is none."""
        with self._changing() as tokens:
            found = [token for token in tokens if token.name == name]
            if not found:
                raise UsageError("there is no such token", where=name, hint="pitwall token list")
            tokens.remove(found[0])

    def _add(self, name: str, *, read_only: bool, once: bool) -> str:
        if not (0 < len(name) <= MOST_NAME and name.isprintable() and name.strip() == name):
            raise UsageError(f"{name[:80]!r} is no name for a token", hint=f"1 to {MOST_NAME} letters")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now_s = self._clock()
        with self._changing() as tokens:
            if any(token.name == name for token in tokens):
                raise UsageError("there is a token of that name", where=name, hint="pitwall token revoke NAME")
            if len(tokens) >= MOST:
                raise UsageError(f"there are {MOST} tokens already", hint="pitwall token revoke NAME")
            tokens.append(Token(name, _hash(secret.encode()), read_only, once, now_s, now_s + LINK_S if once else None))
        return secret

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """The good tokens, to be changed; written when the block ends well.  One process at a time."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._file.with_name(self._file.name + ".lock")
        with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            before = self.all()
            tokens = list(before)
            yield tokens
            if tuple(tokens) != before:
                self._write(tokens)

    def _write(self, tokens: list[Token]) -> None:
        part = self._file.with_name(self._file.name + ".part")
        part.unlink(missing_ok=True)
        document = {"version": 1, "tokens": [asdict(token) for token in tokens]}
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)

    def _read(self) -> tuple[Token, ...]:
        try:
            document = json.loads(self._file.read_bytes())
            return tuple(replace(Token(**one)) for one in document["tokens"])
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError) as error:
            hint = "move it away, and make tokens anew"
            raise UsageError("it holds no tokens of pitwall", where=self._file, hint=hint) from error

    def _stamp(self) -> tuple[int, ...]:
        try:
            status = self._file.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size


def default_file() -> Path:
    """Where a user's tokens are, unless somebody says otherwise."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pitwall" / "tokens.json"


def same(secret: bytes, other: bytes) -> bool:
    """Whether both are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(secret, other)


def _holder(secret: bytes, tokens: list[Token]) -> Token | None:
    given, found = _hash(secret).encode(), None
    for token in tokens:  # all of them, whichever it is
        if same(given, token.sha256.encode()):
            found = token
    return found


def _good(token: Token, now_s: float) -> bool:
    return token.until_s is None or token.until_s > now_s


def _hash(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
