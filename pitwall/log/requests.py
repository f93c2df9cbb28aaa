"""Requests to the process that records: files put into `<logs>/.requests`, answered by being taken away.

    {"end": true}                                       end the session ({"end": "<session>"}: if it is that one)
    {"control": 7, "fact": {…}, "session": "<session>"} a control row of that kind into that session

A request stays until it was answered: what it asked for is done then, a row of the log is written.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pitwall.errors import LogError
from pitwall.log import durable, lock
from pitwall.log.disk import DISK, Disk

FOLDER: Final = ".requests"
SUFFIX: Final = ".json"
_REFUSED: Final = ".refused"

PATIENCE_S: Final = 10.0
"""A recorder takes requests twice a second; what it does for them may take as long as its disk."""
MAX_BYTES: Final = 1 << 16
MOST: Final = 64
"""Requests taken at once."""
_LOOK_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Request:
    """One that was asked and not answered yet.  fact: what was asked."""

    fact: Mapping[str, Any]
    path: Path
    disk: Disk

    def done(self) -> None:
        """It is done.  To say so twice is harmless."""
        with suppress(OSError):
            self.disk.unlink(self.path)

    def refuse(self, why: str) -> None:
        """It can't be done."""
        with suppress(OSError):  # a full disk takes no answer: then the request is gone all the same
            _refusal(self.path).write_text(why)
        self.done()


def ask(logs: Path, request: Mapping[str, Any], *, within_s: float = PATIENCE_S) -> None:
    """Have the process that records in `logs` do something; returns once it is done.

    Raises LogError where nobody records, or it can't be done, or isn't within `within_s`: then it won't be.
    """
    path = logs / FOLDER / f"{uuid.uuid4().hex}{SUFFIX}"
    try:
        path.parent.mkdir(exist_ok=True)
        durable.put(path, json.dumps(request).encode())
    except OSError as error:
        raise LogError(f"the recorder can't be asked: {error.strerror}", where=logs) from error
    give_up = time.monotonic() + within_s
    while path.exists():
        why = "nobody records here" if lock.recorder(logs) is None else ""
        if not why and time.monotonic() > give_up:
            why = f"the recorder did not answer within {within_s:g} s"
        if why:
            try:
                path.unlink()
            except FileNotFoundError:
                break  # it was answered this very moment
            raise LogError(why, where=logs)
        time.sleep(_LOOK_S)
    refusal = _refusal(path)
    if refusal.exists():
        why = refusal.read_text()
        with suppress(OSError):
            refusal.unlink()
        raise LogError(why, where=logs)


def asked(logs: Path, disk: Disk = DISK) -> list[Request]:
    """What was asked and not answered yet, in the order of its asking."""
    found: list[tuple[int, Request]] = []
    try:
        with os.scandir(logs / FOLDER) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and len(found) < MOST:
                    request = Request(_fact(Path(entry.path)), Path(entry.path), disk)
                    found.append((entry.stat().st_mtime_ns, request))
    except OSError:
        return []
    return [request for _, request in sorted(found, key=lambda one: (one[0], one[1].path))]


def _fact(path: Path) -> Mapping[str, Any]:
    """What the file says; nothing, where it says nothing that makes sense."""
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(MAX_BYTES + 1))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _refusal(path: Path) -> Path:
    return path.with_suffix(_REFUSED)
