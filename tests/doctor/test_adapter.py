"""What is said of an adapter: its node, its firmware's answer on a pty, whether it listens, what is heard."""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pitwall.bus import address, slcan_firmware
from pitwall.bus.address import Address, Settings
from pitwall.bus.source import Cause, Plug
from pitwall.doctor import adapter, hearing, node
from pitwall.doctor.check import Verdict
from pitwall.doctor.hearing import Heard
from pitwall.doctor.wired import Wired
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Flag, Frames, empty
from tests.doctor.machines import Made
from tests.doctor.test_findings import FAILED, OK, SKIPPED, WARNING, check


def wired(text: str, bitrate: int | None = 500_000) -> Wired:
    return Wired("can", address.parse(text), Settings(bitrate))


@contextmanager
def firmware(answers: Mapping[bytes, bytes]) -> Iterator[tuple[Path, list[bytes]]]:
    """An adapter on a pty that answers commands so; also what it was asked."""
    master, slave = os.openpty()
    tty.setraw(slave)
    asked: list[bytes] = []

    def serve() -> None:
        rest = b""
        while True:
            try:
                rest += os.read(master, 256)
            except OSError:
                return
            *whole, rest = rest.split(b"\r")
            for command in whole:
                asked.append(command)
                if command == b"STOP":
                    return
                os.write(master, answers.get(command, b""))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Path(os.ttyname(slave)), asked
    finally:
        os.write(slave, b"STOP\r")
        thread.join()
        os.close(slave)
        os.close(master)


def test_firmware_is_asked_for_its_version_with_the_channel_closed() -> None:
    with firmware({b"C": b"\r", b"V": b"V1013\r"}) as (path, asked):
        check(adapter.firmware(wired(f"slcan:{path}")), OK, "V1013")
    assert asked[:2] == [b"C", b"V"], "and no empty line, at which CANable 2 repeats what it sent last"


def test_firmware_that_is_deaf_or_known_to_lose_frames_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slcan_firmware, "ANSWER_S", 0.1)
    with firmware({}) as (path, _):
        check(adapter.firmware(wired(f"slcan:{path}")), WARNING, "answers nothing")
    with firmware({b"V": b"b158aa7 github.com/normaldotcom/canable-fw http://canable.io\r"}) as (path, _):
        check(adapter.firmware(wired(f"slcan:{path}")), WARNING, "CANable 1", "candleLight")


def test_what_is_no_serial_line_is_not_asked(tmp_path: Path) -> None:
    check(adapter.firmware(wired("socketcan:can0")), SKIPPED)
    check(adapter.firmware(wired("slcan:/dev/no-such-node")), SKIPPED, "not there")
    (tmp_path / "file").write_text("")
    with pytest.raises(PitwallError, match="can't be asked"):
        adapter.version(tmp_path / "file")


def test_a_node_is_there_and_ours_or_the_way_to_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(node.node(wired("socketcan:can0"), Made()), SKIPPED)
    check(node.node(wired("slcan:/dev/null"), Made()), OK)
    check(node.node(wired("slcan:/dev/no-such-node"), Made(), tmp_path), FAILED, "dmesg")
    (tmp_path / "ttyACM0").write_text("")
    check(node.node(wired("slcan:/dev/no-such-node"), Made(), tmp_path), FAILED, "ttyACM0")
    monkeypatch.setattr(os, "access", lambda *_: False)
    check(node.node(wired("slcan:/dev/null"), Made()), FAILED, "usermod -aG", "crw-rw-rw-")


def test_the_node_of_a_usb_device_is_found_by_its_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wired, "plug", lambda *_: pytest.fail("it is not opened for that"))
    named = {"idVendor": "1d50", "idProduct": "606f", "busnum": "1", "devnum": "12"}
    machine = Made(files={f"{node.USB}/1-2/{name}": said for name, said in named.items()})
    path = tmp_path / "bus" / "usb" / "001" / "012"
    path.parent.mkdir(parents=True)
    path.touch()
    for place in ("usb:", "usb:1D50:606F", "gs_usb:0"):
        check(node.node(wired(place), machine, tmp_path), OK, "1d50:606f", "001/012")
    check(node.node(wired("usb:1234:5678"), machine, tmp_path), FAILED, "1234:5678", "lsusb")
    check(node.node(wired("usb:"), Made(), tmp_path), SKIPPED)
    monkeypatch.setattr(os, "access", lambda *_: False)
    check(node.node(wired("usb:"), machine, tmp_path), FAILED, "usermod -aG")


def test_what_android_hands_over_is_looked_for_in_its_own_list() -> None:
    handed, listed = wired("usb:handed"), '[\n  "/dev/bus/usb/001/002"\n]'
    check(node.node(handed, Made()), SKIPPED, "hand-over --fd")
    check(node.node(handed, Made(android=True)), FAILED, "does not answer")
    check(node.node(handed, Made(android=True, commands={"termux-usb -l": "[]"})), FAILED, "nothing is plugged in")
    check(node.node(handed, Made(android=True, commands={"termux-usb -l": listed})), OK, "/dev/bus/usb/001/002 |")
    check(hearing.heard(handed, find_bitrate=True), SKIPPED, "only a recorder")
    check(adapter.firmware(handed), SKIPPED)


SHOW = "ip -details link show can0"


@pytest.mark.parametrize(
    ("text", "commands", "verdict", "word"),
    [
        ("socketcan:can0", {SHOW: "can <LISTEN-ONLY> state ERROR-ACTIVE"}, OK, "only listens"),
        ("socketcan:can0", {SHOW: "can state ERROR-ACTIVE"}, WARNING, "listen-only on"),
        ("socketcan:can0", {}, FAILED, "no can0"),
        ("pcan:PCAN_USBBUS1", {}, WARNING, "can't tell"),
    ],
)
def test_whether_it_only_listens(text: str, commands: dict[str, str], verdict: Verdict, word: str) -> None:
    check(adapter.silent(wired(text), Made(commands=commands)), verdict, word)


# --- listening


class Ours:
    """A source of pitwall's own, and how it was opened: a frame a read at the right bitrate, else error frames."""

    name = "ours"
    opened: list[Settings]
    right = 250_000

    def __init__(self, settings: Settings, *, errors: bool = False) -> None:
        self.settings, self.errors = settings, errors
        self.closed = False

    def read(self, timeout_s: float) -> Frames | None:
        threading.Event().wait(min(timeout_s, 0.002))
        if self.settings.bitrate != self.right and not self.errors:
            return empty()
        flags = 0 if self.settings.bitrate == self.right else Flag.ERROR
        one = empty()
        columns = {
            "t": np.zeros(1, np.int64),
            "bus": np.zeros(1, np.uint8),
            "id": np.full(1, 0x100, np.uint32),
            "flags": np.full(1, flags, np.uint8),
            "len": np.zeros(1, np.uint8),
        }
        from dataclasses import replace

        return replace(one, **columns, data=np.zeros((1, *one.data.shape[1:]), one.data.dtype))

    def counted(self) -> Mapping[Cause, int]:
        return {}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> list[Ours]:
    """A scheme `ours:`; all that was opened by it."""
    opened: list[Ours] = []

    class Module:
        @staticmethod
        def plug(where: Address, settings: Settings, zero: int) -> Plug:
            def open() -> Any:
                opened.append(Ours(settings, errors=where.place == "errors"))
                return opened[-1]

            return Plug("ours", open)

    import importlib

    imported = importlib.import_module
    monkeypatch.setattr(address, "SCHEMES", {"ours": "ours"})
    monkeypatch.setattr(importlib, "import_module", lambda name: Module if name == "ours" else imported(name))
    monkeypatch.setattr(hearing, "LISTEN_S", 0.1)
    monkeypatch.setattr(hearing, "TRY_S", 0.1)
    return opened


def test_frames_at_the_cars_bitrate_are_counted(ours: list[Ours]) -> None:
    check(hearing.heard(wired("ours:it", 250_000), find_bitrate=False), OK, "of 1 ids at 250 kbit/s")
    assert [one.closed for one in ours] == [True]
    assert not ours[0].settings.sends


def test_silence_is_a_warning_and_no_other_bitrate_is_tried_unasked(ours: list[Ours]) -> None:
    check(hearing.heard(wired("ours:it", 500_000), find_bitrate=False), WARNING, "no frame", "--find-bitrate")
    assert len(ours) == 1
    check(hearing.heard(wired("ours:errors", 500_000), find_bitrate=False), WARNING, "error frames")


def test_the_right_bitrate_is_found_where_that_is_asked_for(ours: list[Ours]) -> None:
    found = hearing.heard(wired("ours:errors", 500_000), find_bitrate=True)
    check(found, FAILED, "at 250 kbit/s", "bitrate: 250000 of the bus can")
    assert not any(one.settings.sends for one in ours)
    assert all(one.closed for one in ours)


def test_what_the_address_says_is_nearer_than_what_the_car_does(ours: list[Ours]) -> None:
    check(hearing.heard(wired("ours:it?bitrate=250000", 500_000), find_bitrate=False), OK, "at 250 kbit/s")
    check(hearing.heard(wired("ours:it?bitrate=500000", 250_000), find_bitrate=True), FAILED, "--bitrate 250000")


def test_a_dead_bus_is_dead_at_every_bitrate(ours: list[Ours], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ours, "right", 1)
    monkeypatch.setattr(hearing, "TRY_S", 0.01)
    check(hearing.heard(wired("ours:it"), find_bitrate=True), WARNING, "nor at any other")
    assert len(ours) == len(hearing.BITRATES)


def test_a_bitrate_that_the_adapter_does_not_know_is_passed_over(ours: list[Ours]) -> None:
    def listen(wired: Wired, within_s: float, bitrate: int | None = None) -> Heard:
        if bitrate == 1_000_000:
            raise UsageError("1000000 is none that it knows")
        return Heard(100 if bitrate == 250_000 else 0, 1, 0, {})

    check(hearing.heard(wired("ours:it", 500_000), find_bitrate=True, listen=listen), FAILED, "at 250 kbit/s")


def test_an_adapter_that_might_disturb_the_bus_is_never_tried_at_another_bitrate() -> None:
    asked: list[int | None] = []

    def silence(wired: Wired, within_s: float, bitrate: int | None = None) -> Heard:
        asked.append(bitrate)
        return Heard(0, 0, 0, {})

    found = hearing.heard(wired("virtual:one"), find_bitrate=True, listen=silence)
    check(found, FAILED, "can't be made to only listen")
    assert asked == [None]


def test_a_receiver_that_says_nothing_has_no_bitrate_to_be_found() -> None:
    asked: list[int | None] = []

    def silence(wired: Wired, within_s: float, bitrate: int | None = None) -> Heard:
        asked.append(bitrate)
        return Heard(0, 0, 0, {})

    found = hearing.heard(wired("nmea:127.0.0.1:2000", None), find_bitrate=True, listen=silence)
    check(found, WARNING, "sky")
    assert asked == [None]


def test_errors_among_frames_point_at_the_wiring() -> None:
    def noisy(*_: object) -> Heard:
        return Heard(1000, 5, 3, {Cause.MALFORMED: 2})

    check(
        hearing.heard(wired("virtual:one"), find_bitrate=False, listen=noisy), WARNING, "3 error frames, 2", "120 ohm"
    )


def test_a_real_source_is_heard() -> None:
    import can

    with can.Bus("doctor", "virtual") as sender:
        sends = can.Message(arbitration_id=0x123, data=b"12345678", is_extended_id=False)
        task = sender.send_periodic(sends, 0.01)
        heard = hearing.listen(wired("virtual:doctor", None), 0.3)
        task.stop()
    assert heard.frames >= 5
    assert (heard.ids, heard.errors) == (1, 0)
