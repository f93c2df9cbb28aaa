"""What one bus has given and lost, and how its source is: kept, and told between its frames, in the inbox.

Laws: each change of state is one line of logging and one control row; what is lost is told by cause, each loss once,
and at most so often; `t` never runs backwards from one source of the bus to the next.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from pitwall.bus.inbox import LEEWAY_NS, Inbox, Said
from pitwall.bus.source import Cause
from pitwall.bus.standing import FINE, Standing, State
from pitwall.frames import Control, Flag, Frames

logger = logging.getLogger(__name__)


class Account:
    """Of the bus with this number; used by one thread at a time.  heard_s: when the newest frame came, 0: none did."""

    def __init__(self, bus: int, name: str, source: str, inbox: Inbox, now: Callable[[], int]) -> None:
        """name: the bus's.  source: its name.  now: ns, as the sources' `t`."""
        self.heard_s = 0.0
        self._bus, self._inbox, self._now = bus, inbox, now
        self._standing = Standing(name, source, since_ns=time.time_ns())
        self._lost: Counter[Cause] = Counter()
        self._pending: Counter[Cause] = Counter()  # of those, not told yet
        self._untold = 0  # changes that found no room
        self._told_s = self._measured_s = time.monotonic()
        self._measured = 0  # frames, then
        self._last_t = self._said_t = 0  # of the newest frame, and of what was said last
        self._was_fine = False

    @property
    def state(self) -> State:
        """Its source's."""
        return self._standing.state

    @property
    def returned(self) -> State:
        """What its source is when it is there: for the first time, or again."""
        return State.RECONNECTED if self._was_fine else State.CONNECTED

    def standing(self) -> Standing:
        """All of it, as of now."""
        age = round(time.monotonic() - self.heard_s, 1) if self.heard_s else None
        return replace(self._standing, age_s=age, lost=dict(self._lost))

    def hear(self, rows: Frames, back: State | None) -> None:
        """Rows, at least one.  back: the state that begins with the first of them, where one does."""
        first = self._last_t if back is None else max(self._last_t, self._said_t)
        t = rows.t if rows.t[0] >= first else np.maximum(rows.t, first)
        if back is not None:
            self.change(back, t=int(t[0]))
        self.heard_s, self._last_t = time.monotonic(), int(t[-1])
        frames = int(np.count_nonzero(rows.flags & np.uint8(Flag.CONTROL) == 0))
        self._standing = replace(self._standing, frames=self._standing.frames + frames)
        # a source counts its own bus as 0: here is where the same id on two of them stays apart
        lost = self._inbox.put(self._bus, replace(rows, t=t, bus=np.full(len(rows), self._bus, np.uint8)))
        if lost:
            self._lost[Cause.QUEUE] += lost  # who empties the queue tells it, where they are missing

    def change(self, state: State, why: str = "", *, t: int | None = None, trace: BaseException | None = None) -> None:
        """Another state, which is told; or another reason for the same, which is not.  t: ns; None: now.

        trace: an error that nobody foresaw.
        """
        before = self._standing
        if state is before.state:
            self._standing = replace(before, why=why)
            return
        self._standing = now = replace(before, state=state, why=why, since_ns=time.time_ns())
        self._was_fine = self._was_fine or state in FINE
        fact: dict[str, object] = {"bus": now.bus, "source": now.source, "state": state.value}
        if why:
            fact["why"] = why
        fact |= {"frames": now.frames, "lost": {cause.value: n for cause, n in self._lost.items()}}
        if self._untold:
            fact["untold"] = self._untold
        self._untold = 0 if self._say(Control.SOURCE, fact, t) else self._untold + 1
        expected = state is State.ENDED or (state is State.CONNECTED and before.state is State.OPENING)
        level = logging.INFO if expected else logging.WARNING
        reason = f": {why}" if why else ""
        logger.log(level, "%s: %s is %s%s%s", now.bus, now.source, state, reason, self._advice(), exc_info=trace)

    def lose(self, cause: Cause, n: int) -> None:
        """So many more are lost; none where n is not positive."""
        if n > 0:
            self._lost[cause] += n
            self._pending[cause] += n

    def tell_losses(self, interval_s: float) -> None:
        """A control row for each cause of what was lost, where `interval_s` have passed since the last time."""
        now = time.monotonic()
        if not self._pending or now - self._told_s < interval_s:
            return
        self._told_s = now
        for cause, n in list(self._pending.items()):
            fact = {"bus": self._standing.bus, "source": self._standing.source, "cause": cause.value, "count": n}
            if self._say(Control.LOST, fact):
                del self._pending[cause]

    def measure(self) -> None:
        """Frames a second, over the last one."""
        now, frames = time.monotonic(), self._standing.frames
        if now - self._measured_s >= 1:
            rate = (frames - self._measured) / (now - self._measured_s)
            self._standing = replace(self._standing, frames_per_s=round(rate, 1))
            self._measured_s, self._measured = now, frames

    def _advice(self) -> str:
        if self.state is not State.LOST:
            return ""
        return " (tried until it is back)" if self._was_fine else " (tried until it is there; `pitwall doctor` helps)"

    def _say(self, kind: Control, fact: Mapping[str, object], t: int | None = None) -> bool:
        self._said_t = max(self._now() - LEEWAY_NS, self._said_t, self._last_t) if t is None else t
        return self._inbox.say(Said(kind, self._said_t, self._bus, fact))
