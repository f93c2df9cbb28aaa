"""Sessions to be archived or brought back in, jobs out: one after the other, each by a process of its own.

Laws:

1. The server writes no log and removes none: `pitwall archive` and `pitwall restore` do, as nice as can be.
2. What is broken off is whole, here or there: to ask again goes on with it.
3. No such process outlives the server.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pitwall.errors import LossError
from pitwall.serve.companion import Companion
from pitwall.serve.limits import MAX_LOSSES, MOST_ENDED, MOST_MOVES
from pitwall.workers import Process, how

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger("pitwall.serve")

LOOK_S: Final = 0.05


@dataclass(eq=False)
class Move:
    """One session's.  kind: archive, restore.  state: waiting, running, done, failed.

    problems: what was damaged, here or there, the first of them; lost: how many there are.
    """

    kind: str
    session: str
    id: str = field(default="")
    state: str = "waiting"
    began_ns: int | None = None
    done: int = 0
    of: int = 0
    error: str | None = None
    problems: tuple[str, ...] = ()
    lost: int = 0

    def __post_init__(self) -> None:
        self.id = self.id or f"{self.kind}-{secrets.token_hex(8)}"


class Mover(Companion):
    """The thread, from `start` to `stop`.  archive_to: a folder or URI; "": nobody said where, and nothing goes."""

    def __init__(self, logs: Path, projections: Path, archive_to: str = "") -> None:
        """projections: the folder that was named, private or not."""
        super().__init__("pitwall-mover")
        self.logs = logs
        self.archive_to = archive_to
        self._projections = projections
        self._lock = threading.Lock()
        self._waiting: deque[Move] = deque()
        self._running: Move | None = None
        self._ended: deque[Move] = deque(maxlen=MOST_ENDED)
        self._asked = threading.Event()

    def put(self, kind: str, session: str) -> Move | None:
        """It is done in its turn; what is on its way already is not asked for twice.  None: too many wait."""
        with self._lock:
            under_way = [*self._waiting, *([self._running] if self._running is not None else [])]
            known = next((one for one in under_way if (one.kind, one.session) == (kind, session)), None)
            if known is not None or len(self._waiting) >= MOST_MOVES:
                return known
            one = Move(kind, session)
            self._waiting.append(one)
        self._asked.set()
        return one

    def jobs(self) -> list[Move]:
        """All that are told of: the one that runs, those that wait, and those that ended, the newest first."""
        with self._lock:
            running = [self._running] if self._running is not None else []
            return [*running, *self._waiting, *reversed(self._ended)]

    def ask(self) -> None:
        super().ask()
        self._asked.set()

    def run(self) -> None:
        while self._asked.wait() and not self.stopping.is_set():
            self._asked.clear()
            while (one := self._next()) is not None:
                try:
                    self._move(one)
                except Exception as error:  # the rim of this thread: the next one may be better
                    logger.exception("%s: %s failed", one.session, one.kind)
                    one.state, one.error = "failed", f"{type(error).__name__}: {error}"
                finally:
                    with self._lock:
                        self._running = None
                        self._ended.append(one)

    def _next(self) -> Move | None:
        with self._lock:
            if self.stopping.is_set() or not self._waiting:
                return None
            one = self._running = self._waiting.popleft()
            one.state, one.began_ns = "running", time.time_ns()
            return one

    def _move(self, one: Move) -> None:
        process = Process(one.id, self._command(one))
        try:
            while not process.over and not self.stopping.wait(LOOK_S):
                one.done, one.of = process.done, process.rows
            if process.over:
                _conclude(one, *process.ended())
            else:
                one.state, one.error = "failed", "the server was stopped; what there is is whole, here or there"
        finally:
            process.close()

    def _command(self, one: Move) -> list[str]:
        where = [f"--logs={self.logs}", f"--projections={self._projections}"]
        there = [f"--to={self.archive_to}"] if one.kind == "archive" else []
        return ["pitwall", *where, one.kind, one.session, *there, "--errand"]


def _conclude(one: Move, code: int, said: dict[str, Any] | None, trouble: list[str]) -> None:
    """Writes down how it went.  Exit code 3 with a report: it is done, and something was damaged."""
    if said is not None and code in (0, LossError.exit_code):
        one.done = one.of
        one.problems, one.lost = tuple(map(str, said["problems"][:MAX_LOSSES])), len(said["problems"])
        one.state = "done"
        return
    line = trouble[-1].removeprefix("pitwall: ") if trouble else f"the process that did it {how(code)}"
    one.state, one.error = "failed", line
    logger.warning("%s: %s failed: %s", one.session, one.kind, line)
