"""Readers see a prefix of a log that is written, sealed and archived under them: a moment of `make torture`."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from pitwall.errors import LogError
from pitwall.log import Tail, Writer, read
from pitwall.log.archive import archive
from tests.torture.tailing import START_NS, check, rows_at, tail_under


def begin(logs) -> Writer:
    return Writer.create(
        logs, car="test", buses=["a", "b"], started_at_ns=START_NS, session_id="s000000", segment_bytes=5_000
    )


def test_readers_of_sessions_that_are_written_and_archived_under_them(tmp_path):
    done = tail_under(4, 1, tmp_path, readers={"follow": 2, "look": 1, "survey": 1})
    assert done["write"]["sessions"] == 4
    assert done["follow"]["rows"] > 1000
    assert done["look"]["read"] > 0
    assert done["survey"]["verified"] > 0


@pytest.mark.parametrize("polled", [True, False])
def test_a_tail_of_a_session_that_is_archived_says_how_far_it_came(tmp_path, polled):
    writer = begin(tmp_path / "logs")
    tail = Tail(writer.path)
    if polled:
        tail.poll()
    for _ in range(20):
        writer.append(rows_at(writer.written, 100))
    writer.end(0)
    archive(tmp_path / "logs", writer.session, str(tmp_path / "archive"), forget=lambda _session: None)
    # of the segment that it has open it may read what came before it was sealed
    with pytest.raises(LogError, match="what follows row .* was not" if polled else "can't be read") as raised:
        list(iter(tail.poll, []))
    if polled:
        assert f"row {tail.offset - 1} was not" in str(raised.value)
    assert tail.poll() == []
    tail.close()


def test_a_tail_that_had_all_of_it_does_not_mind_that_the_session_is_archived(tmp_path):
    writer = begin(tmp_path / "logs")
    writer.append(rows_at(1, 100))
    tail = Tail(writer.path)
    writer.end(0)
    while tail.poll():
        pass
    assert tail.ended
    archive(tmp_path / "logs", writer.session, str(tmp_path / "archive"), forget=lambda _session: None)
    assert tail.poll() == []
    tail.close()


def test_a_read_of_a_session_that_is_taken_away_meanwhile_does_not_end_as_if_it_were_whole(tmp_path):
    writer = begin(tmp_path / "logs")
    for _ in range(20):
        writer.append(rows_at(writer.written, 100))
    writer.end(0)
    batches = read(writer.path)
    check(next(batches), 0)
    archive(tmp_path / "logs", writer.session, str(tmp_path / "archive"), forget=lambda _session: None)
    with contextlib.closing(batches), pytest.raises(LogError, match="what follows row"):
        list(batches)


@pytest.mark.parametrize("fault", ["repeated", "missing", "wrong"])
def test_what_is_wrong_with_rows_is_seen(fault):
    rows = rows_at(100, 10)
    if fault == "wrong":
        data = rows.data.copy()
        data[7, 3] ^= 1
        rows = replace(rows, data=data)
    with pytest.raises(AssertionError):
        check(rows, {"repeated": 105, "missing": 90, "wrong": 100}[fault])
