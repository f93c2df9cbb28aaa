"""`pitwall corners` and `pitwall debrief`: what a driver reads, from the log to the words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Pitwall

RULES = {"brake-early": "brakes-early", "coast": "coasts", "miss-apex": "misses-apex"}


@pytest.fixture
def driven(pitwall: Pitwall, tmp_path: Path) -> tuple[Pitwall, dict]:
    truth = tmp_path / "truth.json"
    mistakes = ["brake-early@T3:1", "coast@T2:4", "miss-apex@T5:5"]
    asked = [word for mistake in mistakes for word in ("--mistake", mistake)]
    given = ("--laps", 6, "--seed", 1, "--session", "a-drive", "--truth", truth)
    assert pitwall("simulate", *given, *asked).code == 0
    return pitwall, json.loads(truth.read_text())


def test_three_planted_mistakes_are_the_debrief_and_worth_what_they_cost(driven: tuple[Pitwall, dict]) -> None:
    pitwall, truth = driven
    costs = {(RULES[m["kind"]], m["corner"]): m["cost_s"] for m in truth["mistakes"]}
    said = pitwall("debrief", "latest", "--json").json
    assert {(point["rule"], point["where"]) for point in said["points"]} == set(costs)
    for point in said["points"]:
        assert point["worth_s"] == pytest.approx(costs[point["rule"], point["where"]], rel=0.2)
        assert point["session"] == "a-drive"
        assert point["figures"]
    for level in ("novice", "intermediate", "advanced"):
        answer = pitwall("debrief", "latest", "--level", level)
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= 80
        assert "T3" in answer.out
    cues = pitwall("query", "latest", "SELECT what, corner, lap, ahead_m FROM cues ORDER BY t", "--json").json
    assert {"what": "brakes-early", "corner": "T3", "lap": 2} in [
        {key: cue[key] for key in ("what", "corner", "lap")} for cue in cues
    ]
    assert all(cue["ahead_m"] > 100 for cue in cues)


def test_corners_are_a_table_for_the_eye_and_a_list_for_programs(driven: tuple[Pitwall, dict]) -> None:
    pitwall, _ = driven
    table = pitwall("corners", "latest")
    assert table.code == 0
    assert max(map(len, table.out.splitlines())) <= 80
    rows = pitwall("corners", "latest", "--json").json
    assert {row["lap"] for row in rows} == {1, 2, 3, 4, 5, 6}
    early, *others = (row["brake_m"] for row in pitwall("corners", "latest", "--corner", "T3", "--json").json)
    assert early > max(others) + 20
    assert "there is no corner T33" in pitwall("corners", "latest", "--corner", "T33").line()
    assert "there is no lap 9" in pitwall("corners", "latest", "--lap", 9).line()


def test_a_spread_is_what_the_database_says_of_the_same_figures(driven: tuple[Pitwall, dict]) -> None:
    pitwall, _ = driven
    found = pitwall("corners", "latest", "--spread", "--json").json
    assert found["laps"] == [1, 2, 3, 4, 5, 6]
    by_time = pitwall(
        "query", "latest", "SELECT number FROM laps WHERE flying AND valid ORDER BY time_s", "--json"
    ).json
    assert found["fastest"] == [row["number"] for row in by_time[:3]]
    asked = (
        "SELECT corner, median(brake_m) AS m, 1.4826 * mad(brake_m) AS d, count(brake_m) AS n, "
        "median(min_mps) * 3.6 AS slow, 1.4826 * 3.6 * mad(min_mps) AS by FROM corners GROUP BY ALL"
    )
    said = {(row["corner"], row["figure"]): row for row in found["spreads"]}
    rows = pitwall("query", "latest", asked, "--json").json
    assert len(rows) > 5
    for row in rows:
        brake, slow = said.get((row["corner"], "brake_point")), said[row["corner"], "minimum_speed"]
        assert (brake is None) == (row["n"] < 4)
        if brake is not None:
            assert brake["median"] == pytest.approx(row["m"], abs=0.51)
            assert brake["deviation"] == pytest.approx(row["d"], abs=0.51)
            assert brake["laps"] == row["n"]
        assert slow["median"] == pytest.approx(row["slow"], abs=0.051)
        assert slow["deviation"] == pytest.approx(row["by"], abs=0.051)
    for row in found["in_common"]:
        assert row["fast"] != row["rest"]


def test_a_spread_fits_a_terminal_of_all_corners_and_of_one(driven: tuple[Pitwall, dict]) -> None:
    pitwall, _ = driven
    for more in ((), ("--corner", "T3")):
        answer = pitwall("corners", "latest", "--spread", *more)
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= 80
        assert "The fastest laps (" in answer.out
    one = pitwall("corners", "latest", "--spread", "--corner", "T3", "--json").json
    assert {row["corner"] for row in one["spreads"]} == {"T3"}
    assert "there is no corner T33" in pitwall("corners", "latest", "--spread", "--corner", "T33").line()
    assert "--lap: one lap has no spread" in pitwall("corners", "latest", "--spread", "--lap", 1).line()


def test_a_session_without_laps_has_nothing_to_say_and_says_so(pitwall: Pitwall) -> None:
    pitwall("simulate", "--hours", "0.01", "--session", "short")
    assert pitwall("debrief", "short").line().startswith("pitwall: nothing to say")
    assert pitwall("corners", "short").line().startswith("pitwall: no corners")
    assert pitwall("debrief", "short", "--json").json["points"] == []
    assert pitwall("corners", "short", "--json").json == []
    assert pitwall("corners", "short", "--spread").line().startswith("pitwall: no spread: 0 flying laps")
    nothing = {"laps": [], "fastest": [], "spreads": [], "in_common": []}
    assert pitwall("corners", "short", "--spread", "--json").json == nothing


def test_a_debrief_is_held_against_another_session(driven: tuple[Pitwall, dict]) -> None:
    pitwall, _ = driven
    pitwall("simulate", "--laps", 5, "--seed", 21, "--session", "better")
    said = pitwall("debrief", "better", "--against", "a-drive", "--json").json
    assert said["against"] == "a-drive"
    assert any(change["gained_s"] > 0 for change in said["changes"])
