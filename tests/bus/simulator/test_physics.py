"""What the stream says of the car agrees with physics and with the truth, decoded by cantools."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.simulator import simulate
from tests.bus.simulator.facts import FOUR, Decoded

MPS_PER_MPH = 0.44704
RATIOS = np.array([4.227, 2.528, 1.669, 1.226, 1.000, 0.828])
FINAL_DRIVE, CIRCUMFERENCE_M = 3.62, 1.998


@pytest.fixture(scope="module")
def simulated():
    return simulate(seed=11, laps=3)


@pytest.fixture(scope="module")
def drive(simulated):
    return Decoded(simulated.frames())


@pytest.fixture(scope="module")
def flying(simulated):
    """The second flying lap, as the truth has it."""
    return simulated.truth()["laps"][2]


def grid(lap, rate_hz=50):
    return np.arange(lap["start_ns"] / 1e9, lap["end_ns"] / 1e9, 1 / rate_hz)


def test_integrated_wheel_speed_is_the_distance_driven(simulated, drive):
    for lap in simulated.truth()["laps"]:
        t = grid(lap)
        mean = np.mean([drive.at(f"wheel_speed_{wheel}_mph", t) for wheel in FOUR], axis=0) * MPS_PER_MPH
        assert np.trapezoid(mean, t) == pytest.approx(lap["distance_m"], rel=0.01)


def test_lateral_g_is_speed_times_yaw_rate(drive, flying):
    t = grid(flying)
    speed = drive.at("speed_mph", t) * MPS_PER_MPH
    yaw = np.radians(drive.at("yaw_rate_degs", t) - 4.3)
    lateral = drive.at("lateral_accel_g", t)
    assert np.sqrt(np.mean((speed * yaw / 9.80665 - lateral) ** 2)) < 0.05
    assert np.corrcoef(speed * yaw, lateral)[0, 1] > 0.99


def test_inline_g_integrates_to_speed_around_a_lap(drive, flying):
    """Longitudinal without its offset, summed up over a closed lap, is the speed gained: the hills cancel out."""
    t = grid(flying)
    gained = np.trapezoid(drive.at("inline_accel_g", t) + 0.30, t) * 9.80665
    speed = drive.at("speed_mph", t[[0, -1]]) * MPS_PER_MPH
    assert gained == pytest.approx(speed[1] - speed[0], abs=6)  # of some 400 m/s won and lost on the way


def test_tyres_never_give_more_than_the_friction_circle(drive, flying):
    t = grid(flying)
    combined = np.hypot(drive.at("lateral_accel_g", t), drive.at("inline_accel_g", t) + 0.30)
    assert np.percentile(combined, 99.9) < 1.3  # 1.14 on the level, more in a hollow, and noise
    assert np.percentile(combined, 95) > 0.9  # and a driver who uses it


def test_engine_speed_over_wheel_speed_is_a_ratio_of_the_gearbox(drive, flying):
    t = drive.t("rpm")
    t = t[(t > flying["start_ns"] / 1e9) & (t < flying["end_ns"] / 1e9)]
    wheel = (drive.at("wheel_speed_rl_mph", t) + drive.at("wheel_speed_rr_mph", t)) / 2 * MPS_PER_MPH
    ratio = drive.at("rpm", t) / 60 / (wheel / CIRCUMFERENCE_M) / FINAL_DRIVE
    off = np.abs(ratio[:, None] / RATIOS - 1).min(axis=1)
    assert np.mean(off < 0.02) > 0.9  # the rest are shifts
    used = set((np.abs(ratio[:, None] / RATIOS - 1).argmin(axis=1)[off < 0.02] + 1).tolist())
    assert used >= {2, 3, 4}
    assert drive.of("rpm").max() < 8100


def test_feet_are_on_one_pedal_at_a_time(drive, flying):
    t = grid(flying)
    throttle, brake = drive.at("throttle_pos_pct", t), drive.at("brake_press_psi", t)
    assert not ((throttle > 5) & (brake > 30)).any()
    assert np.mean(throttle > 95) > 0.35
    assert 0.1 < np.mean(brake > 50) < 0.4
    slowing = drive.at("inline_accel_g", t) + 0.30 < -0.6
    assert (brake[slowing] > 100).all()


def test_the_outer_wheels_go_the_longer_way(drive, flying):
    t = grid(flying)
    left = drive.at("wheel_speed_fl_mph", t)
    right = drive.at("wheel_speed_fr_mph", t)
    turning_right = drive.at("yaw_rate_degs", t) - 4.3 > 15
    turning_left = drive.at("yaw_rate_degs", t) - 4.3 < -15
    assert np.mean(left[turning_right] > right[turning_right]) > 0.97
    assert np.mean(left[turning_left] < right[turning_left]) > 0.97


def test_steering_goes_the_way_of_the_corner(drive, flying):
    t = grid(flying)
    assert np.corrcoef(drive.at("steer_angle_deg", t), drive.at("lateral_accel_g", t))[0, 1] > 0.8
    assert np.abs(drive.of("steer_angle_deg")).max() < 250


def test_the_body_leans_out_and_comes_back(drive, flying):
    """Roll rate integrated over half a corner is roll angle: to the left in a right turn, and nought over a lap."""
    t = grid(flying)
    roll = np.cumsum(drive.at("roll_rate_degs", t)) / 50
    assert np.corrcoef(roll - roll.mean(), drive.at("lateral_accel_g", t))[0, 1] < -0.8
    assert abs(roll[-1]) < 1.0


def test_heat_and_fuel_go_the_way_they_must(simulated, drive):
    laps = simulated.truth()["laps"]
    for wheel in FOUR:
        assert drive.of(f"tpms_temp_{wheel}_f")[0] < 90
        assert 130 < drive.of(f"tpms_temp_{wheel}_f").max() < 185
        assert drive.of(f"tpms_press_{wheel}_psi").max() > drive.of(f"tpms_press_{wheel}_psi")[0] + 3
    assert drive.of("tpms_temp_fl_f").max() > drive.of("tpms_temp_fr_f").max()  # eight of twelve corners go right
    assert drive.of("oil_temp_f")[-1] > drive.of("oil_temp_f")[0] + 30
    assert 175 < drive.of("water_temp_f").max() < 215
    used = (np.mean(drive.of("fuel_level_gal")[:100]) - np.mean(drive.of("fuel_level_gal")[-100:])) * 3.785
    assert used == pytest.approx(sum(lap["fuel_l"] for lap in laps), abs=0.1)
    assert drive.of("oil_press_psi").min() > 5
    assert 13 < np.mean(drive.of("battery_volt")) < 14.5


def test_vertical_g_feels_the_hills(drive, flying):
    t = grid(flying)
    vertical = -drive.at("vertical_accel_g", t)
    smooth = np.convolve(vertical, np.full(25, 1 / 25), "same")[25:-25]
    assert smooth.max() > 1.03
    assert smooth.min() < 0.95


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_lap_times_are_those_of_such_a_car_and_vary_as_a_driver_does(seed):
    laps = simulate(seed=seed, laps=4).truth()["laps"]
    times = [lap["time_s"] for lap in laps if lap["kind"] == "flying"]
    assert all(85 < time_s < 110 for time_s in times)
    assert 0.05 < max(times) - min(times) < 4
    assert max(times[0], times[1]) < laps[0]["time_s"]
    for lap in laps[1:-1]:
        slowest = min(corner["min_speed_mps"] for corner in lap["corners"])
        assert 11 < slowest < 15  # the hairpin
