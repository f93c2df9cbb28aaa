"""A logs folder in the hands of one: what a dead writer left, a lock that is removed, jobs that fail."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from pitwall.errors import LogError
from pitwall.frames import Control
from pitwall.log import Writer, hold, lock, read, sessions, verify
from pitwall.log.boot import boot_id
from pitwall.log.hold import Hold
from pitwall.log.writer import Pace
from tests.log.drives import START_NS, NoSealing, joined, record, rows_of, traffic
from tests.record.drives import FailingDisk, until

PACE = Pace(sync_interval_s=0.01)


def killed(logs, name, *, at=0, rows=3):
    """A session that its writer left."""
    with closing(Hold(logs, disk=NoSealing())) as held:
        writer = Writer.begin(
            held, car="test", buses=["a", "b"], started_at_ns=START_NS + at, zero_ns=0, session_id=name
        )
        writer.append(traffic(rows))
        writer.close()


def states(logs):
    return {session.id: session.state for session in sessions(logs)}


def test_there_is_one_kernel_name_for_this_boot():
    assert boot_id() == boot_id()


def test_the_newest_session_that_was_left_is_taken_up_and_the_others_get_their_end(tmp_path):
    for at, name in enumerate(("c", "a", "b")):
        killed(tmp_path, name, at=at)
    with closing(Hold(tmp_path)) as held:
        stump = held.take_up(lambda _stump: True)
        assert stump.folder.name == "b"
    assert states(tmp_path) == {"c": "ended", "a": "ended", "b": "interrupted"}


def test_what_does_not_fit_is_ended_too(tmp_path):
    killed(tmp_path, "a")
    with closing(Hold(tmp_path)) as held:
        assert held.take_up(lambda _stump: False) is None
    assert states(tmp_path) == {"a": "ended"}


def test_a_session_that_has_its_end_is_not_taken_up(tmp_path):
    record(tmp_path, [traffic(3)], end=True, session_id="a", disk=NoSealing())
    with closing(Hold(tmp_path)) as held:
        assert held.take_up(lambda _stump: True) is None
    assert [path.suffix for path in (tmp_path / "a").iterdir()] == [".arrow"], "it is sealed all the same"


def test_a_session_is_gone_on_with_behind_a_row_that_says_so(tmp_path):
    killed(tmp_path, "a")
    torn = next((tmp_path / "a").glob("*.arrows"))
    torn.write_bytes(torn.read_bytes() + b"\xff\xff\xff\xff torn")
    with closing(Hold(tmp_path)) as held:
        writer = Writer.go_on(held, held.take_up(lambda _stump: True), pace=PACE)
        writer.append(traffic(5, start_ns=10**12))
        writer.end(0)
    rows = joined(read(tmp_path / "a"))
    kinds = [int(rows.id[i]) for i in range(len(rows)) if rows.flags[i] & 128]
    assert kinds == [Control.SESSION_START, Control.RECOVERED, Control.SESSION_END]
    assert rows_of(rows)[1:4] == rows_of(traffic(3))
    assert rows_of(rows)[5:10] == rows_of(traffic(5, start_ns=10**12))
    assert not verify(sessions(tmp_path)[0]).damages


def test_going_on_that_fails_leaves_the_session_as_it_was(tmp_path):
    killed(tmp_path, "a")
    disk = FailingDisk()
    with closing(Hold(tmp_path, disk=disk)) as held:
        stump = held.take_up(lambda _stump: True)
        disk.failing = frozenset({"sync"})
        with pytest.raises(LogError):
            Writer.go_on(held, stump, pace=PACE)
        assert len(joined(read(tmp_path / "a"))) == 4
        disk.failing = frozenset()
        Writer.go_on(held, stump, pace=PACE).end(0)
    assert states(tmp_path) == {"a": "ended"}


def test_a_second_hold_is_refused_with_the_pid_of_the_first(tmp_path):
    with closing(Hold(tmp_path)), pytest.raises(LogError, match="is recording here already"):
        Hold(tmp_path)
    Hold(tmp_path).close()


def test_a_lock_file_that_was_removed_is_made_again_and_still_locks_others_out(tmp_path):
    with closing(Hold(tmp_path)) as held:
        held.tell(session="s")
        (tmp_path / lock.NAME).unlink()
        assert lock.recorder(tmp_path) is None
        held.stand()
        assert lock.recorder(tmp_path).state.session == "s"
        with pytest.raises(LogError):
            Hold(tmp_path)


def test_a_lock_that_another_took_meanwhile_is_not_taken_from_it(tmp_path):
    with closing(Hold(tmp_path)) as held:
        (tmp_path / lock.NAME).unlink()
        with closing(Hold(tmp_path)), pytest.raises(LogError, match="is recording here already"):
            held.stand()


def test_what_was_not_durable_is_written_again_where_the_logs_folder_is_removed(tmp_path):
    logs = tmp_path / "logs"
    with closing(Hold(logs)) as held:
        writer = Writer.begin(held, car="t", buses=["a", "b"], started_at_ns=START_NS, session_id="s", pace=Pace(3600))
        writer.append(traffic(5))
        shutil.rmtree(logs)
        held.stand()
        with pytest.raises(LogError, match="removed or moved away"):
            writer.look()
        writer.sync()
        assert lock.recorder(logs).state.session == "s"
        writer.end(0)
    # the row before them was durable, and is gone with the folder: that is damage, and is told
    found = [row for batch in read(logs / "s", damaged=lambda _damage: None) for row in rows_of(batch)]
    assert found[:5] == rows_of(traffic(5))


def test_what_fails_behind_the_writers_back_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(hold, "KEEP_S", 0.02)
    monkeypatch.setattr(hold, "AGAIN_S", 0.02)
    disk = NoSealing()
    with closing(Hold(tmp_path, disk=disk)) as held:
        writer = Writer.begin(held, car="t", buses=["a", "b"], started_at_ns=START_NS, session_id="s")
        writer.append(traffic(5))
        writer.end(0)
        until(lambda: held._failed)
        assert list((tmp_path / "s").glob("*.arrows"))
        monkeypatch.delattr(NoSealing, "create")
        until(lambda: not list((tmp_path / "s").glob("*.arrows")))


def test_what_is_left_to_the_next_who_holds_the_folder_is_done_by_that(tmp_path):
    killed(tmp_path, "a")
    held = Hold(tmp_path)
    held.close(seal=False)
    assert states(tmp_path) == {"a": "interrupted"}
    with closing(Hold(tmp_path)) as held:
        held.take_up(lambda _stump: False)
    assert states(tmp_path) == {"a": "ended"}


def test_a_row_is_put_behind_the_end_of_a_session_or_it_is_said_why_not(tmp_path):
    record(tmp_path, [traffic(3)], end=True, session_id="a")
    killed(tmp_path, "b")
    said = []
    with closing(Hold(tmp_path)) as held:
        held.add("a", Control.NOTE, {"text": "fast"}, said.append)
        held.add("b", Control.NOTE, {"text": "fast"}, said.append)
    assert said[0] == ""
    assert "no end yet" in said[1]
    assert int(joined(read(tmp_path / "a")).id[-1]) == Control.NOTE


def test_a_job_that_fails_as_nobody_foresaw_leaves_no_other_undone(tmp_path, monkeypatch, caplog):
    killed(tmp_path, "a")
    killed(tmp_path, "b", at=1)
    real, failed = hold.recovery.end_session, []

    def end_session(folder, disk):
        if not failed:
            failed.append(folder.name)
            raise ValueError("nobody has thought of that")
        return real(folder, disk)

    monkeypatch.setattr(hold.recovery, "end_session", end_session)
    with closing(Hold(tmp_path)) as held:
        held.take_up(lambda _stump: False)
    assert sorted(states(tmp_path).values()) == ["ended", "interrupted"]
    assert "nobody has thought of that" in caplog.text
