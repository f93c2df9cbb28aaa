"""Cars and what a session can answer, over a real socket and the cars that come with pitwall."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from pitwall.serve.newest import Still
from tests.serve.stand import CARS, CAST, SID, FakeGarage, picture, projection, standing


def test_the_live_session_says_what_it_can_answer_before_anything_was_heard() -> None:
    cast = replace(CAST, roles={"speed": "speed", "lat": "lat", "lon": "lon"})
    with standing(Still(picture(0, cast=cast)), FakeGarage({SID: projection({})})) as stand:
        said = stand.json("/session/_live/capabilities")["capabilities"]
    assert said["speed"] == {"can": True, "channels": ["speed"], "missing": []}
    assert said["laps"] == {"can": True, "channels": ["lat", "lon"], "missing": []}
    assert said["brake"] == {"can": False, "channels": [], "missing": ["brake"]}


def test_every_car_is_listed_and_told_whole(tmp_path: Path) -> None:
    with standing(garage=FakeGarage()) as stand:
        listed = {one["name"]: one for one in stand.json("/cars")["cars"]}
        assert listed.keys() == {folder.name for folder in CARS.iterdir() if (folder / "car.yaml").exists()}
        assert all(one["valid"] for one in listed.values())
        whole = stand.json("/car/bmw-e46-m3")
        registered = {one["name"]: one for one in stand.json("/signals/registry")["channels"]}
    assert {channel["name"]: channel["unit"] for channel in whole["channels"]}["speed"] == "m/s"
    assert "bmw-e46-m3" in registered["speed"]["cars"]
    assert registered["speed"]["units"] == ["m/s"]
    assert "speed" in registered["speed"]["roles"]


def test_a_car_that_is_wrong_is_told_with_its_errors_and_one_that_is_none_with_what_there_is(tmp_path: Path) -> None:
    shutil.copytree(CARS / "bmw-e46-m3", tmp_path / "mine")
    (tmp_path / "mine" / "car.yaml").write_text("car: {make: <b>X</b>}\nbuses: {can: {dbc: nothing.dbc}}\n")
    with standing(garage=FakeGarage(folder=tmp_path)) as stand:
        (one,) = stand.json("/cars")["cars"]
        assert not one["valid"]
        assert "nothing.dbc" in one["problems"][0]
        assert stand.json("/car/mine")["fingerprint"] is None
        problem = stand.json("/car/yours", expect=404)
    assert problem["hint"] == "there are mine"


def test_the_shipped_tracks_are_listed() -> None:
    with standing(garage=FakeGarage()) as stand:
        tracks = stand.json("/tracks")["tracks"]
    assert any(track["kind"] == "circuit" and not track["own"] for track in tracks)
