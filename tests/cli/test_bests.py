"""`pitwall bests` and `--reference`: what is best of all sessions, and a lap chosen by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Pitwall


@pytest.fixture
def twice(pitwall: Pitwall) -> Pitwall:
    for seed in (1, 2):
        assert pitwall("simulate", "--laps", 2, "--seed", seed, "--session", f"day-{seed}").code == 0
    return pitwall


def flying(pitwall: Pitwall, session: str, *more: object) -> dict[int, dict[str, float]]:
    return {lap["number"]: lap for lap in pitwall("laps", session, *more, "--json").json if lap["flying"]}


def test_the_best_of_all_is_the_fastest_good_lap_of_any_session(twice: Pitwall) -> None:
    laps = {(day, n): lap["time_s"] for day in ("day-1", "day-2") for n, lap in flying(twice, day).items()}
    (best,) = twice("bests", "--json").json
    assert (best["session"], best["number"]) == min(laps, key=lambda one: laps[one])
    assert best["time_s"] == pytest.approx(min(laps.values()))
    assert (best["laps"], best["sessions"], best["track"]) == (len(laps), 2, "Larkholm (invented)")
    assert max(map(len, twice("bests").out.splitlines())) <= 80


def test_laps_are_told_against_the_best_ever_and_against_one_chosen_by_hand(twice: Pitwall) -> None:
    flying(twice, "day-1")
    flying(twice, "day-2")
    (best,) = twice("bests", "--json").json
    for day in ("day-1", "day-2"):
        for lap in flying(twice, day, "--reference", "ever").values():
            assert lap["reference_delta_s"] == pytest.approx(lap["time_s"] - best["time_s"], abs=1e-6)
    chosen = flying(twice, "day-2")[1]["time_s"]
    for lap in flying(twice, "day-1", "--reference", "day-2:1").values():
        assert lap["reference_delta_s"] == pytest.approx(lap["time_s"] - chosen, abs=1e-6)
    assert "DELTA is to lap 1 of day-2" in twice("laps", "day-1", "--reference", "day-2:1").out
    other = "day-1" if best["session"] == "day-2" else "day-2"
    compared = twice("compare", other, 1, "--reference", "ever", "--json").json
    assert (compared["reference"]["session"], compared["reference"]["number"]) == (best["session"], best["number"])


def test_a_reference_changes_nothing_of_a_session_s_rows(twice: Pitwall) -> None:
    question = "SELECT number, best, best_so_far_s, delta_s FROM laps"
    before = twice("query", "day-2", question, "--json").json
    twice("laps", "day-2", "--reference", "day-1:1")
    twice("replay", "--force")
    assert twice("query", "day-2", question, "--json").json == before


def test_the_catalog_is_disposable_and_follows_the_sessions(twice: Pitwall, tmp_path: Path) -> None:
    for file in (tmp_path / "projections").glob("day-*"):
        file.unlink()
    assert "2 sessions not counted" in twice("bests").err
    twice("replay")
    told = twice("bests", "--json").json
    (kept,) = (tmp_path / "projections").glob("catalog.*.duckdb")
    written = kept.stat().st_mtime_ns
    assert twice("bests", "--json").json == told
    assert kept.stat().st_mtime_ns == written  # nothing was new
    kept.write_bytes(b"damaged")
    assert twice("bests", "--json").json == told
    for file in (tmp_path / "projections").glob("catalog.*"):
        file.unlink()
    assert twice("bests", "--json").json == told
    for file in (tmp_path / "projections").glob("day-1.*"):
        file.unlink()
    alone = twice("bests", "--json")
    assert alone.json[0]["sessions"] == 1
    assert "day-1" in alone.err


def test_what_names_no_reference_is_one_line(twice: Pitwall) -> None:
    assert "names no lap" in twice("laps", "day-1", "--reference", "fastest").line()
    assert "it has no timed lap 9" in twice("laps", "day-1", "--reference", "day-2:9").line()
    assert "two laps to compare with" in twice("compare", "day-1", 1, "day-2", 1, "--reference", "ever").line()
