"""Sessions are found by car, tag, time and words; tags go into the log by the recorder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pitwall.frames import Control
from pitwall.log.published import Recorder, State
from pitwall.log.remarks import MAX_TAG, MAX_TAGS, Remarks
from pitwall.log.session import Session
from pitwall.serve.newest import Still
from tests.serve.stand import SID, FakeGarage, Stand, picture, projection, session, standing
from tests.serve.test_live import STARTED_AT_NS, begin, following, until

DAY_NS = 86_400 * 10**9
OCTOBER_NS = 1_790_812_800 * 10**9  # 2026-10-01T00:00:00Z

SAID = {
    "a": Remarks(("wet", "test day"), 1, "New tyres, Larkholm"),
    "b": Remarks(("wet",)),
    "c": Remarks((), 2, "brakes LONG\nnew pads"),
}


class Garage(FakeGarage):
    """Three sessions, a day apart; the last one of another car."""

    def sessions(self) -> list[Session]:
        return [self._one(i, id) for i, id in enumerate("abc")]

    def _one(self, day: int, id: str) -> Session:
        one = session(id)
        header = replace(one.header, started_at_ns=OCTOBER_NS + day * DAY_NS, car="mx-5" if id == "c" else "m3")
        return replace(one, header=header)


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with standing(garage=Garage(said=SAID)) as one:
        yield one


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", "abc"),
        ("?car=mx-5", "c"),
        ("?car=MX-5", ""),
        ("?tag=wet", "ab"),
        ("?tag=test%20day", "a"),
        ("?tag=we", ""),
        ("?find=new", "ac"),
        ("?find=NEW+larkholm", "a"),
        ("?find=new+wet", "a"),
        ("?find=mx", "c"),
        ("?find=brakes+pads", "c"),
        ("?find=nobody", ""),
        ("?find=", "abc"),
        ("?from=2026-10-02", "bc"),
        ("?to=2026-10-02", "ab"),
        ("?from=2026-10-02&to=2026-10-02", "b"),
        ("?from=2026-10-02T00:00:01Z", "c"),
        ("?to=2026-10-02T00:00:00Z", "ab"),
        ("?to=2026-10-01T23:59:59", "a"),
        ("?to=2026-10-02T01:30:00%2B02:00", "a"),
        ("?tag=wet&from=2026-10-02&car=m3&find=b", "b"),
    ],
)
def test_what_is_asked_for_is_found(stand: Stand, asked: str, expected: str) -> None:
    answer = stand.json(f"/sessions{asked}")
    assert "".join(one["id"] for one in answer["sessions"]) == expected
    assert answer["of"] == 3
    for one in answer["sessions"]:
        assert (tuple(one["tags"]), one["notes"]) == (SAID[one["id"]].tags, SAID[one["id"]].notes)


@pytest.mark.parametrize("asked", ["from=yesterday", "to=2026-13-01", "from=2026-02-30T00:00Z"])
def test_what_is_no_time_is_refused_in_words_of_the_parameter(stand: Stand, asked: str) -> None:
    name = asked.partition("=")[0]
    problem = stand.json(f"/sessions?{asked}", expect=400)
    assert problem["detail"].startswith(f"{name}=")
    assert problem["hint"].startswith(f"{name}: ")


def test_tags_are_handed_to_the_recorder_with_their_session_each_once() -> None:
    live = Still(picture(1))
    live.shown_recorder = Recorder(1, State())
    with standing(live, FakeGarage({SID: projection({})})) as one:
        status, _, body = one.post("/session/_live/tags", {"tags": ["wet", "<b>", "wet"]})
        assert (status, json.loads(body)) == (200, {"session": SID, "tags": ["wet", "<b>"]})
        assert one.post("/session/_live/tags", {"tags": []})[0] == 200
        wrong = ({}, {"tags": [""]}, {"tags": ["x" * (MAX_TAG + 1)]}, {"tags": ["x"] * (MAX_TAGS + 1)}, {"tags": "wet"})
        assert [one.post("/session/_live/tags", said)[0] for said in wrong] == [400] * len(wrong)
        live.shown_recorder = None
        assert one.post("/session/_live/tags", {"tags": ["wet"]})[0] == 409
    assert live.tags == [(SID, {"tags": ["wet", "<b>"]}), (SID, {"tags": []})]


def test_of_a_real_log_tags_are_shown_while_it_is_recorded_and_once_it_is_over(tmp_path) -> None:
    with following(tmp_path) as (one, _):
        writer = begin(tmp_path / "logs")
        writer.control(Control.TAGS, 1, {"tags": ["wet"]})
        writer.control(Control.NOTE, 2, {"text": "rain"})
        writer.sync()
        until(lambda: one.json("/session/_live")["tags"] == ["wet"])
        writer.control(Control.TAGS, 3, {"tags": ["dry", "race"]})
        until(lambda: one.json("/session/_live")["tags"] == ["dry", "race"])
        writer.end(4)
        until(lambda: one.json("/session/_live")["state"] == "ended")
        assert one.json(f"/session/{writer.session}")["tags"] == ["dry", "race"]
        begin(tmp_path / "logs", later_s=60).end(1)
        until(lambda: one.json("/sessions")["of"] == 2)
        found = one.json("/sessions?tag=race&find=rain")["sessions"]
        assert [each["id"] for each in found] == [writer.session]
        assert found[0]["started_at_ns"] == STARTED_AT_NS
