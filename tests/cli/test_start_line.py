"""`pitwall track start-line`: a session's laps begin where somebody says; a line that cuts none is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Pitwall

ELSEWHERE = "52.41310922,-0.62261893,52.41322772,-0.62254982"
"""Across the simulator's track, where its first sector ends."""
START = "52.41837042,-0.62775437,52.41824463,-0.62775828"
SOUTH = "-33.80000000,150.87000000,-33.80010000,150.87010000"


@pytest.fixture
def driven(pitwall: Pitwall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pitwall:
    monkeypatch.setenv("PITWALL_TRACKS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    assert pitwall("simulate", "--laps", 2, "--session", "a-drive").code == 0
    return pitwall


def test_laps_begin_at_the_line_that_was_set_last(driven: Pitwall) -> None:
    before = driven("laps", "a-drive", "--json").json
    said = driven("track", "start-line", "a-drive", ELSEWHERE, "--sector", START, "--name", "Home")
    assert (said.code, said.out, said.err) == (0, "a-drive: the start line is set; 3 timed laps\n", "")
    after = driven("laps", "a-drive", "--json").json
    assert [len(lap["sectors_s"]) for lap in after if lap["flying"]] == [2, 2, 2]
    assert [lap["t_start"] for lap in after if lap["flying"]] != [lap["t_start"] for lap in before if lap["flying"]]
    told = driven("query", "a-drive", "SELECT name, source FROM track", "--json").json
    assert told == [{"name": "Home", "source": "set by hand"}]
    again = driven("track", "start-line", "a-drive", START, "--json").json
    a, b, c, d = map(float, START.split(","))
    assert again == {"session": "a-drive", "line": [[a, b], [c, d]], "laps": 2, "why": None}
    assert driven("laps", "a-drive", "--json").json[1]["t_start"] == pytest.approx(before[1]["t_start"], abs=1e6)
    assert driven("verify", "a-drive").code == 0


def test_a_line_that_is_never_crossed_is_told_of_with_its_distance(driven: Pitwall) -> None:
    said = driven("track", "start-line", "a-drive", SOUTH)
    assert said.out == "a-drive: the start line is set; 0 timed laps\n"
    assert said.line().startswith(
        "pitwall: no lap can be cut: the start line was never crossed, and the nearest fix is "
    )
    assert said.line().endswith(" km away from it")
    beside = "52.41867042,-0.62775437,52.41854463,-0.62775828"
    found = driven("track", "start-line", "a-drive", beside, "--json").json
    assert found["laps"] == 0
    assert " m away from it" in found["why"]


def test_what_is_no_line_is_one_line_and_changes_nothing(driven: Pitwall) -> None:
    assert "is no line" in driven("track", "start-line", "a-drive", "52.4,-0.6").line()
    assert "make sense" in driven("track", "start-line", "a-drive", "52.4,-0.6,52.5,-0.7").line()
    assert "make sense" in driven("track", "start-line", "a-drive", START, "--sector", "52.4,-0.6,52.5,-0.7").line()
    assert "no session" in driven("track", "start-line", "b-drive", START).line()
    rows = driven("query", "a-drive", "SELECT count(*) AS n FROM control WHERE kind = 'start_line'", "--json").json
    assert rows == [{"n": 0}]
