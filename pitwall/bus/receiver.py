"""A GPS receiver in, as its bytes come, NMEA 0183 or u-blox' UBX; frames of the bus `gps` out, a fix at a time.

    nmea:/dev/ttyUSB0?baud=115200     a serial device; over USB it needs no baud
    ubx:/dev/ttyACM0                  the same, of UBX-NAV-PVT messages: 10 to 25 a second, with their accuracies
    nmea:192.168.1.20:10110           a TCP server: a receiver in the network, an app on a phone
    nmea:udp:10110                    a UDP port of this machine's own; nmea:udp:0.0.0.0:10110 hears the network too

Laws:

1. A fix is given when it is whole: a message of UBX at once, sentences of NMEA once the next fix begins, or no byte has
   come for `PAUSE_NS`.  Its `t` is when its first sentence came; its own time is beside it, as `unix_time`, or
   `time_of_day` until the receiver says the date.
2. What is no sentence, and a fix whose end a lost connection has swallowed, is counted, and no part of it is given.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pitwall.bus import bytestream
from pitwall.bus.address import Address, Settings, endpoint
from pitwall.bus.bytestream import ByteStream
from pitwall.bus.gps import named_frames
from pitwall.bus.nmea import LINE_BYTES, Fix, Nmea
from pitwall.bus.source import Cause, Plug
from pitwall.bus.ubx import Ubx
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Frames, empty

PAUSE_NS: Final = 40_000_000
"""A receiver says a fix in one go, and at 25 Hz begins the next one 40 ms later."""
DATAGRAM_BYTES: Final = 65_536
"""The longest there can be."""
LOOPBACK: Final = "127.0.0.1"

PARSERS: Final[Mapping[str, type[Nmea] | type[Ubx]]] = {"nmea": Nmea, "ubx": Ubx}
"""By the scheme."""


@dataclass(slots=True)
class _Epoch:
    """A fix, as far as it was said.  t_ns: when its first sentence came; last_ns: when the last byte did."""

    time_ns: int
    t_ns: int
    last_ns: int
    unix_ns: int | None = None
    values: dict[str, float] = field(default_factory=dict)

    def row(self) -> tuple[int, dict[str, float]]:
        """Its values with its own time, at its t."""
        if not self.values:
            return self.t_ns, {}
        own = {"time_of_day": self.time_ns / 1e9} if self.unix_ns is None else {"unix_time": self.unix_ns / 1e9}
        return self.t_ns, own | self.values


class Receiver:
    """A receiver's byte stream as a `Source`; it is closed with it.  zero: what `clock` was at t = 0.

    parser: folds the bytes into fixes.  joined: the stream began somewhere in a sentence: what comes before the first
    end of a line is none.
    """

    def __init__(
        self,
        stream: ByteStream,
        name: str,
        *,
        zero: int,
        parser: Nmea | Ubx | None = None,
        joined: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._stream, self._zero, self._clock = stream, zero, clock
        self._parser = Nmea() if parser is None else parser
        self._at_once = isinstance(self._parser, Ubx)
        self._skips = (
            LINE_BYTES if joined and not self._at_once else 0
        )  # so many bytes at most may be the rest of a sentence
        self._epoch: _Epoch | None = None
        self._partial = 0
        self._closed = threading.Event()

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`."""
        return {Cause.KERNEL: self._stream.overruns(), Cause.MALFORMED: self._parser.malformed + self._partial}

    def close(self) -> None:
        """As `Source.close`."""
        self._closed.set()
        self._stream.close()

    def read(self, timeout_s: float) -> Frames | None:
        """As `Source.read`."""
        until = self._now() + round(timeout_s * 1e9)
        while not self._closed.is_set():
            wait_ns = until - self._now()
            if self._epoch is not None:
                wait_ns = min(wait_ns, self._epoch.last_ns + PAUSE_NS - self._now())
            rows = self._heard(self._bytes(max(0, wait_ns) / 1e9))
            if rows:
                return named_frames(rows)
            if self._now() >= until:
                return empty()
        return None

    def _bytes(self, timeout_s: float) -> bytes:
        try:
            data = self._stream.read(timeout_s)
        except PitwallError:
            self._partial += self._epoch is not None
            self._epoch = None
            raise
        if self._skips and data[:1] == b"$":
            self._skips = 0
        if self._skips and data:
            rest, ended, data = data.partition(b"\n")
            self._skips = 0 if ended else max(0, self._skips - len(rest))
        return data

    def _heard(self, data: bytes) -> list[tuple[int, dict[str, float]]]:
        """The fixes that `data`, or that nothing came for long enough, makes whole."""
        now = self._now()
        if data and self._epoch is not None:
            self._epoch.last_ns = now
        rows = []
        for fix in self._parser.feed(data):
            if self._epoch is not None and fix.time_ns != self._epoch.time_ns:
                rows.append(self._epoch.row())
                self._epoch = None
            self._add(fix, now)
            if self._at_once and self._epoch is not None:
                rows.append(self._epoch.row())
                self._epoch = None
        if self._epoch is not None and now - self._epoch.last_ns >= PAUSE_NS:
            rows.append(self._epoch.row())
            self._epoch = None
        return [row for row in rows if row[1]]

    def _add(self, fix: Fix, now: int) -> None:
        epoch = self._epoch or _Epoch(fix.time_ns, now, now)
        epoch.unix_ns = epoch.unix_ns if fix.unix_ns is None else fix.unix_ns
        epoch.values |= fix.values
        self._epoch = epoch

    def _now(self) -> int:
        return self._clock() - self._zero


class Datagrams:
    """A UDP port as a `ByteStream`, which is not written to.  end: what is put behind each datagram's bytes."""

    def __init__(self, host: str, port: int, end: bytes = b"") -> None:
        self._end = end
        self.name = f"udp {host}:{port}"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._reading, self._closed = threading.Lock(), threading.Event()
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            what = f"can't be listened to: {error.strerror or error}"
            raise PitwallError(what, where=self.name, hint="is it another program's?") from error

    def read(self, timeout_s: float) -> bytes:
        """As `ByteStream.read`."""
        with self._reading:
            heard: list[bytes] = []
            while not self._closed.is_set():
                self._socket.settimeout(0 if heard else max(timeout_s, 1e-6))
                try:
                    heard.append(self._socket.recv(DATAGRAM_BYTES))
                except (TimeoutError, BlockingIOError):
                    break
                except OSError as error:
                    raise PitwallError(f"is lost: {error.strerror}", where=self.name) from error
                if sum(map(len, heard)) > bytestream.READ_BYTES:
                    break
            return b"".join(data + self._end for data in heard)

    def write(self, data: bytes) -> None:
        """As `ByteStream.write`: never."""
        raise PitwallError("a port that is listened to takes nothing", where=self.name)

    def overruns(self) -> int:
        """As `ByteStream.overruns`: nobody counts."""
        return 0

    def close(self) -> None:
        """As `ByteStream.close`; a read under way lasts as long as it said."""
        self._closed.set()
        with self._reading:
            self._socket.close()


def plug(address: Address, settings: Settings, zero: int) -> Plug:
    """A receiver at a serial device, a TCP server, or a UDP port of ours; what it speaks is the scheme."""
    where = f"{address.scheme}:{address.place}"
    name = f"{address.scheme} {address.place}"
    baud = _options(address, where)
    # of sentences, some apps leave the end of the line away; a message of UBX may be cut anywhere
    connect, joined = _reached(address.place, baud, where, b"\n" if address.scheme == "nmea" else b"")

    def opened() -> Receiver:
        return Receiver(connect(), name, zero=zero, parser=PARSERS[address.scheme](), joined=joined)

    return Plug(name, opened, Path(address.place) if address.place.startswith("/dev/") else None)


def _reached(place: str, baud: int | None, where: str, end: bytes) -> tuple[Callable[[], ByteStream], bool]:
    """How the stream to `place` is opened, and whether it may begin anywhere in a sentence."""
    if place.startswith("/"):
        return lambda: bytestream.serial(place, baud), True
    udp, colon, rest = place.partition(":")
    if udp == "udp" and colon:
        host, port = endpoint(rest if ":" in rest else f"{LOOPBACK}:{rest}", where)
        return lambda: Datagrams(host, port, end), False
    host, port = endpoint(place, where)
    return lambda: bytestream.tcp(host, port), True


def _options(address: Address, where: str) -> int | None:
    options = dict(address.options)
    baud = options.pop("baud", None)
    if options:
        raise UsageError(f"there is no option {min(options)!r}", where=where, hint="baud=115200, of a serial device")
    if baud is None:
        return None
    if not baud.isdecimal() or not address.place.startswith("/"):
        raise UsageError(f"baud={baud} makes no sense", where=where, hint="bits/s of a serial device: baud=115200")
    return int(baud)
