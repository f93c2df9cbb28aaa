"""A control row for a session that has ended is put there by the process that records, or by whoever wants it there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pitwall.errors import LogError
from pitwall.frames import Control
from pitwall.log import adding, requests
from pitwall.log.lock import Lock
from pitwall.log.session import find
from pitwall.log.writer import Writer

FACT = {"line": [[1.0, 2.0], [1.0, 2.001]]}


@pytest.fixture
def session(tmp_path: Path) -> str:
    writer = Writer.create(tmp_path, car="mine", buses=["can"], started_at_ns=1)
    writer.end(1_000)
    writer.close()
    return writer.path.name


def test_where_nobody_records_it_is_written_at_once(tmp_path: Path, session: str) -> None:
    rows = find(tmp_path, session).rows
    adding.add(tmp_path, session, Control.START_LINE, FACT)
    assert find(tmp_path, session).rows == rows + 1


def test_where_somebody_records_that_process_is_asked(tmp_path: Path, session: str) -> None:
    asked: list[object] = []
    held = Lock(tmp_path)
    over = threading.Event()

    def answer() -> None:
        while not over.wait(0.01):
            for request in requests.asked(tmp_path):
                asked.append(request.fact)
                request.done()

    recorder = threading.Thread(target=answer)
    recorder.start()
    try:
        adding.add(tmp_path, session, Control.START_LINE, FACT)
    finally:
        over.set()
        recorder.join()
        held.release()
    assert asked == [{"control": int(Control.START_LINE), "fact": FACT, "session": session}]


def test_a_session_without_an_end_is_left_to_who_may_go_on_with_it(tmp_path: Path, session: str) -> None:
    (tmp_path / "open").mkdir()
    with pytest.raises(LogError, match="damaged"):
        adding.add(tmp_path, "open", Control.START_LINE, FACT)
