"""Rows in, sessions of the log out, one after the other: what the disk refuses waits, in memory and in its order.

Laws:

1. Rows go into the log in the order of `put`, each once, however often the disk refuses some of them.
2. A session comes with its first rows; one that was killed is gone on with, within GO_ON_NS, in the same boot.
3. What waits is bounded by whoever puts: it looks at `stuck`.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pitwall.errors import LogError, UsageError
from pitwall.frames import Control, Flag, Frames, control, cut
from pitwall.log.boot import boot_id
from pitwall.log.hold import Hold
from pitwall.log.recovery import Stump
from pitwall.log.writer import Pace, Writer

logger = logging.getLogger(__name__)

Introduction = Sequence[tuple[int, Mapping[str, object]]]
"""The bus and the fact of each SOURCE row that a session begins with."""

JUMP_NS: Final = 500_000_000
"""The wall clock has jumped when it moved by more than this against the monotonic one; NTP slews by less."""
GO_ON_NS: Final = 300 * 10**9
"""A recorder that was killed goes on with its session within this of its last frame."""


class Outbox:
    """What a recorder puts into the log, in the time of its sources.

    car, buses: of all sessions.  session_id: of the first one.  zero: what `clock` was at the sources' t = 0.
    introduction: asked when a session's first frames are put.
    sessions: begun or gone on with.  kept: frames written.  last: t of the last row, in the sources' time.
    Raises UsageError where there is a session `session_id` already.
    """

    def __init__(
        self,
        hold: Hold,
        *,
        car: str,
        buses: Sequence[str],
        session_id: str | None,
        pace: Pace,
        zero: int,
        wall: Callable[[], int],
        clock: Callable[[], int],
        introduction: Callable[[], Introduction],
    ) -> None:
        self.hold, self.clock = hold, clock
        self._introduction = introduction
        self._introduced: Introduction = ()
        self._car, self._buses, self._pace = car, tuple(buses), pace
        self._session_id, self._zero, self._wall = session_id, zero, wall
        self.sessions: list[str] = []
        self.kept = 0
        self.last = 0
        self._first = 0  # the session's t = 0, in the sources' time
        self._outbox: deque[Frames] = deque()
        self._ending = ""  # why the session is to end once all is written
        self._writer: Writer | None = None
        self._before: Writer | None = None  # the last one, ended
        self._ahead = 0  # wall clock minus monotonic clock, ns
        self._stump = hold.take_up(self._fits)
        if self._stump is not None:
            header = self._stump.opening.header
            assert header.zero_ns is not None
            self._first = header.zero_ns - zero
            self.last = self._first + self._stump.opening.last_t
            gap_s = (clock() - zero - self.last) / 1e9
            logger.warning("%s, cut off %.1f s ago, is gone on with: the time between is missing", self.session, gap_s)
        elif session_id is not None and (hold.logs / session_id).exists():
            what = f"there is a session {session_id!r} already"
            raise UsageError(what, where=hold.logs, hint="choose another name, or leave it to pitwall")

    @property
    def offsets(self) -> tuple[int, int]:
        """Behind the last row written, and the last that is durable; of the last session where there is none now."""
        writer = self._writer or self._before
        return (writer.written, writer.durable) if writer else (0, 0)

    @property
    def problem(self) -> str:
        """Why what is written can't be made durable; "" while it can."""
        return self._writer.problem if self._writer else ""

    @property
    def session(self) -> str:
        """The session being recorded; "" where there is none."""
        return self._writer.session if self._writer else self._stump.folder.name if self._stump else ""

    @property
    def begun(self) -> bool:
        """Whether there is a session that rows put now are of: else the first of them must be a frame."""
        return bool(self.session or self._outbox)

    @property
    def waiting(self) -> int:
        """Frames that wait for the disk."""
        return sum(frames_in(rows) for rows in self._outbox)

    @property
    def stuck(self) -> bool:
        """Whether something waits for the disk."""
        return bool(self._outbox or self._ending)

    def put(self, rows: Frames) -> None:
        """Rows behind the last; with the first frames comes a session."""
        if not self.begun:
            self._first = int(rows.t[0])
            self._introduced = self._introduction()
        self._outbox.append(rows)
        self.last = int(rows.t[-1])

    def put_control(self, kind: Control, fact: Mapping[str, object], *, bus: int = 0) -> None:
        """A control row behind the last row; none where there is no session it could be of."""
        if self.begun:
            self._outbox.append(_control(kind, self.last, fact, bus))

    def in_session(self, t: int) -> int:
        """A time of the sources as one of the session."""
        return t - self._first

    def end(self, reason: str, *, at_last: bool = False) -> None:
        """Have the session end, once all is written: now, or at its last row."""
        self._ending = reason
        if not at_last:
            self.last = max(self.last, self.clock() - self._zero)

    def flush(self) -> None:
        """Write what waits, as far as the disk takes it.  Raises LogError; the rest waits."""
        if self._stump is not None or (self._outbox and self._writer is None):
            self._begin()
        writer = self._writer
        while self._outbox:
            assert writer is not None
            rows = self._outbox[0]
            before = writer.written
            try:
                writer.append(replace(rows, t=rows.t - self._first))
            finally:
                done = writer.written - before
                self.kept += frames_in(cut(rows, 0, done))
                if done == len(rows):
                    self._outbox.popleft()
                else:
                    self._outbox[0] = cut(rows, done, len(rows))
        if self._ending and writer is not None:
            writer.end(self.in_session(self.last), self._ending)
            self._writer, self._before = None, writer
        self._ending = ""

    def look(self) -> None:
        """Raises LogError where the log is not where it was, or can't be had there again."""
        try:
            self.hold.stand()
        except OSError as error:
            raise LogError(f"the logs folder is gone: {error.strerror}", where=self.hold.logs) from error
        if self._writer is not None:
            self._writer.look()
        if self.problem:
            raise LogError(self.problem)

    def check_clock(self) -> None:
        """A control row where the wall clock has jumped."""
        ahead = self._wall() - self.clock()
        if self._writer is not None and abs(ahead - self._ahead) > JUMP_NS:
            self.put_control(Control.CLOCK_JUMP, {"by_ns": ahead - self._ahead, "wall_ns": ahead + self.clock()})
            self._ahead = ahead

    def close(self) -> None:
        """Let go of the session, ended or not."""
        if self._writer is not None:
            with contextlib.suppress(LogError):  # it was told, as what could not be written
                self._writer.close()

    def _begin(self) -> None:
        stump, self._stump = self._stump, None
        if stump is not None:
            try:
                self._writer = Writer.go_on(self.hold, stump, pace=self._pace)
            except LogError:  # a sync may have failed, and would tell nothing a second time: the session is ended
                self.hold.leave(stump)
                self._session_id = None  # it was that one's
                raise
            header = stump.opening.header
            self._ahead = header.started_at_ns - (header.zero_ns or 0)
        else:
            self._ahead = self._wall() - self.clock()
            zero = self._zero + self._first
            self._writer = Writer.begin(
                self.hold,
                car=self._car,
                buses=self._buses,
                started_at_ns=self._ahead + zero,
                zero_ns=zero,
                session_id=None if self.sessions else self._session_id,
                pace=self._pace,
            )
        self.sessions.append(self._writer.session)
        at = int(self._outbox[0].t[0]) if self._outbox else self.last
        self._outbox.extendleft(_control(Control.SOURCE, at, fact, bus) for bus, fact in reversed(self._introduced))
        self._introduced = ()

    def _fits(self, stump: Stump) -> bool:
        """Whether what is about to be recorded is the same drive."""
        header = stump.opening.header
        if not header.boot or header.boot != boot_id() or header.zero_ns is None:
            return False
        same = header.car == self._car and header.buses == self._buses
        named = self._session_id in (None, header.session)
        return same and named and 0 <= self.clock() - (header.zero_ns + stump.opening.last_t) <= GO_ON_NS


def frames_in(rows: Frames) -> int:
    """How many of the rows are no control rows."""
    return int(np.count_nonzero(rows.flags & np.uint8(Flag.CONTROL) == 0))


def _control(kind: Control, t: int, fact: Mapping[str, object], bus: int = 0) -> Frames:
    return control(kind, t, json.dumps(fact).encode(), bus=bus)
