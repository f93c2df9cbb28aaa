"""A simulated drive as a live source: the frames of a drive, each at its own time.

Law: as every `Source` (see `pitwall.bus.source`): `t` is ns of the monotonic clock since `zero_ns`, never running
backwards.  The clock is passed in, and so is the waiting, so that a test needs no time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from pitwall.bus.simulator.drive import Drive
from pitwall.bus.simulator.motion import SECOND_NS
from pitwall.bus.source import Cause
from pitwall.frames import Frames, cut, empty, moved


class SimulatorSource:
    """`drive`, begun now and heard as it goes."""

    def __init__(
        self,
        drive: Drive,
        *,
        zero_ns: int | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """zero_ns: what `t` counts from, None for now.  clock: ns.  wait: seconds; returns early when closed."""
        self.name = "simulator"
        self._closed = threading.Event()
        self._clock = clock
        self._wait = self._closed.wait if wait is None else wait
        self._begun_ns = clock()
        self._ahead_ns = 0 if zero_ns is None else self._begun_ns - zero_ns
        self._laps: Iterator[Frames] = drive.frames()
        self._lap = empty()
        self._next = 0

    def read(self, timeout_s: float) -> Frames | None:
        """The frames due by now; waits for the first one, up to `timeout_s`.  None: the drive is over, or closed."""
        due_ns = self._due_ns()
        if due_ns is None:
            return None
        now_ns = self._clock() - self._begun_ns
        if due_ns > now_ns:
            self._wait(min(timeout_s, (due_ns - now_ns) / SECOND_NS))
            if self._closed.is_set():
                return None
            now_ns = self._clock() - self._begun_ns
        last = int(np.searchsorted(self._lap.t, now_ns, side="right"))
        heard = moved(cut(self._lap, self._next, max(last, self._next)), 0)
        self._next = max(last, self._next)
        return replace(heard, t=heard.t + self._ahead_ns)

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`: a simulator loses nothing."""
        return {}

    def close(self) -> None:
        """End the drive; a `read` that waits returns at once."""
        self._closed.set()

    def _due_ns(self) -> int | None:
        """When the next frame is due; None where there is none."""
        while self._next >= len(self._lap):
            lap = None if self._closed.is_set() else next(self._laps, None)
            if lap is None:
                return None
            self._lap, self._next = lap, 0
        return None if self._closed.is_set() else int(self._lap.t[self._next])
