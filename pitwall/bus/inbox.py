"""What sources hear in, what there is to write out: the bounded queue between reader threads and the recorder.

Laws: no more than `limit` frames wait; what does not fit is counted, bus by bus, and never blocks a reader; once one
did not fit none does until all that wait were taken, so that what was lost lies behind them, in one piece; what has
waited for 10 ms, or as 4,096 frames, is given out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pitwall.frames import Frames, cut

QUEUE_FRAMES = 65_536
"""Frames that may wait: 4 s of two saturated 1 Mbit/s buses, while a disk is busy; some 60 MB where each came alone."""
BATCH_FRAMES = 4096
"""So many frames are written without waiting for more."""
WAIT_S = 0.010
"""So long a frame may wait to be written: a fifth of the 50 ms from its arrival to whoever looks at the page."""


@dataclass(frozen=True)
class Lost:
    """Frames of a bus that found no room: how many, and the time (ns) of the first and the last of them."""

    bus: int
    frames: int
    first_t: int
    last_t: int


@dataclass(frozen=True)
class Ended:
    """A source that gives no more; error: why, where it should have gone on."""

    bus: int
    error: Exception | None


@dataclass(frozen=True)
class Gathered:
    """What there was: frames in the order of their arrival, what was lost behind them, and who ended."""

    batches: list[Frames] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


class Inbox:
    """The queue.  `put` and `end` are for any thread, `take` and `rest` for one."""

    def __init__(self, limit: int = QUEUE_FRAMES, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._changed = threading.Condition()
        self._batches: list[Frames] = []
        self._waiting = 0
        self._since = 0.0  # when the first of those that wait came
        self._lost: dict[int, Lost] = {}
        self._ended: list[Ended] = []

    @property
    def waiting(self) -> int:
        """Frames that wait."""
        return self._waiting

    @property
    def lost(self) -> int:
        """Frames that found no room behind those that wait."""
        with self._changed:
            return sum(lost.frames for lost in self._lost.values())

    def put(self, bus: int, rows: Frames) -> None:
        """Frames of one bus, in order."""
        if not len(rows):
            return
        with self._changed:
            room = 0 if self._lost else self._limit - self._waiting
            if len(rows) > room:
                self._count(bus, cut(rows, room, len(rows)))
                rows = cut(rows, 0, room)
            if not len(rows):
                return
            if not self._batches:
                self._since = self._clock()
            self._batches.append(rows)
            self._waiting += len(rows)
            if len(self._batches) == 1 or self._waiting >= BATCH_FRAMES:
                self._changed.notify()

    def end(self, bus: int, error: Exception | None) -> None:
        """The source of `bus` gives no more."""
        with self._changed:
            self._ended.append(Ended(bus, error))
            self._changed.notify()

    def take(self, timeout_s: float) -> Gathered:
        """All that waits, as soon as it is due; nothing where nothing is due within `timeout_s`."""
        give_up = self._clock() + timeout_s
        with self._changed:
            while not self._is_due():
                until = min(give_up, self._since + WAIT_S) if self._batches else give_up
                left = until - self._clock()
                if left <= 0:
                    break
                self._changed.wait(left)
            return self._all() if self._is_due() else Gathered()

    def rest(self) -> Gathered:
        """All that waits, due or not."""
        with self._changed:
            return self._all()

    def _count(self, bus: int, rows: Frames) -> None:
        before = self._lost.get(bus, Lost(bus, 0, int(rows.t[0]), 0))
        self._lost[bus] = Lost(bus, before.frames + len(rows), before.first_t, int(rows.t[-1]))

    def _is_due(self) -> bool:
        if self._ended or self._waiting >= BATCH_FRAMES:
            return True
        return bool(self._batches) and self._clock() - self._since >= WAIT_S

    def _all(self) -> Gathered:
        gathered = Gathered(self._batches, list(self._lost.values()), self._ended)
        self._batches, self._waiting, self._lost, self._ended = [], 0, {}, []
        return gathered
