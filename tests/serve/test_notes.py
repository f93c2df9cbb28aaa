"""Notes: words in, a control row out, and read back."""

from __future__ import annotations

import json

from pitwall.frames import Control
from pitwall.log.published import Recorder, State
from pitwall.serve.newest import Still
from tests.serve.stand import SID, FakeGarage, picture, projection, standing


def test_a_note_is_handed_to_the_recorder_with_its_session() -> None:
    live = Still(picture(1))
    live.shown_recorder = Recorder(1, State())
    with standing(live, FakeGarage({SID: projection({})})) as stand:
        status, _, body = stand.post("/session/_live/notes", {"text": "<b>rain</b>", "tags": ["wet"]})
    assert (status, json.loads(body)) == (200, {"session": SID, "text": "<b>rain</b>", "tags": ["wet"]})
    assert live.notes == [(SID, {"text": "<b>rain</b>", "tags": ["wet"]})]


def test_a_note_without_words_or_with_too_many_is_refused_and_one_without_a_recorder_too() -> None:
    with standing(Still(picture(1)), FakeGarage({SID: projection({})})) as stand:
        asked = [stand.post("/session/_live/notes", said) for said in ({}, {"text": ""}, {"text": "x" * 4001})]
        assert [status for status, _, _ in asked] == [400, 400, 400]
        assert stand.post("/session/_live/notes", {"text": "rain"})[0] == 409


def test_notes_are_read_from_the_log_whatever_they_hold() -> None:
    held = projection({})
    held.execute("CREATE TABLE control (log_offset BIGINT, t BIGINT, kind VARCHAR, fact VARCHAR)")
    kind = Control.NOTE.name.lower()
    for offset, fact in enumerate((json.dumps({"text": "rain", "tags": ["wet"]}), "by hand", '{"said": 1}')):
        held.execute("INSERT INTO control VALUES (?, ?, ?, ?)", [offset, 10 * offset, kind, fact])
    held.execute("INSERT INTO control VALUES (9, 90, 'session_end', '{}')")
    with standing(Still(), FakeGarage({SID: held})) as stand:
        notes = stand.json(f"/session/{SID}/notes")["notes"]
    assert notes == [
        {"t": 0, "text": "rain", "tags": ["wet"]},
        {"t": 10, "text": "by hand", "tags": []},
        {"t": 20, "text": '{"said": 1}', "tags": []},
    ]
