"""Past sessions whose projections are stale in, rebuilt ones out: in the background, the newest first, a process each.

Laws:

1. Nothing of it costs what is live: its processes are as nice as can be, they leave one core of several alone, and they
   rest while the live projector is behind, or builds an edit's successor, and while there is little room.
2. What has no projection is left alone: it is built when it is asked for.  So what gave way to the log stays away.
3. What failed is tried again once a definition or its log has changed, or the server begins anew.
4. What somebody asks for is built anew in any case, and first.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from pitwall.errors import PitwallError
from pitwall.project.tracks import near
from pitwall.serve.companion import Companion
from pitwall.serve.limits import MOST_ENDED
from pitwall.workers import CORES, Order, Worker

if TYPE_CHECKING:
    from pathlib import Path

    from pitwall.serve.definitions import Definitions
    from pitwall.serve.garage import Shelf
    from pitwall.serve.newest import Live

logger = logging.getLogger("pitwall.serve")

LOOK_S: Final = 0.25

SCAN_S: Final = 30.0
"""How often sessions are gone through, when no definition has changed."""

NICE: Final = 19

MOST: Final = max(1, CORES - 1)
"""Processes at once."""

BEHIND_ROWS: Final = 20_000
"""A live projector that is so far behind its log has no core to spare: two seconds of a fast bus."""


class Rebuilder(Companion):
    """The thread, from `start` to `stop`."""

    def __init__(
        self, logs: Path, shelf: Shelf, definitions: Definitions, live: Live, *, leave_free: int | None = None
    ) -> None:
        """leave_free: as of `Room`."""
        super().__init__("pitwall-rebuilder")
        self._logs = logs
        self._shelf = shelf
        self._definitions = definitions
        self._live = live
        self._leave_free = leave_free
        self._workers: dict[str, Worker] = {}
        self._asked: dict[str, None] = {}  # what waits because somebody asked for it, in the order of that
        self._failed: dict[str, tuple[str, int]] = {}  # session -> the fingerprint and the rows that it failed with
        self._scanned: tuple[int, float] = (-1, 0.0)  # the definitions' version, and when

    def tend(self) -> None:
        """One look."""
        rebuilds = self._shelf.rebuilds
        for session in [name for name, worker in self._workers.items() if worker.over]:
            self._end(session, self._workers.pop(session))
        version = self._definitions.version
        if version != self._scanned[0] or time.monotonic() - self._scanned[1] > SCAN_S:
            self._scanned = version, time.monotonic()
            stale = [name for name in self._stale() if name not in self._workers]
            rebuilds.waiting = tuple(dict.fromkeys([*self._asked, *stale]))
        self._listen()
        rebuilds.held = self._held()
        for worker in self._workers.values():
            worker.pause(bool(rebuilds.held))
        if rebuilds.waiting and not rebuilds.held and len(self._workers) < MOST:
            self._begin(rebuilds.waiting[0])
        rebuilds.running = {name: (worker.done, worker.rows) for name, worker in self._workers.items()}
        # only now: who looks meanwhile finds it there or here
        rebuilds.waiting = tuple(session for session in rebuilds.waiting if session not in self._workers)

    def run(self) -> None:
        try:
            while not self.stopping.wait(LOOK_S):
                try:
                    self.tend()
                except Exception:  # the rim of this thread: it looks again
                    logger.exception("past sessions could not be looked after")
                    self.stopping.wait(SCAN_S)
        finally:
            for worker in self._workers.values():
                worker.close()

    def _listen(self) -> None:
        """Those that somebody asks for come first, and are built anew whether they are stale or not."""
        rebuilds = self._shelf.rebuilds
        while rebuilds.asked:
            session = rebuilds.asked[0]
            if session not in self._workers and session not in self._asked:
                self._asked[session] = None
                rebuilds.failed.pop(session, None)
                rebuilds.waiting = tuple(dict.fromkeys([*self._asked, *rebuilds.waiting]))
            rebuilds.asked.popleft()

    def _stale(self) -> list[str]:
        """Sessions that have a projection, but not by the newest definition on the tracks near; the newest first."""
        generations, cast, status = self._shelf.generations, self._live.picture().cast, self._live.picture().status
        followed = cast.session if cast is not None and status.state != "ended" else ""
        there = set(generations.sessions())
        self._failed = {name: failed for name, failed in self._failed.items() if name in there}
        found = []
        for session in reversed(self._shelf.sessions()):
            if session.id not in there or session.id == followed or session.state == "recording":
                continue
            wanted = self._shelf.fingerprint(session.id)
            if not wanted or self._failed.get(session.id) == (wanted, session.rows):
                continue
            said = generations.said(session.id, wanted)
            if said is None or said.offset != session.rows or said.tracks != near(said.place):
                found.append(session.id)
            elif session.id in self._failed:  # by an edit that was taken back
                del self._failed[session.id]
                self._shelf.rebuilds.failed.pop(session.id, None)
        return found

    def _held(self) -> str:
        """Why nothing is rebuilt just now."""
        status = self._live.picture().status
        if why := self._shelf.generations.room.look().why:
            return why
        if status.state == "catching up" or status.written - status.projected > BEHIND_ROWS:
            return "the live session is behind"
        if self._live.successor() is not None:
            return "the live session goes over to an edited definition"
        return ""

    def _begin(self, session: str) -> None:
        forced = session in self._asked
        order = Order(
            session,
            self._logs,
            self._shelf.generations.folder,
            self._definitions.cars,
            force=forced,
            nice=NICE,
            leave_free=self._leave_free,
        )
        self._workers[session] = Worker(order)
        self._asked.pop(session, None)  # only now: where no process can be had it is asked for still
        self._shelf.rebuilds.began[session] = time.time_ns()

    def _end(self, session: str, worker: Worker) -> None:
        outcome = worker.outcome()
        worker.close()
        rebuilds = self._shelf.rebuilds
        rebuilds.began.pop(session, None)
        if "report" in outcome:
            rebuilds.done += bool(outcome["report"]["reason"])
            rebuilds.ended = (session, *(one for one in rebuilds.ended if one != session))[:MOST_ENDED]
            rebuilds.failed.pop(session, None)
        elif "busy" in outcome:
            if worker.order.force:
                rebuilds.failed[session] = outcome["busy"]
            return  # whoever is at it makes it current: it is looked at again with all others, and those go on
        elif "error" in outcome:
            logger.warning("%s was not rebuilt: %s", session, outcome["error"])
            rebuilds.failed[session] = outcome["error"]
            try:
                self._failed[session] = self._shelf.fingerprint(session), self._shelf.find(session).rows
            except PitwallError:  # it was forgotten meanwhile
                rebuilds.failed.pop(session, None)
        self._scanned = -1, 0.0  # by now the definition may be another
