"""`alarms:` of a car: limits in the channel's unit, and what makes no sense is said with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.car import load
from pitwall.car.definition import Alarm
from pitwall.errors import CarError
from tests.car.folders import car

DBC = 'VERSION ""\nBO_ 1 M: 8 X\n SG_ temp : 0|16@1+ (1,0) [0|0] "degC" X\n SG_ plain : 16|16@1+ (1,0) [0|0] "" X\n'
HEAD = "car: {make: X}\nbuses: {can: {dbc: a.dbc}}\n"


def alarms(tmp_path: Path, text: str) -> tuple[Alarm, ...]:
    car(tmp_path, HEAD + text, a=DBC)
    return load(tmp_path, "test").alarms


def test_a_limit_is_in_the_channels_unit_whatever_unit_it_is_said_in(tmp_path: Path) -> None:
    text = "alarms:\n  temp: {above: 212 degF, over_rpm: 3000, for: 500 ms}\n  plain: {below: 2, above: 5}\n"
    hot, plain = alarms(tmp_path, text)
    assert (hot.channel, hot.below, hot.over_rpm, hot.for_s) == ("temp", None, 3000, 0.5)
    assert hot.above == pytest.approx(100)
    assert plain == Alarm("plain", 2, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alarms: {tmp: {above: 1}}", "there is no channel 'tmp' (did you mean 'temp'?)"),
        ("alarms: {temp: {for: 1 s}}", "says no limit"),
        ("alarms: {temp: {above: 1, below: 2}}", "2 is not below 1"),
        ("alarms: {temp: {above: 1 bar}}", "bar"),
        ("alarms: {temp: {over: 1}}", "unknown key 'alarms.temp.over'"),
        ("alarms: {temp: {above: 1, for: 2 min}}", "at most 60 s"),
        ("alarms:", "holds nothing"),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CarError) as raised:
        alarms(tmp_path, text)
    assert any(said in problem for problem in raised.value.problems)
    assert "car.yaml:3" in raised.value.problems[0]


def test_an_alarm_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    prints = set()
    for name, text in (("a", ""), ("b", "alarms: {temp: {above: 1}}\n"), ("c", "alarms: {temp: {above: 2}}\n")):
        car(tmp_path / name, HEAD + text, a=DBC)
        prints.add(load(tmp_path / name, "test").fingerprint)
    assert len(prints) == 3
