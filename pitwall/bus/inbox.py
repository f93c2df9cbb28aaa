"""What sources hear in, what there is to write out: the bounded queue between reader threads and the recorder.

Laws: no more than `limit` frames wait; what does not fit is counted, bus by bus, and never blocks a reader; once one
did not fit none does until all that wait were taken, so that what was lost lies behind them, in one piece; what has
waited for 10 ms, or as 4,096 frames, is given out; what is said of a bus stands between its frames, where it was said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pitwall.frames import Control, Frames, cut

QUEUE_FRAMES = 65_536
"""Frames that may wait: 4 s of two saturated 1 Mbit/s buses, while a disk is busy; some 60 MB where each came alone."""
BATCH_FRAMES = 4096
"""So many frames are written without waiting for more."""
WAIT_S = 0.010
"""So long a frame may wait to be written: a fifth of the 50 ms from its arrival to whoever looks at the page."""
LEEWAY_NS = 100_000_000
"""What is said happened so long ago: frames that others heard just before may still be on their way here, and are older
than it then, as they should be, instead of being made as young as it."""
QUEUE_SAID = 4096
"""Facts that may wait beside them: an hour of a source that comes and goes, while a disk takes nothing; some 2 MB."""


@dataclass(frozen=True)
class Lost:
    """Frames of a bus that found no room: how many, and the time (ns) of the first and the last of them."""

    bus: int
    frames: int
    first_t: int
    last_t: int


@dataclass(frozen=True)
class Said:
    """A control row to be: what became of a bus, or of the recorder itself, at `t` (ns)."""

    kind: Control
    t: int
    bus: int
    fact: Mapping[str, object]


@dataclass(frozen=True)
class Gathered:
    """What there was: frames and what was said, in the order of their arrival, and what was lost behind them."""

    items: list[Frames | Said] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


class Inbox:
    """The queue.  `put` and `say` are for any thread, `take` and `rest` for one."""

    def __init__(self, limit: int = QUEUE_FRAMES, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit, self._clock = limit, clock
        self._changed = threading.Condition()
        self._items: list[Frames | Said] = []
        self._waiting = 0
        self._said = 0
        self._since = 0.0  # when the first of those that wait came
        self._lost: dict[int, Lost] = {}

    @property
    def waiting(self) -> int:
        """Frames that wait."""
        return self._waiting

    @property
    def lost(self) -> int:
        """Frames that found no room behind those that wait."""
        with self._changed:
            return sum(lost.frames for lost in self._lost.values())

    def put(self, bus: int, rows: Frames) -> int:
        """Frames of one bus, in order.  How many of them found no room."""
        if not len(rows):
            return 0
        with self._changed:
            room = 0 if self._lost else self._limit - self._waiting
            lost = max(0, len(rows) - room)
            if lost:
                self._count(bus, cut(rows, room, len(rows)))
                rows = cut(rows, 0, room)
            if len(rows):
                self._waiting += len(rows)
                self._add(rows)
            return lost

    def say(self, said: Said) -> bool:
        """A fact behind all that came so far.  Whether there was room for it."""
        with self._changed:
            if self._said >= QUEUE_SAID:
                return False
            self._said += 1
            self._add(said)
            return True

    def take(self, timeout_s: float) -> Gathered:
        """All that waits, as soon as it is due; nothing where nothing is due within `timeout_s`."""
        give_up = self._clock() + timeout_s
        with self._changed:
            while not self._is_due():
                until = min(give_up, self._since + WAIT_S) if self._items else give_up
                left = until - self._clock()
                if left <= 0:
                    break
                self._changed.wait(left)
            return self._all() if self._is_due() else Gathered()

    def rest(self) -> Gathered:
        """All that waits, due or not."""
        with self._changed:
            return self._all()

    def _add(self, item: Frames | Said) -> None:
        if not self._items:
            self._since = self._clock()
        self._items.append(item)
        if len(self._items) == 1 or self._waiting >= BATCH_FRAMES:
            self._changed.notify()

    def _count(self, bus: int, rows: Frames) -> None:
        before = self._lost.get(bus, Lost(bus, 0, int(rows.t[0]), 0))
        self._lost[bus] = Lost(bus, before.frames + len(rows), before.first_t, int(rows.t[-1]))

    def _is_due(self) -> bool:
        if self._waiting >= BATCH_FRAMES:
            return True
        return bool(self._items) and self._clock() - self._since >= WAIT_S

    def _all(self) -> Gathered:
        gathered = Gathered(self._items, list(self._lost.values()))
        self._items, self._waiting, self._said, self._lost = [], 0, 0, {}
        return gathered
