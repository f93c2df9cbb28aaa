"""Sessions to be archived or brought back in, jobs out: one after the other, each by a process of its own.

Laws:

1. The server writes no log and removes none: `pitwall archive` and `pitwall restore` do, as nice as can be.
2. What is broken off is whole, here or there: to ask again goes on with it.
3. No such process outlives the server.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pitwall.serve.errands import Errand, Errands
from pitwall.serve.limits import MOST_MOVES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(eq=False)
class Move(Errand):
    """One session's.  kind: archive, restore."""

    kind: str
    session: str

    @property
    def failing(self) -> str:
        return f"{self.session}: {self.kind} failed"


class Mover(Errands[Move]):
    """The thread, from `start` to `stop`.  archive_to: a folder or URI; "": nobody said where, and nothing goes."""

    stopped = "the server was stopped; what there is is whole, here or there"

    def __init__(self, logs: Path, projections: Path, archive_to: str = "") -> None:
        super().__init__("pitwall-mover")
        self.logs = logs
        self.archive_to = archive_to
        self._projections = projections

    def put(self, kind: str, session: str) -> Move | None:
        """It is done in its turn; what is on its way already is not asked for twice.  None: too many wait."""
        with self._lock:
            known = next((one for one in self.under_way() if (one.kind, one.session) == (kind, session)), None)
            if known is not None or len(self._waiting) >= MOST_MOVES:
                return known
            one = Move(kind, session, id=f"{kind}-{secrets.token_hex(8)}")
            self._waiting.append(one)
        self._asked.set()
        return one

    def command(self, one: Move) -> list[str]:
        where = [f"--logs={self.logs}", f"--projections={self._projections}"]
        there = [f"--to={self.archive_to}"] if one.kind == "archive" else []
        return ["pitwall", *where, one.kind, one.session, *there, "--errand"]
