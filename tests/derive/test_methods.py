"""Methods, worked out by hand, and against what the simulator knows."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import load
from pitwall.car.rules import Distance, FuelUsed, GearRatio, LateralG, LongitudinalG, WheelSlip
from pitwall.decode import plan
from pitwall.derive import Deriver, methods
from pitwall.derive.methods import fuel_used, lateral_g, longitudinal_g, wheel_slip
from pitwall.derive.past import since
from pitwall.derive.travel import distance
from pitwall.frames import Frames
from tests.derive.driven import aim_car, channels, drive
from tests.strategies import log

CARS = Path(__file__).parents[2] / "cars"
E46 = GearRatio("rpm", "speed", (4.227, 2.528, 1.669, 1.226, 1.0, 0.828), 3.62, 1.998, 5 / 3.6)


def gear(rule: GearRatio, rpm: np.ndarray, speed: np.ndarray) -> np.ndarray:
    return methods.gear(rule, None, np.arange(len(rpm)), rpm, speed)[0]


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


KEPT = replace(E46, hysteresis=0.05)
BOUNDARY = math.sqrt(1.669 * 1.226)  # between third and fourth


def test_a_gear_is_kept_until_the_ratio_has_left_it() -> None:
    ratios = [1.669, BOUNDARY * 0.96, BOUNDARY * 0.95, BOUNDARY * 1.04, BOUNDARY * 1.06, BOUNDARY * 0.99]
    rpm = np.array([rpm_in(ratio, 30.0) for ratio in ratios])
    assert gear(E46, rpm, np.full(6, 30.0)).tolist() == [3, 4, 4, 3, 3, 4]
    assert gear(KEPT, rpm, np.full(6, 30.0)).tolist() == [3, 3, 4, 4, 3, 3]


def test_a_gear_skipped_is_the_nearest_again() -> None:
    rpm = np.array([rpm_in(ratio, 30.0) for ratio in (4.227, 1.0 * 1.06, 4.2)])
    assert gear(KEPT, rpm, np.full(3, 30.0)).tolist() == [1, 5, 1]


def test_no_gear_is_remembered_over_a_standstill() -> None:
    rpm = np.array([rpm_in(1.669, 30.0), 900.0, rpm_in(BOUNDARY * 0.99, 30.0)])
    np.testing.assert_array_equal(gear(KEPT, rpm, np.array([30.0, 0.0, 30.0])), [3, np.nan, 4])


def kept_one_by_one(rule: GearRatio, rpm: list[float], speed: list[float]) -> list[float]:
    """Gears with hysteresis, as one would say it."""
    edges = [math.sqrt(a * b) for a, b in pairwise(rule.ratios)]  # descending
    now, found = None, []
    for revs, mps in zip(rpm, speed, strict=True):
        if math.isnan(revs) or math.isnan(mps) or mps < rule.min_speed_mps or revs <= 0:
            now = None
        else:
            ratio = revs / (mps / rule.tyre_circumference_m * 60) / rule.final_drive
            top = math.inf if now in (None, 1) else edges[now - 2] * (1 + rule.hysteresis)
            bottom = 0.0 if now in (None, len(rule.ratios)) else edges[now - 1] / (1 + rule.hysteresis)
            if now is None or not bottom <= ratio <= top:
                now = 1 + sum(ratio <= edge for edge in edges)
        found.append(math.nan if now is None else float(now))
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0, 30.0, math.nan]), st.floats(0.7, 5.0)), max_size=80),
    st.integers(1, 80),
    st.sampled_from([0.01, 0.05, 0.099]),
)
def test_gears_agree_with_one_row_at_a_time(rows: list[tuple[float, float]], size: int, hysteresis: float) -> None:
    rule = replace(E46, hysteresis=hysteresis)
    # mostly moving, at ratios that wander over the boundaries
    speed = [mps if i % 7 == 0 else 30.0 for i, (mps, _) in enumerate(rows)]
    rpm = [rpm_in(ratio, 30.0) for _, ratio in rows]
    state, found = None, []
    for first in range(0, len(rows), size):
        part = slice(first, first + size)
        gears, state = methods.gear(rule, state, np.arange(len(rpm[part])), np.array(rpm[part]), np.array(speed[part]))
        found += gears.tolist()
    np.testing.assert_array_equal(found, kept_one_by_one(rule, rpm, speed))


def test_slip_is_a_part_of_the_free_wheels_speed() -> None:
    rule = WheelSlip("driven", "free", 3.0, 1.0, 1 / 3.6, 100.0)
    driven, free = np.array([22.0, 18.0, 1.0, np.nan, 3.0]), np.array([72.0, 72.0, 0.0, 72.0, np.nan])
    np.testing.assert_allclose(wheel_slip(rule, driven, free), [10, -10, 100 / 3, np.nan, np.nan])


def test_lateral_g_is_speed_times_yaw_rate() -> None:
    """A circle of 50 m at 20 m/s: v²/r = 8 m/s²."""
    factor = math.pi / 180 / 9.80665
    found = lateral_g(LateralG("speed", "yaw_rate", factor), np.array([20.0, np.nan]), np.degrees([0.4, 0.4]))
    np.testing.assert_allclose(found, [8 / 9.80665, np.nan])


def test_longitudinal_g_is_the_slope_of_the_speed() -> None:
    t = (np.arange(6) * 0.1 * 1e9).astype(np.int64)
    speed = np.array([10.0, 11.0, 12.0, np.nan, 14.0, 13.0])
    found, _ = longitudinal_g(LongitudinalG("speed", 200_000_000, 0.1), None, t, speed)
    np.testing.assert_allclose(found, [np.nan, np.nan, 1.0, np.nan, 1.0, 1 / 3])


def test_fuel_used_counts_from_the_first_full_window() -> None:
    t = np.arange(8) * 1_000_000_000
    level = np.array([10.0, 12.0, 11.0, 9.0, np.nan, 8.0, 8.0, 8.0])
    found, _ = fuel_used(FuelUsed("fuel", 2_000_000_000, 2.0), None, t, level)
    # means of two seconds: 10, 11, 11.5, 10, -, 8, 8, 8; the first full one is that at 2 s
    np.testing.assert_allclose(found, [np.nan, np.nan, 0, 3, np.nan, 7, 7, 7])


LAPS = st.sampled_from([1.0, 1.0, 1.0, 2.0, 3.0, math.nan])
LEVELS = st.sampled_from([0.0, 1.0, 2.5, 4.0, math.nan])


@given(st.lists(st.tuples(LEVELS, LAPS), max_size=40), st.lists(st.integers(0, 9), max_size=9))
@settings(max_examples=200, deadline=None)
def test_what_has_come_since_a_mark_changed_is_counted_from_its_first_row(rows, cuts):
    expected, mark, base = [], None, None
    for value, lap in rows:
        if not math.isnan(lap):
            if mark is not None and lap != mark:
                base = None
            mark = lap
        if base is None and not math.isnan(value):
            base = value
        expected.append(math.nan if math.isnan(value) else value - base)
    values, laps = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found, state, first = [], None, 0
    for last in [*np.minimum(np.cumsum(cuts, dtype=int), len(rows)).tolist(), len(rows)]:
        part, state = since(state, np.arange(first, last), values[first:last], laps[first:last])
        found.append(part)
        first = last
    np.testing.assert_array_equal(np.concatenate(found), np.array(expected))


def test_fuel_of_a_lap_is_counted_from_where_the_lap_began(tmp_path: Path) -> None:
    frames, _ = drive(2)
    lap = '  lap: {expr: "floor(integrate(speed) / 7200)", unit: none}\n'
    used = "  used: {method: fuel_used, fuel: fuel}\n  of_lap: {method: fuel_used, fuel: fuel, lap: lap}\n"
    of = channels(aim_car(tmp_path, lap + used), [frames])
    whole, part, laps = of("used"), of("of_lap"), of("lap")
    begins = laps.t[np.flatnonzero(np.diff(laps.values)) + 1]
    assert len(begins) > 3
    for begin, end in pairwise(begins.tolist()):
        burnt = whole.at(np.array([end - 0.05]))[0] - whole.at(np.array([begin + 0.05]))[0]
        assert part.at(np.array([end - 0.05]))[0] == pytest.approx(burnt, abs=0.05)


def test_fuel_used_is_what_the_simulated_engine_burnt(tmp_path: Path) -> None:
    frames, truth = drive(2)
    of = channels(aim_car(tmp_path, "  used: {method: fuel_used, fuel: fuel}\n"), [frames])
    used = of("used")
    assert used.values[-1] == pytest.approx(sum(lap["fuel_l"] for lap in truth["laps"]), abs=0.3)
    begin, end = used.at(np.array([truth["laps"][1]["end_ns"], truth["laps"][2]["end_ns"]]) / 1e9)
    assert end - begin == pytest.approx(truth["laps"][2]["fuel_l"], abs=0.4)
    # the level itself sloshes: what it says from one moment to the next is worth little
    assert np.nanstd(np.diff(of("fuel").values)) * 3.785 > 20 * np.nanstd(np.diff(used.values))


def test_g_by_speed_and_yaw_are_what_the_simulated_sensors_read(tmp_path: Path) -> None:
    car = aim_car(
        tmp_path,
        "  lateral: {method: g_from_yaw, axis: lat, speed: speed, yaw_rate: yaw_rate}\n"
        "  longitudinal: {method: g_from_yaw, axis: long, speed: speed, window: 0.4 s}\n",
    )
    frames, truth = drive(1)
    of = channels(car, [frames])
    true = [(at["t_ns"] / 1e9, at["lateral_g"]) for lap in truth["laps"] for at in lap["instants"]]
    for t, g in true[1:]:
        assert of("lateral").at(np.array([t]))[0] == pytest.approx(g, abs=0.1)  # the yaw sensor's noise
    assert len(true) > 6
    # an accelerometer feels the hill too, and the slope comes half a window late
    t = np.arange(30.0, 100.0, 0.1)
    off = of("longitudinal").at(t + 0.2) - of("g_long").at(t)
    assert np.median(np.abs(off)) < 0.05


def test_slip_of_the_simulated_car_is_that_of_its_drive(tmp_path: Path) -> None:
    """The rears slip by 3 % per g of drive; the fronts, which roll free, by none."""
    car = aim_car(tmp_path, "  slip: {method: wheel_slip, driven: rear, free: front}\n")
    frames, _ = drive(1)
    of = channels(car, [frames])
    t = np.arange(30.0, 100.0, 0.1)
    driving = (of("g_long").at(t) > 0.15) & (np.abs(of("g_lat").at(t)) < 0.1)
    assert driving.sum() > 50
    np.testing.assert_allclose(np.median(of("slip").at(t)[driving] / of("g_long").at(t)[driving]), 3.0, atol=0.5)


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
