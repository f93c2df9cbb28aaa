"""Frames in, from live sources; sessions of the log out.

Laws: a frame is in the log, or counted there as lost; `t` never runs backwards, whatever the sources' threads do; a
session begins with its first frame, and ends where it was stopped, where it was asked to, when no frame has come for
long, or with its last source.  What a recorder that was killed has left is gone on with.  While the disk takes nothing,
what was heard waits, in memory and in its order, and what finds no room there is counted.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from pitwall.bus.inbox import QUEUE_FRAMES, Ended, Gathered, Inbox, Lost
from pitwall.bus.source import Source
from pitwall.errors import LogError, PitwallError
from pitwall.frames import Control, Frames, concat, take
from pitwall.log import requests
from pitwall.log.hold import Hold
from pitwall.log.outbox import Outbox
from pitwall.log.recovery import session_folders
from pitwall.log.requests import Request
from pitwall.log.writer import Pace

logger = logging.getLogger(__name__)

Fact = Mapping[str, object]
"""What a control row says."""

READ_S: Final = 0.1
"""A source is asked for so long at once: so soon it hears that recording stops."""
AGAIN_S: Final = 0.1
"""What the disk refused is tried again after so long."""
LAST_TRIES: Final = 5
"""So often, when recording stops."""
REPORT_S = 0.25
"""The status is told this often."""
TEND_S: Final = 0.5
"""How often requests are looked for, and whether the log is where it was."""
IDLE_S: Final = 1800.0
"""A session ends when no frame has come for so long."""


@dataclass(frozen=True)
class Status:
    """How a recording goes.

    session: "" while there is none.  frames, lost: since the recorder began.  written, durable: offsets of the session.
    waiting: frames heard and not written.  problem: why, where the disk takes nothing just now.
    """

    session: str
    frames: int
    lost: int
    written: int
    durable: int
    frames_per_s: float
    waiting: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Recorded:
    """What was recorded.  sessions: in their order, none where no frame came.  problems: what went wrong on the way."""

    sessions: list[str]
    frames: int
    lost: int = 0
    problems: list[str] = field(default_factory=list)


def record(
    sources: Sequence[Source],
    *,
    hold: Hold,
    car: str,
    buses: Sequence[str],
    zero: int,
    stop: threading.Event,
    session_id: str | None = None,
    pace: Pace = Pace(),  # noqa: B008  frozen
    idle_s: float = IDLE_S,
    queue_frames: int = QUEUE_FRAMES,
    report: Callable[[Status], None] = lambda _status: None,
    wall: Callable[[], int] = time.time_ns,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Recorded:
    """Record the sources until `stop` is set, or the last of them has ended.

    sources: each hears one bus, the one that `buses` names at its place; they are closed in the end.
    hold: of the logs folder; it stays the caller's.  session_id: of the first session.
    zero: what `clock` was at the sources' t = 0.
    A source that is lost is a problem in what is returned, unless nothing was heard at all: then its error is raised.
    Raises LogError where nothing that was heard could be kept, UsageError where there is a session of that id already.
    """
    assert len(sources) == len(buses), "a name for each source's bus"
    inbox = Inbox(queue_frames)
    halt = threading.Event()
    readers = [
        threading.Thread(target=_read, args=(source, bus, inbox, halt), name=f"read {source.name}", daemon=True)
        for bus, source in enumerate(sources)
    ]
    with contextlib.ExitStack() as closing:  # each of them, whatever another does
        for source in sources:
            closing.callback(source.close)
        closing.callback(halt.set)
        recording = _Recording(
            [source.name for source in sources],
            buses,
            inbox,
            idle_s,
            lambda introduction: Outbox(
                hold,
                car=car,
                buses=buses,
                session_id=session_id,
                pace=pace,
                zero=zero,
                wall=wall,
                clock=clock,
                introduction=introduction,
            ),
        )
        closing.callback(recording.close)
        for reader in readers:
            reader.start()
        with contextlib.suppress(KeyboardInterrupt):  # as good a way to stop as any: what was heard is kept
            while not stop.is_set() and recording.listening:
                if recording.stuck:
                    stop.wait(AGAIN_S)
                    recording.go_on()
                else:
                    recording.write(inbox.take(READ_S))
                recording.tend()
                recording.tell(report, REPORT_S)
        halt.set()
        for reader in readers:
            reader.join(10 * READ_S)
        recording.end()
        recording.tell(report, 0)
    return recording.result()


def _read(source: Source, bus: int, inbox: Inbox, halt: threading.Event) -> None:
    """A reader's thread: from the source into the inbox, until either has had enough."""
    try:
        while not halt.is_set():
            rows = source.read(READ_S)
            if rows is None:
                break
            # a source counts its own bus as 0: here is where the same id on two of them stays apart
            inbox.put(bus, replace(rows, bus=np.full(len(rows), bus, np.uint8)))
        if not halt.is_set():
            inbox.end(bus, None)
    except Exception as error:  # noqa: BLE001  a thread's failure must reach the recorder, whatever it is
        inbox.end(bus, error)


class _Recording:
    """What was gathered, into the log; who ended, what was lost, what is asked for, and what becomes of it.

    sources, buses: the name of each source, and of the bus that it hears.
    """

    def __init__(
        self,
        sources: Sequence[str],
        buses: Sequence[str],
        inbox: Inbox,
        idle_s: float,
        outbox: Callable[[Callable[[], list[Fact]]], Outbox],
    ) -> None:
        """outbox: makes the one that is written to, given what introduces the sources to a session."""
        self._sources, self._buses, self._inbox, self._idle_s = sources, buses, inbox, idle_s
        self.listening = set(range(len(sources)))
        self._known = set(self.listening)  # what the next session begins with
        self._log = outbox(self._introduction)
        self._lost = 0
        self._problems: list[str] = []
        self._errors: list[Exception] = []
        self._problem = ""  # why rows wait, or waited until just now
        self._problem_since_ns: int | None = None
        self._lost_before = 0  # frames lost before that problem
        self._promised: dict[Path, Request] = {}  # answered once all is written that waits now
        self._handed: set[Path] = set()  # those that the keeper of the log sees to
        self._taken: set[Path] = set()  # those and all others that are still there: none is done twice
        self._heard = self._log.clock()  # when the last frame came
        self._tended = -math.inf
        self._told = (-math.inf, 0)  # when the status was told last, and the frames there were
        self._flush()  # a session that is gone on with is so from the first moment

    @property
    def stuck(self) -> bool:
        """Whether something waits for the disk: no more is taken in until then."""
        return self._log.stuck

    def write(self, gathered: Gathered) -> None:
        """Everything gathered into the log, in the order of its times."""
        if gathered.batches:
            self._log.put(self._merged(gathered.batches))
            self._heard = self._log.clock()
        for lost in gathered.lost:
            self._count(lost)
        for ended in gathered.ended:
            self._end_of(ended)
        self._log.check_clock()
        self._flush()
        if self._problem and not self._log.stuck and not self._log.problem:
            self._well()

    def go_on(self) -> None:
        """Try again to write what waits, and then what has come meanwhile."""
        self._flush()
        if not self._log.stuck:
            self.write(self._inbox.rest())

    def tend(self) -> None:
        """What is to be seen to now and then."""
        now = time.monotonic()
        if now - self._tended < TEND_S or self._log.stuck:
            return
        self._tended = now
        if self._log.session and self._log.clock() - self._heard > self._idle_s * 1e9:
            self._log.end(f"no frame for {self._idle_s:g} s", at_last=True)
            self._flush()
        try:
            self._log.look()
        except LogError as error:
            self._trouble(error)
        asked = requests.asked(self._log.hold.logs, self._log.hold.disk)
        self._taken &= {request.path for request in asked}
        for request in asked:
            if request.path not in self._taken:
                if not self._log.stuck:
                    self._taken.add(request.path)
                    self._answer(request)
            elif request.path not in self._promised and request.path not in self._handed:
                request.done()  # it is, and the disk did not take it away

    def tell(self, report: Callable[[Status], None], interval_s: float) -> None:
        """The status to whoever wants it, where `interval_s` have passed since the last time."""
        log, now = self._log, time.monotonic()
        since, frames = self._told
        if now - since < interval_s:
            return
        rate = (log.kept - frames) / (now - since) if frames and now > since else 0.0
        self._told = (now, log.kept)
        lost, waiting = self._lost + self._inbox.lost, log.waiting + self._inbox.waiting
        log.hold.tell(lost=lost, waiting=waiting, problem=self._problem, problem_since_ns=self._problem_since_ns)
        if log.sessions or self._problem:
            session = log.sessions[-1] if log.sessions else ""
            report(Status(session, log.kept, lost, *log.offsets, rate, waiting, self._problem))

    def end(self) -> None:
        """The end of all: what waits is written, the session ended, synced and sealed, as far as the disk allows it."""
        self._flush_at_last()  # an end that was asked for comes before what was heard behind it
        if not self._log.stuck:
            self.write(self._inbox.rest())
            if self._log.session or self._log.stuck:
                self._log.end("ended")
            self._flush_at_last()
        waiting = self._log.waiting + self._inbox.waiting
        if waiting or (self._log.stuck and self._problem):
            self._lost += waiting + self._inbox.lost
            self._problems.append(f"{waiting:,} frames could not be kept: {self._problem}")

    def result(self) -> Recorded:
        """What was recorded.  Raises a source's error where that is all there was, or where it is none of pitwall's."""
        sessions = self._log.sessions
        for error in self._errors:
            if not sessions or not isinstance(error, PitwallError):
                raise error
        if not sessions and self._problem:
            raise LogError(self._problems[-1], where=self._log.hold.logs)
        return Recorded(sessions, self._log.kept, self._lost, self._problems)

    def close(self) -> None:
        """Let go of the log, ended or not."""
        self._log.close()

    def _flush(self) -> None:
        try:
            self._log.flush()
        except LogError as error:
            self._trouble(error)
            return
        for request in self._promised.values():
            request.done()
        self._promised.clear()

    def _flush_at_last(self) -> None:
        for last in range(LAST_TRIES, 0, -1):
            self._flush()
            if not self._log.stuck:
                return
            if last > 1:
                time.sleep(AGAIN_S)

    def _trouble(self, error: LogError) -> None:
        if not self._problem:
            logger.warning("%s; what comes is kept in memory as long as there is room", error)
            self._problem_since_ns = time.time_ns()
            self._lost_before = self._lost
        self._problem = error.what

    def _well(self) -> None:
        lost = self._lost - self._lost_before
        logger.warning("the log is written again; %s", f"{lost:,} frames were lost" if lost else "no frame was lost")
        self._problem, self._problem_since_ns = "", None

    def _merged(self, batches: list[Frames]) -> Frames:
        """Batches of several sources as one, in the order of their times; a late one waits for nobody's past."""
        rows = concat(batches)
        if np.any(np.diff(rows.t) < 0):
            rows = take(rows, np.argsort(rows.t, kind="stable"))
        if self._log.session and rows.t[0] < self._log.last:
            rows = replace(rows, t=np.maximum(rows.t, self._log.last))
        return rows

    def _introduction(self) -> list[Fact]:
        """The facts of the sources that a session begins with."""
        known, self._known = sorted(self._known), set(self.listening)
        return [{"bus": self._buses[bus], "source": self._sources[bus], "state": "connected"} for bus in known]

    def _count(self, lost: Lost) -> None:
        self._lost += lost.frames
        why = self._problem or "the log could not be written as fast as frames came"
        self._problems.append(f"{self._sources[lost.bus]}: {lost.frames:,} frames lost: {why}")
        fact = {
            "bus": self._buses[lost.bus],
            "frames": lost.frames,
            "first_t": self._log.in_session(lost.first_t),
            "last_t": self._log.in_session(lost.last_t),
            "why": why,
        }
        self._log.put_control(Control.LOST, fact)

    def _end_of(self, ended: Ended) -> None:
        self.listening.discard(ended.bus)
        if self._log.session or not self._log.stuck:  # else a session that is about to begin heard it
            self._known.discard(ended.bus)
        name = self._sources[ended.bus]
        fact = {"bus": self._buses[ended.bus], "source": name, "state": "ended" if ended.error is None else "lost"}
        if ended.error is not None:
            self._errors.append(ended.error)
            self._problems.append(str(ended.error))
            fact["why"] = str(ended.error)
        self._log.put_control(Control.SOURCE, fact)

    def _answer(self, request: Request) -> None:
        """Do what was asked; it is answered once that is in the log."""
        fact, session = request.fact, self._log.session
        if "end" in fact:
            if not session or fact["end"] not in (True, session):
                request.refuse(f"{fact['end']} is not being recorded" if session else "no session is being recorded")
                return
            self._log.end("asked")
        elif isinstance(fact.get("control"), int) and fact["control"] in _ASKED and isinstance(fact.get("fact"), dict):
            wanted = fact.get("session", session)
            if wanted != session or not session:
                self._hand_on(request, wanted)
                return
            self._log.put_control(Control(fact["control"]), fact["fact"])
        else:
            request.refuse("that can't be asked of a recorder")
            return
        self._promised[request.path] = request
        self._flush()

    def _hand_on(self, request: Request, session: str) -> None:
        """Have a control row put behind a session that is not being recorded."""
        if not session or session not in (path.name for path in session_folders(self._log.hold.logs)):
            request.refuse(f"there is no session {session!r}")
            return
        self._handed.add(request.path)

        def answer(why_not: str) -> None:
            if why_not:
                request.refuse(why_not)
            else:
                request.done()
            self._handed.discard(request.path)

        self._log.hold.add(session, Control(request.fact["control"]), request.fact["fact"], answer)


_ASKED: Final = frozenset({int(Control.NOTE), int(Control.CAR_EDITED), int(Control.ANSWER)})
"""The control rows that anybody may ask for."""
