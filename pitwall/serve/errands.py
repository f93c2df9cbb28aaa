"""Errands in, how each went out: one after the other, each by a `pitwall …` of its own, as nice as can be.

Law: no such process outlives the server.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from pitwall.errors import LossError
from pitwall.serve.companion import Companion
from pitwall.serve.limits import MAX_LOSSES, MOST_ENDED
from pitwall.workers import Process, how

logger = logging.getLogger("pitwall.serve")

LOOK_S: Final = 0.05


@dataclass(eq=False, kw_only=True)
class Errand:
    """One of them.  state: waiting, running, done, failed.  done, of: how far it is; of is 0 while nobody knows.

    losses: what was damaged or could not be read, the first of them; lost: how many there are.
    """

    id: str
    state: str = "waiting"
    began_ns: int | None = None
    done: int = 0
    of: int = 0
    error: str | None = None
    losses: tuple[str, ...] = ()
    lost: int = 0

    @property
    def failing(self) -> str:
        """That it failed, in words: what comes before why."""
        raise NotImplementedError

    def words(self, line: str) -> str:
        """What its process says, as others are told it."""
        return line

    @property
    def progress(self) -> float | None:
        """From 0 to 1; None: nobody knows."""
        return 1.0 if self.state == "done" else self.done / self.of if self.of else None


One = TypeVar("One", bound=Errand)


class Errands(Companion, Generic[One]):
    """The thread, from `start` to `stop`.  Who is one of these says which process does an errand."""

    stopped = "the server was stopped"
    """Why an errand failed that was under way then."""

    does = "did"
    """What its process did to it, after "the process that"."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lock = threading.Lock()
        self._waiting: deque[One] = deque()
        self._running: One | None = None
        self._ended: deque[One] = deque(maxlen=MOST_ENDED)
        self._asked = threading.Event()

    def command(self, one: One) -> list[str]:
        """What does it: `pitwall …`, with a report on stdout."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str] | None:
        """Of that process; None: the server's."""
        return None

    def take(self, one: One, said: Mapping[str, Any]) -> None:
        """Writes down what its process reported, when it is done."""

    def over(self, one: One) -> None:
        """It has ended, however it went."""

    def jobs(self) -> list[One]:
        """All that are told of: the one that runs, those that wait, and those that ended, the newest first."""
        with self._lock:
            return [*self.under_way(), *reversed(self._ended)]

    def under_way(self) -> list[One]:
        """The one that runs, and those that wait; with the lock held."""
        return [*([self._running] if self._running is not None else []), *self._waiting]

    def ask(self) -> None:
        super().ask()
        self._asked.set()

    def run(self) -> None:
        while self._asked.wait() and not self.stopping.is_set():
            self._asked.clear()
            while (one := self._next()) is not None:
                try:
                    self._do(one)
                except Exception as error:  # the rim of this thread: the next one may be better
                    logger.exception("%s", one.failing)
                    one.state, one.error = "failed", f"{type(error).__name__}: {error}"
                finally:
                    self.over(one)
                    with self._lock:
                        self._running = None
                        self._ended.append(one)

    def _next(self) -> One | None:
        with self._lock:
            if self.stopping.is_set() or not self._waiting:
                return None
            one = self._running = self._waiting.popleft()
            one.state, one.began_ns = "running", time.time_ns()
            return one

    def _do(self, one: One) -> None:
        process = Process(one.id, self.command(one), self.environment())
        try:
            while not process.over and not self.stopping.wait(LOOK_S):
                one.done, one.of = process.done, process.rows
            if process.over:
                self._conclude(one, *process.ended())
            else:
                one.state, one.error = "failed", self.stopped
        finally:
            process.close()

    def _conclude(self, one: One, code: int, said: dict[str, Any] | None, trouble: list[str]) -> None:
        """Writes down how it went.  Exit code 3 with a report: it is done, and something was damaged."""
        if said is not None and code in (0, LossError.exit_code):
            one.done = one.of
            one.losses = tuple(one.words(str(problem)) for problem in said["problems"][:MAX_LOSSES])
            one.lost = len(said["problems"])
            self.take(one, said)
            one.state = "done"
            return
        line = trouble[-1].removeprefix("pitwall: ") if trouble else f"the process that {self.does} it {how(code)}"
        one.state, one.error = "failed", one.words(line)
        logger.warning("%s: %s", one.failing, one.error)
