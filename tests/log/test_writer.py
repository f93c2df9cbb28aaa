"""The laws of the one who writes: order, one at a time, nothing called written or durable that isn't."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pitwall.errors import LogError, UsageError
from pitwall.frames import Control, Frames, frames
from pitwall.log import Tail, Writer, find, read, sessions, verify
from pitwall.log.disk import Disk
from pitwall.log.lock import recording
from tests.log.drives import START_NS, everything, readable, record, rows_of, traffic

BASE = {"car": "test", "buses": ["a", "b"], "started_at_ns": START_NS}


class Faulty(Disk):
    """A disk whose calls fail on demand.  fail: what to raise at the next call of that name, for so many times."""

    def __init__(self) -> None:
        self.fail: dict[str, tuple[int, int]] = {}
        self.short = 0
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        number, times = self.fail.get(name, (0, 0))
        if times:
            self.fail[name] = (number, times - 1)
            raise OSError(number, "on purpose")

    def create(self, path: Path) -> int:
        self._call("seal" if path.name.endswith(".arrow.tmp") else "create")
        return super().create(path)

    def write(self, fd: int, data: memoryview) -> int:
        if self.short and len(data) > 1:
            self.short -= 1
            return super().write(fd, data[: len(data) // 2])
        self._call("write")
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._call("sync")
        super().sync(fd)

    def rename(self, path: Path, to: Path) -> None:
        self._call("rename")
        super().rename(path, to)

    def unlink(self, path: Path) -> None:
        self._call("unlink")
        super().unlink(path)

    def sync_folder(self, path: Path) -> None:
        self._call("sync_folder")
        super().sync_folder(path)


def faulty(logs: Path, **options) -> tuple[Writer, Faulty]:
    """A writer on a disk that can be made to fail; it syncs when it is told to only."""
    disk = Faulty()
    return Writer.create(logs, **BASE, disk=disk, sync_interval_s=3600, **options), disk


def test_time_that_runs_backwards_is_refused_and_nothing_is_appended(tmp_path):
    writer = Writer.create(tmp_path, **BASE)
    writer.append(traffic(5, start_ns=1000))
    before = writer.written
    late = traffic(5, start_ns=10**9)
    for bad in (traffic(1, start_ns=-5), traffic(1, start_ns=999), Frames(0, late.t[::-1], *_rest(late))):
        with pytest.raises(ValueError, match="runs backwards"):
            writer.append(bad)
    assert writer.written == before
    writer.append(late)
    writer.end(0)
    assert everything(writer.path).t[-1] == late.t[-1]  # an end before the last row is lifted to it


def _rest(rows: Frames) -> tuple:
    return rows.bus, rows.id, rows.flags, rows.len, rows.data, rows.more


def test_columns_of_different_length_are_refused(tmp_path):
    writer = Writer.create(tmp_path, **BASE)
    rows = traffic(5)
    with pytest.raises(ValueError, match="length"):
        writer.append(Frames(0, rows.t, rows.bus[:4], *_rest(rows)[1:]))
    assert writer.written == 1
    writer.close()


def test_a_second_writer_is_refused_at_once_and_told_the_first_one_s_pid(tmp_path):
    script = f"""
import sys
from pathlib import Path
from pitwall.log import Writer
writer = Writer.create(Path({str(tmp_path)!r}), car="test", buses=[], started_at_ns={START_NS})
print(writer.session, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, text=True) as process:
        session = process.stdout.readline().strip()
        assert recording(tmp_path) == session
        assert find(tmp_path, "latest").state == "recording"
        with pytest.raises(LogError, match=f"process {process.pid} is recording"):
            Writer.create(tmp_path, **BASE)
        process.kill()
        process.wait()
        process.stdin.close()
    assert find(tmp_path, "latest").state == "interrupted"
    writer = Writer.create(tmp_path, **BASE)
    assert writer.session == f"{session}-2"
    writer.close()


def test_to_ask_who_records_does_not_keep_a_writer_out(tmp_path):
    stop = threading.Event()
    seen = set()

    def ask() -> None:
        while not stop.is_set():
            seen.add(recording(tmp_path))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(20):
            Writer.create(tmp_path, **BASE).close()
    finally:
        stop.set()
        thread.join()
    assert len(sessions(tmp_path)) == 20


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ({"car": "a/b"}, "can't name a car"),
        ({"car": ""}, "can't name a car"),
        ({"session_id": ".."}, "can't name a session"),
        ({"session_id": "x" * 200}, "can't name a session"),
        ({"buses": ["PW1:"]}, "can't name a bus"),
        ({"buses": ["x"] * 257}, "are too many"),
    ],
)
def test_names_that_will_not_do_are_refused_and_leave_nothing(tmp_path, bad, what):
    with pytest.raises(UsageError, match=what):
        Writer.create(tmp_path / "logs", **{**BASE, **bad})
    assert not (tmp_path / "logs").exists()


def test_a_session_id_is_used_once(tmp_path):
    record(tmp_path, [], session_id="mine", end=True)
    with pytest.raises(UsageError, match="a session 'mine' already"):
        record(tmp_path, [], session_id="mine")


def test_a_logs_folder_that_can_not_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match=r"file/logs: the logs folder can't be made"):
        Writer.create(tmp_path / "file" / "logs", **BASE)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_failed_write_is_not_acknowledged_and_the_log_goes_on_in_a_new_segment(tmp_path, number):
    writer, disk = faulty(tmp_path)
    writer.append(traffic(5))
    disk.fail["write"] = (number, 1)
    with pytest.raises(LogError, match=rf"{writer.path}.*can't be written.*{errno.errorcode[number]}"):
        writer.append(traffic(7, start_ns=10**9))
    assert writer.written == 6
    writer.append(traffic(3, start_ns=2 * 10**9))
    assert writer.written == 9
    writer.sync()
    assert writer.durable == 9
    writer.end(0)
    rows, damages = readable(writer.path)
    assert not damages
    assert sorted(rows) == list(range(10))
    assert len(list(writer.path.glob("*.arrow"))) == 2


def test_a_short_write_is_finished(tmp_path):
    writer, disk = faulty(tmp_path)
    disk.short = 4
    writer.append(traffic(50))
    writer.end(0)
    assert rows_of(everything(writer.path, 1, 51)) == rows_of(traffic(50))


def test_a_write_that_fails_half_way_leaves_a_torn_tail_that_the_next_segment_explains(tmp_path):
    writer, disk = faulty(tmp_path)
    writer.append(traffic(5))
    disk.short, disk.fail["write"] = 1, (errno.ENOSPC, 1)
    disk.fail["seal"] = (errno.ENOSPC, 9)
    with pytest.raises(LogError):
        writer.append(traffic(7, start_ns=10**9))
    tail = Tail(writer.path)
    assert sum(map(len, tail.poll())) == 6
    writer.append(traffic(3, start_ns=2 * 10**9))
    assert sum(map(len, tail.poll())) == 3
    tail.close()
    report = verify(find(tmp_path, "latest"))
    assert (report.damages, report.torn, report.rows) == ((), None, 9)
    writer.end(0)


def test_a_full_disk_is_said_again_and_again_until_there_is_room(tmp_path):
    writer, disk = faulty(tmp_path)
    disk.fail = {"write": (errno.ENOSPC, 3), "create": (errno.ENOSPC, 2)}
    for _ in range(5):
        with pytest.raises(LogError, match="ENOSPC"):
            writer.append(traffic(5))
        assert writer.written == 1
    writer.append(traffic(5))
    assert writer.written == 6
    writer.end(0)
    rows, damages = readable(writer.path)
    assert (len(rows), damages) == (7, [])
    assert not list(writer.path.glob("*.tmp"))


def test_after_a_failed_sync_what_was_not_durable_is_written_again_elsewhere(tmp_path):
    writer, disk = faulty(tmp_path)
    writer.append(traffic(5))
    writer.sync()
    tail = Tail(writer.path)
    writer.append(traffic(7, start_ns=10**9))
    assert sum(map(len, tail.poll())) == 13
    disk.fail["sync"] = (errno.EIO, 1)
    with pytest.raises(LogError, match=r"can't be made durable.*EIO"):
        writer.sync()
    assert (writer.written, writer.durable) == (13, 6)
    writer.append(traffic(3, start_ns=2 * 10**9))
    assert (writer.written, writer.durable) == (16, 13)
    assert rows_of(tail.poll()[0]) == rows_of(traffic(3, start_ns=2 * 10**9))
    writer.end(0)
    rows, damages = readable(writer.path)
    assert (len(rows), damages) == (17, [])
    assert {int(file.stem) for file in writer.path.glob("*.arrow")} == {0, 6}
    tail.poll()
    assert tail.ended
    assert not tail.damages
    tail.close()


def test_a_failed_sync_of_a_segment_in_which_nothing_was_durable_replaces_it(tmp_path):
    writer, disk = faulty(tmp_path)
    tail = Tail(writer.path)
    writer.append(traffic(7))
    assert sum(map(len, tail.poll())) == 8
    disk.fail["sync"] = (errno.EIO, 1)
    with pytest.raises(LogError):
        writer.sync()
    writer.sync()
    assert writer.durable == writer.written == 8
    writer.append(traffic(3, start_ns=10**9))
    assert sum(map(len, tail.poll())) == 3
    writer.end(0)
    assert len(readable(writer.path)[0]) == 12
    tail.close()


def test_syncs_that_go_on_failing_lose_nothing_once_one_succeeds(tmp_path):
    writer, disk = faulty(tmp_path, segment_bytes=2_500)
    writer.append(traffic(5))
    writer.sync()
    for i in range(1, 6):  # several segments, none of them durable
        writer.append(traffic(9, start_ns=i * 10**9))
    tail = Tail(writer.path)
    assert sum(map(len, tail.poll())) == 51
    disk.fail["sync"] = (errno.EIO, 4)
    for _ in range(4):
        with pytest.raises(LogError, match="EIO"):
            writer.sync()
        assert (writer.written, writer.durable) == (51, 6)
    writer.append(traffic(2, start_ns=10**10))
    assert (writer.written, writer.durable) == (53, 51)
    assert sum(map(len, tail.poll())) == 2
    writer.end(0)
    assert sorted(int(file.stem) for file in writer.path.iterdir()) == [0, 6, 53]
    rows, damages = readable(writer.path)
    assert (sorted(rows), damages) == (list(range(54)), [])
    assert sum(map(len, tail.poll())) == 1
    assert (tail.ended, tail.damages) == (True, [])
    tail.close()


def test_a_session_that_could_not_even_begin_leaves_no_folder(tmp_path):
    disk = Faulty()
    disk.fail["create"] = (errno.ENOSPC, 1)
    with pytest.raises(LogError, match=r"can't be begun.*ENOSPC.*free some space"):
        Writer.create(tmp_path, **BASE, disk=disk)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    Writer.create(tmp_path, **BASE).close()


def test_the_background_makes_rows_durable_by_itself(tmp_path):
    writer = Writer.create(tmp_path, **BASE, sync_interval_s=0.01)
    writer.append(traffic(5))
    deadline = time.monotonic() + 10
    while writer.durable < 6 and time.monotonic() < deadline:
        time.sleep(0.002)
    assert writer.durable == 6
    writer.close()


@pytest.mark.parametrize("name", ["seal", "rename", "sync_folder", "unlink"])
def test_a_seal_that_fails_leaves_the_open_segment_and_ends_the_session_all_the_same(tmp_path, name):
    writer, disk = faulty(tmp_path)
    writer.append(traffic(5))
    writer.sync()
    disk.fail[name] = (errno.EIO, 1)
    writer.end(0)
    assert find(tmp_path, "latest").state == "ended"
    assert len(everything(writer.path)) == 7
    before = readable(writer.path)
    record(tmp_path, [], session_id="next", end=True)
    assert readable(writer.path) == before
    assert [file.suffix for file in writer.path.iterdir()] == [".arrow"]


def test_a_writer_can_be_closed_at_any_instant_of_its_syncing(tmp_path):
    writer = Writer.create(tmp_path, **BASE)
    writer.close()
    for i in range(100):
        writer = Writer.create(tmp_path, **BASE, session_id=f"s{i}", sync_interval_s=0)
        writer.append(traffic(1))
        writer.close()
        shutil.rmtree(writer.path)


def test_rotation_by_age(tmp_path):
    writer = Writer.create(tmp_path, **BASE, segment_age_s=0)
    for i in range(3):
        writer.append(traffic(5, start_ns=i * 10**9))
    writer.end(0)
    assert [int(file.stem) for file in sorted(writer.path.glob("*.arrow"))] == [0, 1, 6, 11, 16]


def test_a_closed_writer_takes_no_more_and_lets_the_next_one_in(tmp_path):
    writer = Writer.create(tmp_path, **BASE)
    writer.close()
    writer.close()
    with pytest.raises(LogError, match="closed"):
        writer.append(traffic(1))
    Writer.create(tmp_path, **BASE).end(0)


def test_control_rows_keep_their_fact(tmp_path):
    writer = Writer.create(tmp_path, **BASE)
    writer.control(Control.NOTE, 5, {"text": "grün"})
    writer.end(9)
    rows = everything(writer.path)
    assert rows.id.tolist() == [Control.SESSION_START, Control.NOTE, Control.SESSION_END]
    assert rows.more[1].as_py() == b'{"text": "gr\\u00fcn"}'
    assert find(tmp_path, "latest").frames == 0


def test_appending_more_than_a_batch_can_hold_makes_several(tmp_path, monkeypatch):
    monkeypatch.setattr("pitwall.log.rows.MAX_ROWS", 7)
    path = record(tmp_path, [traffic(20)])
    assert [len(batch) for batch in read(path)] == [1, 7, 7, 6]


def test_find_helps(tmp_path):
    with pytest.raises(UsageError, match="there is no session yet"):
        find(tmp_path, "latest")
    record(tmp_path, [], session_id="20260101T000000Z-bmw", end=True)
    record(tmp_path, [], session_id="20260102T000000Z-bmw", end=True)
    assert find(tmp_path, "20260102").id == "20260102T000000Z-bmw"
    with pytest.raises(UsageError, match="the beginning of 2 sessions"):
        find(tmp_path, "2026")
    with pytest.raises(UsageError, match="did you mean 20260102T000000Z-bmw"):
        find(tmp_path, "20260102T000000Z-bnw")
    with pytest.raises(UsageError, match="`pitwall sessions` lists them"):
        find(tmp_path, "")
    (tmp_path / "notes").mkdir()
    (tmp_path / "file").write_text("")
    assert len(sessions(tmp_path)) == 2


def test_no_logs_folder_is_no_session(tmp_path):
    assert sessions(tmp_path / "none") == []
    with pytest.raises(LogError, match="can't be read"):
        list(read(tmp_path / "none"))


def test_offsets_of_rows_given_do_not_matter(tmp_path):
    rows = frames(1234, t=[5], id=[1], data=traffic(1).data)
    assert everything(record(tmp_path, [rows])).start == 0
