"""Gears and distances, worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from pitwall.car import load
from pitwall.car.rules import Distance, GearRatio
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.derive.methods import distance, gear
from pitwall.frames import Frames
from tests.strategies import log

CARS = Path(__file__).parents[2] / "cars"
E46 = GearRatio("rpm", "speed", (4.227, 2.528, 1.669, 1.226, 1.0, 0.828), 3.62, 1.998, 5 / 3.6)


def rpm_in(ratio: float, speed_mps: float) -> float:
    return speed_mps / 1.998 * 60 * 3.62 * ratio


@pytest.mark.parametrize("speed_mps", [2.0, 15.0, 60.0])
def test_the_engine_speed_of_each_gear_gives_that_gear(speed_mps: float) -> None:
    rpm = np.array([rpm_in(ratio, speed_mps) for ratio in E46.ratios])
    for off in (1.0, 0.93, 1.07):
        assert gear(E46, rpm * off, np.full(6, speed_mps)).tolist() == [1, 2, 3, 4, 5, 6]


def test_there_is_no_gear_below_5_km_h_or_without_an_engine() -> None:
    speed = np.array([5 / 3.6 - 1e-9, 5 / 3.6, 0.0, 30.0, math.nan, 30.0])
    rpm = np.array([900.0, 900.0, 900.0, 0.0, 3000.0, math.nan])
    np.testing.assert_array_equal(gear(E46, rpm, speed), [np.nan, 1, np.nan, np.nan, np.nan, np.nan])


def test_units_of_the_inputs_are_converted() -> None:
    rule = GearRatio("rpm", "speed", E46.ratios, 3.62, 1.998, 5 / 3.6, rpm_factor=60.0, speed_factor=1 / 3.6)
    assert gear(rule, np.array([rpm_in(1.669, 30.0) / 60]), np.array([108.0])).tolist() == [3]


def test_a_distance_is_the_area_under_the_speed() -> None:
    t = np.array([5, 6, 8, 8, 9], np.int64) * 1_000_000_000
    way, state = distance(Distance("speed"), None, t, np.array([10.0, 20.0, 20.0, 0.0, 10.0]))
    assert way.tolist() == [0, 15, 55, 55, 60]
    later, _ = distance(Distance("speed"), state, np.array([10_000_000_000]), np.array([10.0]))
    assert later.tolist() == [70]


def test_a_distance_bridges_what_is_missing() -> None:
    t = np.array([0, 1, 2], np.int64) * 1_000_000_000
    way, _ = distance(Distance("speed"), None, t, np.array([10.0, np.nan, 10.0]))
    np.testing.assert_array_equal(way, [0, np.nan, 20])


def test_no_speed_yet_is_no_distance_yet() -> None:
    way, state = distance(Distance("speed"), None, np.array([0]), np.array([np.nan]))
    assert state is None
    np.testing.assert_array_equal(way, [np.nan])


def aim(id: int, *raw: int) -> tuple[int, int, int, bytes]:
    return (0, id, 0, b"".join((value % 65536).to_bytes(2, "little") for value in raw))


def e46_rows(frames: Frames) -> dict[str, list[float]]:
    car = load(CARS, "bmw-e46-m3")
    found = {}
    for rows in Deriver(car).fold(plan(car, ["dash"]).decode(frames)):
        for channel, values in zip(rows.table.channels, rows.values, strict=True):
            found[channel.name] = values.tolist()
    return found


def test_the_e46_has_the_signs_offsets_and_units_of_its_own_sensors() -> None:
    found = e46_rows(
        log(
            [
                aim(0x420, 3000, 621, 0, 1940),
                aim(0x421, 145, -50, 2120, 725),
                aim(0x422, 290, 4210, 1, 30),
                aim(0x423, -900, 43, -120, -30),
                aim(0x424, 1000, 138, -99),
            ]
        )
    )
    expected = {
        "rpm": 3000,
        "speed": 62.1 * 0.44704,
        "water_temp": 90.0,
        "water_pressure": 14.5 * 0.0689475729,
        "roll_rate": -5.0,
        "oil_temp": 100.0,
        "oil_pressure": 72.5 * 0.0689475729,
        "brake_pressure": 290 * 0.0689475729,
        "throttle": 42.1,
        "brake_switch": 1,
        "pitch_rate": 3.0,
        "steering": -90.0,
        "yaw_rate": 0.0,  # it reads 4.3 at rest
        "g_lat": -1.2,
        "g_long": 0.0,  # it reads -0.30 at rest
        "g_vert": 0.99,  # it reads -0.99 at rest
        "combo_g": 1.2,
        "fuel": 10 * 3.785411784,
        "battery": 13.8,
        "bus_gear": 0,
    }
    assert {name: found[name] for name in expected} == {
        name: [pytest.approx(v, abs=1e-8)] for name, v in expected.items()
    }


def test_the_e46_derives_its_gear_and_its_way_from_the_wheels() -> None:
    kmh = 100 / 1.609344 * 10  # in tenths of mph
    wheels = aim(0x450, *[round(kmh)] * 4)
    engine = aim(0x420, round(rpm_in(1.669, 100 / 3.6)), 0, 0, 0)
    found = e46_rows(log([wheels, engine, wheels, wheels], step_ns=1_000_000_000))
    assert found["gear"] == [3, 3, 3]
    assert found["wheel_speed_mean"] == [pytest.approx(27.8, abs=0.05)] * 3
    assert found["wheel_slip"] == [0, 0, 0]
    assert found["distance"] == [0, pytest.approx(2 * 27.76, abs=0.1), pytest.approx(3 * 27.76, abs=0.1)]


def test_the_e46_has_60_channels_and_says_what_they_are() -> None:
    car = load(CARS, "bmw-e46-m3")
    tables = Deriver(car).tables
    names = [channel.name for table in tables for channel in table.channels]
    assert len(names) == len(set(names)) == 60
    assert len({table.name for table in tables}) == len(tables) == 12 + 15
    assert all(channel.source for table in tables for channel in table.channels)
    unitless = {"bus_gear", "brake_switch", "dsc_reg", "gear", *(f"tyre_alarm_{w}" for w in ("fl", "fr", "rl", "rr"))}
    assert {channel.name for table in tables for channel in table.channels if not channel.unit} == unitless
