"""What is said of a corner, against what the simulator really did, and against laps made by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.coach.driven import Driven, Samples, between, driven
from pitwall.coach.metrics import FIGURES, Limits, limits, measured
from pitwall.coach.sections import Sections
from tests.coach.laps_of import drive, of_one

MISTAKES = ("brake-early@T3:2", "coast@T6:3", "miss-apex@T8:4")


def made():
    return drive(laps=5, mistakes=MISTAKES)


def test_the_slowest_point_and_the_brake_point_are_the_true_ones() -> None:
    driven_ = made()
    for lap in (one for one in driven_.truth["laps"] if one["kind"] == "flying"):
        for true in lap["corners"]:
            if true["name"] in ("T7", "T12"):  # flat out, or nearly
                continue
            seen = driven_.measured(lap["number"], true["name"])
            assert seen.min_mps == pytest.approx(true["min_speed_mps"], abs=0.8)  # speed comes at 10 Hz
            if true["brake_point_m"] is None:
                continue
            apart = true["min_speed_m"] - true["brake_point_m"]  # along the centreline; ours, along the line driven
            assert seen.brake_m + seen.min_m == pytest.approx(apart, abs=9), (lap["number"], true["name"])


def test_a_mistake_shows_where_it_was_made_and_nowhere_else() -> None:
    driven_ = made()
    early = [driven_.measured(n, "T3").brake_m for n in range(1, 6)]
    assert early[1] - max(early[:1] + early[2:]) > 20
    coasting = [driven_.measured(n, "T6").coast_s for n in range(1, 6)]
    assert coasting[2] - max(coasting[:2] + coasting[3:]) > 1.5
    wide = [driven_.measured(n, "T8").apex_off_m for n in range(1, 6)]
    assert wide[3] - max(wide[:3] + wide[4:]) > 1.5
    assert all(driven_.measured(n, "T1").coast_s < 1 for n in range(1, 6))


def test_what_a_mistake_cost_is_lost_in_its_corner() -> None:
    driven_ = made()
    for mistake in driven_.truth["mistakes"]:
        others = [driven_.measured(n, mistake["corner"]).time_s for n in range(1, 6) if n != mistake["lap"]]
        cost = driven_.measured(mistake["lap"], mistake["corner"]).time_s - float(np.median(others))
        # no two laps are the same: each corner of each differs by some hundredths without any mistake
        assert cost == pytest.approx(mistake["cost_s"], abs=0.12)


def test_the_times_lost_in_the_corners_of_a_lap_add_up_to_its_delta() -> None:
    driven_ = made()
    most = limits(driven_.laps)
    for lap in driven_.laps:
        cornering = measured(lap, driven_.reference, driven_.sections, most)
        every = [of_one(cornering, corner) for corner in range(len(driven_.places))]
        delta = lap.t_s[-1] - driven_.reference.t_s[-1]
        assert sum(one.lost_s for one in every) == pytest.approx(delta, abs=1e-9)
        assert sum(one.time_s for one in every) == pytest.approx(lap.t_s[-1], abs=1e-9)
        for one in every:
            assert one.entry_lost_s + one.middle_lost_s + one.exit_lost_s == pytest.approx(one.lost_s, abs=1e-12)


def test_the_sections_of_the_corners_tile_the_lap() -> None:
    driven_ = made()
    edges = [0]
    for place in driven_.places:
        for part in (place.entry, place.middle, place.exit):
            assert part.first == edges[-1]
            assert part.last > part.first
            edges.append(part.last)
    assert edges[-1] == len(driven_.reference)


@pytest.mark.parametrize("without", ["brake", "throttle", "steering", "g_lat", "g_long", "speed"])
def test_what_no_channel_tells_is_missing_and_the_rest_is_there(without: str) -> None:
    driven_ = made()
    lap = driven_.laps[0]
    less = dataclasses.replace(lap, roles={name: column for name, column in lap.roles.items() if name != without})
    seen = of_one(measured(less, driven_.reference, driven_.sections, limits(driven_.laps)), 2)
    missing = {
        "brake": {"brake_peak", "brake_rise_s", "trail_rough"},
        "throttle": {"throttle_m", "throttle_rise_s", "throttle_lifts", "coast_s"},
        "steering": {"corrections"},
        "g_lat": set(),
        "g_long": {"brake_g"},
        "speed": {"approach_mps", "entry_mps", "min_mps", "exit_mps"},
    }[without]
    assert missing <= {name for name in FIGURES if np.isnan(getattr(seen, name))}
    assert np.isfinite(seen.time_s)
    assert np.isfinite(seen.lost_s)


def test_a_car_that_tells_nothing_but_where_it_is_has_times_all_the_same() -> None:
    driven_ = made()
    bare = dataclasses.replace(driven_.laps[0], roles={})
    seen = of_one(measured(bare, driven_.reference, driven_.sections, Limits(0.0, 0.0)), 2)
    assert np.isfinite(seen.lost_s)
    assert np.isnan(seen.min_mps)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.2, 40), min_size=3, max_size=30), st.integers(0, 2**16))
def test_a_lap_over_distance_passes_through_its_fixes(steps: list[float], seed: int) -> None:
    chance = np.random.default_rng(seed)
    distance = np.concatenate([[0.0], np.cumsum(steps)])
    t = np.concatenate([[0], np.cumsum(chance.integers(10**7, 10**9, len(steps)))]).astype(np.int64)
    column = np.zeros(len(t))
    lap = driven(1, t_ns=t, distance_m=distance, x_m=column, y_m=column, length_m=float(distance[-1]), roles={})
    assert np.all(np.diff(lap.t_s) > 0)
    for i in range(len(lap)):  # the slow and obvious way
        k = max(j for j in range(len(t)) if distance[j] <= i)
        share = 0.0 if k == len(t) - 1 else (i - distance[k]) / (distance[k + 1] - distance[k])
        expected = t[k] if k == len(t) - 1 else t[k] + share * (t[k + 1] - t[k])
        assert lap.t_s[i] == pytest.approx((expected - t[0]) / 1e9, abs=1e-6)


def test_where_a_channel_was_silent_there_is_no_value() -> None:
    samples = Samples(np.array([0, 10**8, 2 * 10**8, 2 * 10**9]), np.array([0.0, 1.0, np.nan, 3.0]))
    seen = between(samples, np.array([5e7, 1e8, 1.5e8, 2e9, 3e9]))
    assert seen[0] == pytest.approx(0.5)
    assert seen[1] == 1.0
    assert np.isnan(seen[2])  # between 0.1 s and 2 s nothing came
    assert seen[3] == 3.0
    assert np.isnan(seen[4])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([0, 5, 15, 40]), st.integers(1, 300))
def test_samples_that_come_more_or_less_evenly_are_found_to_the_bit(seed: int, jitter_ms: int, count: int) -> None:
    chance = np.random.default_rng(seed)
    t = np.sort(np.arange(count + 1) * 20_000_000 + chance.integers(0, jitter_ms + 1, count + 1) * 1_000_000)
    at, values = np.sort(chance.uniform(t[0], t[-1], 200)), chance.random(count + 1)
    low = np.minimum(np.searchsorted(t, at, "right") - 1, count - 1)
    since, step = at - t[low], (t[low + 1] - t[low]).astype(np.float64)
    expected = (values[low + 1] - values[low]) / step * since + values[low]
    assert np.array_equal(between(Samples(t, values), at), expected)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=15),
    st.lists(st.sampled_from([np.nan, 0.0, 1.0, 2.5, -3.0]), min_size=30, max_size=30),
)
def test_channels_that_come_together_are_what_each_is_alone(steps: list[int], values: list[float]) -> None:
    t = np.cumsum(np.array(steps)) * 10**8
    own, other = np.array(values[: len(t)]), np.nan_to_num(values[-len(t) :])
    ends = np.array([0, 10**9])
    apart = np.zeros(2)
    lap = driven(
        1, t_ns=ends, distance_m=np.array([0.0, 21.0]), x_m=apart, y_m=apart, length_m=21.0,
        roles={"speed": Samples(t, own), "rpm": Samples(t, other), "brake": Samples(t, 2 * other)},
    )  # fmt: skip
    for role, column in (("speed", own), ("rpm", other), ("brake", 2 * other)):
        there = np.isfinite(column)
        at, known = t[there], column[there]
        for i, now in enumerate(np.arange(21) / 21 * 1e9):  # the slow and obvious way
            before, behind = np.flatnonzero(at <= now), np.flatnonzero(at >= now)
            expected = np.nan
            if len(before) and len(behind):
                a, b = before[-1], behind[0]
                near = at[b] - at[a] <= 5e8
                share = 0.0 if b <= a else (now - at[a]) / (at[b] - at[a])
                expected = known[a] + (known[max(a, b)] - known[a]) * share if near else np.nan
            np.testing.assert_allclose(lap.role(role)[i], expected, rtol=1e-9, atol=1e-9)


def lap_by_hand(**roles: np.ndarray) -> Driven:
    n = 300
    return Driven(1, np.arange(n) / 20.0, np.zeros(n), np.arange(n, dtype=float), roles)


def corner_by_hand():
    from pitwall.track.corners import Corner

    return Corner("T1", 120.0, 150.0, 190.0, 90.0, 30.0)


def test_a_lap_drawn_by_hand_is_measured_as_drawn() -> None:
    n = 300
    speed = np.interp(np.arange(n), [0, 80, 150, 250, 299], [40, 50, 20, 40, 45])
    brake = np.interp(np.arange(n), [0, 79, 84, 110, 145, 146, 299], [0, 0, 60, 60, 6, 0, 0])
    throttle = np.where(np.arange(n) < 70, 100.0, 0.0) + np.interp(np.arange(n), [0, 155, 195, 299], [0, 0, 100, 100])
    g_lat = np.interp(np.arange(n), [0, 115, 150, 185, 299], [0, 0, 1.0, 0, 0])
    lap = lap_by_hand(speed=speed, brake=brake, throttle=throttle, g_lat=g_lat, g_long=np.zeros(n))
    seen = of_one(measured(lap, lap, Sections([corner_by_hand()], lap), limits([lap])))
    assert seen.brake_m == pytest.approx(150 - 80, abs=1)
    assert seen.brake_peak == 60
    assert seen.brake_rise_s == pytest.approx(4 / 20, abs=0.06)
    assert seen.turn_in_m == pytest.approx(150 - (115 + 0.4 * 35), abs=1)
    assert seen.trail_s == pytest.approx((146 - 129) / 20, abs=0.1)
    assert seen.trail_rough == 0
    assert (seen.min_mps, seen.min_m) == (20, 0)
    assert seen.throttle_m == pytest.approx(164 - 150, abs=1)
    assert seen.throttle_rise_s == pytest.approx((190 - 164) / 20, abs=0.1)
    assert seen.throttle_lifts == 0
    assert seen.coast_s == pytest.approx(((80 - 70) + (157 - 146)) / 20, abs=0.1)
    assert seen.approach_mps == 50
    assert seen.exit_mps == speed[190]
    assert seen.lost_s == 0


@pytest.mark.parametrize(("swings", "expected"), [(0, 0), (1, 2), (2, 4)])
def test_corrections_of_the_steering_are_counted(swings: int, expected: int) -> None:
    n = 300
    where, angle = [0, 115, 140], [0.0, 0.0, 90.0]
    for k in range(swings):
        where += [145 + 10 * k, 150 + 10 * k]
        angle += [60.0, 90.0]
    where += [189, 299]
    angle += [10.0, 0.0]
    g_lat = np.interp(np.arange(n), [0, 115, 150, 185, 299], [0, 0, 1.0, 0, 0])
    lap = lap_by_hand(speed=np.full(n, 30.0), g_lat=g_lat, steering=np.interp(np.arange(n), where, angle))
    assert of_one(measured(lap, lap, Sections([corner_by_hand()], lap), limits([lap]))).corrections == expected


def test_an_apex_that_was_missed_lies_outside_whichever_way_the_corner_turns() -> None:
    for turn, side in ((90.0, -1), (-90.0, 1)):
        lap = lap_by_hand(speed=np.full(300, 30.0))  # northward: x is to the right
        wide = dataclasses.replace(lap, x_m=np.full(300, 2.5 * side))
        sections = Sections([dataclasses.replace(corner_by_hand(), turn_deg=turn)], lap)
        assert of_one(measured(wide, lap, sections, limits([lap]))).apex_off_m == pytest.approx(2.5)


@pytest.mark.parametrize("tilt_deg", [0, 59])
def test_a_sensor_that_lies_askew_is_not_believed_what_speed_gains_is(tilt_deg):
    seconds = np.arange(0, 60, 0.04)
    speed = 20 + 8 * np.sin(seconds / 4)
    distance = np.cumsum(speed) * 0.04 - speed[0] * 0.04
    truly = 2 * np.cos(seconds / 4) / 9.80665
    said = truly * math.cos(math.radians(tilt_deg)) - math.sin(math.radians(tilt_deg))
    t = np.round(seconds * 1e9).astype(np.int64)
    roles = {"speed": Samples(t, speed), "g_long": Samples(t, said)}
    lap = driven(1, t_ns=t, distance_m=distance, x_m=distance, y_m=distance, length_m=float(distance[-1]), roles=roles)
    assert np.abs(lap.role("g_long") - np.interp(lap.t_s, seconds, truly))[10:-10].max() < 0.02
