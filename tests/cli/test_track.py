"""`pitwall tracks` and `pitwall track save`: a track that was learned is known the next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.track.load import load
from tests.cli.conftest import Pitwall

FAR = "46.10000000,7.20000000,46.10010000,7.20010000"
LARKHOLM = "52.41837042,-0.62775437,52.41824463,-0.62775828"
FINISH = "52.41310922,-0.62261893,52.41322772,-0.62254982"


@pytest.fixture
def driven(pitwall: Pitwall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pitwall:
    monkeypatch.setenv("PITWALL_TRACKS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    assert pitwall("simulate", "--laps", 3, "--session", "a-drive").code == 0
    return pitwall


def test_a_saved_track_has_its_name_in_every_session_on_it(driven: Pitwall, tmp_path: Path) -> None:
    before = {lap["number"]: lap["time_s"] for lap in driven("laps", "latest", "--json").json if lap["flying"]}
    saved = driven("track", "save", "latest", "--name", "Home, long")
    assert saved.code == 0, saved.err
    track = load(tmp_path / "mine" / "home-long.yaml")
    assert (track.name, len(track.sectors), track.learned) == ("Home, long", 2, False)
    assert "a-drive" in track.source
    known = {one["name"]: one for one in driven("tracks", "--json").json}
    assert known["Home, long"]["own"]
    assert not known["Larkholm (invented)"]["own"]
    # both lines lie at one place: the user's is asked first
    assert driven("query", "latest", "SELECT name FROM track", "--json").json == [{"name": "Home, long"}]
    after = {lap["number"]: lap["time_s"] for lap in driven("laps", "latest", "--json").json if lap["flying"]}
    assert after == pytest.approx(before, abs=1e-4)  # the file has a millimetre
    assert "there is a track of this name" in driven("track", "save", "latest", "--name", "Home, long").line()


def test_a_hill_is_a_course_from_one_line_to_another(driven: Pitwall) -> None:
    lines = ("--start-line", LARKHOLM, "--finish-line", FINISH)
    assert driven("track", "save", "latest", "--name", "The hill", *lines).code == 0
    (hill,) = (one for one in driven("tracks", "--json").json if one["own"])
    assert hill["kind"] == "point to point"
    runs = [lap for lap in driven("laps", "latest", "--json").json if lap["flying"]]
    assert len(runs) == 4
    assert all(lap["valid"] and 10 < lap["time_s"] < 60 for lap in runs)


def test_a_track_makes_stale_what_began_near_it_and_nothing_else(
    driven: Pitwall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason() -> str:
        found: str = driven("replay", "--json").json[0]["reason"]
        return found

    def best_on() -> list[str]:
        return [best["track"] for best in driven("bests", "--json").json]

    reason()
    assert (reason(), best_on()) == ("", ["Larkholm (invented)"])
    driven("track", "save", "latest", "--name", "Elsewhere", "--start-line", FAR)
    assert (reason(), best_on()) == ("", ["Larkholm (invented)"])  # a thousand kilometres from where it began
    driven("track", "save", "latest", "--name", "Home")
    assert best_on() == []  # until it is built again
    assert "on other tracks" in reason()
    assert (reason(), best_on()) == ("", ["Home"])
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("PITWALL_TRACKS", str(tmp_path / "none"))
    assert "on other tracks" in reason()
    assert (reason(), best_on()) == ("", ["Larkholm (invented)"])


def test_a_track_that_hides_one_that_ships_makes_stale_what_began_near_that(driven: Pitwall) -> None:
    driven("replay")
    driven("track", "save", "latest", "--name", "Larkholm (invented)", "--start-line", FAR)
    assert "on other tracks" in driven("replay", "--json").json[0]["reason"]


def test_what_is_wrong_with_a_track_is_one_line(driven: Pitwall, tmp_path: Path) -> None:
    assert "letters or digits" in driven("track", "save", "latest", "--name", "??").line()
    far = driven("track", "save", "latest", "--name", "Long", "--start-line", "46.1,7.2,46.2,7.3").line()
    assert "make sense" in far
    driven("simulate", "--hours", "0.01", "--session", "short")
    assert "no loop was closed" in driven("track", "save", "short", "--name", "Short").line()
    other = tmp_path / "other"
    assert "no such folder" in driven("tracks", "--tracks", other).line()
    other.mkdir()
    (other / "wrong.yaml").write_text("track: Wrong\n")
    assert "wrong.yaml:1" in driven("tracks", "--tracks", other).line()
    assert "wrong.yaml:1" in driven("--tracks", other, "replay", "short").line()
