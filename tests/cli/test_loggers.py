"""GPS loggers' files, imported with any car and asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pitwall.bus.gps import IDS, made_id
from tests.bus.test_loggers import aim, dovex, vbo
from tests.cli.conftest import Pitwall

DAY_S = int(datetime(2026, 4, 11, tzinfo=UTC).timestamp())
NOON = DAY_S + 11 * 3600 + 32 * 60 + 21

DBC = """VERSION ""
NS_ :
BS_:
BU_:

BO_ 272 Engine: 8 X
 SG_ rpm : 0|16@1+ (1,0) [0|0] "rpm" X
 SG_ lat : 16|16@1+ (1,0) [0|0] "" X
"""
YAML = "car: {make: Real}\nbuses:\n  can: {dbc: my.dbc}\nroles: {rpm: rpm}\n"

ROWS = [f"1132{21 + s}.50 +0274{s}.97317 -000784.38007 {s}.25 {s * 3}" for s in range(8)]
GATE = "Start +02743.96882 -000784.38097 +02743.97783 -000784.38086 ¬ Start\n"


@pytest.fixture
def cars(car: Callable[[str, str], Path]) -> Path:
    return car(YAML, DBC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "drive.vbo"
    path.write_text(vbo(ROWS, "time lat long velocity boost", laptiming=GATE), encoding="utf-8")
    return path


def asked(pitwall: Pitwall, cars: Path, sql: str) -> list[dict[str, Any]]:
    said = pitwall("query", "real", sql, "--cars", cars, "--json")
    assert said.code == 0, said.err
    found: list[dict[str, Any]] = said.json
    return found


def test_a_loggers_file_is_a_session_of_any_car(pitwall: Pitwall, cars: Path, file: Path) -> None:
    said = pitwall("import", file, "--car", "mine", "--cars", cars, "--session", "real")
    assert (said.code, said.out) == (0, "real\n"), said.err
    assert "imported 40 frames" in said.err
    speeds = asked(pitwall, cars, "SELECT t, value FROM signals WHERE channel = 'speed' ORDER BY t")
    assert speeds == [{"t": s * 10**9, "value": (s + 0.25) / 3.6} for s in range(8)]
    lats = asked(pitwall, cars, "SELECT value FROM signals WHERE channel = 'gps_lat' ORDER BY t")
    assert [row["value"] for row in lats] == [float(f"274{s}.97317") / 60 for s in range(8)]
    (unknown,) = asked(pitwall, cars, "SELECT id, frames, extended FROM ids WHERE NOT decoded")
    assert unknown == {"id": made_id("boost"), "frames": 8, "extended": True}


def test_what_it_says_beside_its_values_is_in_control_rows(pitwall: Pitwall, cars: Path, file: Path) -> None:
    pitwall("import", file, "--car", "mine", "--cars", cars, "--session", "real")
    rows = asked(pitwall, cars, "SELECT kind, t, fact FROM control ORDER BY log_offset")
    assert [row["kind"] for row in rows] == ["session_start", "imported", "logger", "start_line", "session_end"]
    assert json.loads(rows[1]["fact"]) == {"file": "drive.vbo", "frames": 40, "dated": True}
    assert json.loads(rows[3]["fact"])["name"] == "Somewhere"


def test_a_start_line_said_by_hand_is_the_only_one(pitwall: Pitwall, cars: Path, file: Path) -> None:
    line = "45.7328,13.0730,45.7327,13.0731"
    said = pitwall("import", file, "--car", "mine", "--cars", cars, "--session", "real", "--start-line", line)
    assert said.code == 0, said.err
    (row,) = asked(pitwall, cars, "SELECT t, fact FROM control WHERE kind = 'start_line'")
    assert json.loads(row["fact"]) == {"line": [[45.7328, 13.073], [45.7327, 13.0731]]}
    assert row["t"] == 0


def test_a_start_line_far_from_every_fix_is_told_of(pitwall: Pitwall, cars: Path, file: Path) -> None:
    told = ("--car", "mine", "--cars", cars, "--json")
    # 0.93 degrees of 111.2 km north of the last fix
    (said,) = pitwall("import", file, *told, "--start-line", "46.7328,13.0730,46.7327,13.0731").json["notes"][-1:]
    assert said == "no lap can be cut: the start line was never crossed, and the nearest fix is 103.7 km away from it"
    assert not any("no lap" in note for note in pitwall("import", file, *told).json["notes"])


@pytest.mark.parametrize("line", ["45,13", "a,b,c,d", "95,13,45,13", "45,13,45,200", "45,13,45,13", "nan,13,45,13"])
def test_a_line_that_is_none_is_refused(pitwall: Pitwall, cars: Path, file: Path, line: str) -> None:
    said = pitwall("import", file, "--car", "mine", "--cars", cars, "--start-line", line)
    assert said.code == 2
    assert len(said.err.strip().splitlines()) <= 3
    assert not (file.parent / "logs").exists()


def test_a_cars_frames_and_a_loggers_values_are_put_together_by_the_clock(
    pitwall: Pitwall, cars: Path, file: Path, tmp_path: Path
) -> None:
    can = tmp_path / "car.log"
    can.write_text("".join(f"({NOON + s}.000000) can0 110#{s + 1:02X}00070000000000 R\n" for s in range(8)))
    said = pitwall("import", file, can, "--car", "mine", "--cars", cars, "--session", "real")
    assert said.code == 0, said.err
    rpm = asked(pitwall, cars, "SELECT t, value FROM signals WHERE channel = 'rpm' ORDER BY t")
    assert rpm == [{"t": s * 10**9, "value": s + 1.0} for s in range(8)]
    speeds = asked(pitwall, cars, "SELECT t FROM signals WHERE channel = 'speed' ORDER BY t")
    assert [row["t"] for row in speeds] == [s * 10**9 + 500_000_000 for s in range(8)]
    own = asked(pitwall, cars, "SELECT DISTINCT value FROM signals WHERE channel = 'lat'")
    assert own == [{"value": 7.0}], f"the id 0x{IDS['lat']:x} on two buses is two streams"
    latitude = asked(pitwall, cars, "SELECT min(value) AS low FROM signals WHERE channel = 'gps_lat'")
    assert latitude[0]["low"] == float("2740.97317") / 60


def test_the_shipped_car_reads_every_dialect(pitwall: Pitwall, tmp_path: Path, file: Path) -> None:
    (tmp_path / "a.csv").write_text(aim([f"{s / 10},{s * 3.6}" for s in range(5)]))
    (tmp_path / "d.dovex").write_text(dovex([f"{DAY_S * 1000 + s},1" for s in range(5)]))
    shipped = Path(__file__).parents[2] / "cars"
    for name in ("a.csv", "d.dovex", file.name):
        said = pitwall("import", tmp_path / name, "--car", "gps-logger", "--cars", shipped, "--json")
        assert said.code == 0, said.err
        assert said.json["frames"] > 0
    speeds = pitwall(
        "query", "latest", "SELECT count(*) AS n FROM signals WHERE channel = 'speed'", "--cars", shipped, "--json"
    )
    assert speeds.json == [{"n": 8}]


def test_what_a_damaged_file_lost_is_said_with_its_line(pitwall: Pitwall, cars: Path, file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("3.25 9", "3.25 nine").rstrip("\n")[:-1]
    file.write_text(text, encoding="utf-8")
    said = pitwall("import", file, "--car", "mine", "--cars", cars, "--session", "real", "--json")
    assert said.code == 3
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines, start=1) if "nine" in line)
    assert said.json["problems"] == [
        f"{file}:{at}: boost is no number: 'nine'",
        f"{file}:{len(lines)}: cut short: {lines[-1]!r}",
    ]
