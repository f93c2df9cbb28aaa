"""What `pitwall record` and `run` are told of an adapter, and the log that comes of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from pitwall.bus.address import of_descriptor
from pitwall.bus.slcan import encode
from pitwall.frames import Flag, concat, take
from pitwall.log.reader import read
from pitwall.log.session import find
from tests.adapters.slcan import Adapter, line


@pytest.fixture
def cars(tmp_path):
    for name, buses in {"one": "{can: {bitrate: 500000}}", "two": "{front: {bitrate: 500000}, rear: {}}"}.items():
        folder = tmp_path / "cars" / name
        folder.mkdir(parents=True)
        (folder / "car.yaml").write_text(f"car: {{name: {name}}}\nbuses: {buses}\n")
    return tmp_path / "cars"


def heard(logs, bus):
    """The lines of a bus, as they are in the newest session."""
    rows = concat(list(read(find(logs, "latest").path)))
    rows = take(rows, np.flatnonzero((rows.flags & np.uint8(Flag.CONTROL) == 0) & (rows.bus == bus)))
    return [one + b"\r" for one in encode(rows).split(b"\r")[:-1]]


def recorded(recorder, adapters):
    """Has each adapter send 500 frames of its own, and the recorder stop once it has them."""
    for n, adapter in enumerate(adapters):
        adapter.wait_open()
        adapter.frames(line(1000 * n + i) for i in range(500))
    for adapter in adapters:
        device = adapter._device
        while device.unread():
            assert recorder.poll() is None
    recorder.send_signal(signal.SIGTERM)
    _, said = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, said


@pytest.mark.parametrize(
    "wanted",
    [["--interface", "slcan", "--channel", "{place}"], ["--source", "slcan:{place}"], ["--can-fd", "{fd}"]],
    ids=lambda words: words[0],
)
def test_an_adapter_is_recorded_however_it_is_said(process, cars, tmp_path, wanted):
    with Adapter(link=tmp_path / "tty") as adapter:
        fd = os.open(adapter.place, os.O_RDWR | os.O_NOCTTY)
        words = [word.format(place=adapter.place, fd=fd) for word in wanted]
        recorder = process("record", "--car", "one", "--cars", cars, *words, pass_fds=[fd])
        recorded(recorder, [adapter])
        os.close(fd)
        assert heard(tmp_path / "logs", 0) == adapter.sent
        assert adapter.silent
        assert "S6" in adapter.commands


def test_two_adapters_are_two_buses(process, cars, tmp_path):
    with Adapter(link=tmp_path / "a") as front, Adapter("lawicel", link=tmp_path / "b") as rear:
        fd = os.open(rear.place, os.O_RDWR | os.O_NOCTTY)
        words = ["--source", f"front={front.address}", "--can-fd", f"rear={fd}", "--bitrate", "rear=1000000"]
        recorded(process("record", "--car", "two", "--cars", cars, *words, pass_fds=[fd]), [front, rear])
        os.close(fd)
        assert heard(tmp_path / "logs", 0) == front.sent
        assert heard(tmp_path / "logs", 1) == rear.sent
        assert "S8" in rear.commands


def test_run_hands_a_descriptor_on_to_its_recorder(process, cars, tmp_path):
    with Adapter(link=tmp_path / "tty") as adapter:
        fd = os.open(adapter.place, os.O_RDWR | os.O_NOCTTY)
        words = ["--car", "one", "--cars", cars, "--can-fd", fd, "--port", 0]
        running = process("run", *words, pass_fds=[fd])
        os.close(fd)
        recorded(running, [adapter])
        assert heard(tmp_path / "logs", 0) == adapter.sent


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["record", "--can-fd", "usb"], "--can-fd usb is no whole number (a descriptor's number, as 3)"),
        (["record", "--can-fd", "987"], "fd 987: is no open descriptor"),
        (["run", "--can-fd", "987"], "fd 987: is no open descriptor"),
        (["run", "--source", "slcan:fd:987?bitrate=500000"], "fd 987: is no open descriptor"),
        (
            ["record", "--can-fd", "0", "--source", "slcan:/dev/x"],
            "--source and --can-fd both say where 'can' is heard",
        ),
        (["record", "--source", "slcan:x"], "slcan x: nobody says where the adapter is"),
    ],
)
def test_what_can_not_be_opened_is_one_clear_line(pitwall, cars, words, said):
    answer = pitwall(*words, "--car", "one", "--cars", cars)
    assert answer.code == 2
    assert said in answer.line()


def test_a_descriptor_is_a_usb_device_or_a_stream(tmp_path, monkeypatch):
    assert of_descriptor(0) == "slcan:fd:0"
    monkeypatch.setattr(Path, "readlink", lambda self: Path("/dev/bus/usb/001/004"))
    assert of_descriptor(7) == "usb:fd:7"
