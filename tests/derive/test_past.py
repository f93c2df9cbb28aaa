"""What looks back in time, worked out by hand, and windows against a loop over them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.derive import past
from pitwall.derive.past import integral, lag, rate, rolling_max, rolling_mean, rolling_min, windowed

S = 1_000_000_000
NAN = float("nan")

Fold = Callable[..., tuple[np.ndarray, Any]]


def over(fold: Fold, seconds: list[float], values: list[float], **window: int) -> list[float]:
    result, _ = fold(None, (np.array(seconds) * S).astype(np.int64), np.array(values), **window)
    return [None if np.isnan(value) else value for value in result.tolist()]  # type: ignore[misc]


def test_a_rate_is_per_second_since_the_row_before() -> None:
    assert over(rate, [0, 1, 3, 3, 3.5], [5, 7, 3, 9, 9]) == [None, 2, -2, None, 0]


def test_a_rate_bridges_what_is_missing() -> None:
    assert over(rate, [0, 1, 2], [5, NAN, 9]) == [None, None, 2]


def test_an_integral_is_the_area_and_bridges_what_is_missing() -> None:
    assert over(integral, [1, 2, 3, 5], [2, 4, NAN, 0]) == [0, 3, None, 9]


def test_one_value_that_is_infinite_spoils_no_integral() -> None:
    assert over(integral, [0, 1, 2], [1, np.inf, 1]) == [0, None, 2]


def test_a_lag_is_what_held_then() -> None:
    assert over(lag, [0, 1, 1, 2, 2.5, 9], [1, 2, 3, NAN, 5, 6], window_ns=S) == [None, 1, 1, 3, 3, 5]


def test_a_lag_of_what_was_missing_is_missing() -> None:
    assert over(lag, [0, 1, 2], [1, NAN, 3], window_ns=S) == [None, 1, None]


def test_a_window_is_open_at_its_old_end() -> None:
    t, x = [0, 1, 2, 3, 3, 10], [1, 2, 6, 4, 0, 7]
    assert over(rolling_mean, t, x, window_ns=2 * S) == [1, 1.5, 4, 5, 10 / 3, 7]
    assert over(rolling_min, t, x, window_ns=2 * S) == [1, 1, 2, 4, 0, 7]
    assert over(rolling_max, t, x, window_ns=2 * S) == [1, 2, 6, 6, 6, 7]


def test_a_window_skips_what_is_missing() -> None:
    assert over(rolling_mean, [0, 1, 2], [1, NAN, 3], window_ns=9 * S) == [1, None, 2]


@pytest.mark.parametrize("fold", [lag, rolling_max, rolling_mean])
def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, fold: Fold) -> None:
    monkeypatch.setattr(past, "MAX_ROWS", 4)
    t = np.zeros(9, np.int64)
    whole, _ = fold(None, t, np.arange(9.0), window_ns=5)
    state, found = None, []
    for value in range(9):
        part, state = fold(state, t[:1], np.array([float(value)]), window_ns=5)
        assert len(state.t) <= 4
        found += part.tolist()
    np.testing.assert_array_equal(found, whole)
    if fold is rolling_mean:
        assert whole.tolist() == [0, 0.5, 1, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=70), st.integers(1, 70), st.randoms())
def test_a_window_is_what_a_loop_over_it_gives(values: list[float], longest: int, random: Any) -> None:
    end = np.arange(1, len(values) + 1)
    first = np.array([random.randint(max(0, e - longest), e - 1) for e in end.tolist()])
    for combine, obvious in ((np.add, sum), (np.minimum, min), (np.maximum, max)):
        found = windowed(combine, np.array(values), first, end)
        expected = [obvious(values[a:b]) for a, b in zip(first.tolist(), end.tolist(), strict=True)]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    edges=st.lists(st.integers(0, 600), max_size=9),
    window_ms=st.sampled_from([1, 30, 2000]),
    name=st.sampled_from(sorted(past.FUNCTIONS)),
)
def test_any_cut_gives_the_same_bits(seed: int, edges: list[int], window_ms: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.integers(0, 10_000_000, 600))
    values = np.where(rng.random(600) < 0.1, np.nan, rng.normal(0, 10 ** rng.uniform(-5, 5, 600)))
    window = {} if name in ("rate", "integrate") else {"window_ns": window_ms * 1_000_000}
    whole, _ = past.FUNCTIONS[name](None, t, values, **window)
    state, parts = None, []
    for first, last in pairwise([0, *sorted(edges), 600]):
        part, state = past.FUNCTIONS[name](state, t[first:last], values[first:last], **window)
        parts.append(part)
    assert np.concatenate(parts).tobytes() == whole.tobytes()
