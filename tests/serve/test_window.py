"""A window of a channel holds what was recorded in it: every sample, or of each bucket the least and the greatest."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.serve.limits import MAX_POINTS, MAX_VALUES
from pitwall.serve.window import (
    DEFAULT_NS,
    Asked,
    TooManyPointsError,
    UnknownChannelError,
    read,
)
from pitwall.serve.window_stored import FEW, Stored
from tests.serve.stand import projection

samples = st.lists(
    st.tuples(st.integers(0, 2000), st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False))), max_size=60
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@pytest.fixture(params=[FEW, 0], ids=["few", "many"])
def stored(request):
    """Samples that are fetched whole, and such as DuckDB cuts."""
    return partial(Stored, few=request.param)


@settings(max_examples=60, deadline=None)
@given(samples, st.integers(0, 2000), st.integers(0, 2000), st.integers(2, 40), st.sampled_from([FEW, 0]))
def test_a_bucket_gives_its_least_and_its_greatest_sample(rows, one, other, points, few):
    t_from, t_to = min(one, other), max(one, other)
    con = projection({("m", "a"): ([t for t, _ in rows], [v for _, v in rows])})
    trace = read(Stored(con, few), Asked(("a",), t_from, t_to, points)).traces["a"]
    inside = [(t, v) for t, v in rows if v is not None and t_from <= t <= t_to]
    assert trace.samples == len(inside)
    given_ = list(zip(trace.t.tolist(), trace.v.tolist(), strict=True))
    if len(inside) <= points:
        assert sorted(given_) == sorted(inside)
        return
    assert set(given_) <= set(inside)
    assert len(given_) <= points
    assert trace.t.tolist() == sorted(trace.t.tolist())
    buckets: dict[int, list[float]] = {}
    width = (t_to - t_from) // max(1, points // 2) + 1
    for t, v in inside:
        buckets.setdefault((t - t_from) // width, []).append(v)
    for number, held in buckets.items():
        shown = [v for t, v in given_ if (t - t_from) // width == number]
        assert (min(shown), max(shown)) == (min(held), max(held))


def test_no_peak_of_one_sample_is_lost(stored):
    v = [0.0] * 9000
    v[4321] = 99.0
    con = projection({("m", "a"): ([i * 10**6 for i in range(9000)], v)})
    trace = read(stored(con), Asked(("a",), points=100)).traces["a"]
    assert trace.v.max() == 99.0
    assert trace.t[trace.v.argmax()] == 4321 * 10**6


def test_channels_of_several_tables_come_in_the_order_asked(stored):
    con = projection({("m", "a"): ([1, 2], [1.0, 2.0]), ("n", "b"): ([1], [3.0])})
    window = read(stored(con), Asked(("b", "a")))
    assert list(window.traces) == ["b", "a"]
    assert window.traces["b"].v.tolist() == [3.0]


def test_neither_end_given_means_the_last_minute(stored):
    t = [int(s * 1e9) for s in range(0, 200)]
    con = projection({("m", "a"): (t, [float(i) for i in range(200)])})
    window = read(stored(con), Asked(("a",)))
    assert (window.t_from, window.t_to) == (199 * 10**9 - DEFAULT_NS, 199 * 10**9)
    assert window.traces["a"].v.tolist() == [float(i) for i in range(139, 200)]


def test_an_open_end_reaches_as_far_as_the_channels_do(stored):
    con = projection({("m", "a"): ([0, 100 * 10**9], [1.0, 2.0])})
    assert read(stored(con), Asked(("a",), t_from=5)).t_to == 100 * 10**9
    assert read(stored(con), Asked(("a",), t_to=70 * 10**9)).t_from == 0


def test_a_rate_is_a_number_of_points_over_the_window(stored):
    con = projection({("m", "a"): ([i * 10**7 for i in range(1000)], [math.sin(i) for i in range(1000)])})
    trace = read(stored(con), Asked(("a",), 0, 10 * 10**9, rate_hz=10)).traces["a"]
    assert 90 <= len(trace.t) <= 100


def test_a_channel_with_no_value_is_an_empty_trace(stored):
    con = projection({("m", "a"): ([1, 2], [None, None])})
    trace = read(stored(con), Asked(("a",), 0, 10)).traces["a"]
    assert len(trace.t) == len(trace.v) == trace.samples == 0


def test_names_are_names_however_they_look(stored):
    name = 'a"; DROP TABLE channels; --'
    con = duck = projection({("m", "a"): ([1], [1.0])})
    duck.execute('CREATE TABLE "n ""n" (t BIGINT, "a""; DROP TABLE channels; --" DOUBLE)')
    duck.execute('INSERT INTO "n ""n" VALUES (1, 5.0)')
    duck.execute("INSERT INTO channels VALUES (?, '', '', 'n \"n', ?, 1, 1.0)", [name, name])
    assert read(stored(con), Asked((name,))).traces[name].v.tolist() == [5.0]


def test_more_points_than_a_channel_may_have_are_refused_with_what_would_fit(stored):
    n = MAX_POINTS + 1
    con = projection({("m", "a"): (list(range(0, n * 10**6, 10**6)), [0.0] * n)})
    with pytest.raises(TooManyPointsError) as refused:
        read(stored(con), Asked(("a",)))
    fits_ns = int(refused.value.fits_s * 1e9) - 10**6
    assert len(read(stored(con), Asked(("a",), 0, fits_ns)).traces["a"].t) <= MAX_POINTS
    assert len(read(stored(con), Asked(("a",), points=MAX_POINTS)).traces["a"].t) <= MAX_POINTS


def test_more_points_than_an_answer_may_have_are_refused(stored):
    n = MAX_VALUES // 20 + 1
    t = list(range(0, n * 10**6, 10**6))
    con = projection({(f"m{i}", f"a{i}"): (t, [0.0] * n) for i in range(20)})
    with pytest.raises(TooManyPointsError, match="20 channels"):
        read(stored(con), Asked(tuple(f"a{i}" for i in range(20))))


def test_an_unknown_channel_is_named(stored):
    with pytest.raises(UnknownChannelError) as unknown:
        read(stored(projection({("m", "a"): ([1], [1.0])})), Asked(("a", "b")))
    assert (unknown.value.name, unknown.value.names) == ("b", ["a"])


def test_numbers_come_as_64_bits(stored):
    trace = read(stored(projection({("m", "a"): ([1], [1.0])})), Asked(("a",))).traces["a"]
    assert (trace.t.dtype, trace.v.dtype) == (np.int64, np.float64)
