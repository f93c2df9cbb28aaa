"""A GPS receiver live: on a pty, over TCP and UDP; a fix is given whole, and what was said of it cut off is counted."""

from __future__ import annotations

import contextlib
import itertools
import os
import pty
import socket
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus import receiver
from pitwall.bus.address import Settings, parse, plug
from pitwall.bus.gps import IDS
from pitwall.bus.receiver import PAUSE_NS, Receiver
from pitwall.bus.source import Cause
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import concat, empty


def sentence(body):
    return b"$%s*%02X\r\n" % (body, int(np.bitwise_xor.reduce(np.frombuffer(body, np.uint8))))


def fix(second, *, lat=b"5020.0820,N", knots=b"80.5"):
    """Three sentences of one time: the position of the first, and what only the others say."""
    clock = b"1201%02d.00" % second
    return [
        sentence(b"GPRMC,%s,A,%s,00656.6520,E,%s,271.5,231126,,,A" % (clock, lat, knots)),
        sentence(b"GPGGA,%s,%s,00656.6520,E,1,09,0.9,620.2,M,47.1,M,," % (clock, lat)),
        sentence(b"GPGSA,A,3,04,05,09,12,,,,,,,,,1.7,0.9,1.4"),
    ]


VALUES = {"unix_time", "lat", "lon", "speed", "heading", "fix", "satellites", "hdop", "altitude"}
VALUES |= {"geoid_separation", "fix_type", "pdop", "vdop"}
NAMES = {id: name for name, id in IDS.items()}
UNIX = 1_795_435_200 + 60  # 2026-11-23T12:01:00Z


def fixes(rows):
    """The values of each time that fixes were given at."""
    found: dict[int, dict[str, float]] = {}
    for i in range(len(rows)):
        at = found.setdefault(int(rows.t[i]), {})
        at[NAMES[int(rows.id[i])]] = float(rows.data[i].copy().view("<f8")[0])
    return list(found.values())


def heard(source, count, limit_s=20):
    rows, until = empty(), time.monotonic() + limit_s
    while len(fixes(rows)) < count:
        assert time.monotonic() < until, f"{len(fixes(rows))} fixes"
        rows = concat([rows, source.read(0.1)])
    return fixes(rows)


def until_over(source):
    """All that a source gives, until it ends."""
    parts = []
    for _ in range(10_000):
        rows = source.read(0.1)
        if rows is None:
            break
        parts += [rows] if len(rows) else []
    return concat(parts)


class Script:
    """A stream that gives bytes at times of a clock that only it moves; then it is lost."""

    name = "script"

    def __init__(self, steps):
        self.now, self._steps = 0, list(steps)

    def read(self, timeout_s):
        if not self._steps:
            raise PitwallError("is lost: unplugged", where=self.name)
        at, data = self._steps[0]
        until = self.now + round(timeout_s * 1e9)
        if at > until:
            self.now = until
            return b""
        self.now = max(self.now, at)
        self._steps.pop(0)
        return data

    def overruns(self):
        return 0

    def close(self):
        pass


def until_lost(stream, **options):
    source = Receiver(stream, "gps", zero=0, clock=lambda: stream.now, **options)
    given = []
    real = source.read
    source.read = lambda timeout_s: given.append(real(timeout_s)) or given[-1]
    with pytest.raises(PitwallError, match="unplugged"):
        until_over(source)
    return source, concat([rows for rows in given if len(rows)])


def test_a_fix_is_given_when_it_is_whole_at_the_time_of_its_first_sentence():
    pieces = [(n * 100_000_000 + i * 10_000_000, one) for n in range(3) for i, one in enumerate(fix(n))]
    source, rows = until_lost(Script([*pieces, (900_000_000, b"$GPRMC,1201")]))
    assert np.unique(rows.t).tolist() == [0, 100_000_000, 200_000_000]
    found = fixes(rows)
    assert [set(one) for one in found] == [VALUES] * 3
    assert [one["unix_time"] for one in found] == [UNIX, UNIX + 1, UNIX + 2]
    assert found[0]["lat"] == pytest.approx(50 + 20.082 / 60, abs=1e-12)
    assert found[0]["speed"] == pytest.approx(80.5 * 1852 / 3600)
    assert source.counted()[Cause.MALFORMED] == 0


def test_a_fix_that_a_loss_cut_off_is_counted_and_no_part_of_it_is_given():
    pieces = [(0, b"".join(fix(0))), (100_000_000, fix(1)[0])]
    source, rows = until_lost(Script(pieces))
    assert [one["unix_time"] for one in fixes(rows)] == [UNIX]
    assert source.counted()[Cause.MALFORMED] == 1


def test_where_a_stream_is_joined_amid_a_sentence_nothing_is_counted():
    steps = [(0, b"A,5020.0820,N*6"), (1, b"C\r\n" + b"".join(fix(0))), (10**9, b"\r\n")]
    source, rows = until_lost(Script(steps), joined=True)
    assert len(fixes(rows)) == 1
    assert source.counted()[Cause.MALFORMED] == 0
    source, rows = until_lost(Script([(0, b"".join(fix(0))), (10**9, b"\r\n")]), joined=True)
    assert len(fixes(rows)) == 1, "a stream that begins with a sentence loses none"


def test_bytes_at_a_wrong_rate_are_counted():
    source, rows = until_lost(Script([*((n, b"\xf3" * 4000) for n in range(5)), (5, b"\n")]), joined=True)
    assert len(rows) == 0
    assert source.counted()[Cause.MALFORMED] == 1


@given(st.lists(st.integers(1, 900), max_size=20, unique=True), st.lists(st.integers(0, 30), min_size=21, max_size=21))
@settings(max_examples=60, deadline=None)
def test_any_cut_of_the_bytes_gives_the_same_values(cuts, waits_ms):
    whole = b"".join(b"".join(fix(n)) for n in range(4))
    ends = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in itertools.pairwise(ends)]
    t = np.cumsum([waits_ms[i] for i in range(len(pieces))]) * 1_000_000
    steps = [*zip(t.tolist(), pieces, strict=True), (int(t[-1]) + 2 * PAUSE_NS, b"\r\n")]
    source, rows = until_lost(Script([step for step in steps if step[1]]))
    given_once = [(NAMES[int(id)], bytes(data)) for id, data in zip(rows.id, rows.data, strict=True)]
    _, at_once = until_lost(Script([(0, whole), (2 * PAUSE_NS, b"\r\n")]))
    assert given_once == [(NAMES[int(id)], bytes(data)) for id, data in zip(at_once.id, at_once.data, strict=True)]
    assert np.all(np.diff(rows.t) >= 0)
    assert source.counted()[Cause.MALFORMED] == 0


@given(st.lists(st.binary(max_size=80), max_size=6))
@settings(max_examples=60, deadline=None)
def test_garbage_between_fixes_costs_no_fix(garbage):
    noise = [b"\n" + g.replace(b"\n", b"").replace(b"$", b"") + b"\n" for g in garbage]
    steps = []
    for n in range(len(noise) + 1):
        steps.append((n * 10**8, b"".join(fix(n)) + (noise[n] if n < len(noise) else b"\r\n")))
    _, rows = until_lost(Script([*steps, (10**9, b"\r\n")]))
    assert [one["unix_time"] for one in fixes(rows)] == [UNIX + n for n in range(len(noise) + 1)]


@contextlib.contextmanager
def a_pty():
    ours, theirs = pty.openpty()
    try:
        yield ours, os.ttyname(theirs)
    finally:
        for fd in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(fd)


def test_a_serial_receiver_is_heard_at_its_rate_and_its_loss_is_told():
    with a_pty() as (ours, path):
        the_plug = plug(parse(f"nmea:{path}?baud=38400"), Settings(), 0)
        assert str(the_plug.node) == path
        source = the_plug.open()
        os.write(ours, b"N*00\r\n")
        for n in range(3):
            os.write(ours, b"".join(fix(n)))
        said = heard(source, 1)
        until = time.monotonic() + 20
        while len(said) < 1 or said[-1]["unix_time"] != UNIX + 2:
            assert time.monotonic() < until
            said += fixes(source.read(0.1))
        os.close(ours)
        with pytest.raises(PitwallError, match="is lost"):
            until_over(source)
        source.close()
        assert source.read(0) is None


def test_a_receiver_in_the_network_is_heard_over_tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = plug(parse(f"nmea:127.0.0.1:{port}"), Settings(), 0).open()
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"half a sentence\r\n" + b"".join(fix(0)))
            (one,) = heard(source, 1)
            assert set(one) == VALUES
        with pytest.raises(PitwallError, match="is lost"):
            until_over(source)
        source.close()


def test_datagrams_are_heard_on_loopback_alone_unless_said_otherwise():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    source = plug(parse(f"nmea:udp:{port}"), Settings(), 0).open()
    assert source._stream._socket.getsockname() == ("127.0.0.1", port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for one in [b"", *fix(0), b"$GP", *fix(1)]:
            sender.sendto(one.rstrip(b"\r\n"), ("127.0.0.1", port))
    found = {}
    for one in heard(source, 1):
        found |= one
    assert set(found) == VALUES
    assert source.counted()[Cause.MALFORMED] == 1
    with pytest.raises(PitwallError, match="can't be listened to"):
        receiver.Datagrams("127.0.0.1", port)
    done = threading.Timer(0.2, source.close)
    done.start()
    while source.read(0.1) is not None:
        pass
    done.join()
    everywhere = plug(parse(f"nmea:udp:0.0.0.0:{port}"), Settings(), 0).open()
    assert everywhere._stream._socket.getsockname()[0] == "0.0.0.0"
    everywhere.close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("nmea:", "is no host:port"),
        ("nmea:udp:", "is no host:port"),
        ("nmea:udp:0", "is no host:port"),
        ("nmea:host:10110?baud=9600", "baud=9600 makes no sense"),
        ("nmea:/dev/ttyUSB0?baud=fast", "baud=fast makes no sense"),
        ("nmea:/dev/ttyUSB0?rate=10", "no option 'rate'"),
    ],
)
def test_what_makes_no_sense_is_said(address, says):
    with pytest.raises(UsageError, match=says):
        plug(parse(address), Settings(), 0)
