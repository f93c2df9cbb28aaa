"""Calls of the disk fail one by one: a sample of what `make torture ARGS=failing_io` does for every call."""

from __future__ import annotations

import errno

import pytest

from pitwall.errors import LogError
from pitwall.log import Writer, read, recover
from pitwall.log.archive import archive
from pitwall.log.hold import Hold
from pitwall.log.restore import restore
from pitwall.log.writer import Pace
from tests.log.drives import START_NS, joined, rows_of, traffic
from tests.record.drives import FailingDisk
from tests.torture import failing_io
from tests.torture.crash_states_disk import Memory, Volume
from tests.torture.failing_io import Bench, Fault, faults, run
from tests.torture.failing_io_work import WORK, Stage, sessions_before

SHARE = {"one segment": 0.03, "a segment a batch": 0.01, "recovering": 0.015, "going on": 0.01, "recording": 0.01,
         "archiving": 0.003}  # fmt: skip


@pytest.mark.parametrize("work", WORK)
def test_what_was_acknowledged_is_there_whichever_call_fails(work):
    bench, drawn = run(work, 1, SHARE[work])
    assert bench.figures.runs >= len(drawn) // 2 > 2


def test_every_call_is_failed_in_every_way():
    every = faults(2)
    assert len(every) == 2 * 7 * 3
    assert {fault.nth for fault in every} == {1, 2}


def test_a_disk_that_loses_what_it_says_it_synced_is_caught(tmp_path, monkeypatch):
    bench = Bench("one segment", tmp_path, 1)
    monkeypatch.setattr("pitwall.log.active.Active.sync", lambda _self: None)
    with pytest.raises(AssertionError, match="were durable"):
        bench.run(Fault())


class SyncFails(FailingDisk):
    """A disk whose next sync fails."""

    def sync(self, fd):
        if self.failing:
            self.failing = frozenset()
            raise OSError(errno.EIO, "Input/output error")
        super().sync(fd)


def test_a_sync_that_fails_while_a_rotated_segment_waits_for_it_is_made_up_for(tmp_path):
    disk = SyncFails()
    hold = Hold(tmp_path, disk=disk)
    writer = Writer.begin(
        hold, car="t", buses=["a"], started_at_ns=START_NS, session_id="s",
        pace=Pace(sync_interval_s=3600, segment_bytes=1),
    )  # fmt: skip
    given = [traffic(3, seed=seed, start_ns=seed * 10**9) for seed in (1, 2, 3)]
    for part in given:
        writer.append(part)
    disk.failing = frozenset({"sync"})
    with pytest.raises(LogError):
        writer.sync()
    writer.sync()
    assert writer.durable == writer.written == 10
    writer.end(0)
    hold.close()
    assert rows_of(joined(read(tmp_path / "s")))[1:10] == [row for part in given for row in rows_of(part)]


def test_a_loss_of_power_brings_back_no_empty_segment_before_rows_that_were_written_again(tmp_path):
    root = tmp_path / "lived"
    root.mkdir()
    disk = failing_io.FailingDisk(root, trace := Memory(), Fault())
    hold = Hold(root, disk=disk)
    writer = Writer.begin(
        hold, car="t", buses=["a"], started_at_ns=START_NS, session_id="s",
        pace=Pace(sync_interval_s=3600, segment_bytes=1),
    )  # fmt: skip
    for seed in (1, 2):
        writer.append(traffic(3, seed=seed, start_ns=seed * 10**9))
    disk.fault = Fault(disk.calls + 1)
    with pytest.raises(LogError):
        writer.sync()
    writer.sync()
    assert writer.durable == 7
    volume = Volume()
    for event in list(trace.noted):
        volume.apply(event)
    hold.close(seal=False)
    for path, data in volume.least().files.items():
        if data is None:
            (tmp_path / path).mkdir()
        else:
            (tmp_path / path).write_bytes(data)
    assert len(joined(read(tmp_path / "s"))) == 7


def test_a_session_whose_folder_could_not_be_made_durable_is_begun_under_its_name_all_the_same(tmp_path):
    disk = FailingDisk()
    hold = Hold(tmp_path, disk=disk)
    disk.failing = frozenset({"sync_folder"})
    with pytest.raises(LogError):
        Writer.begin(hold, car="t", buses=["a"], started_at_ns=START_NS, session_id="s")
    disk.failing = frozenset()
    writer = Writer.begin(hold, car="t", buses=["a"], started_at_ns=START_NS, session_id="s")
    writer.end(0)
    hold.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["s"]


def test_a_session_is_not_archived_while_a_segment_of_it_can_not_be_sealed(tmp_path):
    stage = Stage(tmp_path, Memory())
    sessions_before(stage)

    class Half(FailingDisk):
        """A disk that fails once the session's end is written: its open segment is not sealed then."""

        def rename(self, path, to):
            super().rename(path, to)
            self.failing = frozenset({"sync_folder"})

        def sync_folder(self, path):
            try:
                super().sync_folder(path)
            finally:
                self.failing = frozenset()

    with pytest.raises(LogError, match="could not be sealed"):
        archive(stage.logs, "s2", str(stage.there), forget=lambda _session: None, disk=Half())
    assert recover(stage.logs) == []
    for _ in range(2):
        archive(stage.logs, "s2", str(stage.there), forget=lambda _session: None)
        restore(stage.logs, "s2", forget=lambda _session: None)
