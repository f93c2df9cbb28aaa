"""Values of one channel in, the same values with its steps done out: what `pitwall.car.steps` says, on whole batches.

Laws:

1. However samples are cut into batches, the values are the same to the bit: a value is computed by operations that its
   own number among the channel's samples fixes, not its place in a batch.
2. A missing value (NaN) stays missing, and no step that looks back sees it.
3. No step looks ahead.

Pure: what is kept from batch to batch is rebuilt by replay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import numpy as np

from pitwall.car.steps import Despike, Limits, LowPass, Step, Table, Zero
from pitwall.derive.channel import Float64
from pitwall.frames import Int64

Speeds = Callable[[Int64, Int64], Float64]
"""Log offsets and times (ns), int64 (m,), ascending -> the newest speed at each, float64 (m,); NaN: there is none."""


class Doing(Protocol):
    """A step, with what it keeps: values float64 (m,), all there, at offsets and times (ns) int64 (m,)."""

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds, /) -> Float64: ...


def tabled(table: Table, values: Float64) -> Float64:
    """What the table makes of each value: linear between its points, the ends beyond them; NaN stays NaN."""
    return np.interp(values, table.raw, table.values)


class Steps:
    """The steps of one channel, one behind the other."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps: list[Doing] = [_DOING[type(step)](step) for step in steps]

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds) -> Float64:
        """values: float64 (m,), NaN where missing; at, t: int64 (m,), log offsets and ns.  Returns as many.

        What a step raises leaves all of them as they were.
        """
        if not self._steps:
            return values
        before = [vars(step).copy() for step in self._steps]
        try:
            return self._done(at, t, values, speeds)
        except Exception:
            for step, kept in zip(self._steps, before, strict=True):
                vars(step).update(kept)
            raise

    def _done(self, at: Int64, t: Int64, values: Float64, speeds: Speeds) -> Float64:
        for step in self._steps:
            there = ~np.isnan(values)
            if not there.any():
                return values
            if there.all():
                values = step(at, t, values, speeds)
            else:
                done = np.full(len(values), np.nan)
                done[there] = step(at[there], t[there], values[there], speeds)
                values = done
        return values


class _Limited:
    def __init__(self, rule: Limits) -> None:
        self._rule = rule

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds, /) -> Float64:
        return np.where((values >= self._rule.low) & (values <= self._rule.high), values, np.nan)


class _Despiked:
    """Keeps the newest values, as many as a median is taken of."""

    def __init__(self, rule: Despike) -> None:
        self._rule = rule
        self._before = np.empty(0)

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds, /) -> Float64:
        of = self._rule.of
        known = np.concatenate((self._before, values))
        done = values.copy()
        passed = of - len(self._before)  # these have fewer than `of` before them
        for first in range(passed, len(values), _MEDIANS):
            last = min(first + _MEDIANS, len(values))
            windows = np.lib.stride_tricks.sliding_window_view(known[first - passed : last - passed + of - 1], of)
            medians = np.partition(windows, of // 2, axis=1)[:, of // 2]
            part = done[first:last]
            part[np.abs(part - medians) > self._rule.by] = np.nan
        self._before = known[max(0, len(known) - of) :]
        return done


_MEDIANS: Final = 16_384
"""Values whose windows are copied out at once: 3 MB."""


class _Zeroed:
    """Keeps the samples of the standstill that it is in, and in the end their mean alone."""

    def __init__(self, rule: Zero) -> None:
        self._rule = rule
        self._t = np.empty(0, np.int64)
        self._values = np.empty(0)
        self._zero: float | None = None

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds, /) -> Float64:
        if self._zero is not None:
            return values - self._zero
        kept = len(self._values)
        # NaN compares false: who knows no speed does not know that the car stands
        still = np.concatenate((np.ones(kept, np.bool_), np.abs(speeds(at, t)) < self._rule.still))
        known_t, known = np.concatenate((self._t, t)), np.concatenate((self._values, values))
        rows = np.arange(len(known))
        begins = np.minimum(np.maximum.accumulate(np.where(still, -1, rows)) + 1, rows)
        full = still & (known_t - known_t[begins] >= self._rule.span_ns)
        done = np.full(len(values), np.nan)
        if full.any():
            last = int(np.argmax(full))
            standstill = known[begins[last] : last + 1]
            self._zero = math.fsum(standstill.tolist()) / len(standstill)  # exact, whatever the batches
            self._t, self._values = self._t[:0], self._values[:0]
            done[last - kept :] = values[last - kept :] - self._zero
        else:
            begin = int(begins[-1]) if still[-1] else len(known)
            self._t, self._values = known_t[begin:], known[begin:]
        return done


class _LowPassed:
    """Keeps the newest time, what the filter was at the last full block's end, and what came since.

    y = keep * y + fed, sample after sample, is a linear recurrence: a block of it is one too, by doubling, and blocks
    stand at fixed numbers of samples, so that a sample is always computed in the same way.
    """

    def __init__(self, rule: LowPass) -> None:
        self._per_ns = -2.0e-9 * math.pi * rule.hz
        self._t: int | None = None
        self._before = 0.0
        self._keep = np.empty(0)
        self._fed = np.empty(0)

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds, /) -> Float64:
        gaps = np.diff(t, prepend=t[0] if self._t is None else self._t)
        kept = np.exp(gaps * self._per_ns)
        if self._t is None:
            kept[0] = 0.0  # the first value is taken as it is
        waiting = len(self._fed)
        keep = np.concatenate((self._keep, kept))
        fed = np.concatenate((self._fed, (1.0 - kept) * values))
        done = _recurrence(keep, fed, self._before)
        full = len(fed) // _BLOCK * _BLOCK
        if full:
            self._before = float(done[full - 1])
        self._t, self._keep, self._fed = int(t[-1]), keep[full:], fed[full:]
        return done[waiting:]


_BLOCK: Final = 256
"""Samples: a power of two, few enough to be computed again with every batch that ends within it."""


def _recurrence(keep: Float64, fed: Float64, before: float) -> Float64:
    """y[i] = keep[i] * y[i - 1] + fed[i] from y[-1] = `before` on, all float64 (m,), in blocks from the first on."""
    n = len(fed)
    shape = (-(-n // _BLOCK), _BLOCK)
    keeps, sums = np.zeros(shape), np.zeros(shape)
    keeps.flat[:n] = keep
    sums.flat[:n] = fed
    step = 1
    while step < _BLOCK:
        sums[:, step:] += keeps[:, step:] * sums[:, :-step]
        keeps[:, step:] = keeps[:, step:] * keeps[:, :-step]
        step *= 2
    starts = []
    for of_all, of_sum in zip(keeps[:, -1].tolist(), sums[:, -1].tolist(), strict=True):  # one turn a block
        starts.append(before)
        before = of_all * before + of_sum
    done: Float64 = (keeps * np.array(starts)[:, None] + sums).reshape(-1)[:n]
    return done


_DOING: Final[dict[type[Step], Callable[..., Doing]]] = {
    Limits: _Limited,
    Despike: _Despiked,
    Zero: _Zeroed,
    LowPass: _LowPassed,
}
"""What does each step of `pitwall.car.steps`."""
