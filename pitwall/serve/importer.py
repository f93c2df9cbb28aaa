"""Captures that were uploaded in, sessions of the log out: one after the other, each by a `pitwall import` of its own.

Laws:

1. The server writes no log: a process does, as nice as can be, which first has the whole capture.
2. All of a capture is a session, or nothing is: an import that is ended removes what it has begun.
3. No import outlives the server, and no capture its import.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pitwall.errors import LossError
from pitwall.serve.companion import Companion
from pitwall.serve.limits import MAX_LOSSES, MOST_ENDED
from pitwall.workers import Process, how

if TYPE_CHECKING:
    from pathlib import Path

    from pitwall.serve.uploads import Upload, Uploads

logger = logging.getLogger("pitwall.serve")

LOOK_S: Final = 0.05

NOT_MEANT: Final = frozenset({"PITWALL_SESSION", "PITWALL_START_LINE", "PITWALL_LOG_JSON"})
"""What the server's environment says of these is not about a capture that somebody sends."""


@dataclass(eq=False)
class Import:
    """A capture's, from its upload on.  state: waiting, running, done, failed.

    losses: what of the capture could not be read, the first of them; lost: how many there are.
    """

    upload: Upload
    car: str
    start_line: str
    id: str = field(default_factory=lambda: f"import-{secrets.token_hex(8)}")
    state: str = "waiting"
    began_ns: int | None = None
    done: int = 0
    of: int = 0
    session: str | None = None
    error: str | None = None
    losses: tuple[str, ...] = ()
    lost: int = 0

    @property
    def file(self) -> str:
        """The capture's name."""
        return self.upload.path.name


class Importer(Companion):
    """The thread, from `start` to `stop`."""

    def __init__(self, uploads: Uploads, logs: Path, projections: Path, cars: Path) -> None:
        """projections: the folder that was named, private or not."""
        super().__init__("pitwall-importer")
        self.uploads = uploads
        self._places = (logs, projections, cars)
        self._lock = threading.Lock()
        self._waiting: deque[Import] = deque()
        self._running: Import | None = None
        self._ended: deque[Import] = deque(maxlen=MOST_ENDED)
        self._count: Counter[str] = Counter()  # of those that ended
        self._asked = threading.Event()

    def put(self, upload: Upload, car: str, start_line: str = "") -> Import:
        """A capture that is whole: it is imported in its turn, and removed.  start_line: as `--start-line` takes it."""
        one = Import(upload, car, start_line)
        with self._lock:
            self._waiting.append(one)
        self._asked.set()
        return one

    def jobs(self) -> list[Import]:
        """All that are told of: the one that runs, those that wait, and those that ended, the newest first."""
        with self._lock:
            running = [self._running] if self._running is not None else []
            return [*running, *self._waiting, *reversed(self._ended)]

    def report(self) -> dict[str, Any]:
        """As `/health` has it."""
        states = Counter(one.state for one in self.jobs())
        return {
            "running": states["running"],
            "waiting": states["waiting"],
            "done": self._count["done"],
            "failed": self._count["failed"],
        }

    def ask(self) -> None:
        super().ask()
        self._asked.set()

    def run(self) -> None:
        self.uploads.sweep()
        while self._asked.wait() and not self.stopping.is_set():
            self._asked.clear()
            while (one := self._next()) is not None:
                try:
                    self._bring_in(one)
                except Exception as error:  # the rim of this thread: the next one may be better
                    logger.exception("%s could not be imported", one.file)
                    one.state, one.error = "failed", f"{type(error).__name__}: {error}"
                finally:
                    one.upload.remove()
                    with self._lock:
                        self._running = None
                        self._ended.append(one)
                        self._count[one.state] += 1

    def _next(self) -> Import | None:
        with self._lock:
            if self.stopping.is_set() or not self._waiting:
                return None
            one = self._running = self._waiting.popleft()
            one.state, one.began_ns = "running", time.time_ns()
            return one

    def _bring_in(self, one: Import) -> None:
        process = Process(one.id, self._command(one), {k: v for k, v in os.environ.items() if k not in NOT_MEANT})
        try:
            while not process.over and not self.stopping.wait(LOOK_S):
                one.done, one.of = process.done, process.rows
            if process.over:
                _conclude(one, *process.ended())
            else:
                one.state, one.error = "failed", "the server was stopped"
        finally:
            process.close()

    def _command(self, one: Import) -> list[str]:
        logs, projections, cars = self._places
        said = [f"--logs={logs}", f"--projections={projections}", f"--cars={cars}"]
        line = [f"--start-line={one.start_line}"] if one.start_line else []
        return ["pitwall", *said, "import", str(one.upload.path), f"--car={one.car}", *line, "--json", "--errand"]


def _conclude(one: Import, code: int, said: dict[str, Any] | None, trouble: list[str]) -> None:
    """Writes down how it went.  Exit code 3: all that could be read is a session, and the rest was lost."""
    if said is not None and code in (0, LossError.exit_code):
        one.done = one.of
        one.session = said["session"]
        one.losses, one.lost = tuple(map(str, said["problems"][:MAX_LOSSES])), len(said["problems"])
        one.losses = tuple(_of_file(loss, one) for loss in one.losses)
        one.state = "done"
        return
    line = trouble[-1].removeprefix("pitwall: ") if trouble else f"the process that imported it {how(code)}"
    one.state, one.error = "failed", _of_file(line, one)
    logger.warning("%s was not imported: %s", one.file, one.error)


def _of_file(line: str, one: Import) -> str:
    """A line about a capture, by its name alone: where it lay for a while helps nobody."""
    return line.replace(f"{one.upload.path.parent}{os.sep}", "")
