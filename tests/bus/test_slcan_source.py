"""A fake adapter on a real pty and a real TCP connection, and the source that hears it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import socket
import struct
import termios
import threading
import time
from random import Random

import numpy as np
import pytest

from pitwall.bus import bytestream, slcan_firmware, slcan_source
from pitwall.bus.address import Settings, parse, plug
from pitwall.bus.bytestream import inherited, serial
from pitwall.bus.slcan import Decoder, encode
from pitwall.bus.source import Cause
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Control, Flag, concat, frames
from tests.adapters.slcan import Adapter, line
from tests.bus.slcan_lines import slowly

WAIT_S = 60.0
RATE = Settings(bitrate=500_000)


@pytest.fixture(params=["pty", "tcp"])
def link(request, tmp_path):
    return tmp_path / "ttyACM0" if request.param == "pty" else None


@pytest.fixture
def pty_link(tmp_path):
    return tmp_path / "ttyACM0"


def opened(adapter, options="", settings=RATE, zero=0):
    return plug(parse(adapter.address + options), settings, zero).open()


def read_lines(source, n):
    """What is read until there are `n` frames: as lines again."""
    parts, until = [], time.monotonic() + WAIT_S
    while sum(np.count_nonzero(rows.flags & np.uint8(Flag.CONTROL) == 0) for rows in parts) < n:
        assert time.monotonic() < until, "frames are missing"
        parts.append(source.read(0.1))
    return concat(parts)


def lines_of(rows):
    return [one + b"\r" for one in encode(rows).split(b"\r")[:-1]]


@pytest.mark.parametrize("firmware", ["canable", "mute", "lawicel", "lawicel-us"])
def test_every_frame_that_was_wholly_sent_is_heard_once_and_in_order(link, firmware):
    with Adapter(firmware, link=link) as adapter:
        before = time.monotonic_ns()
        source = opened(adapter, zero=before)
        thread = threading.Thread(target=adapter.frames, args=(map(line, range(3000)),))
        adapter.wait_open()
        thread.start()
        rows = read_lines(source, 3000)
        thread.join()
        assert lines_of(rows) == adapter.sent
        assert np.all(np.diff(rows.t) >= 0)
        assert 0 < rows.t[0] <= rows.t[-1] <= time.monotonic_ns() - before
        assert source.counted() == {Cause.MALFORMED: 0, Cause.ADAPTER: 0, Cause.KERNEL: 0}
        source.close()
        assert source.read(0) is None


@pytest.mark.parametrize(
    ("firmware", "sends", "said", "silent"),
    [
        ("canable", False, ["C", "V", "S6", "M1", "O"], True),
        ("canable", True, ["C", "V", "S6", "M0", "O"], False),
        ("mute", False, ["C", "V", "S6", "M1", "O"], True),
        ("lawicel", False, ["C", "V", "S6", "Z0", "L"], True),
        ("lawicel", True, ["C", "V", "S6", "Z0", "O"], False),
    ],
)
def test_a_channel_is_opened_by_the_command_that_its_firmware_knows(pty_link, firmware, sends, said, silent):
    with Adapter(firmware, link=pty_link) as adapter:
        source = opened(adapter, settings=Settings(bitrate=500_000, sends=sends))
        adapter.wait_open()
        assert adapter.commands == said
        assert adapter.silent is silent
        source.close()
        assert _soon(lambda: not adapter.is_open.is_set()), "a channel that is let go of is closed"


def _soon(true):
    until = time.monotonic() + WAIT_S
    while not true() and time.monotonic() < until:
        time.sleep(0.005)
    return true()


def test_a_firmware_that_is_named_is_not_asked(pty_link):
    with Adapter("lawicel", link=pty_link) as adapter:
        opened(adapter, "?firmware=lawicel&bitrate=1000000").close()
        assert adapter.commands[:4] == ["C", "S8", "Z0", "L"]


def test_an_adapter_that_refuses_to_listen_only_is_not_opened_in_another_way(pty_link):
    with Adapter("lawicel", link=pty_link) as adapter:
        answer = adapter._answer
        adapter._answer = lambda command: b"\a" if command == "L" else answer(command)
        with pytest.raises(PitwallError, match=r"refuses the command L \(it can't listen only"):
            opened(adapter)
        assert "O" not in adapter.commands


@pytest.mark.parametrize("late_s", [0.1, 0.4])
@pytest.mark.parametrize("answers", ["all", "version"])
def test_one_whose_answers_are_late_is_never_opened_to_do_more_than_listen(pty_link, late_s, answers):
    """Over a slow network: the answer to each command comes when the next was sent, or only the one to `V` does."""
    with Adapter("lawicel", link=pty_link) as adapter:
        answer = adapter._answer

        def late(command):
            said = answer(command)
            if answers == "all" or command == "V":
                device = adapter._device
                threading.Timer(late_s, lambda: device is adapter._device and device.write(said)).start()
                return b""
            return said

        adapter._answer = late
        with contextlib.suppress(PitwallError):
            opened(adapter).close()
        time.sleep(late_s)  # what is still on its way needs the pty
        assert _soon(lambda: adapter.commands[-1] == "C" or "L" in adapter.commands or "M1" in adapter.commands)
        assert "O" not in adapter.commands


def test_an_answer_to_the_closing_that_is_late_is_not_taken_for_another_commands(pty_link):
    with Adapter("lawicel", link=pty_link) as adapter:
        answer, owed = adapter._answer, []

        def late(command):
            if command == "C":
                owed.append(answer(command))
                return b""
            return b"".join([*owed, answer(command)] if command == "V" else [b"\a" if command == "L" else b"\r"])

        adapter._answer = late
        with pytest.raises(PitwallError, match="refuses the command L"):
            opened(adapter)


def test_one_that_stops_answering_is_told(pty_link, monkeypatch):
    monkeypatch.setattr(slcan_firmware, "ANSWER_S", 0.05)
    with Adapter("mute", link=pty_link) as adapter, pytest.raises(PitwallError, match="does not answer to S6"):
        opened(adapter, "?firmware=lawicel")


def test_one_that_talks_on_is_told_and_one_that_only_talks_is_heard(pty_link, monkeypatch):
    monkeypatch.setattr(slcan_firmware, "CLOSING_S", 0.2)
    monkeypatch.setattr(slcan_firmware, "QUIET_S", 1.0)  # a busy machine's pauses are no end of its talk
    with Adapter("mute", link=pty_link) as adapter:
        adapter._obeyed = lambda command: None
        adapter.is_open.set()
        stop = threading.Event()
        thread = threading.Thread(
            target=lambda: adapter.frames(iter(lambda: line(7) if not stop.is_set() else None, None), rate=500)
        )
        thread.start()
        with pytest.raises(PitwallError, match=r"goes on talking.*firmware=none"):
            opened(adapter)
        source = opened(adapter, "?firmware=none", settings=Settings())
        assert set(lines_of(read_lines(source, 20))) == {line(7)}
        source.close()
        stop.set()
        thread.join()
        assert adapter.commands == ["C"]


def test_stamps_are_the_adapters_and_a_control_row_lays_its_clock(pty_link):
    ticks = iter(range(0, 10**12, 1_000_000))  # its frames are 1 ms apart, whatever ours says
    with Adapter("lawicel-us", link=pty_link, clock=lambda: next(ticks)) as adapter:
        source = opened(adapter, "?timestamps=us")
        adapter.wait_open()
        assert "Z2" in adapter.commands
        adapter.frames([line(n) for n in range(50)], burst=50)
        rows = read_lines(source, 50)
        source.close()
    frame = rows.flags & np.uint8(Flag.CONTROL) == 0
    # they came at once: the last is the nearest to its reception, and the first ones lie before it
    assert rows.id[~frame].tolist()[0] == Control.CLOCKS
    assert np.all(np.diff(rows.t) >= 0)
    assert np.all(np.diff(rows.t[frame]) <= 1_000_000)
    assert lines_of(rows) == [line(n) for n in range(50)]


@pytest.mark.parametrize("firmware", ["lawicel", "canable"])
def test_stamps_that_a_firmware_has_not_are_refused(pty_link, firmware):
    with Adapter(firmware, link=pty_link) as adapter, pytest.raises(PitwallError, match=r"Z2|stamps no frames"):
        opened(adapter, "?timestamps=us")


def test_half_lines_and_garbage_are_counted_and_cost_no_neighbour(link):
    with Adapter(link=link) as adapter:
        source = opened(adapter)
        adapter.wait_open()
        for n, rubbish in enumerate([b"t12", b"\xff\xfe", b"t1239AABB\r", b"garbage\r", b"T0"]):
            adapter.frames([line(n)])
            adapter.bytes(rubbish)
        adapter.frames([line(99)])
        assert lines_of(read_lines(source, 6)) == adapter.sent
        # "garbage" is two: an r begins a line, so that a frame behind a cut one is never lost
        assert source.counted()[Cause.MALFORMED] == 6
        source.close()


def test_an_adapter_that_is_unplugged_is_lost_behind_all_that_it_gave_and_can_be_opened_again(link):
    with Adapter(link=link) as adapter:
        outlet = plug(parse(adapter.address), RATE, 0)
        assert outlet.node == link
        for _ in range(3):
            source = outlet.open()
            adapter.wait_open()
            before = len(adapter.sent)
            adapter.frames(map(line, range(500)))
            adapter.bytes(b"t12388")
            heard = []
            puller = threading.Thread(target=adapter.unplug)
            puller.start()
            with pytest.raises(PitwallError, match="is lost"):
                heard.extend(map(lines_of, map(source.read, itertools.repeat(0.1))))
            puller.join()
            assert [one for lines in heard for one in lines] == adapter.sent[before:]
            with pytest.raises(PitwallError, match="is lost"):
                source.read(0.1)
            source.close()
            with pytest.raises(PitwallError, match=r"can't be (opened|reached)"):
                outlet.open()
            adapter.plug()
        assert not adapter.in_doubt


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_an_adapter_goes_through_each_whole_frame_is_heard_once_and_all_else_is_counted(link, seed):
    random = Random(seed)
    rubbish = [b"t12", b"T0123456", b"\xff\0\x80", b"t1239AABB\r", b"nonsense\r", b"\a", b"t123\a", b"0" * 400, b"B"]
    with Adapter(link=link) as adapter:
        outlet = plug(parse(adapter.address), RATE, 0)
        numbers = itertools.count()
        for _ in range(6):
            source = outlet.open()
            adapter.wait_open()
            before, heard = len(adapter.sent), []
            listener = threading.Thread(target=lambda source=source, heard=heard: _listen(source, heard))
            listener.start()
            for _ in range(random.randint(1, 12)):
                adapter.frames(
                    (line(next(numbers)) for _ in range(random.choice([1, 3, 40, 700]))),
                    rate=random.choice([None, 5_000]),
                    burst=random.choice([1, 7, 100]),
                )
                if random.random() < 0.5:
                    adapter.bytes(random.choice(rubbish))
                if random.random() < 0.2:
                    time.sleep(0.02)
            said = bytes(adapter.said)
            adapter.unplug()
            listener.join()
            assert heard == adapter.sent[before:]
            found, _, malformed = slowly(said, 0, False)
            assert len(found) == len(heard)
            assert source.counted()[Cause.MALFORMED] == malformed + (said[-1:] not in b"\r\a")
            source.close()
            adapter.plug()
        assert not adapter.in_doubt


def _listen(source, heard):
    with contextlib.suppress(PitwallError):
        for rows in map(source.read, itertools.repeat(0.05)):
            heard += lines_of(rows)


def test_a_status_that_tells_of_an_overrun_is_counted(pty_link, monkeypatch):
    monkeypatch.setattr(slcan_source, "STATUS_S", 0.0)
    with Adapter("lawicel", link=pty_link) as adapter:
        source = opened(adapter)
        adapter.wait_open()
        adapter.status = 0x08
        adapter.frames([line(0)])
        read_lines(source, 1)
        assert _soon(lambda: source.read(0.01) is not None and source.counted()[Cause.ADAPTER] == 1)
        assert source.counted()[Cause.MALFORMED] == 0
        source.close()


def test_what_may_send_sends_and_what_only_listens_does_not(pty_link):
    rows = Decoder(fd=True).feed(b"t1232AABB\rT1FFFFFFF0\rr1234\rd1239" + b"0A" * 12 + b"\r").rows
    with Adapter("lawicel", link=pty_link) as adapter:
        source = opened(adapter, settings=Settings(500_000, sends=True))
        source.send(rows)
        assert _soon(lambda: adapter.commands[-4:] == [one.decode()[:-1] for one in lines_of(rows)])
        source.close()
        source = opened(adapter)
        with pytest.raises(UsageError, match="listen only"):
            source.send(rows)
        source.close()


class Script:
    """A stream that gives one piece a read."""

    name = "script"

    def __init__(self, pieces):
        self._pieces = iter(pieces)

    def read(self, timeout_s):
        return next(self._pieces, b"")

    def overruns(self):
        return 0

    def close(self):
        pass


def test_a_frame_is_at_the_read_that_brought_the_end_of_its_line():
    ticks = itertools.count(1_000_000, 1000)
    stream = Script([b"?\rt1230", b"\rt1240\rt12", b"50", b"\r", b"t1260\r"])
    channel = slcan_firmware.Channel(firmware=slcan_firmware.NONE)
    source = slcan_source.SlcanSource(stream, channel, "script", zero=1_000_000, clock=lambda: next(ticks))
    rows = source.read(1)
    assert rows.id.tolist() == [0x123, 0x124, 0x125, 0x126]
    assert rows.t.tolist() == [1000, 1000, 3000, 4000]
    assert len(source.read(1)) == 0


def test_what_the_kernel_counts_is_counted_from_the_opening_on(pty_link, monkeypatch):
    counters = [0] * 20
    counters[7], counters[10] = 3, 4  # overrun and buf_overrun, from before

    def ioctl(fd, request, argument=0):
        if request == termios.TIOCGICOUNT:
            argument[:] = struct.pack("20i", *counters)

    with Adapter(link=pty_link):
        monkeypatch.setattr(bytestream.fcntl, "ioctl", ioctl)
        stream = serial(str(pty_link))
        assert stream.overruns() == 0
        counters[7] += 1
        counters[10] += 1
        assert stream.overruns() == 2
        stream.close()
        assert stream.overruns() == 2


def test_a_pipe_is_a_source_that_only_talks():
    reading, writing = os.pipe()
    source = plug(parse(f"slcan:fd:{reading}?firmware=none"), RATE, 0).open()
    os.write(writing, b"AABB\rt1230\r")
    assert lines_of(read_lines(source, 1)) == [b"t1230\r"]
    assert source.counted()[Cause.MALFORMED] == 0
    os.close(writing)
    with pytest.raises(PitwallError, match="the other end has closed"):
        source.read(1)
    source.close()
    os.close(reading)


def test_a_read_under_way_ends_when_it_is_closed(link):
    with Adapter(link=link) as adapter:
        source = opened(adapter)
        threading.Timer(0.1, source.close).start()
        assert source.read(WAIT_S) is None


def test_an_inherited_descriptor_is_a_source_and_outlives_it(pty_link):
    with Adapter(link=pty_link) as adapter:
        fd = os.open(pty_link, os.O_RDWR | os.O_NOCTTY)
        for _ in range(2):
            source = plug(parse(f"slcan:fd:{fd}"), RATE, 0).open()
            adapter.wait_open()
            adapter.frames([line(1)])
            assert lines_of(read_lines(source, 1)) == [line(1)]
            source.close()
            assert _soon(lambda: not adapter.is_open.is_set())
        os.close(fd)
    with pytest.raises(UsageError, match="no open descriptor"):
        inherited(fd)


@pytest.mark.parametrize(
    ("address", "settings", "said"),
    [
        ("slcan:ttyACM0", RATE, "nobody says where.*host:port"),
        ("slcan:", RATE, "nobody says where"),
        ("slcan:/dev/x?bitrate=fast", RATE, "bitrate=fast is no whole number"),
        ("slcan:/dev/x?bitrate=83333", RATE, "bitrate=83333.*10000, 20000.*750000, 800000"),
        ("slcan:/dev/x?firmware=canable&bitrate=800000", RATE, "bitrate=800000.*750000, 1000000"),
        ("slcan:/dev/x?data_bitrate=3000000", RATE, "data_bitrate=3000000.*5000000"),
        ("slcan:/dev/x", Settings(bitrate=33_333), "bitrate=33333"),
        ("slcan:/dev/x?firmware=elm", RATE, "no firmware is called 'elm' .one of canable, lawicel, none"),
        ("slcan:/dev/x?timestamps=ns", RATE, "timestamps=ns makes no sense .one of ms, us"),
        ("slcan:/dev/x?speed=6", RATE, "has no option 'speed' .one of bitrate"),
    ],
)
def test_an_address_that_makes_no_sense_is_one_clear_line(address, settings, said):
    with pytest.raises(UsageError, match=said) as caught:
        plug(parse(address), settings, 0)
    assert "\n" not in str(caught.value)


def test_what_is_no_serial_device_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is no serial device"):
        serial(str(tmp_path / "file"))
    with pytest.raises(PitwallError, match="is it plugged in"):
        serial(str(tmp_path / "nothing"))


def test_a_rate_that_a_line_has_not_is_told(pty_link):
    with Adapter(link=pty_link):
        serial(str(pty_link), 115_200).close()
        with pytest.raises(UsageError, match=r"has no 12345 bits/s.*115200"):
            serial(str(pty_link), 12_345)


def test_a_write_that_nobody_takes_ends(monkeypatch):
    monkeypatch.setattr(bytestream, "WRITE_S", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = inherited(ours.fileno())
        with pytest.raises(PitwallError, match="takes no more bytes"):
            stream.write(bytes(64 << 20))
        stream.close()


def test_a_peer_that_breaks_off_is_lost_and_not_silent():
    ours, theirs = socket.socketpair()
    with ours:
        stream = inherited(ours.fileno())
        theirs.sendall(b"t1230\r")
        theirs.close()
        assert stream.read(1) == b"t1230\r"
        with pytest.raises(PitwallError, match="the other end has closed"):
            stream.read(1)
        with pytest.raises(PitwallError, match=os.strerror(errno.EPIPE)):
            stream.write(b"C\r")
        stream.close()
        assert stream.read(0) == b""


def test_an_error_row_is_never_sent():
    row = frames(0, t=[0], id=[1], data=np.zeros((1, 8), np.uint8), flags=int(Flag.ERROR))
    assert encode(row) == b""


def test_a_serial_device_that_is_pulled_out_just_then_is_lost_and_no_mistake_of_anybodys():
    master, slave = os.openpty()
    os.close(master)
    try:
        with pytest.raises(PitwallError, match="is lost") as caught:
            bytestream.raw(slave, "a line", None)
        assert not isinstance(caught.value, UsageError)
    finally:
        os.close(slave)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_a_connection_whose_peer_owes_an_acknowledgement_dies_as_soon_as_one_that_is_idle():
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = bytestream.tcp(*server.getsockname())
        ours = socket.socket(fileno=os.dup(stream._fd))
        with ours:
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
            assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        stream.close()


def test_a_name_s_dead_addresses_leave_the_living_one_time(monkeypatch):
    with contextlib.ExitStack() as stack:
        alive = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = alive.getsockname()[1]
        hosts = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
        for host in hosts[:2]:  # nobody takes its connections, and there is no room for more: it answers nothing
            deaf = stack.enter_context(socket.create_server((host, port), backlog=0))
            for _ in range(2):
                waits = stack.enter_context(socket.socket())
                waits.setblocking(False)
                waits.connect_ex(deaf.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port)) for host in hosts]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        tried: list[float | None] = []
        plain = socket.socket.connect
        monkeypatch.setattr(
            socket.socket, "connect", lambda self, to: (tried.append(self.gettimeout()), plain(self, to))
        )
        stream = bytestream.tcp("adapter", port)
        assert stack.enter_context(alive.accept()[0]).getsockname()[0] == "127.0.0.1"
        assert sum(tried) <= bytestream.CONNECT_S
        stream.close()


def test_a_name_without_an_address_is_said(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with pytest.raises(PitwallError, match="adapter:1: can't be reached"):
        bytestream.tcp("adapter", 1)
