"""A writer that was killed, or lost power, costs what was never written; the next one makes its session whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.frames import Control
from pitwall.log import Writer, find, recover, sessions, verify
from pitwall.log.disk import Disk
from pitwall.log.hold import Hold
from tests.log.drives import START_NS, NoSealing, Watched, everything, readable, record, rows_of, traffic

PARTS = [traffic(n, seed=n, start_ns=i * 10**12) for i, n in enumerate((3, 5, 4))]


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a session."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def recovered(path: Path) -> dict:
    """The fact of a session's RECOVERED row; the session is ended, whole, and sealed."""
    session = find(path.parent, path.name)
    assert session.state == "ended"
    report = verify(session)
    assert not report.damages
    assert report.torn is None
    assert {file.suffix for file in path.iterdir()} == {".arrow"}
    rows = everything(path)
    assert rows.id[-2:].tolist() == [Control.RECOVERED, Control.SESSION_END]
    return json.loads(rows.more[len(rows) - 2].as_py())


def test_an_interrupted_session_is_ended_and_sealed_and_says_so(tmp_path):
    path = record(tmp_path, PARTS)
    before = rows_of(everything(path))
    assert find(tmp_path, path.name).state == "interrupted"
    (found,) = recover(tmp_path)
    assert (found.session, found.rows, found.cut) == (path.name, 13, 0)
    assert recovered(path)["bytes_cut"] == 0
    assert rows_of(everything(path))[:13] == before


def test_to_recover_twice_changes_nothing(tmp_path):
    path = record(tmp_path, PARTS)
    (path / f"{0:020d}.arrows").open("ab").write(b"\xff\xff\xff\xfftorn")
    assert len(recover(tmp_path)) == 1
    once = files(path)
    assert recover(tmp_path) == []
    assert files(path) == once


def test_a_tail_torn_at_any_byte_keeps_every_complete_batch_and_names_what_was_cut(tmp_path):
    path = record(tmp_path / "whole", PARTS)
    whole = (path / f"{0:020d}.arrows").read_bytes()
    rows = rows_of(everything(path))
    start = whole.rindex(b"\xff\xff\xff\xff", 0, whole.rindex(b"PW1:"))
    for size in range(start, len(whole), 13):
        logs = tmp_path / str(size)
        copy = logs / path.name
        copy.mkdir(parents=True)
        (copy / f"{0:020d}.arrows").write_bytes(whole[:size])
        recover(logs)
        fact = recovered(copy)
        assert (fact["rows"], fact["bytes_cut"]) == (9, size - start)
        assert rows_of(everything(copy, 0, 9)) == rows[:9]


@pytest.mark.parametrize("tail", [b"", b"\0" * 4096, b"\xff" * 4096, os.urandom(5000), b"PW1:" * 100])
@pytest.mark.parametrize("keep", ["all", "header", "nothing"])
def test_whatever_stands_behind_what_verifies_is_left_out(tmp_path, keep, tail):
    path = record(tmp_path, PARTS)
    file = path / f"{0:020d}.arrows"
    whole = file.read_bytes()
    header = int(whole[whole.index(b"PW1:") + 22 :][:8], 16)
    file.write_bytes(whole[: {"all": len(whole), "header": header, "nothing": 0}[keep]] + tail)
    recover(tmp_path)
    fact = recovered(path)
    assert fact["rows"] == (13 if keep == "all" else 0)
    assert fact["bytes_cut"] == len(tail)


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_last_segment_that_was_only_begun_is_replaced_by_the_end(tmp_path, size):
    path = record(tmp_path, PARTS, segment_bytes=1, disk=NoSealing())
    last = sorted(path.glob("*.arrows"))[-1]
    before = rows_of(everything(path))
    (path / f"{13:020d}.arrows").write_bytes(last.read_bytes()[:size])
    recover(tmp_path)
    assert recovered(path)["rows"] == 13
    assert rows_of(everything(path))[:13] == before


def test_a_new_recording_recovers_what_was_left_and_an_empty_folder_is_left_alone(tmp_path):
    path = record(tmp_path, PARTS)
    (tmp_path / "empty").mkdir()
    writer = Writer.create(tmp_path, car="test", buses=[], started_at_ns=START_NS + 10**10)
    assert find(tmp_path, path.name).state == "ended"
    writer.end(1)
    recovered(path)
    assert len(sessions(tmp_path)) == 2


class Crash(BaseException):
    """The process is gone."""


class Crashing(Disk):
    """A disk that is cut off before its n-th call; of a write, a part arrives."""

    def __init__(self, after: int) -> None:
        self.left = after

    def _call(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Crash

    def create(self, path: Path) -> int:
        self._call()
        return super().create(path)

    def write(self, fd: int, data: memoryview) -> int:
        if self.left == 0:
            super().write(fd, data[: len(data) // 3])
        self._call()
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._call()

    def rename(self, path: Path, to: Path) -> None:
        self._call()
        super().rename(path, to)

    def unlink(self, path: Path) -> None:
        self._call()
        super().unlink(path)

    def sync_folder(self, path: Path) -> None:
        self._call()


def test_a_crash_between_any_two_steps_of_sealing_and_recovering_is_harmless(tmp_path):
    original = record(tmp_path / "original", PARTS, segment_bytes=2_500, disk=NoSealing())
    (original / f"{13:020d}.arrows").write_bytes(b"")
    want = rows_of(everything(original))
    again = 0
    for after in range(200):
        logs = tmp_path / str(after)
        path = logs / original.name
        path.mkdir(parents=True)
        for name, data in files(original).items():
            (path / name).write_bytes(data)
        try:
            recover(logs, Crashing(after))
        except Crash:
            again += 1
        else:
            break
        rows, damages = readable(path)
        assert not damages
        assert [rows[offset] for offset in range(13)] == want
        recover(logs)
        recovered(path)
        assert rows_of(everything(path))[:13] == want
        once = files(path)
        recover(logs)
        assert files(path) == once
    assert again > 20
    recovered(path)


def test_a_sealed_segment_that_was_spoilt_while_its_open_form_is_there_is_made_again(tmp_path):
    path = record(tmp_path, PARTS)
    data = files(path)
    recover(tmp_path)
    want = rows_of(everything(path))
    for name, content in data.items():
        (path / name).write_bytes(content)
    sealed = path / f"{0:020d}.arrow"
    sealed.write_bytes(sealed.read_bytes()[:-50])
    recover(tmp_path)
    assert rows_of(everything(path)) == want
    assert recovered(path)


def test_a_session_that_can_not_be_recovered_does_not_keep_anybody_from_recording(tmp_path, caplog):
    path = record(tmp_path, PARTS)
    (path / f"{0:020d}.arrows").rename(path / f"{0:020d}.arrow")  # an open segment under a sealed one's name
    record(tmp_path, [], session_id="next", end=True)
    assert sorted(session.id for session in sessions(tmp_path)) == sorted([path.name, "next"])


WRITE_FOR_EVER = """
import sys
from contextlib import closing
from pathlib import Path
from pitwall.log import Writer
from tests.log.drives import START_NS, traffic
writer = Writer.create(Path(sys.argv[1]), car="test", buses=["a", "b"], started_at_ns=START_NS, segment_bytes=200_000)
i = 0
while True:
    writer.append(traffic(20, seed=i, start_ns=i * 10**9))
    i += 1
    print(writer.written, flush=True)
"""


@pytest.mark.parametrize("turn", range(10))
def test_kill_9_at_any_instant_loses_nothing_that_was_called_written(tmp_path, turn):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], stdout=-1, text=True, cwd=Path(__file__).parents[2]
    )
    stop_at = int(np.random.default_rng(turn).integers(1, 4000))
    written = 0
    for line in process.stdout:
        written = int(line)
        if written >= stop_at:
            process.send_signal(signal.SIGKILL)
            break
    written = max([written, *map(int, process.stdout.read().split())])
    process.wait()
    process.stdout.close()
    (path,) = [session.path for session in sessions(tmp_path)]
    recover(tmp_path)
    recovered(path)
    rows = rows_of(everything(path))
    kept = len(rows) - 2
    assert written <= kept <= written + 20
    sent = [row for i in range(kept // 20) for row in rows_of(traffic(20, seed=i, start_ns=i * 10**9))]
    assert rows[1:-2] == sent


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_recovered_is_a_prefix_of_sent_wherever_the_tail_was_cut(tmp_path_factory, data):
    logs = tmp_path_factory.mktemp("logs")
    path = record(logs, PARTS, segment_bytes=data.draw(st.sampled_from([1, 2_500, 10**9])), disk=NoSealing())
    sent = rows_of(everything(path))
    last = sorted(path.glob("*.arrows"))[-1]
    last.write_bytes(last.read_bytes()[: data.draw(st.integers(0, last.stat().st_size))])
    recover(logs)
    recovered(path)
    rows = rows_of(everything(path))[:-2]
    assert rows == sent[: len(rows)]


def test_what_a_killed_writer_left_is_made_durable_before_its_session_is_gone_on_with(tmp_path):
    folder = record(tmp_path / "logs", PARTS)
    synced = []

    class Noting(Disk):
        def sync_file(self, path: Path) -> None:
            synced.append(path)
            super().sync_file(path)

    left = set(folder.glob("*.arrows"))
    with closing(Hold(tmp_path / "logs", disk=Noting())) as hold:
        stump = hold.take_up(lambda stump: True)
        writer = Writer.go_on(hold, stump)
        assert left <= set(synced)
        assert writer.durable == stump.opening.first + 1
        writer.close()


def test_the_name_of_a_sealed_segment_is_durable_before_its_open_form_is_removed(tmp_path):
    path = record(tmp_path, [traffic(3)], end=True, disk=NoSealing())
    (open_form,) = path.iterdir()
    kept = open_form.read_bytes()
    recover(tmp_path)
    open_form.write_bytes(kept)  # as whoever is killed between naming the one and removing the other leaves it
    calls = []
    recover(tmp_path, Watched(calls.append))
    assert not open_form.exists()
    assert "sync_folder" in calls[: calls.index("unlink")]
