"""Samples of several channels in, one clock with a value of each out: an input keeps its value until its next sample.

Laws: the rows do not depend on how the samples were cut into batches, as long as `held` is carried from one to the
next.  A value that is older than its channel holds is missing.  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.frames import Int64


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Samples of one channel.  at: int64 (m,), ascending.  t: int64 (m,).  values: float64 (m,); NaN: there is none."""

    at: Int64
    t: Int64
    values: Float64


@dataclass(frozen=True, slots=True)
class Held:
    """The newest sample of a channel: its value, and when it came (ns)."""

    value: float
    t: int


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One input of a derived channel: its samples in this batch, if any, and the one before them, if any.

    hold_ns: how long after a sample its value is good for; None: until the next.
    """

    samples: Series | None
    held: Held | None
    hold_ns: int | None = None


def carried(at: Int64, t: Int64, values: Float64, signal: Float64) -> Series | None:
    """The samples that a message's rows carry of one signal: where `signal` is missing there is none.  None: not one.

    Where the signal is there and `values`, which became of it, is missing, that is a sample: that there is no value.
    """
    there = ~np.isnan(signal)
    if there.all():
        return Series(at, t, values)
    return Series(at[there], t[there], values[there]) if there.any() else None


def aligned(inputs: Sequence[Input]) -> tuple[Int64, Int64, list[Float64]] | None:
    """(at, t, values of each input) on every row that has a sample of one, from where each has a value.

    None: there is no such row.
    """
    if any(each.samples is None and each.held is None for each in inputs):
        return None
    clocks: dict[int, Series] = {id(each.samples.at): each.samples for each in inputs if each.samples is not None}
    if not clocks:
        return None
    if len(clocks) == 1:
        clock = next(iter(clocks.values()))
        return clock.at, clock.t, [_on_one_clock(each, clock.t) for each in inputs]
    at, t, newest = _merged(list(clocks.values()))
    sample_of = dict(zip(clocks, newest, strict=True))
    first = 0
    for each in inputs:
        if each.held is None and each.samples is not None:
            first = max(first, int(np.searchsorted(sample_of[id(each.samples.at)], 0)))
    if first == len(at):
        return None
    at, t = at[first:], t[first:]
    values = []
    for each in inputs:
        if each.samples is None:
            values.append(_on_one_clock(each, t))
        else:
            values.append(_filled(each, each.samples, sample_of[id(each.samples.at)][first:], t))
    return at, t, values


def newest(of: Input, at: Int64, t: Int64) -> Float64:
    """Its newest value at rows `at` and `t`, int64 (m,); NaN where there is none yet, or none that still holds."""
    if of.samples is None:
        return np.full(len(at), np.nan) if of.held is None else _on_one_clock(of, t)
    return _filled(of, of.samples, np.searchsorted(of.samples.at, at, side="right") - 1, t)


def _on_one_clock(each: Input, t: Int64) -> Float64:
    if each.samples is not None:
        return each.samples.values
    assert each.held is not None, "rows begin where every input has a value"
    values = np.full(len(t), each.held.value, np.float64)
    if each.hold_ns is not None:
        values[t - each.held.t > each.hold_ns] = np.nan
    return values


def _merged(clocks: Sequence[Series]) -> tuple[Int64, Int64, list[Int64]]:
    """All offsets once, their times, and for each clock the index of its newest sample at each, -1 before its first."""
    at = np.concatenate([clock.at for clock in clocks])
    t = np.concatenate([clock.t for clock in clocks])
    source = np.repeat(np.arange(len(clocks)), [len(clock.at) for clock in clocks])
    order = np.argsort(at, kind="stable")  # a merge of a few sorted runs: close to linear
    at = at[order]
    last = np.append(at[1:] != at[:-1], True)
    newest = [(np.cumsum(source[order] == index) - 1)[last] for index in range(len(clocks))]
    return at[last], t[order][last], newest


def _filled(each: Input, samples: Series, newest: Int64, t: Int64) -> Float64:
    """newest: the index of the newest sample at each row, -1 before the first."""
    values, times = samples.values, samples.t
    if len(newest) and newest[0] < 0:
        # index -1 means before the first sample of this batch: there the last one of the batch before still holds
        held = Held(np.nan, 0) if each.held is None else each.held
        values, times = np.append(values, held.value), np.append(times, np.int64(held.t))
    filled = values[newest]
    if each.hold_ns is not None:
        filled[t - times[newest] > each.hold_ns] = np.nan
    return filled
