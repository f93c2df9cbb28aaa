"""From a capture to an answer: a car with no DBC, answers of OBD-II, and what was rejected."""

from __future__ import annotations

import re
from pathlib import Path

from pitwall.car.wiring import wiring

CARS = Path(__file__).parents[2] / "cars"

ASKED = """(1700000000.000000) can0 7DF#02010C5555555555
(1700000000.010000) can0 7E8#04410C1AF8AAAAAA
(1700000000.020000) can0 7DF#04010C0D05555555
(1700000000.030000) can0 7E8#1007410C1AF80D32
(1700000000.031000) can0 7E0#3000005555555555
(1700000000.040000) can0 7E8#2105AAAAAAAAAAAA
(1700000000.050000) can0 7E8#2205AAAAAAAAAAAA
"""


def test_a_car_with_no_dbc_is_wired_kept_and_its_raw_ids_are_shown(pitwall, tmp_path: Path) -> None:
    folder = tmp_path / "cars" / "bare"
    folder.mkdir(parents=True)
    (folder / "car.yaml").write_text("car: {name: Bare}\nbuses: {can: {interface: virtual, channel: nowhere}}\n")
    (bus,) = wiring(tmp_path / "cars", "bare")
    assert (bus.name, bus.interface, bus.channel) == ("can", "virtual", "nowhere")
    (tmp_path / "some.log").write_text("(1700000000.000000) can0 123#0102\n(1700000000.100000) can0 12345678#0A\n")
    cars = ("--cars", tmp_path / "cars")
    assert pitwall("import", "some.log", "--car", "bare", *cars).code == 0
    found = pitwall("query", "latest", "SELECT id, extended, decoded, payload FROM ids ORDER BY id", *cars, "--json")
    assert found.json == [
        {"id": 0x123, "extended": False, "decoded": False, "payload": "0102"},
        {"id": 0x12345678, "extended": True, "decoded": False, "payload": "0a"},
    ]


def test_answers_of_obd2_are_channels_and_what_fails_is_rejected(pitwall, tmp_path: Path) -> None:
    (tmp_path / "obd.log").write_text(ASKED)
    assert pitwall("import", "obd.log", "--car", "obd2", "--cars", CARS).code == 0
    query = ("query", "latest")
    values = pitwall(*query, "SELECT rpm, round(speed * 3.6) AS kmh FROM obd_Engine", "--cars", CARS, "--json").json
    assert values == [{"rpm": 1726, "kmh": None}, {"rpm": 1726, "kmh": 50}]
    rejected = pitwall(*query, "SELECT id, reason, payload FROM rejected", "--cars", CARS, "--json").json
    assert rejected == [
        {"id": 0x7E8, "reason": "too short for its PID", "payload": "2105aaaaaaaaaaaa"},
        {"id": 0x7E8, "reason": "ISO-TP: belongs to no answer", "payload": "2205aaaaaaaaaaaa"},
    ]
    strict = pitwall("replay", "latest", "--strict", "--cars", CARS)
    assert strict.code == 1
    assert re.search(r"offset \d+: too short for its PID", strict.line())
    assert pitwall(*query, "SELECT count(*) AS n FROM rejected", "--cars", CARS, "--json").json == [{"n": 2}]
