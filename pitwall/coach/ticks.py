"""Samples of channels as they come in, rows at even times out: what the driver could be told about at each moment.

Laws: a tick holds the newest value of each channel up to its time, if that is no older than `OLD_NS`, else NaN; it is
given once, as soon as anything later has been seen; however samples come in pieces, ticks are the same to the bit.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.frames import Int64
from pitwall.track.corners import Float64

TICK_NS: Final = 20_000_000
"""As often as a growing log is taken from, and as AiM's fastest channels come: shorter steps would cost a replay more,
and save a cue no more than half of one."""
OLD_NS: Final = 500_000_000
LONG_AGO: Final = -(1 << 62)


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """n moments.  t_ns: int64 (n,), multiples of `TICK_NS`.  columns: float64 (n,) by name, NaN: not known."""

    t_ns: Int64
    columns: Mapping[str, Float64]

    def __len__(self) -> int:
        return len(self.t_ns)

    def column(self, name: str) -> Float64:
        """Missing throughout where there is no such channel."""
        found = self.columns.get(name)
        return np.full(len(self), np.nan) if found is None else found

    def part(self, which: slice) -> Ticks:
        """Some of them."""
        return Ticks(self.t_ns[which], {name: column[which] for name, column in self.columns.items()})


def joined(before: Ticks, after: Ticks) -> Ticks:
    """One behind the other; of the same columns."""
    columns = {name: np.concatenate([before.column(name), column]) for name, column in after.columns.items()}
    return Ticks(np.concatenate([before.t_ns, after.t_ns]), columns)


class Ticking:
    """The ticks of a session, folded from its first sample on.  names: of the columns."""

    def __init__(self, names: Sequence[str]) -> None:
        self._newest = dict.fromkeys(names, (LONG_AGO, np.nan))
        self._next: int | None = None  # the tick that comes next

    def fold(self, samples: Mapping[str, tuple[Int64, Float64]], now_ns: int) -> Ticks:
        """samples: of each channel that has new ones, times ascending.  now_ns: of the newest thing that was seen."""
        if self._next is None:
            first = min((int(t[0]) for t, _ in samples.values() if len(t)), default=None)
            if first is None:
                return Ticks(np.empty(0, np.int64), {name: np.empty(0) for name in self._newest})
            self._next = first // TICK_NS + 1
        stop = -(-now_ns // TICK_NS)  # the first tick that is not before now
        t_ns = np.arange(self._next, max(self._next, stop), dtype=np.int64) * TICK_NS
        self._next = max(self._next, stop)
        together: dict[tuple[int, int], _Newest] = {}
        return Ticks(t_ns, {name: self._column(name, samples.get(name), t_ns, together) for name in self._newest})

    def _column(
        self, name: str, new: tuple[Int64, Float64] | None, t_ns: Int64, together: dict[tuple[int, int], _Newest]
    ) -> Float64:
        """together: what channels share whose samples have the same times, from the one before these on."""
        before_t, before = self._newest[name]
        times, values = (np.empty(0, np.int64), np.empty(0)) if new is None else new
        there = ~np.isnan(values)
        if not there.all():
            times, values = times[there], values[there]
        if len(times):
            self._newest[name] = int(times[-1]), float(values[-1])
        key = id(times), before_t
        if key not in together:
            together[key] = _Newest(times, before_t, t_ns)
        return together[key].of(before, values)


class _Newest:
    """Which sample is the newest at each tick.  times: of samples; before_t: of the one before them."""

    def __init__(self, times: Int64, before_t: int, t_ns: Int64) -> None:
        self._of = times  # kept: as long as they are there no others can be taken for them
        times = np.append(np.int64(before_t), times)
        self._at = np.searchsorted(times, t_ns, side="right") - 1
        self._old = t_ns - times[self._at] > OLD_NS

    def of(self, before: float, values: Float64) -> Float64:
        found = np.append(before, values)[self._at]
        found[self._old] = np.nan
        return found
