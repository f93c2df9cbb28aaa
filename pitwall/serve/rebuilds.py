"""How far the rebuilding of past sessions is: what `/health` shows of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pitwall.serve.limits import MOST_FAILED


@dataclass(slots=True)
class Rebuilds:
    """Written by the rebuilder's thread alone, but for `asked`.

    running: session -> rows done, rows in all.  waiting: in their turn.  done: since the server began.
    failed: session -> why.  held: why nothing goes on just now; empty: it does.
    began: session -> when, in ns since 1970, of those that run.  ended: those that are done, the newest first.
    asked: sessions that somebody wants rebuilt, stale or not; any thread adds to it.
    """

    running: dict[str, tuple[int, int]] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    held: str = ""
    began: dict[str, int] = field(default_factory=dict)
    ended: tuple[str, ...] = ()
    asked: deque[str] = field(default_factory=deque)

    def report(self) -> dict[str, Any]:
        """As `/health` has it."""
        return {
            "running": {session: {"done": done, "rows": rows} for session, (done, rows) in dict(self.running).items()},
            "waiting": list(self.waiting),
            "done": self.done,
            "failed": dict(list(dict(self.failed).items())[:MOST_FAILED]),
            "held": self.held or None,
        }
