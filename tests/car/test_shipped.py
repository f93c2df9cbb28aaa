"""The cars that ship: whole, with what analysis needs, and with the values that public documents give for a frame."""

from __future__ import annotations

import csv
import math
import struct
from pathlib import Path

import cantools
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.capture import read_capture
from pitwall.car import Car, load, names, units
from pitwall.decode import plan
from pitwall.derive import Deriver
from tests.captures import CAPTURES, needs_captures
from tests.strategies import log

CARS = Path(__file__).parents[2] / "cars"
SHIPPED = names(CARS)

ROLES = {
    "bmw-e46-m3": {"speed", "rpm", "gear", "throttle", "brake", "steering", "g_lat", "g_long", "lat", "lon"},
    "gps-logger": {"speed", "lat", "lon", "altitude", "heading", "satellites", "g_lat", "g_long", "rpm", "throttle"},
    "megasquirt-3": {"speed", "rpm", "throttle", "water_temp", "battery", "distance"},
    "obd2": {"speed", "rpm", "throttle", "water_temp", "oil_temp", "battery", "fuel", "distance"},
    "vbox-3i": {"speed", "lat", "lon", "altitude", "heading", "satellites", "g_lat", "g_long", "yaw_rate", "distance"},
}


def channels(car: Car, *frames: tuple[int, str]) -> dict[str, list[float]]:
    """The values of each channel, derived ones too, that frames (an id, its payload in hex) give."""
    (bus,) = car.buses
    rows = log([(0, id, 0, bytes.fromhex(payload)) for id, payload in frames])
    found: dict[str, list[float]] = {}
    for table in Deriver(car).fold(plan(car, [bus.name]).decode(rows)):
        for channel, values in zip(table.table.channels, table.values, strict=True):
            found[channel.name] = values.tolist()
    return found


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_car_says_where_its_facts_come_from_and_plays_its_roles(name: str) -> None:
    car = load(CARS, name)
    assert car.notes == ()
    assert ROLES[name] <= set(dict(car.roles))
    played = {channel.name: channel.unit for channel in (*car.channels, *car.derived)}
    for role, unit in {"speed": "m/s", "lat": "deg", "lon": "deg", "g_lat": "g", "water_temp": "degC"}.items():
        if role in dict(car.roles):
            assert units.conversion(played[dict(car.roles)[role]], unit) == (1, 0), role
    said = (CARS / name / "car.yaml").read_text()
    assert "ources" in said or name == "bmw-e46-m3"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_dbc_is_one_to_those_who_are_strict(name: str) -> None:
    for path in (CARS / name).glob("*.dbc"):
        cantools.database.load_file(path, strict=True)


def test_a_megasquirt_decodes_to_what_was_published() -> None:
    """A frame that the maker of a dash captured, key on and engine off, with the values that his dash then showed."""
    car = load(CARS, "megasquirt-3")
    found = channels(car, (1512, "03FD00000562FFFF"))
    assert found["manifold_pressure"] == [pytest.approx(102.1)]
    assert found["rpm"] == [0]
    assert found["water_temp"] == [pytest.approx((137.8 - 32) / 1.8)]
    assert found["throttle"] == [pytest.approx(-0.1)]


def test_every_field_of_a_megasquirt_is_where_its_document_puts_it() -> None:
    car = load(CARS, "megasquirt-3")
    frames = [
        (1513, struct.pack(">HHhh", 2345, 1, 770, -105)),  # us, us, 0.1 degF, 0.1 deg
        (1514, struct.pack(">BBhhh", 147, 132, 1025, 15000, 2200)),  # 0.1, 0.1, 0.1 %, 0.1 degF, us
        (1515, struct.pack(">hhhBB", 138, 512, -3, 25, 99)),  # 0.1 V, as wired, as wired, 0.1 deg, nothing
        (1516, struct.pack(">Hhhh", 275, 30, -50, 0)),  # 0.1 m/s, 0.1 deg, 0.1 deg, nothing
    ]
    found = channels(car, *((id, payload.hex()) for id, payload in frames))
    expected = {
        "injection_time_1": 2.345,
        "injection_time_2": 0.001,
        "intake_temp": 25,
        "ignition_advance": -10.5,
        "afr_target": 14.7,
        "afr": 13.2,
        "ego_correction": 102.5,
        "exhaust_temp": (1500 - 32) / 1.8,
        "injection_time_sequential": 2.2,
        "battery": 13.8,
        "sensor_1": 512,
        "sensor_2": -3,
        "knock_retard": 2.5,
        "speed": 27.5,
        "traction_retard": 3,
        "launch_timing": -5,
    }
    assert {name: found[name] for name in expected} == {name: [pytest.approx(x)] for name, x in expected.items()}


def vbox_position(latitude: int, longitude: int, *, satellites: int = 9) -> list[tuple[int, str]]:
    time = 5_383_690
    first = bytes([satellites]) + time.to_bytes(3, "big") + struct.pack(">i", latitude)
    return [(0x301, first.hex()), (0x302, struct.pack(">iHH", longitude, 5400, 31250).hex())]


def test_a_vbox_is_where_its_user_guide_says() -> None:
    """Racelogic's own figures: 311924579 is 51 deg 59.24579' north, 11882246 is 1 deg 58.82246' WEST, 53836.90 s."""
    found = channels(load(CARS, "vbox-3i"), *vbox_position(311_924_579, 11_882_246))
    assert found["lat"] == [pytest.approx(51 + 59.24579 / 60, abs=1e-12)]
    assert found["lon"] == [pytest.approx(-(1 + 58.82246 / 60), abs=1e-12)]
    assert found["time_utc"] == [pytest.approx(53_836.90)]
    assert found["satellites"] == [9]
    assert found["speed"] == [pytest.approx(54 * 1852 / 3600)]
    assert found["heading"] == [312.5]


@pytest.mark.parametrize(
    ("latitude", "longitude", "lat", "lon"),
    [
        # south and east: a minute of arc is a sixtieth of a degree, and east is sent as negative
        (-203_148_000, -870_600_000, -33.858, 145.1),
        (540_000_000, -1_080_000_000, 90.0, 180.0),
        (-540_000_000, 1_080_000_000, -90.0, -180.0),
    ],
)
def test_a_vbox_knows_south_and_east(latitude: int, longitude: int, lat: float, lon: float) -> None:
    found = channels(load(CARS, "vbox-3i"), *vbox_position(latitude, longitude))
    assert (found["lat"], found["lon"]) == ([pytest.approx(lat, abs=1e-12)], [pytest.approx(lon, abs=1e-12)])


def test_a_vbox_that_sees_no_sky_is_nowhere_and_not_on_the_equator() -> None:
    found = channels(load(CARS, "vbox-3i"), *vbox_position(0, 0, satellites=2)[:1])
    assert found["satellites"] == [2]
    assert math.isnan(found["lat"][0])
    assert math.isnan(found["time_utc"][0])


def test_every_other_field_of_a_vbox_is_where_its_user_guide_puts_it() -> None:
    frames = [
        (0x303, (-1234).to_bytes(3, "big", signed=True) + struct.pack(">hBBB", -75, 0, 0x0C, 0x21)),
        (0x304, struct.pack(">Ihh", 12_800_000, -102, 87)),
        (0x305, struct.pack(">IHH", 25_600_000, 1250, 4320)),
        (0x306, struct.pack(">HHhh", 12, 0, -250, 175)),
        (0x307, struct.pack(">hhhh", 0, -3050, 425, 0)),
    ]
    found = channels(load(CARS, "vbox-3i"), *((id, payload.hex()) for id, payload in frames))
    expected = {
        "altitude": -12.34,
        "vertical_velocity": -0.75,
        "status_1": 0x0C,
        "status_2": 0x21,
        "trigger_distance": 1000,
        "g_long": -1.02,
        "g_lat": 0.87,
        "distance": 2000,
        "trigger_time": 12.5,
        "trigger_speed": 43.2 * 1852 / 3600,
        "velocity_quality": 0.12,
        "slip_angle": -2.5,
        "pitch_angle": 1.75,
        "yaw_rate": -30.5,
        "roll_angle": 4.25,
    }
    assert {name: found[name] for name in expected} == {name: [pytest.approx(x)] for name, x in expected.items()}


@pytest.mark.parametrize(
    ("answer", "channel", "value"),
    [
        ("0341057B00000000", "water_temp", 83),
        ("04410C1AF8000000", "rpm", 1726),
        ("03410D4A4A000000", "speed", 74 / 3.6),
        ("03412F8000000000", "fuel_level", 128 / 2.55),
        ("03411180AAAAAAAA", "throttle", 128 / 2.55),
        ("04414237DC000000", "battery", 14.3),
    ],
)
def test_obd2_answers_decode_to_what_was_published(answer: str, channel: str, value: float) -> None:
    """83 degC and 1726 rpm: the data sheet of the ELM327; the others by the formulas of SAE J1979 in public use."""
    found = channels(load(CARS, "obd2"), (0x7E8, answer))
    assert found[channel] == [pytest.approx(value)]
    others = set(found) - {channel, "service", "pid", "distance"}
    assert all(math.isnan(x) for other in others for x in found[other])


@needs_captures
def test_a_real_drive_by_obd2_goes_as_fast_as_a_satellite_receiver_beside_it_says(tmp_path: Path) -> None:
    """Whole km/h twice a second, and GNSS once a second: two instruments that know nothing of each other."""
    pytest.importorskip("asammdf")
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "obd2.dbc").write_bytes((CARS / "obd2" / "obd2.dbc").read_bytes())
    (folder / "gps.dbc").write_bytes((CAPTURES / "canmod" / "canmod-gps.dbc").read_bytes())
    own = (CARS / "obd2" / "car.yaml").read_text()
    (folder / "car.yaml").write_text(own.replace("buses:\n", "buses:\n  gps: {dbc: gps.dbc}\n"))
    car = load(tmp_path, "both")
    capture = read_capture(CAPTURES / "canmod" / "drive-2.mf4")
    speeds = {}
    for rows in Deriver(car).fold(plan(car, ["obd", "gps"]).decode(capture.frames)):
        for channel, values in zip(rows.table.channels, rows.values, strict=True):
            if channel.name in ("speed", "gnss_speed_Speed"):
                there = ~np.isnan(values)
                speeds[channel.name] = rows.t[there], values[there]
    (t, by_wheels), (t_sky, by_sky) = speeds["speed"], speeds["gnss_speed_Speed"]
    assert len(t) == 762
    off = np.abs(by_wheels - np.interp(t, t_sky, by_sky))
    assert np.median(off) < 0.3
    assert np.quantile(off, 0.95) < 1.5
    assert by_wheels.max() == pytest.approx(by_sky.max(), rel=0.02)


GPS = load(CARS, "gps-logger")
GPS_DATABASE = cantools.database.load_file(CARS / "gps-logger" / "gps-logger.dbc", strict=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=4))
def test_a_loggers_value_comes_back_to_the_bit(values: list[float]) -> None:
    payloads = [struct.pack("<d", value).hex() for value in values]
    named = {channel.message: channel.name for channel in GPS.channels}
    messages = GPS.buses[0].messages
    found = channels(GPS, *((message.id, payload) for payload in payloads for message in messages))
    for message in messages:
        assert [struct.pack("<d", value).hex() for value in found[named[message.name]]] == payloads
        judged = [GPS_DATABASE.decode_message(message.id, bytes.fromhex(payload)) for payload in payloads]
        assert [list(each.values()) for each in judged] == [[value] for value in values]


def test_a_loggers_bus_is_a_value_a_message_in_the_block_that_its_dbc_says() -> None:
    (bus,) = GPS.buses
    assert {message.length for message in bus.messages} == {8}
    assert {len(message.signals) for message in bus.messages} == {1}
    assert all(0x100 <= message.id < 0x200 and not message.extended for message in bus.messages)
    assert len(GPS.channels) == len(bus.messages)


COLUMNS = {
    "okc-kart.dovex": "unix_time satellites hdop lat lon speed altitude heading position_accuracy rpm "
    "accel_x accel_y accel_z",
    "lignano-racebox.vbo": "time_of_day lat lon speed heading altitude g_long g_lat g_vert gyro_x gyro_y gyro_z "
    "satellites",
    "modena-racechrono.vbo": "satellites time_of_day lat lon speed heading altitude g_long g_lat update_rate_gps "
    "logger_charge fix_type position_accuracy calc_speed calc_g_lat calc_g_long update_rate_calc lean_angle g_combined "
    "accel_x accel_y accel_z update_rate_accel gyro_x gyro_y gyro_z update_rate_gyro",
    "kart.racestudio3.csv": "elapsed_time speed satellites g_lat g_long slope heading yaw_rate altitude "
    "position_accuracy speed_accuracy turn_radius lat lon rpm water_temp exhaust_temp g_combined",
    "tianma-lap9.racechrono-v3.csv": "unix_time fragment lap_number elapsed_time distance altitude vdop heading hdop "
    "update_rate_gps fix_type lat lon satellites speed g_combined update_rate_calc calc_g_lat lean_angle calc_g_long "
    "calc_speed accelerator engine_load rpm obd_speed throttle",
}
"""For each column of a real recording, in its order, the channel that holds it."""


def columns(path: Path) -> list[str]:
    """The names of a recording's columns, where its format has them."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if path.suffix == ".vbo":
        return lines[lines.index("[column names]") + 1].split()
    first = {".dovex": "timestamp,sats", ".csv": ("Time,GPS Speed", "timestamp,fragment_id")}[path.suffix]
    (head,) = [line for line in lines if line.startswith(first)]
    return next(csv.reader([head]))


@needs_captures
@pytest.mark.parametrize("name", COLUMNS)
def test_a_loggers_bus_has_a_channel_for_every_column_of_a_real_recording(name: str) -> None:
    fits = COLUMNS[name].split()
    assert len(columns(CAPTURES / "laps" / name)) == len(fits) == len(set(fits))
    assert set(fits) <= {channel.name for channel in GPS.channels}
