"""Samples of channels as they come in, rows at even times out: what the driver could be told about at each moment.

Laws: a tick holds the newest value of each channel up to its time, if that is no older than `OLD_NS`, else NaN; it is
given once, as soon as anything later has been seen; however samples come in pieces, ticks are the same to the bit.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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


class Lazily(Mapping[str, Float64]):
    """Columns by their names, each made when it is first asked for: in most batches there is little to look at."""

    def __init__(self, names: Collection[str], make: Callable[[str], Float64]) -> None:
        self._names = names
        self._make = make
        self._made: dict[str, Float64] = {}

    def __getitem__(self, name: str) -> Float64:
        if name not in self._made:
            if name not in self._names:
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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

    def part(self, which: slice | Int64) -> Ticks:
        """Some of them."""
        return Ticks(self.t_ns[which], Lazily(self.columns.keys(), lambda name: self.columns[name][which]))

    def newest(self, count: int, names: Collection[str]) -> Ticks:
        """The last of them, with these columns alone; nothing of the others is kept."""
        return Ticks(self.t_ns[-count:].copy(), {name: self.column(name)[-count:].copy() for name in names})


def joined(before: Ticks, after: Ticks) -> Ticks:
    """One behind the other, with the columns of the later ones."""

    def column(name: str) -> Float64:
        return np.concatenate((before.column(name), after.column(name)))

    return Ticks(np.concatenate((before.t_ns, after.t_ns)), Lazily(after.columns.keys(), column))


class Ticking:
    """The ticks of a session, folded from its first sample on.  names: of the columns."""

    def __init__(self, names: Sequence[str]) -> None:
        self._newest = dict.fromkeys(names, (LONG_AGO, np.nan))
        self._next: int | None = None  # the tick that comes next

    def fold(self, samples: Mapping[str, tuple[Int64, Float64]], now_ns: int) -> Ticks:
        """samples: of each channel that has new ones, times ascending.  now_ns: of the newest thing that was seen."""
        if self._next is None:
            begin = min((int(t[0]) for t, _ in samples.values() if len(t)), default=None)
            if begin is None:
                return Ticks(np.empty(0, np.int64), {name: np.empty(0) for name in self._newest})
            self._next = begin // TICK_NS + 1
        stop = -(-now_ns // TICK_NS)  # the first tick that is not before now
        first, self._next = self._next, max(self._next, stop)
        t_ns = np.arange(first, self._next, dtype=np.int64) * TICK_NS
        before = dict(self._newest)
        for name, (times, values) in samples.items():
            if name in before and len(times):
                self._newest[name] = _last(times, values) or before[name]
        together: dict[tuple[int, int], _Newest] = {}  # by what channels share whose samples have the same times

        def column(name: str) -> Float64:
            before_t, value = before[name]
            times, values = samples.get(name, _NONE)
            if np.isnan(values.min(initial=np.inf)):
                there = ~np.isnan(values)
                times, values = times[there], values[there]
            key = id(times), before_t
            if key not in together:
                together[key] = _Newest(times, before_t, first, t_ns)
            return together[key].of(value, values)

        return Ticks(t_ns, Lazily(before.keys(), column))


_NONE: Final = (np.empty(0, np.int64), np.empty(0))


def _last(times: Int64, values: Float64) -> tuple[int, float] | None:
    """The newest sample that has a value."""
    if np.isnan(values[-1]):
        there = (~np.isnan(values)).nonzero()[0]
        return (int(times[there[-1]]), float(values[there[-1]])) if len(there) else None
    return int(times[-1]), float(values[-1])


class _Newest:
    """For how many ticks each sample is the newest.  times: of samples; before_t: of the one before them.

    first, t_ns: the first tick, and the times of all.
    """

    def __init__(self, times: Int64, before_t: int, first: int, t_ns: Int64) -> None:
        self._of = times  # kept: as long as they are there no others can be taken for them
        n = len(t_ns)
        seen = np.minimum(np.maximum((times + (TICK_NS - 1)) // TICK_NS - first, 0), n)  # from which tick on
        ends = np.concatenate((seen, (n,)))
        times = np.concatenate(((before_t,), times))
        self._count = ends - np.concatenate(((0,), seen))
        self._old = np.empty(0, np.int64)
        if ((ends + (first - 1)) * TICK_NS - times > OLD_NS).any():
            self._old = (t_ns - times.repeat(self._count) > OLD_NS).nonzero()[0]

    def of(self, before: float, values: Float64) -> Float64:
        found = np.concatenate(((before,), values)).repeat(self._count)
        found[self._old] = np.nan
        return found
