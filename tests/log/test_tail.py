"""A reader that follows a session sees a prefix of it, always, whatever becomes of the files meanwhile."""

from __future__ import annotations

import threading

import numpy as np

from pitwall.frames import same
from pitwall.log import Tail, Writer, recover
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
