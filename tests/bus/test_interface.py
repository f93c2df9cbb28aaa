"""An adapter as a source: python-can's virtual interface stands for all of them."""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib
import inspect
import itertools
import os
import socket
import sys

import pytest

from pitwall.bus import interface
from pitwall.bus.address import Address, Settings, parse, plug
from pitwall.bus.interface import GATHER_NS, SILENT, open_bus
from pitwall.bus.pythoncan import can
from pitwall.bus.source import Cause
from pitwall.errors import PitwallError, UsageError
from tests.bus.messages import heard_by_python_can, heard_in

names = (f"interface-{os.getpid()}-{n}" for n in itertools.count())


@pytest.fixture
def wire():
    name = next(names)
    with can.Bus(name, "virtual") as bus:
        yield name, bus


MESSAGES = [
    can.Message(arbitration_id=0x123, is_extended_id=False, data=b"\1\2"),
    can.Message(arbitration_id=0x18FF0A1B, data=bytes(range(8))),
    can.Message(arbitration_id=0x321, is_extended_id=False, is_remote_frame=True, dlc=4),
    can.Message(arbitration_id=0x7, is_fd=True, bitrate_switch=True, data=bytes(range(64))),
    can.Message(is_error_frame=True),
]


def test_what_is_on_the_bus_is_heard_in_its_order_with_the_time_of_its_reception(wire):
    name, bus = wire
    ticks = itertools.count(1_000_000, 1000)
    source = plug(Address("virtual", name, {}), Settings(), 500_000).open()
    source._clock = lambda: next(ticks)
    for message in MESSAGES:
        bus.send(message)
    rows = source.read(1)
    source.close()
    theirs = heard_by_python_can([can.Message(**{**_fields(m), "timestamp": 1 + i}) for i, m in enumerate(MESSAGES)])
    assert [(one.id, one.data, one.remote, one.error, one.fd, one.length) for one in heard_in(rows, ["can0"])] == [
        (one.id, one.data, one.remote, one.error, one.fd, one.length) for one in theirs
    ]
    assert rows.t.tolist() == [500_000 + 1000 * i for i in range(len(MESSAGES))]


def _fields(message):
    return {name: getattr(message, name) for name in can.Message.__slots__ if name != "__weakref__"}


def test_silence_is_no_end_and_a_closed_source_has_ended(wire):
    source = plug(Address("virtual", wire[0], {}), Settings(), 0).open()
    assert len(source.read(0)) == 0
    source.close()
    assert source.read(0) is None


def test_a_device_that_is_lost_is_told_behind_what_it_still_gave(wire):
    source = plug(Address("virtual", wire[0], {}), Settings(), 0).open()
    wire[1].send(MESSAGES[0])
    real, calls = source._bus.recv, iter([None])

    def unplugged(timeout):
        if next(calls, "gone") is None:
            return real(timeout)
        raise can.CanOperationError("no such device")

    source._bus.recv = unplugged
    assert len(source.read(1)) == 1
    with pytest.raises(PitwallError, match=f"virtual {wire[0]}.*no such device"):
        source.read(1)
    source.close()


def test_a_driver_that_always_has_one_more_to_give_keeps_nobody_waiting(wire):
    source = plug(Address("virtual", wire[0], {}), Settings(), 0).open()
    ticks = itertools.count(0, GATHER_NS // 10)
    source._clock = lambda: next(ticks)
    source._bus.recv = lambda timeout: MESSAGES[0]
    assert len(source.read(1)) == 11
    source.close()


def test_what_no_bus_can_have_carried_is_counted(wire):
    source = plug(Address("virtual", wire[0], {}), Settings(), 0).open()
    wire[1].send(can.Message(arbitration_id=0x12345678, is_extended_id=False, data=b""))
    wire[1].send(MESSAGES[0])
    rows = source.read(1)
    assert rows.id.tolist() == [0x123]
    assert source.counted() == {Cause.MALFORMED: 1}
    source.close()


@pytest.mark.skipif(sys.platform != "linux", reason="SO_MEMINFO is Linux's")
def test_what_a_socket_had_no_room_for_is_counted(wire):
    source = plug(Address("virtual", wire[0], {}), Settings(), 0).open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard, socket.socket(type=socket.SOCK_DGRAM) as speaks:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        heard.bind(("127.0.0.1", 0))
        real, source._socket = source._socket, heard
        assert (real, source.counted()[Cause.KERNEL]) == (None, 0)
        for _ in range(100):
            speaks.sendto(bytes(500), heard.getsockname())
        kept = 0
        with contextlib.suppress(BlockingIOError):
            while heard.recv(500, socket.MSG_DONTWAIT):
                kept += 1
        assert source.counted()[Cause.KERNEL] == 100 - kept > 0
    source.close()


@pytest.mark.parametrize(
    ("interface", "channel", "options", "said"),
    [
        ("socketcam", "can0", {}, "did you mean socketcan"),
        ("nonsense", None, {}, "known: .*slcan"),
        ("slcan", "/dev/there-is-none", {"bitrate": 500_000}, "slcan /dev/there-is-none"),
        ("virtual", "x", {"protocol": "?", "bitrate": 5, "receive_own_messages": True, "fd": {}}, ""),
    ],
)
def test_what_can_not_be_opened_is_one_clear_line(interface, channel, options, said):
    if not said:
        open_bus(interface, channel, **options).shutdown()
        return
    with pytest.raises(PitwallError, match=said) as caught:
        open_bus(interface, channel, **options)
    assert "\n" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_named():
    with pytest.raises(UsageError, match="driver") as caught:
        open_bus("cantact", "0", bitrate=500_000)
    assert "cantact" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("slcan:/dev/ttyACM0?bitrate=500000", Address("slcan", "/dev/ttyACM0", {"bitrate": "500000"})),
        ("slcan://127.0.0.1:3333", Address("slcan", "127.0.0.1:3333", {})),
        ("slcan:///dev/ttyACM0", Address("slcan", "/dev/ttyACM0", {})),
        ("gs_usb:", Address("gs_usb", "", {})),
        ("socketcan:can0?receive_own_messages=", Address("socketcan", "can0", {"receive_own_messages": ""})),
    ],
)
def test_an_address_is_a_scheme_a_place_and_options(text, address):
    assert parse(text) == address


@pytest.mark.parametrize("text", ["", "can0", ":can0"])
def test_what_has_no_scheme_is_no_address(text):
    with pytest.raises(UsageError, match="is no source"):
        parse(text)


@pytest.mark.parametrize(("name", "options"), list(SILENT.items()))
def test_a_bus_is_only_listened_to_unless_it_may_be_sent_on(name, options, monkeypatch, caplog):
    given = []
    monkeypatch.setattr(interface, "open_bus", lambda *_where, **said: given.append(said))
    plug(Address(name, "x", {}), Settings(bitrate=500_000), 0).open()
    plug(Address(name, "x", {}), Settings(bitrate=500_000, sends=True), 0).open()
    plug(Address(name, "x", dict.fromkeys(options, "said")), Settings(bitrate=500_000), 0).open()
    assert given[0].items() >= options.items()
    assert not options.keys() & given[1].keys()
    assert all(given[2][option] == "said" for option in options)
    assert not caplog.records


@pytest.mark.parametrize("name", ["cantact", "pcan", "seeedstudio", "vector"])
def test_what_makes_an_interface_listen_only_is_what_python_can_takes_for_it(name):
    module, backend = can.interfaces.BACKENDS[name]
    takes = inspect.signature(getattr(importlib.import_module(module), backend)).parameters
    assert SILENT[name].keys() <= takes.keys()


def test_an_adapter_that_can_not_be_told_to_listen_only_is_named(wire, caplog):
    plug(Address("virtual", wire[0], {}), Settings(), 0)
    assert not caplog.records
    plug(Address("canalystii", "0", {}), Settings(), 0)
    assert "canalystii 0: python-can has no way to have it listen only" in caplog.text


@pytest.mark.parametrize(("interface", "driver"), [("slcan", "serial"), ("kvaser", "canlib")])
def test_a_driver_that_is_missing_is_told_once_and_by_us(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, interface: str, driver: str
) -> None:
    if driver == "canlib" and ctypes.util.find_library(driver):
        pytest.skip("Kvaser's driver is installed")
    if driver == "serial":
        monkeypatch.setitem(sys.modules, "serial", None)
        monkeypatch.delitem(sys.modules, "can.interfaces.slcan", raising=False)
    with pytest.raises(UsageError, match="its driver is missing"):
        open_bus(interface, "0", bitrate=500_000)
    assert [record.getMessage() for record in caplog.records] == []
