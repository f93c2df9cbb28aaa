"""`pitwall laps` and `pitwall compare`: what a driver reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Pitwall


@pytest.fixture
def driven(pitwall: Pitwall) -> Pitwall:
    assert pitwall("simulate", "--laps", 3, "--session", "a-drive").code == 0
    return pitwall


def test_laps_are_a_table_for_the_eye_and_a_list_for_programs(driven: Pitwall) -> None:
    table = driven("laps", "a-drive")
    assert table.code == 0
    assert max(map(len, table.out.splitlines())) <= 80
    assert table.out.splitlines()[0].split() == ["LAP", "KIND", "TIME", "DELTA", "S1", "S2", "S3", "KM/H"]
    assert "theoretical" in table.out
    laps = driven("laps", "latest", "--json").json
    assert [lap["number"] for lap in laps] == [0, 1, 2, 3, 4]
    for lap in laps:
        assert {"number", "time_s", "flying", "sectors_s", "valid", "why"} <= lap.keys()
        if lap["flying"]:
            assert lap["valid"]
            assert sum(lap["sectors_s"]) == pytest.approx(lap["time_s"], abs=1e-6)
    best = min((lap for lap in laps if lap["flying"]), key=lambda lap: lap["time_s"])
    assert f"best 1:{best['time_s'] - 60:06.3f} (lap {best['number']})" in table.out


def test_a_lap_is_compared_with_the_best_one_by_distance(driven: Pitwall) -> None:
    laps = {lap["number"]: lap for lap in driven("laps", "latest", "--json").json}
    best = min((lap for lap in laps.values() if lap["flying"]), key=lambda lap: lap["time_s"])
    compared = driven("compare", "latest", 1, "--json").json
    assert compared["reference"]["number"] == best["number"]
    assert compared["delta_s"] == pytest.approx(laps[1]["time_s"] - best["time_s"])
    assert compared["by_distance"][-1]["delta_s"] == pytest.approx(compared["delta_s"], abs=1e-6)
    assert sum(compared["sectors_delta_s"]) == pytest.approx(compared["delta_s"], abs=1e-5)
    assert max(map(len, driven("compare", "latest", 1, "a-drive", 2).out.splitlines())) <= 80


def test_the_other_lap_is_of_the_same_session_where_no_other_one_is_named(driven: Pitwall) -> None:
    short = driven("compare", "latest", 1, 2)
    assert (short.code, short.err) == (0, "")
    assert short.out == driven("compare", "latest", 1, "a-drive", 2).out


def test_what_can_t_be_compared_is_said_in_one_line(driven: Pitwall) -> None:
    assert "it has no timed lap 9 (there are 1, 2, 3, and best)" in driven("compare", "latest", 9).line()
    assert "it has no timed lap latest (there are 1, 2, 3, and best)" in driven("compare", "latest", 1, "latest").line()
    assert "two laps are compared (pitwall compare latest 1 2 3)" in driven("compare", "latest", 1, 2, 3, 4).line()
    assert "can't be compared with itself" in driven("compare", "latest", 2, "latest", 2).line()


def test_a_session_without_a_line_has_no_laps_and_says_so(pitwall: Pitwall) -> None:
    pitwall("simulate", "--hours", "0.01", "--session", "short")
    answer = pitwall("laps", "short")
    assert answer.code == 0
    assert answer.line().startswith("pitwall: no laps: no known start line was crossed")


def test_a_car_without_a_position_has_no_laps_and_says_why(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "drive.log").write_text("(1600000000.000000) can0 7E8#0341050000000000\n")
    assert pitwall("import", "drive.log", "--car", "obd2").code == 0
    assert "no laps: the car has no position" in pitwall("laps", "latest").line()
