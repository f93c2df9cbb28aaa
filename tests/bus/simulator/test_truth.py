"""The truth is true: recomputed from the path without its help, and seen through the noise of the sensors."""

from __future__ import annotations

import json
from itertools import islice, pairwise

import numpy as np
import pytest

from pitwall.bus.simulator import simulate
from pitwall.bus.simulator.course import Length, stretches
from pitwall.bus.simulator.driver import PIT_OFFSET_M
from pitwall.bus.simulator.line import ideal_offsets
from pitwall.bus.simulator.motion import Instants
from pitwall.bus.simulator.track import GATE_HALF_WIDTH_M, SECTOR_ENDS_M, circuit, latitude_longitude
from tests.bus.simulator.facts import Decoded

SEED = 5


@pytest.fixture(scope="module")
def simulated():
    return simulate(seed=SEED, laps=3)


@pytest.fixture(scope="module")
def truth(simulated):
    return simulated.truth()


def plane(points):
    """Degrees to metres, by the size of a degree where the track lies: x east, y north."""
    points = np.asarray(points, np.float64)
    lat0 = 52.4137
    return np.column_stack([points[:, 1] * 111_320 * np.cos(np.radians(lat0)), points[:, 0] * 111_250])


def crossings(t, lat, lon, line):
    """Times at which a path of fixes crosses a line between its two ends, linear between fixes."""
    path, (a, b) = plane(np.column_stack([lat, lon])), plane(line)
    along, normal = b - a, np.array([-(b - a)[1], (b - a)[0]])
    side = (path - a) @ normal
    share = ((path - a) @ along) / (along @ along)
    hit = np.nonzero((side[:-1] * side[1:] < 0) & (share[:-1] > 0) & (share[:-1] < 1))[0]
    return t[hit] + (t[hit + 1] - t[hit]) * side[hit] / (side[hit] - side[hit + 1])


def test_lap_and_sector_times_are_the_crossings_of_the_noiseless_path(truth):
    lines = [truth["track"]["start_line"], *truth["track"]["sector_lines"]]
    found = [[] for _ in lines]
    for stretch in stretches(SEED, Length(laps=3), ()):
        t = np.append(np.arange(0.0, stretch.motion.duration_s, 0.001), stretch.motion.duration_s)
        now = Instants(stretch.motion, t)
        lat, lon = latitude_longitude(now.along(stretch.motion.x_m), now.along(stretch.motion.y_m))
        for k, line in enumerate(lines):
            found[k] += (crossings(t, lat, lon, line) * 1e9 + stretch.start_ns).tolist()
    laps = truth["laps"]
    # a lap's last sample lies on the start line itself, on either side of it: once in each of the two laps at most
    starts = sorted(found[0])
    for lap in laps[1:]:
        assert min(abs(at - lap["start_ns"]) for at in starts) < 2e6
    for k in (0, 1):
        assert found[k + 1] == pytest.approx([lap["sector_ends_ns"][k] for lap in laps], abs=1e5)


def test_the_start_line_is_crossed_where_laps_meet_and_nowhere_else(truth):
    """On the whole path at once, out of the pits and into them again: the pit lane passes beside the line."""
    t, lat, lon = [], [], []
    for stretch in stretches(SEED, Length(laps=3), ()):
        at = np.arange(0.0005, stretch.motion.duration_s, 0.001)
        now = Instants(stretch.motion, at)
        here = latitude_longitude(now.along(stretch.motion.x_m), now.along(stretch.motion.y_m))
        t.append(at + stretch.start_ns / 1e9)
        lat.append(here[0])
        lon.append(here[1])
    found = crossings(np.concatenate(t), np.concatenate(lat), np.concatenate(lon), truth["track"]["start_line"])
    assert found == pytest.approx([lap["start_ns"] / 1e9 for lap in truth["laps"][1:]], abs=2e-5)


def test_laps_from_gps_fixes_agree_with_the_truth_as_far_as_a_receiver_allows(simulated, truth):
    drive = Decoded(simulated.frames())
    found = crossings(drive.t("gps_lat"), drive.of("gps_lat"), drive.of("gps_lon"), truth["track"]["start_line"])
    times = np.diff(found)
    flying = [lap["time_s"] for lap in truth["laps"] if lap["kind"] == "flying"]
    assert len(times) == len(flying) == 3
    assert times == pytest.approx(flying, abs=0.08)


def test_laps_follow_each_other_and_are_their_sectors(truth):
    for lap in truth["laps"]:
        assert lap["time_s"] == pytest.approx((lap["end_ns"] - lap["start_ns"]) / 1e9, abs=1e-9)
        assert sum(lap["sectors_s"]) == pytest.approx(lap["time_s"], abs=1e-6)
    for lap, following in pairwise(truth["laps"]):
        assert lap["end_ns"] == following["start_ns"]
        a, b = lap["instants"][-1], following["instants"][0]
        assert a["position"] == pytest.approx(b["position"], abs=1e-7)
        assert a["speed_mps"] == pytest.approx(b["speed_mps"], abs=1e-3)
        assert a["rpm"] == pytest.approx(b["rpm"], rel=0.02)
        assert a["disc_fl_c"] == pytest.approx(b["disc_fl_c"], abs=5)


def test_the_slowest_point_of_each_corner_is_slower_than_what_lies_around_it(truth):
    motion = next(islice(stretches(SEED, Length(laps=3), ()), 2, None)).motion
    lap = truth["laps"][2]
    for corner in lap["corners"]:
        t = (corner["min_speed_t_ns"] - lap["start_ns"]) / 1e9
        around = Instants(motion, t + np.array([-0.7, 0.0, 0.7])).of(motion.speed_mps)
        assert around[1] == pytest.approx(corner["min_speed_mps"], abs=0.01)
        if corner["brake_point_m"] is not None:
            assert around[1] < min(around[0], around[2])
            assert corner["brake_point_m"] < corner["min_speed_m"]


def test_truth_is_plain_json_and_the_same_before_and_after_the_frames():
    before = simulate(seed=3, laps=1)
    after = simulate(seed=3, laps=1)
    for _ in after.frames():
        pass
    assert json.loads(json.dumps(before.truth())) == json.loads(json.dumps(after.truth()))


def test_an_endless_drive_knows_the_laps_it_has_driven():
    drive = simulate(seed=3)
    assert drive.truth()["laps"] == []
    frames = drive.frames()
    for _ in range(3):
        next(frames)
    assert [lap["number"] for lap in drive.truth()["laps"]] == [0, 1, 2]
    assert drive.truth()["laps"][:2] == simulate(seed=3, laps=2).truth()["laps"][:2]


def test_lines_reach_well_past_the_racing_line_and_not_to_the_pit_lane():
    five_deviations_m = 5 * 1.06  # of a receiver's place
    for at in (0.0, *SECTOR_ENDS_M):
        offset_m = ideal_offsets()[circuit().station(at)]
        assert GATE_HALF_WIDTH_M - abs(offset_m) > five_deviations_m
    assert five_deviations_m < PIT_OFFSET_M - GATE_HALF_WIDTH_M


def test_the_circuit_closes_and_stays_apart_from_itself():
    track = circuit()
    x, y = track.x_m, track.y_m
    assert np.hypot(x[0] - x[-1], y[0] - y[-1]) < 1.1
    assert 3300 < track.length_m < 3700
    assert 10 <= len(track.corners) <= 14
    # stations more than 100 m apart along the lap are 30 m apart across the land
    every = slice(None, None, 10)
    far = np.hypot(x[every, None] - x[None, every], y[every, None] - y[None, every])
    gap = np.abs(track.s_m[every, None] - track.s_m[None, every])
    gap = np.minimum(gap, track.length_m - gap)
    assert far[gap > 120].min() > 30
    assert np.ptp(track.z_m) > 10
    assert np.abs(track.grade).max() < 0.08
