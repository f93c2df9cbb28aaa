"""The newest rows of a table are kept as they came, all from some moment on, and what was given stays as it is."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.derive import Channel, Rows, Table
from pitwall.project.recent import EVER, NEVER, Part, Recent

TABLE = Table("dash_Wide", (Channel("a", "m", "dash Wide.a"), Channel("b", "", "dash Wide.b")))
OTHER = Table("c", (Channel("c", "", "a * 2"),))
ROW_BYTES = 8 * (3 + 2)  # of one row of each

Row = tuple[int, float, float]

values = st.floats() | st.sampled_from([math.nan, -0.0, math.inf])
steps = st.lists(st.tuples(st.integers(0, 40), values, values), max_size=40)


def rows(part: list[Row]) -> Rows:
    t, a, b = (np.array([row[i] for row in part], kind) for i, kind in enumerate((np.int64, float, float)))
    return Rows(TABLE, t, t, (a, b))


def held(part: Part) -> list[str]:
    return [repr(row) for row in zip(part.t.tolist(), *part.values.tolist(), strict=True)]


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=12), st.integers(0, 400), st.integers(0, 200), st.integers(0, 400) | st.just(EVER))
def test_from_some_moment_on_every_row_is_there_and_what_was_given_never_changes(parts, keep_ns, most_rows, begin):
    recent, given_, all_, now = Recent([TABLE, OTHER], keep_ns, most_rows * ROW_BYTES, begin), [], [], 0
    for part in parts:
        taken: list[Row] = []
        for step, a, b in part:
            now += step
            taken.append((now, a, b))
        recent.take(rows(taken))
        all_ += taken
        shown = recent.parts()["dash_Wide"]
        given_.append((shown, held(shown)))
        assert held(shown) == [repr(row) for row in all_[len(all_) - len(shown.t) :]], "the newest, as they came"
        assert all(row[0] < shown.since for row in all_[: len(all_) - len(shown.t)]), "none from `since` on is missing"
        assert len(shown.t) <= most_rows
    for shown, as_it_was in given_:
        assert held(shown) == as_it_was


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=12), st.integers(0, 400), st.integers(0, 400))
def test_what_is_as_new_as_was_promised_is_there_where_the_bytes_allow_it(parts, keep_ns, begin):
    recent, now = Recent([TABLE], keep_ns, begin=begin), 0
    for part in parts:
        taken = [(now := now + step, a, b) for step, a, b in part]
        recent.take(rows(taken))
        assert recent.parts()["dash_Wide"].since <= max(0, now - keep_ns, min(begin, now + 1))


def test_old_rows_go_and_their_room_is_used_again():
    recent = Recent([TABLE], keep_ns=1000)
    for t in range(0, 100_000, 10):
        recent.take(rows([(t, 1.0, 2.0)]))
    part = recent.parts()["dash_Wide"]
    assert len(part.t) < 1000
    assert part.t.base is not None
    assert part.t.base.nbytes < 10_000


def test_before_anything_went_all_is_there():
    part = Recent([TABLE]).parts()["dash_Wide"]
    assert (part.since, held(part)) == (EVER, [])


def test_a_table_whose_time_runs_backwards_promises_nothing():
    recent = Recent([TABLE, OTHER])
    recent.take(rows([(5, 1, 1)]))
    recent.take(rows([(4, 1, 1)]))
    assert recent.parts()["dash_Wide"].since == NEVER
    assert recent.parts()["c"].since == EVER
    recent.take(rows([(7, 1, 1), (9, 1, 1)]))
    assert recent.parts()["dash_Wide"].since == NEVER


def test_a_table_that_is_forgotten_begins_anew():
    recent = Recent([TABLE, OTHER])
    recent.take(rows([(5, 1, 1)]))
    before = recent.parts()["dash_Wide"]
    recent.forget(["dash_Wide"])
    recent.take(rows([(6, 2, 2)]))
    assert held(recent.parts()["dash_Wide"]) == ["(6, 2.0, 2.0)"]
    assert held(before) == ["(5, 1.0, 1.0)"]
