"""The logs folder in, the session to show out: the one being recorded, or else the one that began last."""

from __future__ import annotations

import os
from pathlib import Path

from pitwall.errors import PitwallError
from pitwall.log import lock
from pitwall.log.folder import header, header_by_name, segments


class Latest:
    """Of the folder `logs`; what it has seen of a session once it remembers."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._started: dict[str, int] = {}  # session -> when, ns: of the folders seen so far

    def folder(self) -> Path | None:
        """Its folder; None: there is no session."""
        recording = lock.recording(self._logs)
        if recording and self._start_of(recording) is not None:
            return self._logs / recording
        try:
            names = [entry.name for entry in os.scandir(self._logs) if entry.is_dir() and entry.name[0] != "."]
        except OSError:
            return None
        for gone in self._started.keys() - set(names):
            del self._started[gone]
        started = [(start, name) for name in names if (start := self._start_of(name)) is not None]
        return self._logs / max(started)[1] if started else None

    def _start_of(self, name: str) -> int | None:
        """When a session began; None: the folder holds none."""
        if name not in self._started:
            try:
                folder = self._logs / name
                if not segments(folder):
                    return None
                self._started[name] = (header(folder) or header_by_name(folder)).started_at_ns
            except PitwallError:
                return None
        return self._started[name]
