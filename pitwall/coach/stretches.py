"""Stretches of a lap's rows in, one figure of each out: what is asked of every corner is answered for all at once.

Laws: an empty stretch has no figure (NaN), and no row (-1); what is said of a stretch depends on its own rows alone, in
whatever company it is asked about.  Pure.

A lap has a dozen corners of some hundred rows each: asked one after the other, the price is numpy's call, not the rows.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pitwall.frames import Int64
from pitwall.track.corners import Float64

Rows = npt.NDArray[np.bool_]
Column = TypeVar("Column", Int64, Float64)


class Stretches:
    """k stretches of rows, `first <= i < last`; they may overlap, and one that ends before it begins is empty.

    first, last: int64 (k,).  rows: int64 (m,), those of the first one, then those of the second, and so on; what is
    called values, or on, below is of these rows.
    """

    __slots__ = ("_begins", "_ends", "_lengths", "_some", "first", "last", "rows")

    def __init__(self, first: Int64, last: Int64) -> None:
        self.first, self.last = first, last
        self._lengths = np.maximum(last - first, 0)
        self._ends = self._lengths.cumsum()
        self._begins = self._ends - self._lengths
        self._some = self._lengths > 0
        rows = np.arange(self._ends[-1] if len(first) else 0)
        self.rows: Int64 = rows + (first - self._begins).repeat(self._lengths)

    def spread(self, figures: Column) -> Column:
        """Each stretch's, (k,) -> (m,), at all of its rows."""
        return figures.repeat(self._lengths)

    def reduced(self, ufunc: np.ufunc, values: Float64) -> Float64:
        """(m,) -> float64 (k,): as `ufunc.reduce` has it of each stretch."""
        found = np.full(len(self.first), np.nan)
        begins = self._begins[self._some]
        if len(begins):
            found[self._some] = ufunc.reduceat(values, begins)
        return found

    def running(self, ufunc: np.ufunc, values: Float64) -> Float64:
        """(m,) -> float64 (m,): as `ufunc.accumulate` has it of each stretch."""
        found = np.empty(len(values))
        for begin, end in zip(self._begins.tolist(), self._ends.tolist(), strict=True):
            ufunc.accumulate(values[begin:end], out=found[begin:end])
        return found

    def mean(self, values: Float64) -> Float64:
        """(m,) -> float64 (k,), of what is known."""
        known = ~np.isnan(values)
        count = self.count(known)
        found = self.reduced(np.add, np.where(known, values, 0.0)) / np.maximum(count, 1)
        return np.asarray(np.where(count > 0, found, np.nan), np.float64)

    def where(self, on: Rows) -> tuple[Int64, Stretches]:
        """The rows where it is on, int64 (j,), and which of these are each stretch's."""
        at = on.nonzero()[0]
        return self.rows[at], Stretches(at.searchsorted(self._begins), at.searchsorted(self._ends))

    def count(self, on: Rows) -> Int64:
        """(m,) -> int64 (k,): at how many rows."""
        at = on.nonzero()[0]
        found: Int64 = at.searchsorted(self._ends) - at.searchsorted(self._begins)
        return found

    def first_where(self, on: Rows) -> Int64:
        """(m,) -> int64 (k,): the first row; -1: none."""
        at = np.concatenate((on.nonzero()[0], (len(on),)))
        hit = at[at.searchsorted(self._begins)]
        return np.where(hit < self._ends, hit - self._begins + self.first, -1)

    def last_where(self, on: Rows) -> Int64:
        """(m,) -> int64 (k,): the last row; -1: none."""
        at = np.concatenate(((-1,), on.nonzero()[0]))
        hit = at[at.searchsorted(self._ends) - 1]
        return np.where(hit >= self._begins, hit - self._begins + self.first, -1)


class Runs:
    """Where `on` (n,) holds without a break.  first, last: int64 (r,), `first <= i < last`, in their order."""

    __slots__ = ("first", "last")

    def __init__(self, on: Rows) -> None:
        wide = np.zeros(len(on) + 2, np.bool_)
        wide[1:-1] = on
        edges = (wide[1:] != wide[:-1]).nonzero()[0]
        self.first: Int64
        self.last: Int64
        self.first, self.last = edges[::2], edges[1::2]

    def within(self, first: Int64, last: Int64) -> tuple[Stretches, Int64, Int64]:
        """Those that reach into stretches (k,): of each stretch which runs, and of these the part within, from, to."""
        which = Stretches(self.last.searchsorted(first, "right"), self.first.searchsorted(last))
        runs = which.rows
        return which, np.maximum(self.first[runs], which.spread(first)), np.minimum(self.last[runs], which.spread(last))


class Smoothed:
    """Means over `2 * reach + 1` rows at all rows of stretches, which go on beyond their ends as they are there.

    whole: bool (m,), the means over rows of the stretch alone.
    """

    __slots__ = ("_at", "_rows", "_weights", "parts", "whole")

    def __init__(self, parts: Stretches, reach: int) -> None:
        self.parts = parts
        first, last = parts.first, parts.last
        wide = Stretches(first - reach, np.where(last > first, last + reach, first - reach))
        self._rows = np.clip(wide.rows, wide.spread(first), wide.spread(last - 1))
        self._at = np.flatnonzero((wide.rows >= wide.spread(first)) & (wide.rows < wide.spread(last))) - reach
        self.whole: Rows = (parts.rows >= parts.spread(first + reach)) & (parts.rows < parts.spread(last - reach))
        self._weights = np.ones(2 * reach + 1) / (2 * reach + 1)

    def means(self, column: Float64) -> Float64:
        """float64 (m,)."""
        if not len(self._rows):
            return np.empty(0)
        return np.convolve(column[self._rows], self._weights, "valid")[self._at]


def up_to(on: Rows, at: Int64) -> Int64:
    """The last row up to each of `at` (k,), it included, where it is on; -1: none."""
    rows = np.concatenate(((-1,), on.nonzero()[0]))
    return rows[rows.searchsorted(at, "right") - 1]


def from_on(on: Rows, at: Int64) -> Int64:
    """The first row from each of `at` (k,) on where it is on; n: none."""
    rows = np.concatenate((on.nonzero()[0], (len(on),)))
    return rows[rows[:-1].searchsorted(at)]
