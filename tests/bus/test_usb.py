"""USB adapters, as fakes at the transfer boundary have it: what they deliver is heard, and what they don't is told."""

from __future__ import annotations

import inspect
import random
import struct
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import usb1

from pitwall.bus import address, gs_usb, libusb, usb
from pitwall.bus.address import Settings
from pitwall.bus.candlelight import Channel, GsUsbSource
from pitwall.bus.gs_usb import Request
from pitwall.bus.libusb import Device
from pitwall.bus.source import Cause
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Control, Flag, concat, in_log_order, payloads, take
from tests.adapters import usb as fakes
from tests.adapters.usb import Frame, GsUsbAdapter, Hub, SlcanAdapter
from tests.strategies import log

SETTINGS = Settings(bitrate=500_000)
LIMIT_S = 60
KINDS = [SlcanAdapter, GsUsbAdapter]


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    for adapter in hub.adapters:
        adapter.end()
    assert hub.contexts == 0, "every device that was opened is closed"


def plugged(text, hub, settings=SETTINGS, zero=0):
    return usb.plug(address.parse(text), settings, zero, usb1=lambda: hub.usb1)


def numbered(n, first=0):
    return [Frame(0x100 + i % 7, struct.pack("<Q", first + i)[: 8 - i % 3], extended=i % 5 == 0) for i in range(n)]


def frames_of(rows):
    rows = in_log_order(rows)
    rows = take(rows, np.flatnonzero(rows.flags & Flag.CONTROL == 0))
    extended = (rows.flags & Flag.EXTENDED != 0).tolist()
    return [Frame(*one) for one in zip(rows.id.tolist(), payloads(rows), extended, strict=True)]


def heard(source, n):
    """At least `n` frames of the source, and their rows."""
    parts, frames, until = [], 0, time.monotonic() + LIMIT_S
    while frames < n:
        assert time.monotonic() < until, f"{frames} of {n} frames came"
        parts.append(source.read(0.1))
        frames += len(frames_of(parts[-1]))
    return concat(parts)


def rest_of(source):
    """All that a source gives until it is lost, and the error."""
    got, until = [], time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            got += frames_of(source.read(0.1))
        except PitwallError as error:
            return got, error
    raise AssertionError("it was never told that the device is gone")


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_adapter_delivers_is_heard_whole_and_in_order_and_it_is_told_to_listen_only(hub, kind):
    adapter = kind(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    assert adapter.listens_only
    sent = numbered(3000)
    for at in range(0, len(sent), 100):
        adapter.hear(sent[at : at + 100])
    rows = heard(source, len(sent))
    assert frames_of(rows) == sent == adapter.delivered
    assert np.all(np.diff(rows.t) >= 0)
    assert sum(source.counted().values()) == 0
    source.close()
    assert source.read(0.1) is None
    assert not adapter.claimed


@pytest.mark.parametrize("kind", KINDS)
def test_a_bus_that_may_be_sent_on_is_opened_so(hub, kind):
    adapter = kind(hub)
    adapter.plug_in()
    source = plugged("usb:", hub, Settings(bitrate=500_000, sends=True)).open()
    assert not adapter.listens_only
    source.close()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_unplugged_at_random_every_frame_that_was_delivered_whole_is_heard_once_and_the_loss_is_told(hub, kind, seed):
    chance = random.Random(seed)
    adapter = kind(hub)
    plug = plugged("usb:", hub)
    for turn in range(5):
        with pytest.raises(PitwallError, match="no USB adapter is plugged in"):
            plug.open()
        adapter.plug_in()
        source = plug.open()
        adapter.delivered.clear()
        sent = numbered(chance.randrange(50, 2000), turn * 10_000)
        busy = threading.Thread(
            target=lambda sent=sent: [adapter.hear(sent[i : i + 50]) for i in range(0, len(sent), 50)]
        )
        busy.start()
        got = frames_of(heard(source, chance.randrange(0, 40)))
        if chance.random() < 0.5:
            adapter.fail()  # a plug that is being pulled shows so first
        adapter.unplug()
        busy.join()
        rest, error = rest_of(source)
        assert got + rest == adapter.delivered
        assert str(error).startswith("usb ad50:60c4: is lost" if kind is SlcanAdapter else "usb 1d50:606f: is lost")
        source.close()


def test_a_device_that_is_gone_is_told_at_once_to_whoever_waits_for_it(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("gs_usb:", hub).open()
    told = []
    waiting = threading.Thread(target=lambda: told.append(rest_of(source)))
    waiting.start()
    adapter.unplug()
    waiting.join(LIMIT_S)
    assert str(told[0][1]) == "usb 1d50:606f: is lost: it is unplugged (plug it in again)"
    source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_to_close_a_source_ends_a_read_under_way(hub, kind):
    adapter = kind(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    given = []
    waiting = threading.Thread(target=lambda: given.append(source.read(LIMIT_S)))
    waiting.start()
    source.close()
    waiting.join(LIMIT_S)
    assert given == [None]
    source.close()


def test_a_halted_endpoint_is_set_going_again_and_nothing_is_lost(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    sent = numbered(100)
    adapter.hear(sent[:50])
    adapter.halt()
    adapter.hear(sent[50:])
    assert frames_of(heard(source, 100)) == sent
    source.close()


def test_an_endpoint_that_stays_halted_is_a_lost_device(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    adapter.resume = lambda: None
    adapter.halt()
    assert "is lost: its endpoint stays halted" in str(rest_of(source)[1])
    source.close()


def test_a_kernel_driver_gives_way_and_gets_the_device_back(hub):
    adapter = SlcanAdapter(hub)
    adapter.plug_in()
    adapter.kernel_has |= {0, 1}
    source = plugged("usb:", hub).open()
    assert (adapter.claimed, adapter.kernel_has) == ({0, 1}, set())
    source.close()
    assert (adapter.claimed, adapter.kernel_has) == (set(), {0, 1})


def test_a_serial_device_is_told_its_line_and_that_we_are_ready(hub):
    adapter = SlcanAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:ad50:60c4", hub).open()
    assert adapter.line == [(0x20, 0, struct.pack("<IBBB", 115_200, 0, 0, 8)), (0x22, 3, b"")]
    assert adapter.commands == ["C", "V", "S6", "M1", "O"]
    source.close()
    assert adapter.commands[-1] == "C"
    assert adapter.line[-1] == (0x22, 0, b"")


def test_a_gs_usb_adapter_is_told_its_bit_timing_and_never_reset(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("gs_usb:0?bitrate=1000000&sample_point=.875", hub, Settings()).open()
    host, stop, bits, start = adapter.requests
    assert host == (0, 1, b"\xef\xbe\0\0")
    assert (stop, start) == ((2, 0, bytes(8)), (2, 0, struct.pack("<II", 1, 1 | 16)))
    prop, phase1, phase2, _, brp = struct.unpack("<5I", bits[2])
    assert bits[:2] == (1, 0)
    assert 48_000_000 / (brp * (1 + prop + phase1 + phase2)) == 1_000_000
    source.close()
    assert adapter.mode is None


def test_can_fd_is_started_as_such_and_heard(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("gs_usb:", hub, Settings(500_000, 2_000_000, fd=True)).open()
    assert adapter.mode & 1 << 8
    assert [request for request, _, _ in adapter.requests] == [0, 2, 1, 10, 2]
    data = bytes(range(64))
    adapter.raw(struct.pack("<IIBBBB", 0xFFFFFFFF, 0x123, 15, 0, 2 | 4, 0) + data + bytes(4))
    rows = heard(source, 1)
    assert frames_of(rows) == [Frame(0x123, data)]
    assert rows.flags[-1] == Flag.FD | Flag.BRS
    source.close()


def test_garbage_and_parts_of_frames_are_counted_and_take_no_neighbour_with_them(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    sent = numbered(20)
    adapter.hear(sent[:10])
    adapter.raw(b"\x5a" * 13)
    adapter.raw(adapter.packed(Frame(0x1, b""))[:-1])
    adapter.raw(bytes(24))  # an echo of what nobody sent
    adapter.raw(b"")
    adapter.hear(sent[10:])
    assert frames_of(heard(source, 20)) == sent
    assert source.counted() == {Cause.MALFORMED: 3, Cause.ADAPTER: 0, Cause.QUEUE: 0}
    source.close()


def test_frames_that_the_adapters_queue_had_no_room_for_are_told(hub):
    adapter = GsUsbAdapter(hub, room=64)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    adapter.hold()
    adapter.hear(numbered(200))
    adapter.resume()
    adapter.drained()
    adapter.hear(numbered(1))
    adapter.drained()
    got = frames_of(heard(source, len(adapter.delivered)))
    assert got == adapter.delivered
    assert len(got) < 201
    assert source.counted()[Cause.ADAPTER] == adapter.overruns == 1
    source.close()


def test_transfers_that_find_no_room_of_ours_are_counted(hub, monkeypatch):
    monkeypatch.setattr(libusb, "WAITING", 100)
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    sent = numbered(150)
    adapter.hear(sent)
    adapter.drained()
    until = time.monotonic() + LIMIT_S
    while source.counted()[Cause.QUEUE] < 50:
        assert time.monotonic() < until
        time.sleep(0.01)
    assert frames_of(heard(source, 100)) == sent[:100]
    assert source.counted()[Cause.QUEUE] == 50
    source.close()


def test_a_serial_stream_that_lost_bytes_ends_behind_what_came_before_them(hub, monkeypatch):
    monkeypatch.setattr(libusb, "WAITING", 100)
    adapter = SlcanAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    sent = [Frame(0x123, bytes(8))] * 400
    adapter.hear(sent)
    adapter.drained()
    got, error = rest_of(source)
    assert 0 < len(got) <= 400
    assert got == sent[: len(got)]
    assert len(got) == 400 or "its bytes were not read for too long" in str(error)
    source.close()


def test_the_adapters_clock_gives_the_spacing_also_where_it_begins_again(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    received = iter([10_000_000, 11_900_000, 12_000_000, 13_500_000])
    device = libusb.found(hub.usb1, libusb.Wanted(), lambda _device: True)
    source = GsUsbSource(device, Channel(bitrate=500_000), zero=4_000_000, clock=lambda: next(received))
    for us in (0xFFFF_FC00, 0xFFFF_FFFF, 100, 1350):
        adapter.raw(adapter.packed(Frame(1, b""), stamp_us=us))
    rows = heard(source, 4)
    control = rows.flags & Flag.CONTROL != 0
    assert rows.id[control].tolist() == [Control.CLOCKS]
    assert np.diff(rows.t[~control]).tolist() == [1_023_000, 101_000, 1_250_000]
    assert 5_000_000 < rows.t[0] <= 6_000_000
    source.close()


def test_of_two_adapters_none_is_guessed_and_its_serial_number_tells(hub):
    for serial in ("0001", "0002"):
        GsUsbAdapter(hub, serial).plug_in()
    with pytest.raises(PitwallError, match="several USB adapters are plugged in: usb 1d50:606f, usb 1d50:606f"):
        plugged("usb:", hub).open()
    source = plugged("gs_usb:?serial=0002", hub).open()
    assert [adapter.listens_only for adapter in hub.adapters] == [False, True]
    source.close()


@pytest.mark.parametrize(
    ("text", "settings", "why"),
    [
        ("gs_usb:", Settings(), r"must be told its bitrate \(bitrate: in car.yaml"),
        ("gs_usb:", Settings(500_000, fd=True), "must be told its data_bitrate"),
        ("gs_usb:", Settings(700_000), "48 MHz makes no 700000 bit/s"),
        ("gs_usb:1", SETTINGS, "has 1 channels, counted from 0"),
        ("gs_usb:/dev/ttyACM0", SETTINGS, "'/dev/ttyACM0' is no USB device"),
        ("usb:fd:x", SETTINGS, "'x' is no descriptor"),
        ("usb:?colour=red", SETTINGS, "has no option 'colour'"),
        ("usb:?bitrate=fast", SETTINGS, "bitrate=fast is no whole number"),
        ("gs_usb:?sample_point=87", SETTINGS, "sample_point=87 is no part of a bit"),
    ],
)
def test_what_can_not_be_is_said_before_a_frame_is_waited_for(hub, text, settings, why):
    GsUsbAdapter(hub).plug_in()
    with pytest.raises(UsageError, match=why):
        plugged(text, hub, settings).open()


def test_a_serial_device_that_is_not_known_is_talked_to_only_when_it_is_named(hub):
    modem = SlcanAdapter(hub)
    modem.vendor, modem.product = 0x0483, 0x5740
    modem.plug_in()
    with pytest.raises(PitwallError, match="no USB adapter is plugged in"):
        plugged("usb:", hub).open()
    assert modem.commands == modem.line == []
    source = plugged("usb:0483:5740", hub).open()
    assert modem.listens_only
    source.close()


def test_a_bitrate_that_slcan_has_no_command_for_is_said_and_the_device_let_go(hub):
    adapter = SlcanAdapter(hub)
    adapter.plug_in()
    with pytest.raises(UsageError, match="83333"):
        plugged("usb:", hub, Settings(83_333)).open()
    assert not adapter.claimed


def test_what_is_no_adapter_is_said_and_let_go(hub):
    adapter = SlcanAdapter(hub)
    adapter.settings = GsUsbAdapter.settings
    adapter.plug_in()
    with pytest.raises(PitwallError, match="ad50:60c4 is no CAN adapter that pitwall knows"):
        plugged("usb:", hub).open()


def test_a_device_that_goes_while_its_endpoint_is_halted_is_lost(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    adapter.resume = adapter.unplug
    adapter.halt()
    assert "is lost: it is unplugged" in str(rest_of(source)[1])
    source.close()


def test_an_adapter_that_can_not_be_silent_is_not_opened_unless_its_bus_may_be_sent_on(hub):
    adapter = GsUsbAdapter(hub)
    adapter.features = 1 << 4
    adapter.plug_in()
    with pytest.raises(UsageError, match="can't listen only"):
        plugged("usb:", hub).open()
    plugged("usb:", hub, Settings(500_000, sends=True)).open().close()


def test_a_descriptor_of_a_device_is_enough_and_nothing_is_looked_for(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    fd = adapter.descriptor()
    for text in (f"usb:fd:{fd}", f"gs_usb:fd:{fd}"):
        source = plugged(text, hub).open()
        adapter.hear(numbered(5))
        assert frames_of(heard(source, 5)) == numbered(5)
        source.close()
    adapter.unplug()
    with pytest.raises(PitwallError, match="it is unplugged"):
        plugged(f"usb:fd:{fd}", hub).open()


def test_a_libusb_before_1_0_27_is_told_not_to_look_for_devices_in_its_own_way(hub):
    adapter, told = GsUsbAdapter(hub), []
    adapter.plug_in()
    ours = hub.usb1.USBContext

    def old(**options):
        if options:
            return SimpleNamespace(open=lambda: (_ for _ in ()).throw(ValueError("libusb_init_context")))
        return ours(with_device_discovery=False)

    hub.usb1.USBContext = old
    set_option = lambda context, option: told.append((context, option.value))  # noqa: E731
    hub.usb1.libusb1 = SimpleNamespace(libusb=SimpleNamespace(libusb_set_option=set_option))
    plugged(f"usb:fd:{adapter.descriptor()}", hub).open().close()
    assert told == [(None, 2)]


def test_what_is_missing_is_said_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "usb1", None)
    with pytest.raises(UsageError, match=r"need the package libusb1 \(pip install 'pitwall\[usb\]'\)"):
        libusb.library()

    def missing():
        raise FileNotFoundError(2, "cannot find a suitable libusb-1.0")

    monkeypatch.setitem(sys.modules, "usb1", SimpleNamespace(loadLibrary=missing))
    with pytest.raises(UsageError, match="need the library libusb "):
        libusb.library()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (fakes.Context, usb1.USBContext),
        (fakes.Found, usb1.USBDevice),
        (fakes.Setting, usb1.USBInterfaceSetting),
        (fakes.Endpoint, usb1.USBEndpoint),
        (fakes.Handle, usb1.USBDeviceHandle),
        (fakes.Transfer, usb1.USBTransfer),
    ],
)
def test_what_stands_for_usb1_is_called_as_usb1_is(ours, theirs):
    called = {
        "Context": "open getDeviceIterator wrapSysDevice handleEventsTimeout interruptEventHandler",
        "Found": "getVendorID getProductID getSerialNumber iterSettings open",
        "Setting": "getNumber getClass __iter__",
        "Endpoint": "getAddress getAttributes",
        "Handle": "getDevice claimInterface detachKernelDriver attachKernelDriver releaseInterface controlRead "
        "controlWrite bulkWrite clearHalt getTransfer",
        "Transfer": "setBulk submit cancel getStatus getActualLength getBuffer",
    }[ours.__name__].split()
    for name in called:
        wanted = list(inspect.signature(getattr(ours, name)).parameters)
        assert wanted == list(inspect.signature(getattr(theirs, name)).parameters)[: len(wanted)], name


def test_the_numbers_of_errors_and_statuses_are_libusbs():
    assert {status.name: int(status) for status in libusb.Status} == {
        status.name: getattr(usb1, f"TRANSFER_{status.name}") for status in libusb.Status
    }
    for code in libusb.Code:
        assert code == getattr(usb1, f"ERROR_{code.name}")
    assert usb1.OPTION_NO_DEVICE_DISCOVERY == libusb.NO_DISCOVERY
    assert usb1.USBErrorNoDevice.value == libusb.Code.NO_DEVICE == fakes.USBErrorNoDevice.value


def test_python_cans_name_for_these_adapters_reaches_ours():
    plug = address.plug(address.Address("gs_usb", "0", {}), SETTINGS, 0)
    assert plug.open.__module__ == "pitwall.bus.usb"


def test_a_signal_that_interrupts_libusb_is_no_loss(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    source = plugged("usb:", hub).open()
    context = source._device.context
    real, interrupted = context.handleEventsTimeout, []

    def handle(tv=0):
        if len(interrupted) < 3:
            interrupted.append(True)
            raise fakes.USBErrorInterrupted
        real(tv)

    context.handleEventsTimeout = handle
    sent = numbered(50)
    adapter.hear(sent)
    assert frames_of(heard(source, 50)) == sent
    assert interrupted
    source.close()


def test_a_device_that_keeps_its_transfers_while_it_is_opened_is_left_and_never_freed_under_them(hub, monkeypatch):
    monkeypatch.setattr(libusb, "CLOSE_S", 0.1)
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    cancelled, tell = adapter.cancelled, Device.tell

    def hang(device, kind, request, value, index, data):
        if request == Request.MODE and data != gs_usb.STOP:
            adapter.cancelled = lambda transfer: None
            raise PitwallError("takes no request", where=device.name)
        tell(device, kind, request, value, index, data)

    monkeypatch.setattr(Device, "tell", hang)
    with pytest.raises(PitwallError, match="takes no request"):
        plugged("gs_usb:", hub).open()
    assert adapter.flying
    assert hub.contexts == 1, "what libusb still writes to is there"
    for transfer in list(adapter.flying):  # they come back after all, and the thread can go
        cancelled(transfer)
    hub.contexts = 0


def test_what_is_sent_goes_out_is_echoed_and_not_heard(hub):
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    silent = plugged("usb:", hub).open()
    with pytest.raises(UsageError, match="was opened to listen only"):
        silent.send(log([(0, 0x123, 0, b"\1")]))
    silent.close()
    source = plugged("usb:", hub, Settings(bitrate=500_000, sends=True)).open()
    sent = numbered(20)
    source.send(log([(0, one.id, int(Flag.EXTENDED) * one.extended, one.data) for one in sent]))
    adapter.hear(numbered(1))
    assert frames_of(heard(source, 1)) == numbered(1)
    assert adapter.sent == sent
    assert sum(source.counted().values()) == 0
    source.close()
    with pytest.raises(PitwallError, match="is closed"):
        source.send(log([(0, 0x123, 0, b"\1")]))
