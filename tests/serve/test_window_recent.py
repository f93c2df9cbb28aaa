"""A window out of memory is the window out of the projection's tables, and what a slow reference says."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.derive import Channel, Rows, Table
from pitwall.project.built import BuiltFrom
from pitwall.project.database import quoted
from pitwall.project.recent import Held, Part, Recent
from pitwall.project.store import Store
from pitwall.serve.newest import Still
from pitwall.serve.window import Asked, TooManyPointsError, UnknownChannelError, Window, read
from pitwall.serve.window_recent import NotHeldError, Remembered
from pitwall.serve.window_stored import Stored
from tests.serve.stand import CAST, SID, FakeGarage, Stand, picture, projection, standing

WIDE = Table("dash_Wide", (Channel("a", "m", "dash Wide.a"), Channel('b "b"', "", "dash Wide.b")))
ODD = Table("it's odd", (Channel("it's odd", "V", "a * 2"),))
NAMES = ("a", 'b "b"', "it's odd")
ODDLY = quote("it's odd")
BUILT = BuiltFrom("s", "f" * 64, "c")

values = st.one_of(
    st.integers(-3, 3).map(float), st.floats(allow_nan=False), st.sampled_from([math.nan, 0.0, -0.0, math.inf])
)
steps = st.lists(st.tuples(st.integers(0, 60), values, values, values), max_size=40)
ends = st.none() | st.integers(0, 3000)
questions = st.builds(
    lambda channels, one, other, points, rate: Asked(
        tuple(channels),
        min(one, other) if one is not None and other is not None else one,
        max(one, other) if one is not None and other is not None else other,
        points,
        rate if points is None else None,
    ),
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    ends,
    ends,
    st.none() | st.integers(2, 40),
    st.none() | st.floats(1e6, 1e8),
)


def rows(table: Table, t: list[int], *columns: list[float]) -> Rows:
    times = np.array(t, np.int64)
    return Rows(table, times, times, tuple(np.array(column, float) for column in columns))


def both_of(taken: list[tuple[int, float, float, float]]) -> list[Rows]:
    t, a, b, c = ([row[i] for row in taken] for i in range(4))
    return [rows(WIDE, t, a, b), rows(ODD, t, c)]


def said(window: Window) -> str:
    """All of it; a zero without its sign, which DuckDB's least and greatest of two zeros may have from either."""
    traces = {
        name: (trace.unit, trace.samples, trace.t.tolist(), (trace.v + 0.0).tolist())
        for name, trace in window.traces.items()
    }
    return repr((window.t_from, window.t_to, traces))


def extremes(samples: list[tuple[int, float]], t_from: int, t_to: int, points: int | None) -> list[tuple[int, float]]:
    """What the window of one channel gives, slowly: t and v."""
    inside = [(t, v) for t, v in samples if not math.isnan(v) and t_from <= t <= t_to]
    if points is None or len(inside) <= points:
        return inside
    buckets: dict[int, list[tuple[int, float]]] = {}
    for t, v in inside:
        buckets.setdefault((t - t_from) // ((t_to - t_from) // (points // 2) + 1), []).append((t, v))
    found = []
    for _, bucket in sorted(buckets.items()):
        low, high = min(bucket, key=lambda one: one[1]), max(bucket, key=lambda one: one[1])  # of equal ones the first
        found += [low] if low == high else sorted([low, high], key=lambda one: one[0])
    return found


@pytest.fixture(scope="module")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """A projection's tables, that each example fills anew."""
    with duckdb.connect() as con:
        con.execute("CREATE TABLE channels (name TEXT, unit TEXT, table_name TEXT, column_name TEXT)")
        for table in (WIDE, ODD):
            columns = ", ".join(f"{quoted(one.name)} DOUBLE" for one in table.channels)
            con.execute(f"CREATE TABLE {quoted(table.name)} (t BIGINT, {columns})")
            for one in table.channels:
                con.execute("INSERT INTO channels VALUES (?, ?, ?, ?)", [one.name, one.unit, table.name, one.name])
        yield con


def fill(con: duckdb.DuckDBPyConnection, filled: Rows) -> None:
    columns = [filled.t.tolist(), *([None if math.isnan(v) else v for v in column] for column in filled.values)]
    con.execute(f"DELETE FROM {quoted(filled.table.name)}")
    each = ", ".join(["unnest(?::BIGINT[])", *["unnest(?::DOUBLE[])"] * len(filled.values)])
    con.execute(f"INSERT INTO {quoted(filled.table.name)} SELECT {each}", columns)


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=6), st.lists(questions, min_size=1, max_size=4), st.integers(1, 3000))
def test_memory_says_what_the_tables_say_and_what_a_slow_reference_says(tables, parts, asked, keep_ns):
    recent, now, all_ = Recent([WIDE, ODD], keep_ns), 0, []
    for part in parts:
        taken = [(now := now + step, *cells) for step, *cells in part]
        all_ += taken
        for rows_ in both_of(taken):
            recent.take(rows_)
    for rows_ in both_of(all_):
        fill(tables, rows_)
    for one in asked:
        expected = read(Stored(tables), one)
        assert said(read(Stored(tables, few=0), one)) == said(expected), "whether they are few or many"
        try:
            window = read(Remembered(recent.parts()), one)
        except NotHeldError:
            assert expected.t_from < now - keep_ns, "what is so new is held"
            continue
        assert said(window) == said(expected)
        points = one.points
        if one.rate_hz is not None:
            points = max(2, math.ceil(one.rate_hz * (window.t_to - window.t_from) / 1e9))
        for name, trace in window.traces.items():
            samples = [(row[0], row[1 + NAMES.index(name)]) for row in all_]
            found = list(zip(trace.t.tolist(), trace.v.tolist(), strict=True))
            assert repr(found) == repr(extremes(samples, window.t_from, window.t_to, points))


def test_rows_are_held_once_they_are_committed_and_not_before(tmp_path):
    with contextlib.closing(Store(None, tmp_path, [WIDE, ODD], BUILT, recent=Recent([WIDE, ODD]))) as store:
        store.append([rows(ODD, [1, 2], [1.0, 2.0])])
        assert store.held is None
        store.commit(BuiltFrom("s", "f" * 64, "c", offset=7), {})
        store.wait()
        store.append([rows(ODD, [3], [3.0])])
        assert store.held is not None
        assert store.held.built.offset == 7
        assert read(Remembered(store.held.parts), Asked(("it's odd",))).traces["it's odd"].v.tolist() == [1.0, 2.0]


def test_a_table_that_is_taken_back_is_empty_in_memory_too(tmp_path):
    with contextlib.closing(Store(None, tmp_path, [WIDE, ODD], BUILT, recent=Recent([WIDE, ODD]))) as store:
        store.append([rows(ODD, [1, 2], [1.0, 2.0]), rows(WIDE, [1], [1.0], [1.0])])
        store.commit(BUILT, {"dash_Wide": ()})
        store.wait()
        assert store.held is not None
        with contextlib.closing(store.cursor()) as cursor:
            for source in (Stored(cursor), Remembered(store.held.parts)):
                window = read(source, Asked(("it's odd", "a")))
                assert [trace.samples for trace in window.traces.values()] == [2, 0]


def test_a_store_that_nobody_asks_for_the_newest_keeps_none(tmp_path):
    with contextlib.closing(Store(None, tmp_path, [WIDE], BUILT)) as store:
        store.commit(BUILT, {})
        store.wait()
        assert store.held is None


def parts(t: list[int], v: list[float]):
    recent = Recent([ODD])
    recent.take(rows(ODD, t, v))
    return recent.parts()


def test_what_is_refused_by_the_tables_is_refused_by_memory():
    n = 10_001
    held = Remembered(parts(list(range(n)), [0.0] * n))
    with pytest.raises(TooManyPointsError):
        read(held, Asked(("it's odd",)))
    with pytest.raises(UnknownChannelError) as unknown:
        read(held, Asked(("it's odd", "x")))
    assert unknown.value.names == ["it's odd"]


def test_a_rate_that_no_channel_has_costs_no_memory():
    held = Remembered(parts([0, 60 * 10**9], [1.0, 2.0]))
    assert read(held, Asked(("it's odd",), rate_hz=1e6)).traces["it's odd"].v.tolist() == [1.0, 2.0]


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A session whose file has a value a second, all 1.0; memory holds those from second 50 on, all 2.0."""
    seconds = [i * 10**9 for i in range(100)]
    con = projection({("it's odd", "it's odd"): (seconds, [1.0] * 100)})
    live = Still(picture(1))
    recent = Recent([ODD], keep_ns=49 * 10**9)
    for t in seconds:
        recent.take(rows(ODD, [t], [2.0]))
    whole = recent.parts()["it's odd"]
    first = int(np.searchsorted(whole.t, 50 * 10**9))
    part = Part(ODD, whole.t[first:], whole.values[:, first:], since=50 * 10**9)
    live.shown_held[SID] = Held(BuiltFrom(SID, CAST.fingerprint, "c", offset=100), {"it's odd": part})
    with standing(live, FakeGarage({SID: con})) as stand:
        yield stand


@pytest.mark.parametrize(
    ("ask", "value"),
    [
        ("t_from=50000000000", 2.0),
        ("t_from=60000000000&t_to=70000000000&points=4", 2.0),
        ("t_from=49000000000", 1.0),
        ("", 1.0),
        ("t_to=70000000000", 1.0),
    ],
)
def test_what_memory_does_not_hold_the_file_says(stand, ask, value):
    said = stand.json(f"/session/_live/signals?channels={ODDLY}&{ask}")
    assert set(said["channels"]["it's odd"]["v"]) == {value}
    assert stand.json("/health")["queries"]["recalled"] == (value == 2.0)


def test_what_is_whole_is_answered_from_its_file_with_a_tag(stand):
    held = stand.live.shown_held[SID]
    stand.live.shown_held[SID] = Held(replace(held.built, complete=True), held.parts)
    status, headers, _ = stand.ask(f"/session/{SID}/signals?channels={ODDLY}&t_from=50000000000")
    assert (status, "ETag" in headers) == (200, True)
