"""Adapters' stamps and the host's times of reception in, one `t` out: the adapter's spacing on the host's clock.

An adapter stamps a frame when it is on the bus, with a counter of its own that wraps, and drifts; the host hears of it
later, by leave of USB's polling and the scheduler.  How late the quickest of them was nobody can know: a frame is laid
as if that one had come at once.

Laws: `t` is never after the reception; it never runs backwards; between two anchors two `t` differ by what their stamps
do, to the ns (but for a frame that would run backwards: it is at the one before); any cut into batches gives the same.
Pure: no clock.

An anchor is a frame from which on the two clocks are laid together anew: where a stamp would be after its reception (a
frame came quicker than any before, or the adapter's clock runs fast), and where for `WINDOW_NS` even the quickest came
later than `SLACK_NS` (it runs slow).  At an anchor the offset is `MARGIN_NS` less than the frame's own delay would have
it, so that a clock that runs fast by 50 ppm sets one every 10 s, not one a frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pitwall.frames import Control, Frames, Int64, concat, control, cut

MARGIN_NS: Final = 500_000
"""How early a frame may be laid: half of USB's 1 ms, within which nobody knows when it came."""
SLACK_NS: Final = 2_000_000
"""How late the quickest of a window may be: four margins, so that an anchor is not undone by the next."""
WINDOW_NS: Final = 10_000_000_000
"""Longer than a host's stall, after which all are late together; 100 ppm of it are half of the slack."""

_NEVER: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Ticks:
    """A counter: tick_ns, what one of its ticks lasts; period, the number after which it begins again at 0."""

    tick_ns: int
    period: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """From row `row` of a batch on: a frame stamped `stamp` is at `t_ns`, `late_ns` before it was received."""

    row: int
    stamp: int
    t_ns: int
    late_ns: int


class AdapterClock:
    """Lays the stamps of one counter on the host's clock."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._last: tuple[int, int] | None = (
            None  # of the last stamped row: its stamp in ns without wraps, its reception
        )
        self._offset = 0  # from the unwrapped stamps to t, ns
        self._window = 0  # when it began, on the host's clock
        self._least = _NEVER  # the shortest delay in it
        self._t = -_NEVER  # of the last row

    def lay(self, stamps: Int64, received: Int64) -> tuple[Int64, list[Anchor]]:
        """int64 (n,) ns, the `t` of each frame, and the anchors among them.

        stamps: int64 (n,) of the counter; where one is not in its period the frame has none, and is at its reception.
        received: int64 (n,) ns on the host's clock, ascending.
        """
        t = np.array(received, np.int64)
        stamped = np.flatnonzero((stamps >= 0) & (stamps < self._ticks.period))
        anchors: list[Anchor] = []
        if len(stamped):
            host = t[stamped]
            ns = self._unwrapped(stamps[stamped], host)
            offset = np.empty(len(ns), np.int64)
            for i in self._laid(ns, host, offset):
                row = int(stamped[i])
                at = int(ns[i]) + self._offset
                anchors.append(Anchor(row, int(stamps[row]), at, int(host[i]) - at))
            t[stamped] = ns + offset
        if len(t):
            t[0] = max(int(t[0]), self._t)
            np.maximum.accumulate(t, out=t)
            self._t = int(t[-1])
        return t, anchors

    def laid(self, rows: Frames, stamps: Int64, received: Int64, source: str) -> Frames:
        """The rows, each at its `t`, and before each anchor's a control row that tells of it; as `lay`.

        A frame that was stamped `stamp` is at `laid_ns` from the control row's `t` (before it, where that would run
        backwards), and was received at `received_ns` from it; `tick_ns` and `period` are the counter's.
        """
        t, anchors = self.lay(stamps, received)
        rows = replace(rows, t=t)
        parts, done = [], 0
        for anchor in anchors:
            at = int(t[anchor.row])
            fact = {
                "source": source,
                "stamp": anchor.stamp,
                "laid_ns": anchor.t_ns - at,
                "received_ns": anchor.t_ns + anchor.late_ns - at,
                "tick_ns": self._ticks.tick_ns,
                "period": self._ticks.period,
            }
            parts += [cut(rows, done, anchor.row), control(Control.CLOCKS, at, json.dumps(fact).encode())]
            done = anchor.row
        return concat([*parts, cut(rows, done, len(rows))]) if parts else rows

    def _unwrapped(self, stamps: Int64, host: Int64) -> Int64:
        """int64 (n,): the stamps in ns, without wraps: of those a counter may have made, as many as time has passed."""
        tick, period = self._ticks.tick_ns, self._ticks.period * self._ticks.tick_ns
        ns = stamps * tick
        if self._last is None:
            self._last = int(ns[0]), int(host[0])
        step = np.diff(ns, prepend=self._last[0] % period) % period
        passed = np.diff(host, prepend=self._last[1])
        whole = self._last[0] + np.cumsum(step + (passed - step + period // 2) // period * period)
        self._last = int(whole[-1]), int(host[-1])
        return whole

    def _laid(self, ns: Int64, host: Int64, offset: Int64) -> Iterator[int]:
        """Fill in `offset` (n,), that of each row; yields each row that is an anchor, while its offset is the last."""
        late = host - ns
        i, n = 0, len(ns)
        while i < n:
            too_soon = late[i:] < self._offset
            too_soon |= self._least == _NEVER  # the very first
            over = host[i:] >= self._window + WINDOW_NS
            events = np.flatnonzero(too_soon | over)
            k = i + int(events[0]) if len(events) else n
            offset[i:k] = self._offset
            if k > i:
                self._least = min(self._least, int(late[i:k].min()))
            if k == n:
                return
            if too_soon[k - i]:
                self._least = int(late[k])
                anchor = True
            else:
                anchor = min(self._least, int(late[k])) - self._offset > SLACK_NS
            if anchor:
                self._offset = min(self._least, int(late[k])) - MARGIN_NS
                yield k
            self._window, self._least = int(host[k]), int(late[k])
            offset[k] = self._offset
            i = k + 1
