"""A reader that follows a session sees a prefix of it, always, whatever becomes of the files meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.frames import same
from pitwall.log import Tail, Writer, recover, walk
from pitwall.log.bytefile import ByteFile, OnDisk
from tests.log.drives import START_NS, everything, joined, record, rows_of, traffic


def begin(logs, **options) -> Writer:
    return Writer.create(logs, car="test", buses=["a", "b"], started_at_ns=START_NS, **options)


def test_a_tail_sees_each_batch_as_it_is_written(tmp_path):
    writer = begin(tmp_path)
    tail = Tail(writer.path)
    assert [len(batch) for batch in tail.poll()] == [1]
    for i in range(5):
        assert tail.poll() == []
        part = traffic(10 + i, seed=i, start_ns=i * 10**9)
        writer.append(part)
        (batch,) = tail.poll()
        assert rows_of(batch) == rows_of(part)
        assert tail.offset == writer.written
    writer.end(0)
    tail.poll()
    assert tail.ended
    assert tail.poll() == []
    tail.close()


def test_a_tail_may_begin_anywhere(tmp_path):
    writer = begin(tmp_path, segment_bytes=3_000)
    for i in range(6):
        writer.append(traffic(10, seed=i, start_ns=i * 10**9))
    for start in (0, 1, 5, 31, 60, 61):
        tail = Tail(writer.path, start)
        got = tail.poll()
        assert sum(map(len, got)) == 61 - start
        assert not got or got[0].start == start
        tail.close()
    writer.end(0)


def test_a_tail_follows_rotation_and_sealing_under_it(tmp_path):
    writer = begin(tmp_path, segment_bytes=6_000)
    got, problems = [], []
    done = threading.Event()

    def follow() -> None:
        tail = Tail(writer.path)
        try:
            while not tail.ended:
                got.extend(tail.poll())
                done.wait(0.001)
        except Exception as error:
            problems.append(error)
        problems.extend(tail.damages)
        tail.close()

    thread = threading.Thread(target=follow)
    thread.start()
    for i in range(300):
        writer.append(traffic(int(np.random.default_rng(i).integers(1, 60)), seed=i, start_ns=i * 10**9))
    writer.end(0)
    thread.join(60)
    assert not problems
    assert same(joined(got), everything(writer.path))
    assert len(list(writer.path.glob("*.arrow"))) > 20


def test_a_tail_waits_for_the_rest_of_a_batch_that_is_half_there(tmp_path):
    path = record(tmp_path, [traffic(30)])
    file = path / f"{0:020d}.arrows"
    whole = file.read_bytes()
    file.write_bytes(b"")
    tail = Tail(path)
    rows = []
    with file.open("ab") as growing:
        for at in range(0, len(whole), 97):
            growing.write(whole[at : at + 97])
            growing.flush()
            rows += [row for batch in tail.poll() for row in rows_of(batch)]
    tail.close()
    assert rows == rows_of(everything(path))
    assert not tail.damages


class Growing:
    """A file that is written while it is read: at each look a few bytes more of it are there.

    there: how many are at first.
    """

    def __init__(self, whole: ByteFile, there: int, steps: Iterator[int]) -> None:
        self._whole, self._there, self._steps = whole, there, steps

    @property
    def size(self) -> int:
        self._there = min(self._whole.size, self._there + next(self._steps))
        return self._there

    @property
    def is_whole(self) -> bool:
        return self._there == self._whole.size

    @property
    def inode(self) -> int:
        return self._whole.inode

    def pread(self, size: int, position: int) -> bytes:
        return self._whole.pread(max(0, min(size, self.size - position)), position)

    def close(self) -> None:
        """Whoever else looks at it goes on with it."""


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """A session of batches of 1 to 40 rows, still open."""
    parts = [traffic(1 + i * i % 40, seed=i, start_ns=i * 10**9) for i in range(12)]
    return record(tmp_path_factory.mktemp("logs"), parts)


@given(steps=st.lists(st.one_of(st.just(0), st.integers(0, 60), st.integers(0, 3000)), max_size=80))
def test_a_batch_that_becomes_whole_between_two_looks_is_no_damage(drive, steps):
    whole = OnDisk(drive / f"{0:020d}.arrows")
    opening = walk.Walk(drive, sealed=False, seed=0, file=whole).at(0)
    file = Growing(whole, opening.end, chain(steps, repeat(100)))  # a segment comes with its beginning
    with pytest.MonkeyPatch.context() as patch, closing(whole), closing(Tail(drive)) as tail:
        patch.setattr(walk, "open_bytes", lambda path: file)
        polls = []
        while not file.is_whole or polls[-1:] != [[]]:
            polls.append(tail.poll())
    assert tail.damages == []
    assert same(joined([rows for batches in polls for rows in batches]), everything(drive))


def test_a_tail_sees_the_end_that_recovery_gives_a_session(tmp_path):
    path = record(tmp_path, [traffic(30)])
    (path / f"{0:020d}.arrows").open("ab").write(b"\xff\xff\xff\xff\x10\x02\x00\x00torn")
    (path / f"{31:020d}.arrows").write_bytes(b"")
    tail = Tail(path)
    assert sum(map(len, tail.poll())) == 31
    recover(tmp_path)
    assert sum(map(len, tail.poll())) == 2
    assert tail.ended
    assert not tail.damages
    tail.close()


def test_one_poll_gives_a_bounded_number_of_rows(tmp_path):
    path = record(tmp_path, [traffic(10, seed=i, start_ns=i * 10**9) for i in range(10)])
    tail = Tail(path)
    counts = []
    while given := tail.poll(25):
        counts.append(sum(map(len, given)))
    tail.close()
    assert sum(counts) == 101
    assert max(counts) < 36
