"""What an archived session is made of: a `Manifest` in, the bytes of its `session.json` out, and back.

    {"version": 1, "session", "car", "started_at_ns", "buses", "rows", "frames", "duration_s", "damages",
     "archived_at_ns", "pitwall", "files": [{"name", "bytes", "crc32", "encrypted", "stored_bytes", "sha256"}, …],
     "sha256": of all the rest, as JSON with sorted keys and no spaces}

Pure: no clock, no files.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from pitwall.log.bytefile import ENCRYPTED_SUFFIX

VERSION: Final = 1
NAME: Final = "session.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a session.

    name: in the session's folder.  bytes, crc32: of the file.  encrypted: whether the archive encrypted it.
    stored_bytes, sha256: of what lies in the archive.
    """

    name: str
    bytes: int
    crc32: int
    encrypted: bool
    stored_bytes: int
    sha256: str

    @property
    def stored(self) -> str:
        """Its name in the archive."""
        return self.name + ENCRYPTED_SUFFIX if self.encrypted else self.name

    @property
    def same(self) -> tuple[str, int, int]:
        """What makes two entries the same file, however it is stored."""
        return self.name, self.bytes, self.crc32


@dataclass(frozen=True, slots=True)
class Manifest:
    """An archived session.  rows … duration_s as in `Session`.  damages: how many it had when it was archived."""

    session: str
    car: str
    started_at_ns: int
    buses: tuple[str, ...]
    rows: int
    frames: int
    duration_s: float
    damages: int
    archived_at_ns: int
    pitwall: str
    files: tuple[Entry, ...]
    version: int = VERSION

    @property
    def bytes(self) -> int:
        """Of all its files, as they were and will be again."""
        return sum(entry.bytes for entry in self.files)


def encode(manifest: Manifest) -> bytes:
    """The file."""
    about = asdict(manifest)
    return json.dumps({**about, "sha256": _digest(about)}, indent=1).encode() + b"\n"


def decode(data: bytes) -> Manifest | None:
    """What the file says; None where it is not as it was written."""
    try:
        about = json.loads(data)
        if about.pop("sha256") != _digest(about):
            return None
        files = tuple(Entry(**entry) for entry in about.pop("files"))
        return Manifest(files=files, buses=tuple(about.pop("buses")), **about)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _digest(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
