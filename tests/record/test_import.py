"""Capture files into a session: their frames, their names, their losses."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from pitwall.bus.capture import read_capture
from pitwall.errors import LogError, UsageError
from pitwall.frames import Control, cut
from pitwall.log.session import sessions
from pitwall.log.writer import Writer
from pitwall.stored import import_captures
from tests.bus.messages import STARTED_AT_S, heard_in
from tests.captures import CAPTURES, needs_captures
from tests.record.test_record import only_frames, rows_of


def test_captures_become_one_ended_session_that_starts_with_the_first_frame(tmp_path):
    (tmp_path / "b.log").write_text(f"({STARTED_AT_S + 2}.5) can1 001#01\n?\n({STARTED_AT_S + 4}.0) can1 001#02\n")
    (tmp_path / "a.log").write_text(f"({STARTED_AT_S}.25) can0 001#03\n({STARTED_AT_S + 3}.0) can0 001#04\n")
    told = []
    report = import_captures(
        [tmp_path / "b.log", tmp_path / "a.log"],
        logs=tmp_path / "logs",
        car="test",
        session_id="drive",
        progress=lambda done, whole: told.append((done, whole)),
    )
    session, rows, facts = rows_of(tmp_path / "logs", "drive")
    assert (report.session, report.frames, session.state) == ("drive", 4, "ended")
    assert report.problems == [f"{tmp_path}/b.log:2: not understood: '?'"]
    assert session.header.started_at_ns == STARTED_AT_S * 10**9 + 250_000_000
    assert session.header.buses == ("can0", "can1")
    kept = only_frames(rows)
    assert kept.t.tolist() == [0, 2_250_000_000, 2_750_000_000, 3_750_000_000]
    assert kept.bus.tolist() == [0, 1, 0, 1], "the same id on two buses stays apart"
    assert [(kind, t) for kind, t, _ in facts] == [
        (Control.SESSION_START, 0),
        (Control.IMPORTED, 0),
        (Control.IMPORTED, 2_250_000_000),
        (Control.SESSION_END, 3_750_000_000),
    ]
    assert facts[1][2] == {"file": "a.log", "frames": 2, "dated": True}
    assert facts[2][2]["problems"] == report.problems
    whole = (tmp_path / "a.log").stat().st_size + (tmp_path / "b.log").stat().st_size
    assert told[-1] == (whole, whole)


def test_a_session_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "a.log").write_text("(1.0) can0 001#\n")
    import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test", session_id="drive")
    before = [(path, path.read_bytes()) for path in sorted((tmp_path / "logs/drive").iterdir())]
    with pytest.raises(UsageError, match="'drive' already"):
        import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test", session_id="drive")
    assert [(path, path.read_bytes()) for path in sorted((tmp_path / "logs/drive").iterdir())] == before


def test_what_is_imported_once_more_is_another_session_and_that_is_said(tmp_path):
    (tmp_path / "a.log").write_text("(1700000000.0) can0 001#\n")
    first, second = (import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test") for _ in range(2))
    assert (second.session, first.notes) == (f"{first.session}-2", [])
    assert second.notes == [f"{first.session} began in the same second, with this car: was this imported before?"]


def test_one_file_that_is_no_capture_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.log").write_text("(1.0) can0 001#\n")
    (tmp_path / "b.log").write_text("Dear diary\n")
    with pytest.raises(UsageError, match=r"b\.log"):
        import_captures([tmp_path / "a.log", tmp_path / "b.log"], logs=tmp_path / "logs", car="test")
    assert not (tmp_path / "logs").exists()


def test_a_disk_that_fills_up_midway_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "a.log").write_text("(1.0) can0 001#\n(2.0) can0 001#\n")
    real = Writer.append

    def full(self, rows):
        if len(rows) == 2:
            raise LogError("the log can't be written: No space left on device", where=self.path)
        real(self, rows)

    monkeypatch.setattr(Writer, "append", full)
    with pytest.raises(LogError, match="No space"):
        import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test")
    monkeypatch.undo()
    assert sessions(tmp_path / "logs") == []
    import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test")
    assert len(sessions(tmp_path / "logs")) == 1


@needs_captures
@pytest.mark.parametrize("file", ["wrx/wrx.log", "canmod/drive-1.mf4"])
def test_the_real_recordings_are_in_the_log_as_they_are_in_the_file(tmp_path, file):
    report = import_captures([CAPTURES / file], logs=tmp_path, car="test")
    session, rows, _ = rows_of(tmp_path, report.session)
    capture = read_capture(CAPTURES / file)
    kept = only_frames(rows)
    for column in ("t", "bus", "id", "flags", "len", "data"):
        assert np.array_equal(getattr(kept, column), getattr(capture.frames, column)), column
    assert session.frames == report.frames == len(capture.frames)
    some, same = cut(kept, 0, 100), cut(capture.frames, 0, 100)
    assert heard_in(some, session.header.buses) == heard_in(same, capture.buses)


def test_a_capture_is_imported_while_somebody_records_and_disturbs_nobody(tmp_path):
    (tmp_path / "a.log").write_text("(1.0) can0 001#\n")
    recorder = Writer.create(tmp_path / "logs", car="test", buses=["can0"], started_at_ns=STARTED_AT_S * 10**9)
    try:
        first = import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test")
        second = import_captures([tmp_path / "a.log"], logs=tmp_path / "logs", car="test")
        assert second.session == f"{first.session}-2"
        states = {one.id: one.state for one in sessions(tmp_path / "logs")}
        assert states == {first.session: "ended", second.session: "ended", recorder.session: "recording"}
    finally:
        recorder.end(0)
    assert not list((tmp_path / "logs").glob(".importing-*"))
    assert rows_of(tmp_path / "logs", second.session)[0].header.session == second.session


KILLED = """
import os, signal, sys
from pathlib import Path
from pitwall.log.writer import Writer
from pitwall.stored import import_captures
Writer.end = lambda self, t_ns: os.kill(os.getpid(), signal.SIGKILL)
import_captures([Path(sys.argv[1])], logs=Path(sys.argv[2]), car="test")
"""


def test_an_import_that_is_killed_leaves_no_session_and_the_next_sweeps_what_it_had(tmp_path):
    (tmp_path / "a.log").write_text("(1.0) can0 001#\n")
    logs = tmp_path / "logs"
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.log", logs], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(logs.glob(".importing-*/*T*"))) == 1
    assert sessions(logs) == []
    import_captures([tmp_path / "a.log"], logs=logs, car="test")
    assert not list(logs.glob(".importing-*"))
    assert len(sessions(logs)) == 1
