"""What is asked of all stretches at once, against the same asked of one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.coach.stretches import Runs, Smoothed, Stretches, from_on, up_to

N = 40
rows = st.integers(0, N)
stretches = st.lists(st.tuples(rows, rows), max_size=6)
values = st.lists(st.sampled_from([np.nan, -1.5, 0.0, 0.25, 3.0, 7.0]), min_size=N, max_size=N)
switches = st.lists(st.booleans(), min_size=N, max_size=N)


def of(pairs: list[tuple[int, int]]) -> Stretches:
    first, last = np.array(pairs, np.int64).reshape(-1, 2).T
    return Stretches(first, last)


@given(stretches, values)
def test_figures_of_stretches_are_those_of_each_alone(pairs: list[tuple[int, int]], column: list[float]) -> None:
    every, parts = of(pairs), [np.array(column)[a:b] for a, b in pairs]
    there = np.array(column)[every.rows]
    np.testing.assert_array_equal(there, np.concatenate([np.empty(0), *parts]))
    for ufunc in (np.fmax, np.fmin, np.maximum):
        expected = [ufunc.reduce(part) if len(part) else np.nan for part in parts]
        np.testing.assert_array_equal(every.reduced(ufunc, there), np.array(expected, np.float64))
        running = [ufunc.accumulate(part) for part in parts if len(part)]
        np.testing.assert_array_equal(every.running(ufunc, there), np.concatenate([np.empty(0), *running]))
    means = [np.nanmean(part) if np.isfinite(part).any() else np.nan for part in parts]
    np.testing.assert_allclose(every.mean(there), np.array(means, np.float64), rtol=1e-14)
    figures = np.arange(float(len(pairs)))
    np.testing.assert_array_equal(every.spread(figures), np.repeat(figures, [len(part) for part in parts]))


@given(stretches, switches)
def test_rows_of_stretches_are_those_of_each_alone(pairs: list[tuple[int, int]], on: list[bool]) -> None:
    every = of(pairs)
    held = [[row for row in range(a, b) if on[row]] for a, b in pairs]
    there = np.array(on)[every.rows]
    assert every.count(there).tolist() == [len(each) for each in held]
    assert every.first_where(there).tolist() == [each[0] if each else -1 for each in held]
    assert every.last_where(there).tolist() == [each[-1] if each else -1 for each in held]
    rows_on, which = every.where(there)
    assert [rows_on[a:b].tolist() for a, b in zip(which.first, which.last, strict=True)] == held


@given(stretches, switches)
def test_runs_that_reach_into_a_stretch_are_cut_to_it(pairs: list[tuple[int, int]], on: list[bool]) -> None:
    runs = Runs(np.array(on))
    slow = [(a, b) for a in range(N) for b in range(a + 1, N + 1) if all(on[a:b])]
    longest = [(a, b) for a, b in slow if (a - 1, b) not in slow and (a, b + 1) not in slow]
    assert list(zip(runs.first.tolist(), runs.last.tolist(), strict=True)) == longest
    inside = [(a, b) for a, b in pairs if a < b]
    every = of(inside)
    which, first, last = runs.within(every.first, every.last)
    expected = [
        (k, r, max(a, begin), min(b, end))
        for k, (begin, end) in enumerate(inside)
        for r, (a, b) in enumerate(longest)
        if a < end and b > begin
    ]
    owners = which.spread(np.arange(len(inside)))
    found = zip(owners.tolist(), which.rows.tolist(), first.tolist(), last.tolist(), strict=True)
    assert list(found) == expected


@given(switches, st.lists(st.integers(0, N - 1), min_size=1, max_size=5))
def test_the_next_row_and_the_newest_where_it_is_on(on: list[bool], at: list[int]) -> None:
    column, places = np.array(on), np.array(at)
    assert from_on(column, places).tolist() == [next((r for r in range(a, N) if on[r]), N) for a in at]
    assert up_to(column, places).tolist() == [next((r for r in range(a, -1, -1) if on[r]), -1) for a in at]


@given(stretches, st.integers(1, 4))
def test_means_within_a_stretch_take_nothing_from_beyond_it(pairs: list[tuple[int, int]], reach: int) -> None:
    column = np.sin(np.arange(float(N)) ** 1.3)
    smoothed, expected, whole = Smoothed(of(pairs), reach), [], []
    for first, last in pairs:
        for row in range(first, last):
            about = np.clip(np.arange(row - reach, row + reach + 1), first, last - 1)
            expected.append(float(np.mean(column[about])))
            whole.append(row - reach >= first and row + reach < last)
    assert smoothed.means(column) == pytest.approx(np.array(expected))
    assert smoothed.whole.tolist() == whole
