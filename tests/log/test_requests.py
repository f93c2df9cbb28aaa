"""Requests to the process that records: asked, answered, refused, taken back."""

from __future__ import annotations

import os
import threading
from contextlib import closing

import pytest

from pitwall.errors import LogError
from pitwall.log import requests
from pitwall.log.hold import Hold
from tests.record.drives import until


@pytest.fixture
def hold(tmp_path):
    with closing(Hold(tmp_path)) as held:
        yield held


def answering(logs, answer):
    """A thread that answers the first request."""
    thread = threading.Thread(target=lambda: answer(until(lambda: requests.asked(logs))[0]))
    thread.start()
    return thread


def test_it_returns_once_the_request_is_answered(tmp_path, hold):
    heard = []
    thread = answering(tmp_path, lambda request: (heard.append(request.fact), request.done()))
    requests.ask(tmp_path, {"end": True})
    thread.join()
    assert heard == [{"end": True}]
    assert requests.asked(tmp_path) == []
    assert not list((tmp_path / requests.FOLDER).iterdir())


def test_why_it_was_refused_is_what_is_raised(tmp_path, hold):
    thread = answering(tmp_path, lambda request: request.refuse("not today"))
    with pytest.raises(LogError, match="not today"):
        requests.ask(tmp_path, {"end": True})
    thread.join()
    assert not list((tmp_path / requests.FOLDER).iterdir())


def test_it_is_taken_back_where_nobody_records(tmp_path):
    with pytest.raises(LogError, match="nobody records here"):
        requests.ask(tmp_path, {"end": True})
    assert requests.asked(tmp_path) == []


def test_it_is_taken_back_where_the_recorder_does_not_answer(tmp_path, hold):
    with pytest.raises(LogError, match="did not answer within"):
        requests.ask(tmp_path, {"end": True}, within_s=0.05)
    assert requests.asked(tmp_path) == []


def test_they_are_taken_in_the_order_of_their_asking(tmp_path):
    folder = tmp_path / requests.FOLDER
    folder.mkdir()
    for number in range(5):
        path = folder / f"{9 - number}.json"
        path.write_text(f'{{"end": "{number}"}}')
        os.utime(path, ns=(number, number))
    (folder / "half.json.tmp").write_text("{")
    assert [request.fact["end"] for request in requests.asked(tmp_path)] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("said", [b"", b"{", b"[1]", b"\xff", b'{"end": "' + b"x" * requests.MAX_BYTES + b'"}'])
def test_one_that_makes_no_sense_asks_nothing(tmp_path, said):
    (tmp_path / requests.FOLDER).mkdir()
    (tmp_path / requests.FOLDER / "one.json").write_bytes(said)
    (found,) = requests.asked(tmp_path)
    assert found.fact == {}


def test_many_are_taken_some_at_a_time(tmp_path):
    (tmp_path / requests.FOLDER).mkdir()
    for number in range(100):
        (tmp_path / requests.FOLDER / f"{number}.json").write_text("{}")
    assert len(requests.asked(tmp_path)) == requests.MOST
