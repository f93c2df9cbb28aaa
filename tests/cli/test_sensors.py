"""What is beside a car's buses, and what is asked of them, from the command line to the channels."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from pitwall.bus.pythoncan import can
from tests.adapters.slcan import Adapter
from tests.bus.sensor_app import FIX, App, event
from tests.bus.test_receiver import fix
from tests.bus.units import Unit
from tests.cli.conftest import Pitwall

CARS = Path(__file__).parents[2] / "cars"
names = (f"sensors-{os.getpid()}-{n}" for n in itertools.count())


@contextmanager
def stopped_once(true: Callable[[], bool]) -> Iterator[None]:
    """Ctrl-C for this process, once that is true; a minute from now at the latest."""
    done = threading.Event()

    def watch() -> None:
        until = time.monotonic() + 60
        while not done.is_set() and not true() and time.monotonic() < until:
            time.sleep(0.02)
        if not done.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def receiver() -> Iterator[tuple[int, list[int]]]:
    """A GPS receiver in the network, ten fixes a second; its port, and how many it has told."""
    told: list[int] = []
    over = threading.Event()

    def tell(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            for n in itertools.count():
                if over.wait(0.1):
                    return
                connection.sendall(b"".join(fix(n % 60)))
                told.append(n)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=tell, args=(server,))
        thread.start()
        try:
            yield server.getsockname()[1], told
        finally:
            over.set()
            thread.join()


def channels(pitwall: Pitwall, cars: Path) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in pitwall("channels", "latest", "--cars", cars, "--json").json}


def test_a_receiver_beside_a_car_without_gps_gives_it_a_position(pitwall: Pitwall) -> None:
    bus = next(names)
    with receiver() as (port, told), stopped_once(lambda: len(told) >= 20), can.Bus(bus, "virtual"):
        sources = ("--source", f"obd=virtual:{bus}", "--source", f"gps=nmea:127.0.0.1:{port}")
        answer = pitwall("record", "--car", "obd2", "--cars", CARS, *sources)
    assert answer.code == 0, answer.err
    found = channels(pitwall, CARS)
    assert {"lat", "lon", "altitude", "satellites"} <= set(found)
    query = ("query", "latest", "--cars", CARS, "--json")
    rows = pitwall(*query, "SELECT round(value, 6) AS lat FROM signals WHERE channel = 'lat'").json
    assert len(rows) >= 10
    assert {row["lat"] for row in rows} == {round(50 + 20.082 / 60, 6)}


def test_a_receiver_is_heard_beside_a_simulated_car_and_what_is_not_is_named(
    pitwall: Pitwall, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver() as (port, told), stopped_once(lambda: len(told) >= 20):
        sources = ("--source", "dash=slcan:/dev/nothing", "--source", f"gps=nmea:127.0.0.1:{port}")
        answer = pitwall("record", "--simulate", "--cars", CARS, *sources)
    assert answer.code == 0, answer.err
    assert "dash=slcan:/dev/nothing is not heard: the simulator" in caplog.text
    query = ("query", "latest", "--cars", CARS, "--json")
    heard = pitwall(*query, "SELECT DISTINCT channel FROM signals").json
    assert {"satellites", "rpm"} <= {row["channel"] for row in heard}


def test_a_phone_is_a_source_of_the_gps_bus(pitwall: Pitwall) -> None:
    said = threading.Event()

    def tell(connection: ServerConnection) -> None:
        for n in range(100):
            connection.send(event(10**15 + n * 10**7, 0.5, float(n), 9.81))
            time.sleep(0.01)
        time.sleep(1)  # the recorder has it all by then
        said.set()
        connection.recv()

    app = App({"gps": [json.dumps(FIX)], "accelerometer": tell})
    try:
        with stopped_once(said.is_set):
            answer = pitwall(
                "record", "--car", "gps-logger", "--cars", CARS, "--source", f"sensorserver:127.0.0.1:{app.port}"
            )
    finally:
        app.quit()
    assert answer.code == 0, answer.err
    query = ("query", "latest", "--cars", CARS, "--json")
    counted = "SELECT count(*) AS n, max(value) AS most FROM signals WHERE channel = 'phone_accel_y'"
    (row,) = pitwall(*query, counted).json
    assert row["n"] >= 50
    assert row["most"] == row["n"] - 1
    assert channels(pitwall, CARS)["lat"]["unit"] == "deg"


def test_a_car_that_is_polled_says_so_and_its_values_are_channels(
    pitwall: Pitwall, caplog: pytest.LogCaptureFixture
) -> None:
    bus = next(names)
    unit = Unit(bus, answers={0x0C: bytes([0x1A, 0xF8]), 0x0D: bytes([50]), 0x05: bytes([130])})
    try:
        with stopped_once(lambda: len(unit.asked) >= 30):
            answer = pitwall("record", "--car", "obd2", "--cars", CARS, "--source", f"virtual:{bus}?poll=obd2")
    finally:
        unit.close()
    assert answer.code == 0, answer.err
    assert "THIS SENDS on the bus" in caplog.text
    query = ("query", "latest", "--cars", CARS, "--json")
    rows = pitwall(*query, "SELECT channel, min(value) AS a, max(value) AS b FROM signals GROUP BY ALL").json
    found = {row["channel"]: (row["a"], row["b"]) for row in rows}
    assert found["rpm"] == (1726, 1726)
    assert found["water_temp"] == (90, 90)


@pytest.mark.parametrize(
    ("sources", "says"),
    [
        (["obd=virtual:x", "tyres=nmea:udp:10110"], "--source tyres=nmea:udp:10110 doesn't say for which bus"),
        (["gps=nmea:udp:10110", "gps=nmea:udp:10111"], "says 2 times where the bus 'gps' is heard"),
        (["gps=nmea:nowhere"], "'nowhere' is no host:port"),
        (["virtual:x?poll=everything"], "poll=everything is unknown"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(pitwall: Pitwall, sources: list[str], says: str) -> None:
    answer = pitwall("record", "--car", "obd2", "--cars", CARS, *(w for s in sources for w in ("--source", s)))
    assert answer.code == 2
    assert says in answer.line()


def test_to_play_says_that_it_sends_before_it_does(pitwall: Pitwall, driven: Path) -> None:
    with can.Bus(next(names), "virtual") as heard:
        answer = pitwall("play", "drive", "--interface", "virtual", "--channel", heard.channel_id, "--speed", "1000")
        assert answer.code == 0
        first, *_, last = answer.err.splitlines()
        assert first == f"pitwall: THIS SENDS on virtual {heard.channel_id}: the frames of dash in drive"
        assert "played" in last
        assert heard.recv(0) is not None
    assert pitwall("play", "drive").code == 2
    assert pitwall("play", "drive", "--interface", "virtual").code == 2


def test_a_session_is_played_by_an_slcan_adapter_without_another_package(
    pitwall: Pitwall, driven: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with Adapter("lawicel", link=tmp_path / "tty") as adapter:
        to = ("--interface", "slcan", "--channel", tmp_path / "tty", "--bitrate", 500_000, "--speed", "1000")
        answer = pitwall("play", "drive", *to, "--json")
        assert answer.code == 0, answer.err
        until = time.monotonic() + 60
        while adapter.commands[-1] != "C":
            assert time.monotonic() < until
            time.sleep(0.01)
        assert adapter.commands[:5] == ["C", "V", "S6", "Z0", "O"]
        assert len([said for said in adapter.commands if said[0] in "tT"]) == answer.json["frames"] > 100
