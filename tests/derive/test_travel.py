"""Ways and positions: against what the simulator knows, and against a receiver's own fixes that were kept back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.simulator.track import latitude_longitude
from pitwall.car.rules import Position
from pitwall.derive.parts import Corrected
from pitwall.derive.travel import MOST_SCALE, RECKONED_M, chord_m, corrected, degree_m, position
from pitwall.frames import Frames, clustered, cut, take
from tests.derive.driven import CHANNELS, FIXES, aim_car, channels, drive

S = 1_000_000_000


def test_a_degree_is_as_long_as_the_published_series_says() -> None:
    """NGA.STND.0036's series, as the simulator has it, against the ellipsoid itself."""
    lat, lon = latitude_longitude(np.array([0.0, 0.0, 1000.0]), np.array([0.0, 1000.0, 0.0]))
    here = np.stack([lat, lon], axis=1)
    north, east = chord_m(here[[0, 0]], here[[1, 2]])
    np.testing.assert_allclose(north, [1000, 0], atol=0.1)
    np.testing.assert_allclose(east, [0, 1000], atol=0.1)


def test_a_degree_at_the_equator_and_at_the_pole() -> None:
    along, across = degree_m(np.array([0.0, 90.0]))
    np.testing.assert_allclose(along, [110_574.3, 111_694.0], atol=0.1)
    np.testing.assert_allclose(across, [111_319.5, 0.0], atol=0.1)


def test_a_chord_may_cross_the_date_line() -> None:
    _, east = chord_m(np.array([[0.0, 179.9999]]), np.array([[0.0, -179.9999]]))
    assert east == pytest.approx(22.26, abs=0.01)


@pytest.mark.parametrize("off", [0.97, 1.0, 1.03])
def test_fixes_correct_a_speed_that_is_off(tmp_path: Path, off: float) -> None:
    frames, truth = drive(2)
    yaml = CHANNELS.replace("speed: {from: speed_mph,", f"speed: {{from: speed_mph, scale: {off},")
    car = aim_car(
        tmp_path,
        "  way: {method: distance, speed: speed, lat: lat, lon: lon}\n  plain: {method: distance, speed: speed}\n",
        yaml,
    )
    of = channels(car, [frames])
    way, true_m = of("way"), truth["distance_m"]
    assert of("plain").values[-1] == pytest.approx(true_m * off, rel=0.004)
    # what is left are the first few hundred metres, and how far a receiver wanders meanwhile
    assert way.values[-1] == pytest.approx(true_m, abs=20 if off != 1 else 10)
    assert (np.diff(way.values) >= 0).all()
    for lap in truth["laps"][1:3]:
        begin, end = way.at(np.array([lap["start_ns"], lap["end_ns"]]) / 1e9)
        assert end - begin == pytest.approx(lap["distance_m"], rel=0.002)


def test_a_way_in_another_unit_is_the_same_way(tmp_path: Path) -> None:
    frames, _ = drive(1)
    text = "{method: distance, speed: speed, lat: lat, lon: lon, unit: %s}\n"
    car = aim_car(tmp_path, f"  way: {text % 'm'}  miles: {text % 'mi'}")
    of = channels(car, [frames])
    np.testing.assert_allclose(of("miles").values * 1609.344, of("way").values, rtol=1e-9)


def test_a_way_without_a_fix_is_the_wheels_own(tmp_path: Path) -> None:
    """Whether the receiver's messages do not come at all, or hold 0, 0."""
    frames, _ = drive(1)
    car = aim_car(
        tmp_path,
        "  way: {method: distance, speed: speed, lat: lat, lon: lon}\n  plain: {method: distance, speed: speed}\n",
    )
    silent = channels(car, [take(frames, np.flatnonzero(frames.id != FIXES))])
    np.testing.assert_allclose(silent("way").values, silent("plain").values, rtol=1e-12, atol=1e-6)
    blind = take(frames, np.arange(len(frames)))
    blind.data[blind.id == FIXES] = 0
    way = channels(car, [blind])("way")
    assert way.values[-1] == pytest.approx(silent("plain").values[-1], abs=0.5)


def straight(n: int, scale: float = 1.0) -> tuple[np.ndarray, ...]:
    """A row a second, 20 m north each by the fixes: t, way and speed by the wheels, lat, lon."""
    way = np.arange(n) * 20.0 * scale
    per_lat, _ = degree_m(np.array(50.0))
    return np.arange(n) * S, way, np.full(n, 20.0 * scale), 50 + np.arange(n) * 20 / per_lat, np.full(n, 8.0)


RULE = Corrected("way", "speed", "lat", "lon", 1.0, 1.0)


def test_a_scale_is_never_more_than_a_tenth() -> None:
    t, way, speed, lat, lon = straight(200, 1.2)
    found, _ = corrected(RULE, None, t, way, speed, lat, lon)
    assert np.diff(found)[-1] == pytest.approx(24 * (1 - MOST_SCALE))


def test_a_scale_is_of_the_newest_200_pairs_alone() -> None:
    t, _, speed, lat, lon = straight(600)
    steps = np.append(0.0, np.where(np.arange(599) < 300, 20.4, 19.8))  # 2 % too much, then 1 % too little
    found, _ = corrected(RULE, None, t, np.cumsum(steps), speed, lat, lon)
    assert np.diff(found)[299] == pytest.approx(20, rel=5e-5)
    assert np.diff(found)[300 + 198] != pytest.approx(20, rel=5e-5)
    assert np.diff(found)[300 + 200] == pytest.approx(20, rel=5e-5)


def test_a_fix_that_jumps_changes_nothing() -> None:
    t, way, speed, lat, lon = straight(200)
    lat[100] += 0.01
    found, _ = corrected(RULE, None, t, way, speed, lat, lon)
    np.testing.assert_allclose(found, way, rtol=1e-3)


def test_what_is_missing_is_bridged() -> None:
    t, way, speed, lat, lon = straight(200)
    way[50], speed[60], lat[70] = np.nan, np.nan, np.nan
    found, _ = corrected(RULE, None, t, way, speed, lat, lon)
    assert np.flatnonzero(np.isnan(found)).tolist() == [50, 60]
    assert found[-1] == pytest.approx(way[-1], rel=1e-3)


REAL = Position("lat", "lat", "lon", "speed", "yaw_rate", 1 / 3.6, np.pi / 180)


def thinned(frames: Frames, every: int) -> Frames:
    """The same frames with one fix of so many."""
    fixes = np.flatnonzero(frames.id == FIXES)
    keep = np.ones(len(frames), np.bool_)
    keep[np.setdiff1d(fixes, fixes[::every])] = False
    return take(frames, np.flatnonzero(keep))


def test_positions_between_fixes_are_where_the_receiver_would_have_been(tmp_path: Path) -> None:
    """A receiver of 20 Hz, of which one fix a second is left: those kept back say where the car was."""
    frames, _ = drive(1)
    both = "".join(
        f"  {axis}_now: {{method: position, axis: {axis}, lat: lat, lon: lon, speed: speed, yaw_rate: yaw_rate}}\n"
        for axis in ("lat", "lon")
    )
    car = aim_car(tmp_path, both)
    whole, few = channels(car, [frames]), channels(car, [thinned(frames, 20)])
    t, speed = whole("lat").t, whole("speed").at(whole("lat").t)
    moving = (speed > 20) & (t > 30)

    def error_m(lat: np.ndarray, lon: np.ndarray) -> np.ndarray:
        true = np.stack([whole("lat").values, whole("lon").values], axis=1)[moving]
        return np.hypot(*chord_m(true, np.stack([lat, lon], axis=1)[moving]))

    reckoned = error_m(few("lat_now").at(t), few("lon_now").at(t))
    held = error_m(few("lat").at(t), few("lon").at(t))
    assert np.median(reckoned) < 0.5
    assert reckoned.max() < 2.0
    assert np.median(held) > 10


def test_a_position_at_a_fix_is_the_fix(tmp_path: Path) -> None:
    frames, _ = drive(1)
    car = aim_car(
        tmp_path, "  now: {method: position, axis: lon, lat: lat, lon: lon, speed: speed, yaw_rate: yaw_rate}\n"
    )
    of = channels(car, [frames])
    fixes = of("lon")
    new = np.append(True, np.diff(fixes.values) != 0) & (fixes.t > 1)
    np.testing.assert_array_equal(of("now").at(fixes.t[new]), fixes.values[new])


def circle(n: int, fixes: int) -> tuple[np.ndarray, ...]:
    """10 rows a second on a circle of 100 m to the right at 20 m/s, heading east at first; fixes at the first ones."""
    t = np.arange(n) / 10
    heading = np.pi / 2 + t * 20 / 100
    per_lat, per_lon = degree_m(np.array(50.0))
    lat = 50 + 100 * (np.sin(heading) - 1) / per_lat
    lon = 8 - 100 * np.cos(heading) / per_lon
    held = np.minimum(np.arange(n), fixes - 1)
    true = np.stack([lat, lon], axis=1)
    return (t * S).astype(np.int64), lat[held], lon[held], np.full(n, 72.0), np.full(n, np.degrees(0.2)), true


def test_dead_reckoning_goes_round_a_circle_and_ends() -> None:
    t, lat, lon, speed, yaw_rate, true = circle(300, 40)
    found = [
        position(Position(axis, "a", "b", "c", "d", 1 / 3.6, np.pi / 180), None, t, lat, lon, speed, yaw_rate)[0]
        for axis in ("lat", "lon")
    ]
    reckoned = 39 + int(RECKONED_M / 2)
    off = np.hypot(*chord_m(true[:reckoned], np.stack(found, axis=1)[:reckoned]))
    assert np.nanmax(off) < 0.05
    assert not np.isnan(off[10:]).any()
    assert np.isnan(found[0][reckoned + 1 :]).all()


def test_there_is_no_position_before_a_fix_and_none_between_the_first_ones() -> None:
    t, lat, lon, speed, yaw_rate, _ = circle(40, 40)
    lat[:5] = np.nan
    lat[6], lon[6] = lat[5], lon[5]
    found, _ = position(REAL, None, t, lat, lon, speed, yaw_rate)
    assert np.isnan(found[:5]).all()
    assert found[5] == lat[5]
    assert np.isnan(found[6])
    np.testing.assert_array_equal(found[7:], lat[7:])


def test_a_row_without_yaw_is_missing_and_bridged() -> None:
    t, lat, lon, speed, yaw_rate, true = circle(60, 40)
    yaw_rate[45] = np.nan
    found, _ = position(REAL, None, t, lat, lon, speed, yaw_rate)
    assert np.isnan(found[45])
    np.testing.assert_allclose(found[46:], true[46:, 0], atol=1e-6)


METHODS = """
  way: {method: distance, speed: speed, lat: lat, lon: lon}
  lat_now: {method: position, axis: lat, lat: lat, lon: lon, speed: speed, yaw_rate: yaw_rate}
  lon_now: {method: position, axis: lon, lat: lat, lon: lon, speed: speed, yaw_rate: yaw_rate}
  gear: {method: gear_ratio, rpm: rpm, speed: rear, ratios: [4.227, 2.528, 1.669, 1.226, 1, 0.828], final_drive: 3.62,
         tyre_circumference: 1.998, hysteresis: 0.05}
  lateral: {method: g_from_yaw, axis: lat, speed: speed, yaw_rate: yaw_rate}
  longitudinal: {method: g_from_yaw, axis: long, speed: speed}
  slip: {method: wheel_slip, driven: rear, free: front}
  used: {method: fuel_used, fuel: fuel, window: 20 s}
  smooth: {expr: "rolling_mean(rate(way), 0.5) - lag(speed, 0.3) * rolling_max(slip, 2)", unit: none}
"""


@settings(max_examples=8, deadline=None)
@given(edges=st.lists(st.integers(0, 30_000), max_size=30), odd=st.booleans())
def test_any_cut_of_a_drive_gives_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, edges: list[int], odd: bool
) -> None:
    car = aim_car(tmp_path_factory.mktemp("cars"), METHODS)
    frames = cut(drive(1)[0], 0, 30_000)
    places = [0, *sorted(edges), 30_000]
    parts = [cut(frames, first, last) for first, last in pairwise(places)]
    parts = [clustered(part) if (i % 2) == odd else part for i, part in enumerate(parts)]
    whole, found = channels(car, [frames]), channels(car, parts)
    for derived in car.derived:
        one, other = whole(derived.name), found(derived.name)
        assert np.isfinite(one.values).sum() > 200, derived.name
        assert one.t.tobytes() == other.t.tobytes(), derived.name
        np.testing.assert_array_equal(one.values, other.values, err_msg=derived.name, strict=True)
