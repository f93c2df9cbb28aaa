"""`pitwall replay --diff`: what a draft would change, and nothing written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Pitwall
from tests.cli.test_bad_input import snapshot

E46 = (ROOT / "cars" / "bmw-e46-m3" / "car.yaml").read_text()


def draft(folder: Path, *changes: tuple[str, str]) -> Path:
    """A draft of the shipped car, with `changes` made."""
    text = E46
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "draft.yaml").write_text(text)
    return folder / "draft.yaml"


def test_channels_that_come_go_and_change_are_told_and_nothing_is_written(pitwall: Pitwall, driven: Path) -> None:
    file = draft(
        driven,
        ("offset: -4.3", "offset: -4"),
        ("  g_vert: {from", "  g_up: {from"),
        ("g_vert: g_vert", "g_vert: g_up"),
        ("  oil_cooling:", "  oil_heating:"),
        ("oil_temp_sump - oil_temp", "oil_temp - oil_temp_sump"),
    )
    before = snapshot(driven)
    told = pitwall("replay", "drive", "--diff", "--car", file)
    assert (told.code, told.err) == (0, "")
    assert snapshot(driven) == before
    lines = told.out.splitlines()
    assert lines[0] == "drive: 5 channels would change"
    assert lines[1].startswith("  renamed  g_vert -> g_up: the same 1,8")
    assert lines[2].startswith("  removed  oil_cooling: ")
    assert "  added    oil_heating: " in told.out
    assert "           by 0.3 at most, by 0.3 in the mean" in lines
    assert max(map(len, lines)) <= 80
    found = pitwall("replay", "drive", "--diff", "--car", file, "--json").json["channels"]
    (yaw,) = [one for one in found if one["before"] and one["before"]["name"] == "yaw_rate"]
    assert yaw["change"] == "changed"
    assert yaw["differing"] == yaw["values_before"] == yaw["values_after"] > 1000
    example = yaw["example"]
    assert example["after"] - example["before"] == pytest.approx(0.3)
    raw = pitwall("why", "drive", "yaw_rate", f"{example['t']:.9f}", "--json").json["channels"][0]
    assert raw["frame"] | {"mask": ""} == {key: example[key] for key in raw["frame"] if key != "mask"} | {"mask": ""}
    assert raw["value"] == example["before"]


def test_a_draft_that_changes_nothing_says_so(pitwall: Pitwall, driven: Path) -> None:
    told = pitwall("replay", "drive", "--diff", "--car", draft(driven, ("year: 2003", "year: 2004")))
    assert (told.code, told.out) == (0, "drive: no channel would change\n")


def test_without_a_draft_the_projection_that_there_is_is_compared(pitwall: Pitwall, driven: Path) -> None:
    told = pitwall("replay", "drive", "--diff")
    assert (told.code, told.out) == (0, "drive: no channel would change\n")
    shutil.copytree(ROOT / "cars" / "bmw-e46-m3", driven / "cars" / "bmw-e46-m3")
    shutil.move(draft(driven, ("offset: -4.3", "offset: -4")), driven / "cars" / "bmw-e46-m3" / "car.yaml")
    before = snapshot(driven)
    told = pitwall("replay", "drive", "--diff", "--cars", "cars")
    assert told.out.startswith("drive: 2 channels would change\n  changed  yaw_rate: 1,8")
    assert snapshot(driven) == before
    assert pitwall("replay", "drive", "--cars", "cars").code == 0
    assert pitwall("replay", "drive", "--cars", "cars", "--diff").out == "drive: no channel would change\n"
    none = pitwall("replay", "drive", "--diff", "--projections", "none")
    assert none.code == 2
    assert "no projection to compare with" in none.line()


def test_what_makes_no_sense_is_said_and_nothing_is_replayed(
    pitwall: Pitwall, driven: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = draft(driven, ("offset: -4.3", "ofset: -4"))
    told = pitwall("replay", "drive", "--diff", "--car", wrong)
    assert (told.code, told.out) == (2, "")
    assert "did you mean 'offset'?" in told.line()
    for name in ("none.yaml", "bmw-e46-m3"):
        assert (
            f"{name}: is no file (--car takes a car.yaml" in pitwall("replay", "drive", "--diff", "--car", name).line()
        )
    assert "compares one session" in pitwall("replay", "--diff", "--car", wrong).line()
    assert "rebuilds nothing" in pitwall("replay", "drive", "--diff", "--strict").line()
    assert "--diff" in pitwall("replay", "drive", "--car", wrong).line()
    monkeypatch.setenv("PITWALL_CAR", "bmw-e46-m3")
    assert pitwall("replay", "drive").code == 0
    assert json.loads(pitwall("replay", "drive", "--json").out)[0]["session"] == "drive"


def test_laps_that_change_are_told_and_the_best_that_moves(pitwall: Pitwall, tmp_path: Path) -> None:
    assert pitwall("simulate", "--laps", 2, "--session", "laps").code == 0
    times = {lap["number"]: lap["time_s"] for lap in pitwall("laps", "laps", "--json").json}
    shifted = draft(tmp_path, ("  lon: {from: gps_lon}", "  lon: {from: gps_lon, offset: 0.0003}"))
    told = pitwall("replay", "laps", "--diff", "--car", shifted, "--json").json
    assert {one["number"] for one in told["laps"]} == times.keys()
    for one in told["laps"]:
        if one["before"]["kind"] == one["after"]["kind"] == "flying":
            assert one["before"]["time_s"] == pytest.approx(times[one["number"]], abs=1e-9)
            assert one["after"]["t_start"] < one["before"]["t_start"]  # it is there earlier, 20 m further east
    assert told["best"]["before"]["time_s"] == pytest.approx(min(t for n, t in times.items() if t and n), abs=1e-9)
    told = pitwall("replay", "laps", "--diff", "--car", shifted)
    assert "laps: 4 laps would change" in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    placeless = draft(tmp_path, ("  lat: lat\n", ""), ("  lon: lon\n", ""))
    told = pitwall("replay", "laps", "--diff", "--car", placeless)
    assert "  removed  lap 1, flying: 1:4" in told.out
    assert "-> none" in told.out
    # against a projection that there is
    (tmp_path / "cars").mkdir()
    shutil.copytree(ROOT / "cars" / "bmw-e46-m3", tmp_path / "cars" / "bmw-e46-m3")
    assert "lap" not in pitwall("replay", "laps", "--diff", "--cars", "cars").out.replace("laps:", "")
    shutil.move(placeless, tmp_path / "cars" / "bmw-e46-m3" / "car.yaml")
    assert "  removed  lap 1, flying: 1:4" in pitwall("replay", "laps", "--diff", "--cars", "cars").out
