"""A phone's sensors, as an app tells of them over real WebSockets: the app that hangs, closes, lies and comes back."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.bus import phone, sensorserver
from pitwall.bus.address import Settings, parse, plug
from pitwall.bus.gps import IDS
from pitwall.bus.source import Cause
from pitwall.car import heard, load
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Control, Flag, concat, empty
from tests.bus.sensor_app import FIX, App, event

CARS = Path(__file__).parents[2] / "cars"
BOOT = 3_925_657_519_000_000


@pytest.fixture
def app():
    started = []

    def start(says, **options):
        started.append(App(says, **options))
        return started[-1]

    yield start
    for one in started:
        one.quit()


def opened(port, options="", zero=0):
    return plug(parse(f"sensorserver:127.0.0.1:{port}{options}"), Settings(), zero).open()


def read(source, enough, limit_s=20):
    rows = empty()
    until = time.monotonic() + limit_s
    while len(values_of(rows)) < enough:
        assert time.monotonic() < until, "it is never enough"
        rows = concat([rows, source.read(0.1)])
    return rows


def until_lost(source, reads=200):
    for _ in range(reads):
        source.read(0.1)


def values_of(rows):
    """(name, value) of each frame, in log order."""
    names = {id: name for name, id in IDS.items()}
    frames = np.flatnonzero(rows.flags & np.uint8(Flag.CONTROL) == 0)
    return [(names[int(rows.id[i])], float(rows.data[i].copy().view("<f8")[0])) for i in frames]


def test_what_the_sensors_say_is_in_the_log_to_the_bit_and_means_channels(app):
    server = app(
        {
            "gps": [json.dumps(FIX)],
            "accelerometer": [event(BOOT, 0.31892395, -0.97802734, 10.049896)],
            "gyroscope": [event(BOOT + 1, 0.1, -0.2, 0.3)],
            "pressure": [event(BOOT + 2, 1013.25)],
        }
    )
    source = opened(server.port)
    rows = read(source, 17)
    source.close()
    assert sorted(server.asked) == ["accelerometer", "gps", "gyroscope", "pressure"]
    found = dict(values_of(rows))
    assert found == {
        "unix_time": 1_700_000_000.123,
        "lat": 50.3347,
        "lon": 6.9442,
        "ellipsoid_altitude": 620.25,
        "altitude_accuracy": 2.5,
        "position_accuracy": 3.75,
        "speed": 41.25,
        "speed_accuracy": 0.5,
        "heading": 271.5,
        "heading_accuracy": 1.5,
        "phone_accel_x": 0.31892395,
        "phone_accel_y": -0.97802734,
        "phone_accel_z": 10.049896,
        "phone_gyro_x": 0.1,
        "phone_gyro_y": -0.2,
        "phone_gyro_z": 0.3,
        "phone_pressure": 1013.25,
    }
    car = heard(load(CARS, "bmw-e46-m3"), ["gps"])
    channels = {}
    for table in Deriver(car).fold(plan(car, ["gps"]).decode(rows)):
        channels |= {c.name: v[-1] for c, v in zip(table.table.channels, table.values, strict=True) if len(v)}
    assert channels["phone_pressure"] == 1013.25
    assert {name for name, value in channels.items() if value == 50.3347} <= {"gps_lat", "lat"} != set()


def test_times_are_the_sensors_own_spacing_and_never_after_they_came(app):
    stamps = BOOT + np.arange(400) * 2_500_000 + np.arange(400) % 7 * 1000

    def jittery(connection):
        began = time.monotonic_ns()
        for i, stamp in enumerate(stamps.tolist()):
            if i % 40 == 0:  # forty at a time, as a network does
                time.sleep(max(0, (stamp - BOOT + 100_000_000 - (time.monotonic_ns() - began)) / 1e9))
            connection.send(event(stamp, float(i), 0.0, 0.0))
        connection.recv()

    server = app({"accelerometer": jittery})
    zero = time.monotonic_ns()
    source = opened(server.port, "?sensors=accelerometer", zero)
    rows = read(source, 1200)
    now = time.monotonic_ns() - zero
    source.close()
    x = rows.id == IDS["phone_accel_x"]
    t = rows.t[x & (rows.flags == 0)]
    assert np.all(np.diff(rows.t) >= 0)
    assert rows.t[-1] <= now
    anchors = np.flatnonzero(rows.id == Control.CLOCKS)
    assert len(anchors) >= 1
    last = np.count_nonzero(x[: anchors[-1]])  # behind the last anchor the spacing is the sensor's own, to the ns
    behind = slice(min(last, 200), None)
    late = np.diff(t[behind]) - np.diff(stamps[behind])
    assert np.median(late) == 0
    assert [value for name, value in values_of(rows) if name == "phone_accel_x"] == [float(i) for i in range(400)]


def test_what_a_phone_has_not_is_done_without_unless_it_was_named(app, caplog):
    server = app({"gps": [json.dumps(FIX)], "accelerometer": [event(BOOT, 1.0, 2.0, 3.0)]})
    source = opened(server.port)
    read(source, 13)
    while len(source._streams) > 2:
        source.read(0.1)
    source.close()
    assert "goes on without pressure" in caplog.text
    source = opened(server.port, "?sensors=gps,pressure")
    with pytest.raises(PitwallError, match=r"pressure: is lost: Sensor of type android.sensor.pressure not found"):
        until_lost(source)
    source.close()
    empty_handed = app({})
    source = opened(empty_handed.port)
    with pytest.raises(PitwallError, match="not found"):
        until_lost(source)
    source.close()


LIES = [
    "",
    "not json",
    "[1, 2, 3]",
    "null",
    "[" * 50_000,
    '{"values": [1, 2], "timestamp": 5}',
    '{"values": [1, 2, "3"], "timestamp": 5}',
    '{"values": [1, 2, NaN], "timestamp": 5}',
    '{"values": [1, 2, 1e999], "timestamp": 5}',
    '{"values": [1, 2, true], "timestamp": 5}',
    '{"values": "123", "timestamp": 5}',
    '{"values": [1, 2, 3], "timestamp": "5"}',
    '{"values": [1, 2, 3], "timestamp": 9999999999999999999999}',
    '{"values": [1, 2, 3], "timestamp": -5}',
    '{"timestamp": 5}',
]


def test_a_lie_is_counted_and_gives_nothing(app):
    lies = [json.dumps({**FIX, "latitude": 91}), json.dumps({**FIX, "longitude": None}), "{}"]
    server = app(
        {
            "gps": [*lies, json.dumps(FIX)],
            "accelerometer": [*LIES, event(BOOT, 1.0, 2.0, 3.0)],
            "gyroscope": [],
            "pressure": [],
        }
    )
    source = opened(server.port)
    rows = read(source, 13)
    assert len(values_of(rows)) == 13
    assert source.counted()[Cause.MALFORMED] == len(LIES) + len(lies)
    source.close()


@given(st.text(), st.sampled_from(sorted(sensorserver.KINDS)))
def test_no_message_is_more_than_wrong(text, kind):
    try:
        said = sensorserver.sample(sensorserver.KINDS[kind], text)
    except ValueError:
        return
    assert said is None or all(np.isfinite(value) for value in said.values.values())


def test_what_android_has_no_value_for_is_absent_and_an_old_fix_is_none():
    nothing = {**FIX, "speed": 0.0, "speedAccuracyMetersPerSecond": 0.0, "altitude": 0.0, "verticalAccuracyMeters": 0.0}
    said = sensorserver.sample(sensorserver.KINDS["gps"], json.dumps({**nothing, "accuracy": 0.0}))
    assert set(said.values) == {"unix_time", "lat", "lon", "heading", "heading_accuracy"}
    stands = {**FIX, "speed": 0.0}
    assert sensorserver.sample(sensorserver.KINDS["gps"], json.dumps(stands)).values["speed"] == 0.0
    old_android = {key: FIX[key] for key in ("latitude", "longitude", "speed", "altitude", "time")}
    said = sensorserver.sample(sensorserver.KINDS["gps"], json.dumps(old_android))
    assert (said.stamp_ns, said.values["speed"]) == (sensorserver.NO_STAMP, 41.25)
    assert sensorserver.sample(sensorserver.KINDS["gps"], json.dumps({**FIX, "lastKnowLocation": True})) is None


def test_an_app_that_closes_is_lost_behind_what_it_said_and_found_again(app):
    first = app({"accelerometer": [event(BOOT, 1.0, 2.0, 3.0)]})
    the_plug = plug(parse(f"sensorserver:127.0.0.1:{first.port}?sensors=accelerometer"), Settings(), 0)
    source = the_plug.open()
    read(source, 3)
    first.quit()
    with pytest.raises(PitwallError, match="is lost"):
        until_lost(source)
    source.close()
    assert source.read(0) is None
    with pytest.raises(PitwallError, match="can't be reached"):
        the_plug.open()
    app({"accelerometer": [event(5, 4.0, 5.0, 6.0)]}, port=first.port)
    source = the_plug.open()
    assert [value for _, value in values_of(read(source, 3))] == [4.0, 5.0, 6.0]
    source.close()


def test_an_app_that_hangs_is_lost_and_one_that_has_nothing_to_say_is_not(app, monkeypatch):
    monkeypatch.setattr(phone, "PING_S", 0.1)
    monkeypatch.setattr(phone, "SILENT_S", 1.5)
    server = app({"gps": []})
    source = opened(server.port, "?sensors=gps")
    until = time.monotonic() + 2.2
    while time.monotonic() < until:
        assert len(source.read(0.1)) == 0
    source.close()
    with frozen() as port:
        source = opened(port, "?sensors=gps")
        with pytest.raises(PitwallError, match=r"gps has said nothing for 1.5 s"):
            until_lost(source)
        source.close()


def test_a_sensor_that_talks_hides_none_that_hangs_and_costs_none_that_has_nothing_to_say(app, monkeypatch):
    monkeypatch.setattr(phone, "PING_S", 0.1)
    monkeypatch.setattr(phone, "SILENT_S", 1.5)
    stop = threading.Event()

    def talk(connection):
        n, pause = 0, time.monotonic() + 2.0
        while not stop.is_set():
            n += 1
            connection.send(event(BOOT + n * 1_000_000, 0.0, 0.0, 9.8))
            time.sleep(0.001)
            if time.monotonic() > pause:  # once, for longer than a read waits
                pause += 1e6
                time.sleep(0.3)

    server = app({"accelerometer": talk, "gps": []})
    source = opened(server.port, "?sensors=accelerometer,gps")
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        source.read(0.1)  # gps says nothing all the while, and is there
    source.close()
    with frozen() as port:
        source = opened(server.port, "?sensors=accelerometer,gps")
        source._streams[1].socket.close()
        source._streams[1].socket = phone.WebSocket("127.0.0.1", port, "/gps", "gps")
        with pytest.raises(PitwallError, match=r"gps has said nothing for 1.5 s"):
            until_lost(source, reads=20_000)
        source.close()
    stop.set()


class frozen:  # noqa: N801  a context
    """A server that welcomes, then says `bytes` and no more; not even to a ping."""

    def __init__(self, said=b"", welcome=True):
        self._said, self._welcome = said, welcome
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._connections = []

    def __enter__(self):
        self._thread.start()
        return self._socket.getsockname()[1]

    def __exit__(self, *raised):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for one in self._connections:
            one.close()
        self._thread.join(10)

    def _serve(self):
        from websockets.server import ServerProtocol

        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            protocol = ServerProtocol()
            protocol.receive_data(connection.recv(65_536))
            if self._welcome:
                protocol.send_response(protocol.accept(protocol.events_received()[0]))
                connection.sendall(b"".join(protocol.data_to_send()))
            connection.sendall(self._said)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "is no WebSocket server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is no WebSocket server"),
        (b"\0" * 100_000, "is no WebSocket server"),
    ],
)
def test_who_is_no_websocket_server_is_told_so(said, why):
    with frozen(said, welcome=False) as port, pytest.raises(PitwallError, match=why):
        opened(port, "?sensors=gps")


@pytest.mark.parametrize("said", [b"\xff\xff\xff\xff garbage", b"\x81\xfe" + b"\0" * 300, b"\x82\x7f" + b"\xff" * 20])
def test_garbage_behind_the_welcome_is_a_loss(said):
    with frozen(said) as port:
        source = opened(port, "?sensors=gps")
        with pytest.raises(PitwallError, match="is lost"):
            until_lost(source)
        source.close()


def test_without_the_package_websockets_it_is_said_what_to_install(app, monkeypatch):
    server = app({"gps": []})
    monkeypatch.setitem(sys.modules, "websockets.client", None)
    with pytest.raises(UsageError, match="the package websockets is missing"):
        opened(server.port)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("sensorserver:", "is no host:port"),
        ("sensorserver:phone", "is no host:port"),
        ("sensorserver:phone:99999", "is no host:port"),
        ("sensorserver:phone:8080?sensors=smell", "no sensor is called 'smell'"),
        ("sensorserver:phone:8080?rate=5", "no option 'rate'"),
    ],
)
def test_what_makes_no_sense_is_said(address, says):
    with pytest.raises(UsageError, match=says):
        plug(parse(address), Settings(), 0)
