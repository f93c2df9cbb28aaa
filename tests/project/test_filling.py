"""How long a disk lasts is told from how fast it fills, by whomever, and is not told where nobody can know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.project.filling import EVERY_S, LEAST_S, SPAN_S, Filling

GB = 10**9


@given(st.lists(st.floats(0.1, 300), min_size=1, max_size=100), st.floats(1e3, 1e6))
def test_what_fills_evenly_is_full_when_it_is_said_to_be(steps, taken_per_s):
    filling, now = Filling(), 0.0
    filling.saw(now, 1000 * GB)
    for step in steps:
        now += step
        free = 1000 * GB - int(taken_per_s * now)
        lasts_s = filling.saw(now, free)
        if lasts_s is not None:
            assert lasts_s * taken_per_s == pytest.approx(free, rel=1e-3)
        else:
            assert now < LEAST_S


def test_nothing_is_said_in_the_first_minute_nor_where_nothing_is_taken_nor_where_more_comes_back():
    filling = Filling()
    assert [filling.saw(s, 10 * GB - s) for s in range(int(LEAST_S))] == [None] * int(LEAST_S)
    assert filling.saw(LEAST_S, 10 * GB - 60) is not None
    assert filling.saw(LEAST_S + 1, 10 * GB) is None
    assert filling.saw(LEAST_S + 2, 12 * GB) is None


def test_what_was_long_ago_counts_no_more():
    filling = Filling()
    for s in range(0, 2000, 10):
        lasts_s = filling.saw(s, 100 * GB - (GB if s > 500 else 0))  # once, and then nothing
    assert lasts_s is None


def test_however_often_it_is_looked_at_little_is_kept():
    filling = Filling()
    for i in range(100_000):
        filling.saw(i / 10, GB)
    assert len(filling._seen) <= SPAN_S / EVERY_S + 1
