from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pitwall.bus.gps import id_of, value_frames
from pitwall.car import heard, load
from pitwall.decode.plan import plan
from pitwall.log.opening import Header
from pitwall.project.pipeline import Pipeline, origin
from tests.car.folders import car

CARS = Path(__file__).parents[2] / "cars"
PLAIN = "car: {name: x}\nbuses:\n  can: {dbc: a.dbc}\n"


def header(*buses: str) -> Header:
    return Header(1, "s", "test", 0, buses, "pitwall")


@pytest.mark.parametrize("name", ["bmw-e46-m3", "gps-logger", "obd2", "vbox-3i"])
def test_a_car_is_what_it_was_in_a_session_without_such_a_bus(name: str) -> None:
    found = load(CARS, name)
    assert heard(found, ["can0", "GPS"]) is found


def test_a_car_that_defines_the_bus_itself_keeps_its_own(tmp_path: Path) -> None:
    own = load(CARS, "gps-logger")
    assert heard(own, ["gps"]) is own
    opened = load(car(tmp_path, "car: {name: x}\nbuses:\n  can: {dbc: a.dbc, channel: gps}\n"), "test")
    assert heard(opened, ["gps"]) is opened


def test_a_loggers_channels_and_roles_come_beside_the_cars_own(tmp_path: Path) -> None:
    roles = "channels:\n  speed: {from: speed_mph, unit: m/s}\nroles: {speed: speed, rpm: rpm}\n"
    own = load(car(tmp_path, PLAIN + roles), "test")
    both = heard(own, ["can", "gps"])
    assert both.channels[: len(own.channels)] == own.channels
    added = {one.name: one for one in both.channels[len(own.channels) :]}
    assert added["lat"].unit == "deg"
    assert added["lat"].bus == "gps"
    assert added["gps_speed"].signal == "speed"
    assert added["gps_rpm"].signal == "rpm"
    assert "speed" not in added
    assert "gps_lat" not in added
    assert (both.role("speed"), both.role("rpm")) == ("speed", "rpm")
    assert (both.role("lat"), both.role("lon"), both.role("g_lat")) == ("lat", "lon", "g_lat")
    assert both.role("water_temp") == "gps_water_temp", "the car says no role for its own"
    names = [one.name.casefold() for one in both.channels]
    assert len(set(names)) == len(names)


def test_a_position_is_the_cars_or_the_loggers_and_never_half_of_each(tmp_path: Path) -> None:
    yaml = PLAIN + "channels:\n  north: {from: yaw, unit: deg/s}\nroles: {lat: north}\n"
    both = heard(load(car(tmp_path, yaml), "test"), ["can", "gps"])
    assert (both.role("lat"), both.role("lon")) == ("north", None)


def test_where_no_bus_of_the_car_is_heard_the_logger_plays_all_that_it_can(tmp_path: Path) -> None:
    yaml = PLAIN + "channels:\n  lat: {from: yaw, unit: deg/s}\nroles: {lat: lat, fuel: plain}\n"
    alone = heard(load(car(tmp_path, yaml), "test"), ["gps"])
    assert (alone.role("lat"), alone.role("lon"), alone.role("fuel")) == ("gps_lat", "lon", "plain")


def test_the_fingerprint_is_of_both_and_asking_twice_changes_nothing(tmp_path: Path) -> None:
    own = load(car(tmp_path, PLAIN), "test")
    both = heard(own, ["can", "gps"])
    assert both.fingerprint != own.fingerprint
    assert heard(both, ["can", "gps"]) is both
    assert heard(own, ["gps", "can", "other"]).fingerprint == both.fingerprint
    other = heard(load(car(tmp_path, PLAIN + "roles: {rpm: rpm}\n"), "test"), ["gps"])
    assert other.fingerprint != both.fingerprint
    assert origin(own, header("can", "gps")) == origin(both, header("can", "gps"))


def test_a_derived_channel_and_a_table_of_the_logger_never_have_one_name(tmp_path: Path) -> None:
    yaml = PLAIN + "derived:\n  GPS_Speed: {expr: rpm * 2, unit: rpm}\n  gps_lat: {expr: rpm * 3, unit: rpm}\n"
    own = load(car(tmp_path, yaml), "test")
    pipeline = Pipeline(own, header("can", "gps"))
    tables = [table.name.casefold() for table in pipeline.tables]
    assert len(set(tables)) == len(tables)


def test_the_frames_of_such_a_bus_become_channels_of_any_car(tmp_path: Path) -> None:
    own = load(car(tmp_path, PLAIN), "test")
    values = np.array([[28.4108204, 0.1 + 0.2], [-1e-300, np.nan]])
    frames = value_frames([0, 5], [id_of("lat"), id_of("g_lat")], values, bus=0)
    decoding = plan(heard(own, ["gps", "can"]), ["gps", "can"]).decode(frames)
    by_name = {one.message.name: one for one in decoding.messages}
    assert by_name["Latitude"].values["lat"].tolist() == values[:, 0].tolist()
    assert by_name["AccelLat"].values["g_lat"].tolist() == [0.1 + 0.2]
    applied = Pipeline(own, header("gps", "can")).apply(frames)
    assert {rows.table.name: len(rows.at) for rows in applied.rows} == {"gps_Latitude": 2, "gps_AccelLat": 1}
