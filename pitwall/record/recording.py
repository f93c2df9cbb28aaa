"""What was gathered, into the log, as the disk takes it: frames, what was said between them, and what was lost.

Law: frames and control rows are in the log in the order of their times, each once; what a session begins with is how
its sources were at its first frame.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from pitwall.bus.inbox import Gathered, Inbox, Lost, Said
from pitwall.bus.source import Cause
from pitwall.bus.standing import Standing, State
from pitwall.errors import LogError
from pitwall.frames import Control, Flag, Frames, concat, control, take
from pitwall.log.outbox import Introduction, Outbox
from pitwall.log.published import SourceState
from pitwall.record.asking import Asking

logger = logging.getLogger(__name__)

AGAIN_S: Final = 0.1
"""What the disk refused is tried again after so long."""
LAST_TRIES: Final = 5
"""So often, when recording stops."""
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


class Recording:
    """Of the sources of these names; `standings` says how they are doing.  buses: the name of each one's bus."""

    def __init__(
        self,
        sources: Sequence[str],
        buses: Sequence[str],
        inbox: Inbox,
        standings: Callable[[], Sequence[Standing]],
        idle_s: float,
        outbox: Callable[[Callable[[], Introduction]], Outbox],
    ) -> None:
        """outbox: makes the one that is written to, given what introduces the sources to a session."""
        self._sources, self._buses, self._inbox, self._idle_s = sources, buses, inbox, idle_s
        self._standings = standings
        self._facts: dict[int, Mapping[str, object]] = {}  # bus -> what was said last of its source
        self._own: dict[int, Mapping[str, object]] = {}  # bus -> what its source said itself, of what it sends
        self._log = outbox(self._introduction)
        self._asking = Asking(self._log)
        self._lost = 0
        self._problems: list[str] = []
        self._missing: Counter[tuple[str, str]] = Counter()  # frames lost, by their source and the reason
        self._problem = ""  # why rows wait, or waited until just now
        self._problem_since_ns: int | None = None
        self._lost_before = 0  # frames lost before that problem
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
        if gathered.items:
            self._put(gathered.items)
        for lost in gathered.lost:
            self._count(lost)
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
        self._asking.look()
        self._flush()

    def tell(self, report: Callable[[Status], None], interval_s: float) -> None:
        """The status to whoever wants it, where `interval_s` have passed since the last time."""
        log, now = self._log, time.monotonic()
        since, frames = self._told
        if now - since < interval_s:
            return
        rate = (log.kept - frames) / (now - since) if frames and now > since else 0.0
        self._told = (now, log.kept)
        lost, waiting = self._lost + self._inbox.lost, log.waiting + self._inbox.waiting
        log.hold.tell(
            lost=lost,
            waiting=waiting,
            problem=self._problem,
            problem_since_ns=self._problem_since_ns,
            sources=tuple(_published(standing) for standing in self._standings()),
        )
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
        """What was recorded.  Raises LogError where nothing could be."""
        sessions = self._log.sessions
        if not sessions and self._problem:
            raise LogError(self._problems[-1], where=self._log.hold.logs)
        missing = [f"{source}: {n:,} frames lost: {why}" for (source, why), n in self._missing.items()]
        return Recorded(sessions, self._log.kept, self._lost, missing + self._problems)

    def close(self) -> None:
        """Let go of the log, ended or not."""
        self._log.close()

    def _flush(self) -> None:
        try:
            self._log.flush()
        except LogError as error:
            self._trouble(error)
        else:
            self._asking.written()

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

    def _put(self, items: Sequence[Frames | Said]) -> None:
        rows, said = merged(items)
        frames = np.flatnonzero(rows.flags & np.uint8(Flag.CONTROL) == 0)
        early = [] if self._log.begun else [at for at in said if not len(frames) or at < frames[0]]
        self._learn(said[at] for at in early)  # what is said before a session's first frame is how it begins
        if self._log.begun or len(frames):
            rows = take(rows, np.delete(np.arange(len(rows)), early)) if early else rows
            if self._log.begun and rows.t[0] < self._log.last:  # a late one waits for nobody's past
                rows = replace(rows, t=np.maximum(rows.t, self._log.last))
            self._log.put(rows)
        self._learn(one for at, one in said.items() if at not in early)
        self._learn_own(rows)
        if len(frames):
            self._heard = self._log.clock()

    def _learn(self, said: Iterable[Said]) -> None:
        for one in said:
            if one.kind is Control.SOURCE:
                self._facts[one.bus] = one.fact
                if one.fact["state"] == State.LOST.value:  # once it is back it says anew what it sends
                    self._own.pop(one.bus, None)

    def _learn_own(self, rows: Frames) -> None:
        """What sources say themselves, in a control row between their frames."""
        told = rows.flags & np.uint8(Flag.CONTROL) != 0
        if rows.more is None or not told.any():
            return
        for at in np.flatnonzero(told & (rows.id == np.uint32(Control.SOURCE))).tolist():
            fact = json.loads(rows.more[at].as_py())
            if "sends" in fact:
                self._own[int(rows.bus[at])] = fact | {"unlogged": 0}  # those are told of once

    def _introduction(self) -> Introduction:
        """How the sources are that a session begins with, bus by bus, and what they send."""
        there = [bus for bus, fact in sorted(self._facts.items()) if fact["state"] != State.ENDED.value]
        return [(bus, facts[bus]) for bus in there for facts in (self._facts, self._own) if bus in facts]

    def _count(self, lost: Lost) -> None:
        self._lost += lost.frames
        why = self._problem or "the log could not be written as fast as frames came"
        self._missing[self._sources[lost.bus], why] += lost.frames  # of each a sum: a slow disk loses some each second
        fact = {
            "bus": self._buses[lost.bus],
            "source": self._sources[lost.bus],
            "cause": Cause.QUEUE.value,
            "count": lost.frames,
            "first_t": self._log.in_session(lost.first_t),
            "last_t": self._log.in_session(lost.last_t),
            "why": why,
        }
        self._log.put_control(Control.LOST, fact, bus=lost.bus)


def merged(items: Sequence[Frames | Said]) -> tuple[Frames, dict[int, Said]]:
    """All as rows in the order of their times, and of their arrival where these are the same; which ones were said."""
    parts = [_row(item) if isinstance(item, Said) else item for item in items]
    rows, starts = concat(parts), np.cumsum([0, *map(len, parts)])[:-1].tolist()
    said = {at: item for at, item in zip(starts, items, strict=True) if isinstance(item, Said)}
    if np.any(np.diff(rows.t) < 0):
        order = np.argsort(rows.t, kind="stable")
        rows, back = take(rows, order), np.argsort(order)
        said = {int(back[at]): one for at, one in said.items()}
    return rows, dict(sorted(said.items()))


def _row(said: Said) -> Frames:
    return control(said.kind, said.t, json.dumps(said.fact).encode(), bus=said.bus)


def _published(one: Standing) -> SourceState:
    lost = {cause.value: n for cause, n in one.lost.items() if n}
    about = (one.bus, one.source, one.state.value, one.since_ns, one.why)
    return SourceState(*about, one.frames, one.frames_per_s, one.age_s, lost)
