"""Any rows, cut into any batches, come out of the log as they went in, open or sealed, by `read` or `Tail`."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.frames import SCHEMA, Control, clustered, concat, frames, moved, same, stream_key, to_arrow
from pitwall.log import Tail, Writer, find, read
from pitwall.log.reader import between
from tests.log.drives import START_NS, batches, everything, joined, record, rows_of, traffic


@settings(deadline=None, max_examples=40)
@given(parts=batches(), segment_bytes=st.sampled_from([1, 4_000, 64 << 20]), end=st.booleans())
def test_what_goes_in_comes_out_whatever_the_batches_and_segments(parts, segment_bytes, end):
    with tempfile.TemporaryDirectory() as logs:
        path = record(Path(logs), parts, segment_bytes=segment_bytes, end=end)
        sent = moved(concat(parts), 1)
        got = everything(path, 1, 1 + len(sent))
        tail = Tail(path)
        polled = []
        while given := tail.poll():
            polled += given
        tail.close()
        assert same(got, sent)
        assert rows_of(joined(polled))[1 : 1 + len(sent)] == rows_of(sent)
        assert tail.ended == end
        assert not tail.damages


@settings(deadline=None, max_examples=40)
@given(parts=batches(most=5), data=st.data())
def test_any_stretch_of_offsets_can_be_read(parts, data):
    sent = rows_of(concat(parts))
    with tempfile.TemporaryDirectory() as logs:
        path = record(Path(logs), parts, segment_bytes=3_000, end=data.draw(st.booleans()))
        start = data.draw(st.integers(0, len(sent) + 3))
        stop = data.draw(st.one_of(st.none(), st.integers(start, len(sent) + 3)))
        whole = rows_of(everything(path))
        parts = list(read(path, start, stop))
        assert [row for part in parts for row in rows_of(part)] == whole[start:stop]
        assert all(part.start >= start and (stop is None or part.stop <= stop) for part in parts)
        assert all(a.stop == b.start for a, b in pairwise(parts))


@settings(deadline=None, max_examples=40)
@given(parts=batches(most=5), data=st.data())
def test_any_stretch_of_time_can_be_read(parts, data):
    with tempfile.TemporaryDirectory() as logs:
        path = record(Path(logs), parts, segment_bytes=3_000, end=data.draw(st.booleans()))
        whole = everything(path)
        times = st.one_of(st.sampled_from(whole.t.tolist()), st.integers(-5, int(whole.t[-1]) + 5))
        t_from, t_to = sorted([data.draw(times), data.draw(times)])
        found = list(between(path, t_from, t_to, damaged=pytest.fail))
        expected = [row for row in rows_of(whole) if t_from <= row[0] <= t_to]
        assert [row for part in found for row in rows_of(part)] == expected


def test_a_session_begins_and_ends_with_control_rows(tmp_path):
    path = record(tmp_path, [traffic(10)], end=True)
    rows = everything(path)
    assert rows.id[[0, -1]].tolist() == [Control.SESSION_START, Control.SESSION_END]
    assert rows.t[0] == 0
    assert b'"car": "test"' in rows.more[0].as_py()


def test_sealed_batches_are_clustered_and_say_their_order(tmp_path):
    path = record(tmp_path, [traffic(300)], end=True)
    (batch,) = read(path)
    assert batch.order is not None
    assert sorted(batch.order.tolist()) == list(range(302))
    keys = stream_key(batch)
    assert (np.diff(keys.astype(np.int64)) >= 0).all()
    assert all((np.diff(batch.order[keys == key]) > 0).all() for key in np.unique(keys))


def test_batches_larger_than_a_sealed_one_are_cut(tmp_path):
    sent = traffic(150_000, fd=False)
    path = record(tmp_path, [sent], end=True)
    assert [len(batch) for batch in read(path)] == [65_536, 65_536, 150_002 - 2 * 65_536]
    assert same(everything(path, 1, 150_001), moved(sent, 1))


def test_rows_far_apart_in_time_and_many_at_one_instant_keep_their_place(tmp_path):
    t = np.array([0, 0, 2**31, 2**32 + 5, 2**32 + 5, 2**62, 2**62])
    sent = frames(0, t=t, id=[5, 1, 5, 1, 1, 5, 1], data=np.arange(56, dtype=np.uint8).reshape(7, 8))
    assert same(everything(record(tmp_path, [sent], end=True), 1, 8), moved(sent, 1))


def test_a_batch_in_log_order_and_one_that_is_clustered_are_the_same_rows(tmp_path):
    sent = traffic(50)
    a = everything(record(tmp_path / "a", [sent]))
    b = everything(record(tmp_path / "b", [clustered(sent)]))
    assert same(a, b)


def test_nothing_is_appended_by_no_rows(tmp_path):
    writer = Writer.create(tmp_path, car="test", buses=[], started_at_ns=START_NS)
    writer.append(traffic(0))
    assert writer.written == 1
    writer.close()


def test_the_schema_of_an_open_segment_is_the_log_s_own(tmp_path):
    assert to_arrow(everything(record(tmp_path, [traffic(3)]))).schema == SCHEMA


@pytest.mark.parametrize("end", [False, True])
def test_find_counts_what_is_there(tmp_path, end):
    path = record(tmp_path, [traffic(25), traffic(5, start_ns=10**12)], end=end)
    session = find(tmp_path, "latest")
    assert session.path == path
    assert (session.frames, session.rows) == (30, 32 if end else 31)
    assert session.duration_s == pytest.approx(everything(path).t[-1] / 1e9)
    assert session.bytes == sum(file.stat().st_size for file in path.iterdir())
