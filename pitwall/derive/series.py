"""Samples of several channels in, one clock with a value of each out: an input keeps its value until its next sample.

Law: the rows do not depend on how the samples were cut into batches, as long as `held` is carried from one to the next.
Pure.
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


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One input of a derived channel: its samples in this batch, if any, and the value that it had before, if any."""

    samples: Series | None
    held: float | None


def carried(at: Int64, t: Int64, values: Float64) -> Series | None:
    """The samples that a message's rows carry of one signal: where it is missing there is none.  None: not one."""
    there = ~np.isnan(values)
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
        return clock.at, clock.t, [_on_one_clock(each, len(clock.at)) for each in inputs]
    at, t, newest = _merged(list(clocks.values()))
    sample_of = dict(zip(clocks, newest, strict=True))
    first = 0
    for each in inputs:
        if each.held is None and each.samples is not None:
            first = max(first, int(np.searchsorted(sample_of[id(each.samples.at)], 0)))
    if first == len(at):
        return None
    values = []
    for each in inputs:
        if each.samples is None:
            values.append(_on_one_clock(each, len(at) - first))
        else:
            values.append(_filled(each.samples.values, sample_of[id(each.samples.at)][first:], each.held))
    return at[first:], t[first:], values


def _on_one_clock(each: Input, rows: int) -> Float64:
    return np.full(rows, each.held, np.float64) if each.samples is None else each.samples.values


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


def _filled(values: Float64, newest: Int64, held: float | None) -> Float64:
    if newest[0] >= 0:
        return values[newest]
    assert held is not None, "rows begin where every input has a value"
    # index -1 means before the first sample of this batch: there the last value of the batch before still holds
    return np.append(values, held)[newest]
