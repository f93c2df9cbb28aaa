"""What the API tells of a value is what `pitwall why` does, whose own tests hold it to the projection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pitwall.car import load
from pitwall.commands.why import facts
from pitwall.frames import Frames
from pitwall.log.session import Session, find
from pitwall.project.why import why
from pitwall.serve.problem import TYPES
from tests.serve.stand import Stand
from tests.serve.test_frames import drive as drive
from tests.serve.test_live import CAR, CARS, begin, following, status, until, write

T = 12_345_678_901


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, drive: Frames) -> Iterator[tuple[Stand, Session]]:
    """A server, and the session that it follows, which is being recorded."""
    folder = tmp_path_factory.mktemp("driven")
    with following(folder) as (one, _):
        writer = begin(folder / "logs")
        write(writer, drive, 0, 9_000, step=300)
        until(lambda: status(one)["projection"]["offset"] == 9_001)
        yield one, find(folder / "logs", writer.session)
        writer.close()


def in_seconds(told: Any) -> Any:
    """What the API says, as the command line does: its times in seconds, places in files as text."""
    if isinstance(told, list):
        return [in_seconds(one) for one in told]
    if not isinstance(told, dict):
        return told
    return {key: value / 1e9 if key == "t" and value is not None else in_seconds(value) for key, value in told.items()}


@pytest.mark.parametrize("channel", ["rpm", "speed", "combo_g", "gear", "distance", "lat"])
def test_it_is_what_the_command_says(stand: tuple[Stand, Session], channel: str) -> None:
    one, session = stand
    answer = one.json(f"/session/_live/why?channel={channel}&t={T}&deep=true")
    expected = why(session, load(CARS, CAR), channel, T, damaged=lambda damage: pytest.fail(str(damage)))
    assert (answer["session"], answer["car"], answer["t"], answer["damages"]) == (session.id, CAR, T, [])
    assert [told["channel"] for told in answer["channels"]] == list(expected)
    for told, known in zip(in_seconds(answer["channels"]), map(facts, expected.values()), strict=True):
        place = known.pop("yaml")
        assert told.pop("yaml") == (place and line_of(place))
        if told.pop("kind") == "measured":
            signal, dbc = told["signal"], known.pop("dbc")
            assert signal.pop("dbc") == line_of(dbc)
            signal["name"] = f"{signal.pop('message')}.{signal['name']}"
        assert told == known


def line_of(place: str) -> dict:
    file, _, line = place.rpartition(":")
    with Path(file).open() as text:
        found = text.read().splitlines()[int(line) - 1]
    return {"file": file.rpartition("/")[2], "line": int(line), "text": " ".join(found.split())}


def test_without_a_time_it_is_the_newest_value_and_without_deep_the_channel_alone(
    stand: tuple[Stand, Session],
) -> None:
    one, session = stand
    answer = one.json("/session/_live/why?channel=combo_g")
    assert answer["t"] == round(session.duration_s * 1e9)
    (told,) = answer["channels"]
    newest = one.json("/session/_live/signals?channels=combo_g&rate_hz=1000")["channels"]["combo_g"]
    assert (told["t"], told["value"]) == (newest["t"][-1], newest["v"][-1])


def test_before_the_first_frame_it_says_what_is_missing(stand: tuple[Stand, Session]) -> None:
    (told,) = stand[0].json("/session/_live/why?channel=rpm&t=-1")["channels"]
    assert (told["value"], told["t"], told["frame"], told["steps"]) == (None, None, None, [])
    assert told["missing"].startswith("no frame of ")


def test_a_channel_that_there_is_none_of_is_told_with_what_comes_close(stand: tuple[Stand, Session]) -> None:
    problem = stand[0].json("/session/_live/why?channel=rmp", expect=404)
    assert problem["type"] == f"{TYPES}unknown-channel"
    assert "rpm" in problem["hint"]
