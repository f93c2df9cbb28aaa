"""Fixes in, standstills out: where the car stood, from when, and when it moved off.

Law: positions are compared from one second to the next, so that neither a fix's noise nor how fixes come in pieces
matters; a receiver that says nothing while it stands has stood.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.frames import Int64

STOP_NS: Final = 10_000_000_000
"""Who stands for so long has stopped: a spin is over sooner, a pit stop or a red flag is not."""
STILL_M: Final = 1.5
"""So far may a position wander from one second to the next while the car stands."""


@dataclass(frozen=True, slots=True)
class Stop:
    """index: of the fix at which it is known.  moving: it is over.  t_ns: since when the car stood, or moved off."""

    index: int
    moving: bool
    t_ns: int


@dataclass(slots=True)
class Standing:
    """What is known up to the newest fix."""

    second: int = -1
    t_ns: int = 0
    x_m: float = np.nan
    y_m: float = np.nan
    since_ns: int | None = None
    stopped: bool = False

    def fold(self, t: Int64, x_m: Float64, y_m: Float64) -> list[Stop]:
        """t: int64 (n,), ns.  x_m, y_m: float64 (n,)."""
        if not len(t):
            return []
        seconds = t // 1_000_000_000
        at = (seconds != np.concatenate(((self.second,), seconds[:-1]))).nonzero()[0]
        self.second = int(seconds[-1])
        if not len(at):
            return []
        x, y = np.concatenate(((self.x_m,), x_m[at])), np.concatenate(((self.y_m,), y_m[at]))
        times = np.concatenate(((self.t_ns,), t[at]))
        dx, dy = x[1:] - x[:-1], y[1:] - y[:-1]
        still = dx * dx + dy * dy <= STILL_M * STILL_M  # NaN, before the first fix, is not
        self.x_m, self.y_m, self.t_ns = float(x[-1]), float(y[-1]), int(times[-1])
        found: list[Stop] = []
        if self.since_ns is None and not still.any():
            return found
        for k, index in enumerate(at.tolist()):
            if still[k]:
                if self.since_ns is None:
                    self.since_ns = int(times[k])
                if not self.stopped and int(times[k + 1]) - self.since_ns >= STOP_NS:
                    self.stopped = True
                    found.append(Stop(index, False, self.since_ns))
            elif self.since_ns is not None:
                if self.stopped:
                    found.append(Stop(index, True, int(times[k])))
                self.since_ns, self.stopped = None, False
        return found
