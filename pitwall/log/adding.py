"""A control row in, put into a session by whoever may write: the process that records there, else this one.

Law: it is in the log once this returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pitwall.frames import Control
from pitwall.log import lock, recovery, requests
from pitwall.log.disk import DISK


def add(logs: Path, session: str, kind: Control, fact: Mapping[str, Any]) -> None:
    """Raises LogError: the recorder refused, or does not answer; or the session has no end, and nobody records it."""
    if lock.recorder(logs) is not None:
        requests.ask(logs, {"control": int(kind), "fact": dict(fact), "session": session})
        return
    held = lock.Lock(logs)
    try:
        recovery.add(logs / session, kind, fact, DISK)
    finally:
        held.release()
