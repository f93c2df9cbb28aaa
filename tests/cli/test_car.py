"""`pitwall car`: what is wrong with a definition, what it makes, and the schema that editors check it by."""

from __future__ import annotations

import json
from pathlib import Path

from tests.car.folders import car
from tests.cli.conftest import ROOT, Pitwall

YAML = """car: {make: X}
buses: {can: {dbc: a.dbc}}
channels:
  speed: {from: speed_mph, unit: km/h}
  yaw_rate: {from: yaw, zero: 3 s, low_pass: 5 Hz, despike: {by: 20, of: 5}, limits: [-90, 90], hold: 20 ms}
  temp: {from: water_temp, unit: degC, offset: 1}
  boost: {from: plain, table: [[0, -1], [255, 2]], unit: bar}
derived:
  sum: {expr: rpm + yaw_rate + speed * 3.25 + boost / 4.75 + temp - 273.15 + 1234567, unit: rpm}
roles: {speed: speed}
"""


def test_a_car_that_is_right_is_one_line(pitwall: Pitwall, tmp_path: Path) -> None:
    answer = pitwall("car", "check", "test", "--cars", car(tmp_path / "cars", YAML))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "test: 7 channels, 1 of them derived, from 2 messages on 1 bus; 1 role\n"
    assert pitwall("car", "check", "bmw-e46-m3", "--cars", ROOT / "cars").code == 0


def test_all_that_is_wrong_is_said_each_at_its_place(pitwall: Pitwall, tmp_path: Path) -> None:
    wrong = YAML.replace("speed_mph", "sped_mph").replace("low_pass", "lowpass")
    cars = car(tmp_path / "cars", wrong)
    file = cars / "test" / "car.yaml"
    answer = pitwall("car", "check", "test", "--cars", cars)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.splitlines() == [
        f"pitwall: {file}:4:11: channels.speed.from: no DBC has a signal 'sped_mph' (did you mean 'speed_mph'?)",
        f"pitwall: {file}:5:36: unknown key 'channels.yaw_rate.lowpass' (did you mean 'low_pass'?)",
    ]
    told = pitwall("car", "check", "test", "--cars", cars, "--json")
    assert told.code == 2
    assert [(one["file"], one["line"], one["column"]) for one in told.json["problems"]] == [
        (str(file), 4, 11),
        (str(file), 5, 36),
    ]
    assert told.json["problems"][1]["what"] == "unknown key 'channels.yaw_rate.lowpass' (did you mean 'low_pass'?)"


def test_a_note_of_a_dbc_is_told_and_is_no_failure(pitwall: Pitwall, tmp_path: Path) -> None:
    long = 'BO_ 258 Long: 64 X\n SG_ text : 0|128@1+ (1,0) [0|0] "" X\n SG_ x : 128|8@1+ (1,0) [0|0] "" X\n'
    cars = car(tmp_path / "cars", "car: {make: X}\nbuses: {can: {dbc: a.dbc}}\n", a=f'VERSION ""\n{long}')
    answer = pitwall("car", "check", "test", "--cars", cars)
    assert answer.code == 0
    assert "signal text of 128 bits is not decoded" in answer.line()
    assert pitwall("car", "check", "test", "--cars", cars, "--json").json["notes"]


def test_show_lists_every_channel_with_its_unit_its_rate_and_what_is_done(pitwall: Pitwall, tmp_path: Path) -> None:
    cars = car(tmp_path / "cars", YAML)
    shown = {one["name"]: one for one in pitwall("car", "show", "test", "--cars", cars, "--json").json["channels"]}
    assert set(shown) == {"speed", "yaw_rate", "temp", "boost", "rpm", "odd", "sum"}
    assert (shown["speed"]["unit"], shown["speed"]["steps"]) == ("km/h", ["mph to km/h"])
    assert shown["temp"]["steps"] == ["* 0.555556", "- 16.7778"]
    assert shown["boost"]["steps"] == ["table of 2 points"]
    assert shown["yaw_rate"]["steps"] == [
        "limits -90 to 90",
        "despike by 20 of 5",
        "zero of 3 s at a standstill of speed",
        "low_pass 5 Hz",
        "hold 0.02 s",
    ]
    assert (shown["rpm"]["source"], shown["rpm"]["rate_hz"]) == ("Engine.rpm", None)


def test_show_fits_a_terminal_and_cuts_nothing_short(pitwall: Pitwall, tmp_path: Path) -> None:
    for name, cars in (("test", car(tmp_path / "cars", YAML)), ("bmw-e46-m3", ROOT / "cars")):
        out = pitwall("car", "show", name, "--cars", cars).out
        assert max(len(line) for line in out.splitlines()) <= 80
        assert "…" not in out
        words = out.split()
        for one in pitwall("car", "show", name, "--cars", cars, "--json").json["channels"]:
            assert set("; ".join([one["source"], *one["steps"]]).split()) <= set(words), one["name"]
    e46 = pitwall("car", "show", "bmw-e46-m3", "--cars", ROOT / "cars").out
    assert "brake_pressure           bar    50  SmartyCam03.brake_press_psi; psi to bar\n" in e46


def test_the_schema_is_json(pitwall: Pitwall) -> None:
    assert json.loads(pitwall("car", "schema").out)["title"] == "A car of pitwall"


def test_an_unknown_car_is_bad_usage(pitwall: Pitwall, tmp_path: Path) -> None:
    answer = pitwall("car", "check", "tost", "--cars", car(tmp_path / "cars", YAML))
    assert answer.code == 2
    assert "did you mean 'test'?" in answer.line()
