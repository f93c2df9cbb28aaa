"""`POST /session/<sid>/start-line`: what makes sense goes to the recorder, what makes none is said to."""

from __future__ import annotations

import json

import pytest

from pitwall.log.published import Recorder, State
from pitwall.serve.newest import Still
from tests.serve.stand import SID, FakeGarage, Stand, picture, projection, standing

LINE = [[52.41837042, -0.62775437], [52.41824463, -0.62775828]]


def post(stand: Stand, body: object, path: str = "/session/_live/start-line") -> tuple[int, dict]:
    connection = stand.connect()
    connection.request("POST", path, body=body if isinstance(body, bytes) else json.dumps(body))
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, said


@pytest.fixture
def live() -> Still:
    shown = Still(picture(1))
    shown.shown_recorder = Recorder(1, State())
    return shown


def test_a_line_is_handed_to_the_recorder_with_its_session(live: Still) -> None:
    fact = {"line": LINE, "sectors": [LINE], "name": "home"}
    with standing(live, FakeGarage({SID: projection({})})) as stand:
        assert post(stand, fact) == (200, {"session": SID, **fact})
    assert live.lines == [(SID, fact)]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "the body is no JSON"),
        ({}, "line is missing"),
        ({"line": [LINE[0], LINE[0]]}, "the line is 0.0 m long"),
        ({"line": LINE, "lines": []}, "'lines' is no parameter of it"),
    ],
)
def test_what_makes_no_sense_is_refused_and_said(live: Still, body: object, detail: str) -> None:
    with standing(live, FakeGarage({SID: projection({})})) as stand:
        status, said = post(stand, body)
    assert (status, said["type"]) == (400, "urn:pitwall:problem:bad-parameter")
    assert detail in said["detail"]
    assert live.lines == []


def test_without_a_recorder_nobody_can_write_the_row(live: Still) -> None:
    live.shown_recorder = None
    with standing(live, FakeGarage({SID: projection({})})) as stand:
        status, said = post(stand, {"line": LINE})
    assert (status, said["type"]) == (409, "urn:pitwall:problem:not-recording")
