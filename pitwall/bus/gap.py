"""Two clocks in, the times out in which this process did not run: frozen or starved, or asleep with the machine.

CLOCK_MONOTONIC goes on while a process is stopped or gets no processor, and stands still while the machine is
suspended; CLOCK_BOOTTIME goes on through both (clock_gettime(2)).  Where there is no CLOCK_BOOTTIME a suspended
machine can't be told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

GAP_S: Final = 2.0
"""A thread that asked to be woken within a quarter of a second and waited so long did not wait for a busy machine: ten
times what readers and a writer at their limits cost it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """what: "frozen" (stopped by somebody, or starved) or "suspended" (with the machine)."""

    what: str
    seconds: float


def boot_clock() -> Callable[[], int] | None:
    """CLOCK_BOOTTIME in ns; None: this system has none."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:
        return None
    try:
        time.clock_gettime_ns(clock)
    except OSError:
        return None
    return lambda: time.clock_gettime_ns(clock)


class Gaps:
    """Looked at often; says what passed between two looks that should not have.  Clocks: ns."""

    def __init__(
        self, clock: Callable[[], int] = time.monotonic_ns, boot: Callable[[], int] | None = None, gap_s: float = GAP_S
    ) -> None:
        """boot: CLOCK_BOOTTIME; None: there is none."""
        self._clock, self._boot, self._gap_s = clock, boot, gap_s
        self._seen = self._now()

    def look(self) -> list[Gap]:
        """The gaps since the last look, longer than `gap_s` each."""
        before, self._seen = self._seen, self._now()
        ran = (self._seen[0] - before[0]) / 1e9
        slept = (self._seen[1] - before[1]) / 1e9 - ran
        return [Gap(what, s) for what, s in (("suspended", slept), ("frozen", ran)) if s > self._gap_s]

    def _now(self) -> tuple[int, int]:
        now = self._clock()
        return now, self._boot() if self._boot is not None else now
