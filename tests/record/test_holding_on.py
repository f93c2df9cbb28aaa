"""A disk that fails while recording: nothing that was written is written twice, what is missing is counted there."""

from __future__ import annotations

import errno
import logging
import threading

import numpy as np
import pytest

from pitwall.errors import LogError
from pitwall.frames import Control, Flag
from pitwall.log import lock
from pitwall.log.disk import DISK
from pitwall.log.hold import Hold
from pitwall.log.session import find, sessions
from pitwall.log.verify import verify
from pitwall.log.writer import Pace
from tests.record.drives import FailingDisk, Script, only_frames, recorded, rows_of, some

WRITES = frozenset({"write", "create"})


def failing(disk, calls):
    """A step of a script: from now on these calls fail."""

    def fail():
        disk.failing, disk.calls = frozenset(calls), 0
        return True

    return fail


def well(disk):
    """A step of a script: the disk is well again."""

    def heal():
        disk.failing = frozenset()
        return True

    return heal


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize(
    "calls",
    [WRITES, {"write"}, {"create"}, {"sync"}, {"sync_folder"}, FailingDisk.EVERY],
    ids=lambda calls: "+".join(sorted(calls)),
)
def test_what_came_while_the_disk_failed_is_in_the_log_once_it_works_again(tmp_path, error, calls):
    disk = FailingDisk(error)
    seen = []
    source = Script(
        "one",
        some(np.arange(100)),
        lambda: any(status.frames for status in seen),
        failing(disk, calls),
        some(np.arange(100, 200)),
        lambda: disk.calls or calls in ({"create"}, {"sync_folder"}),
        some(np.arange(200, 300)),
        lambda: any(status.problem for status in seen) or not disk.calls,
        well(disk),
        some(np.arange(300, 400)),
    )
    result = recorded([source], tmp_path, disk=disk, report=seen.append)
    session, rows, facts = rows_of(tmp_path)
    assert only_frames(rows).t.tolist() == list(range(400))
    assert (session.state, result.frames, result.lost, result.problems) == ("ended", 400, 0, [])
    assert [kind for kind, _, _ in facts].count(Control.SESSION_END) == 1
    assert Control.LOST not in [kind for kind, _, _ in facts]
    assert not verify(session).damages


def test_what_finds_no_room_in_memory_is_counted_where_it_is_missing(tmp_path):
    disk, stuck, seen = FailingDisk(errno.ENOSPC), threading.Event(), []

    def watch(status):
        seen.append(status)
        if status.problem:
            stuck.set()

    def steps(id):
        return [
            some(np.arange(0, 10), id=id),
            failing(disk, WRITES),
            some(np.arange(10, 20), id=id),
            stuck,
            *(some(np.arange(t, t + 7), id=id) for t in range(20, 90, 7)),
            well(disk),
            lambda: not seen[-1].problem,
            some(np.arange(90, 100), id=id),
        ]

    result = recorded([Script("a", *steps(1))], tmp_path, disk=disk, queue_frames=25, report=watch)
    _, rows, facts = rows_of(tmp_path)
    kept = only_frames(rows).t.tolist()
    (lost,) = [fact for kind, _, fact in facts if kind is Control.LOST]
    missing = [t for t in range(100) if t not in kept]
    assert len(kept) == len(set(kept))
    assert (lost["count"], lost["first_t"], lost["last_t"]) == (len(missing), missing[0], missing[-1])
    assert result.lost == len(missing) > 0
    assert missing == list(range(missing[0], missing[-1] + 1)), "they are missing in one piece"
    at = int(np.flatnonzero((rows.flags & np.uint8(Flag.CONTROL) != 0) & (rows.id == Control.LOST))[0])
    assert rows.t[at - 1] == missing[0] - 1, "and the row that counts them stands there"
    assert rows.t[at + 1] == missing[-1] + 1
    assert "No space left" in lost["why"]
    assert lost["bus"] == "bus0"
    assert [problem for problem in result.problems if f"{len(missing)} frames lost" in problem]


def test_each_bus_counts_its_own(tmp_path):
    disk, stuck, full, seen = FailingDisk(), threading.Event(), threading.Event(), []

    def watch(status):
        seen.append(status)
        if status.problem:
            stuck.set()

    first = Script(
        "a", some(0), failing(disk, WRITES), some(1), stuck, some(np.arange(2, 30)), lambda: full.set() or True
    )
    second = Script("b", full, some(np.arange(30, 35)), well(disk), lambda: not seen[-1].problem)
    recorded([first, second], tmp_path, disk=disk, queue_frames=8, report=watch)
    _, _, facts = rows_of(tmp_path)
    lost = {fact["bus"]: fact["count"] for kind, _, fact in facts if kind is Control.LOST}
    assert lost == {"bus0": 20, "bus1": 5}


def test_a_session_begins_when_the_disk_lets_it_with_all_that_waited(tmp_path):
    disk, seen = FailingDisk(errno.ENOSPC), []
    source = Script(
        "one",
        failing(disk, FailingDisk.EVERY),
        some(np.arange(5_000, 5_100)),
        lambda: seen and seen[-1].problem,
        lambda: disk.calls > 2,
        some(np.arange(5_100, 5_200)),
        well(disk),
    )
    result = recorded([source], tmp_path, disk=disk, report=seen.append, session_id="drive")
    session, rows, facts = rows_of(tmp_path, "drive")
    assert only_frames(rows).t.tolist() == list(range(200))
    assert (session.state, result.sessions, result.problems) == ("ended", ["drive"], [])
    assert [kind for kind, _, _ in facts] == [
        Control.SESSION_START, Control.SOURCE, Control.SOURCE, Control.SESSION_END
    ]  # fmt: skip
    assert [one.id for one in sessions(tmp_path)] == ["drive"], "no try left half a session"


def test_it_is_said_once_when_it_begins_and_once_when_it_is_over_and_published(tmp_path, caplog):
    disk, published, seen = FailingDisk(), [], []

    def watch(status):
        seen.append(status)
        published.append(lock.recorder(tmp_path).state)

    source = Script(
        "one",
        some(0),
        failing(disk, WRITES),
        some(np.arange(1, 6)),
        lambda: len([status for status in seen if status.problem]) > 3,
        some(np.arange(6, 40)),
        well(disk),
        lambda: not seen[-1].problem,
    )
    with caplog.at_level(logging.WARNING):
        recorded([source], tmp_path, disk=disk, queue_frames=16, report=watch)
    said = [record.message for record in caplog.records if record.name.startswith("pitwall.record")]
    assert len(said) == 2
    assert "Input/output error" in said[0]
    assert "18 frames were lost" in said[1]
    during = [one for one in published if one.problem]
    assert during
    assert "Input/output error" in during[-1].problem
    assert any(one.waiting >= 5 for one in during)
    assert published[-1].problem == ""
    assert published[-1].lost == 18
    written = [one.written for one in published if one.session]
    assert written == sorted(written)


def test_whoever_stops_a_recorder_whose_disk_fails_is_told_what_was_not_kept(tmp_path):
    disk, stop, seen = FailingDisk(), threading.Event(), []

    def watch(status):
        seen.append(status)
        if status.waiting:
            stop.set()

    source = Script("one", some([0, 1]), lambda: seen and seen[-1].frames, failing(disk, WRITES), some([2, 3, 4]), stop)
    result = recorded([source], tmp_path, disk=disk, stop=stop, report=watch)
    assert result.frames == 2
    assert result.lost == 3
    assert any("3 frames could not be kept" in problem for problem in result.problems)
    session, rows, _ = rows_of(tmp_path)
    assert session.state == "interrupted"
    assert only_frames(rows).t.tolist() == [0, 1]
    assert source.closed


def test_a_recorder_that_could_never_begin_says_so_when_it_is_stopped(tmp_path):
    disk, stop = FailingDisk(errno.ENOSPC), threading.Event()
    source = Script("one", failing(disk, FailingDisk.EVERY), some([0, 1]), stop)
    with pytest.raises(LogError, match="2 frames could not be kept"):
        recorded([source], tmp_path, disk=disk, stop=stop, report=lambda status: status.waiting and stop.set())
    assert sessions(tmp_path) == []


def test_an_end_that_the_disk_refuses_at_first_is_written_once(tmp_path):
    class RefusesOnce(FailingDisk):
        def sync(self, fd):
            if self.failing:
                self.failing = frozenset()
                raise OSError(errno.EIO, "Input/output error")
            super().sync(fd)

    disk = RefusesOnce()
    stop = threading.Event()
    source = Script("one", some([0, 1]), failing(disk, {"sync"}))
    recorded([source], tmp_path, disk=disk, stop=stop, pace=Pace(sync_interval_s=3600))
    session, _, facts = rows_of(tmp_path)
    assert session.state == "ended"
    assert [kind for kind, _, _ in facts].count(Control.SESSION_END) == 1
    assert not verify(session).damages


def test_the_same_log_is_written_by_one(tmp_path):
    hold = Hold(tmp_path, disk=DISK)
    with pytest.raises(LogError, match="is recording here already"):
        recorded([Script("one", some(0))], tmp_path)
    hold.close()
    assert recorded([Script("one", some(0))], tmp_path).frames == 1
    assert find(tmp_path, "latest").frames == 1
