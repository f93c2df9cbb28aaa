"""An SLCAN adapter behind any byte stream, as a `Source`: its channel opened, its bytes decoded, its losses counted.

    slcan:/dev/ttyACM0?bitrate=500000      a serial device or a pty
    slcan:192.168.4.1:3333                 over TCP, as adapters with WiFi speak it
    slcan:fd:3                             an open descriptor that we were started with

Law: a frame's `t` is when the read that brought its line's end came back, or, where the adapter stamps frames, what
`AdapterClock` makes of both.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pitwall.bus import bytestream
from pitwall.bus.address import Address, Settings
from pitwall.bus.bytestream import ByteStream
from pitwall.bus.slcan import STAMPS, Decoder, encode
from pitwall.bus.slcan_firmware import FIRMWARES, NONE, Channel, open_channel
from pitwall.bus.source import Cause, Plug
from pitwall.bus.stamps import AdapterClock
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Frames, empty

GATHER_S: Final = 0.005
"""So long what comes is gathered before it is decoded at once: a tenth of what a client may see late."""
GATHER_BYTES: Final = 1 << 20
"""So much is decoded without waiting for more."""
STATUS_S: Final = 10.0
"""How often an adapter that tells is asked for its status, which clears it."""
OVERRUN: Final = 0b1001
"""The bits of a status that tell of lost frames: 0, its queue was full; 3, its controller's buffer overran.
Source: LAWICEL CAN232 manual, command F."""

OPTIONS: Final = ("bitrate", "data_bitrate", "baud", "firmware", "timestamps")


class SlcanSource:
    """An open channel as a `Source`, and as a `Sender` where it may send.

    zero: what `clock` was at t = 0.  clock: `time.monotonic_ns`.
    Raises, when it is made, what `open_channel` does; the stream is closed then.
    """

    def __init__(
        self,
        stream: ByteStream,
        channel: Channel,
        name: str,
        *,
        zero: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._stream, self._channel, self._zero, self._clock = stream, channel, zero, clock
        try:
            self.firmware, self._rest = open_channel(stream, channel)
        except BaseException:
            stream.close()
            raise
        digits, ticks = STAMPS[channel.stamps] if channel.stamps else (0, None)
        self._decoder = Decoder(digits, fd=channel.fd, amid=self.firmware is NONE)
        self._adapter_clock = AdapterClock(ticks) if ticks else None
        self._closed = threading.Event()
        self._lost: PitwallError | None = None
        self._overruns = 0
        self._asked = clock() if self.firmware.answers else None  # when, for its status; None: it is not

    def read(self, timeout_s: float) -> Frames | None:
        """As `Source.read`."""
        pieces, times = self._gathered(timeout_s) if self._lost is None else ([], [])
        if not pieces:
            if self._closed.is_set():
                return None
            if self._lost:
                self._decoder.end()
                raise self._lost
            return empty()
        heard = self._decoder.feed(b"".join(pieces))
        self._ask_status(heard.answers, times[-1])
        piece = np.searchsorted(np.cumsum([len(piece) for piece in pieces]), heard.ends, side="right")
        received = np.array(times, np.int64)[piece] - self._zero
        if self._adapter_clock is None:
            return replace(heard.rows, t=received)
        return self._adapter_clock.laid(heard.rows, heard.stamps, received, self.name)

    def _gathered(self, timeout_s: float) -> tuple[list[bytes], list[int]]:
        """Pieces of the stream, and when each came.  A device that is lost is told once they are given."""
        pieces: list[bytes] = []
        times: list[int] = []
        size, wait = 0, timeout_s
        try:
            while wait > 0 or not times:
                piece, self._rest = self._rest or self._stream.read(wait), b""
                if not piece:
                    break
                pieces.append(piece)
                times.append(self._clock())
                size += len(piece)
                wait = GATHER_S - (times[-1] - times[0]) / 1e9 if size < GATHER_BYTES else 0
        except PitwallError as error:
            self._lost = error
        return pieces, times

    def _ask_status(self, answers: list[bytes], now: int) -> None:
        """Count what the adapter says that it lost, and ask it again when it is time."""
        for answer in answers:
            if answer.startswith(b"F") and int(answer[1:], 16) & OVERRUN:
                self._overruns += 1
        if self._asked is not None and now - self._asked > STATUS_S * 1e9:
            self._asked = now
            try:
                self._stream.write(b"F\r")
            except PitwallError as error:
                self._lost = error  # told once what was heard is given

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`.  ADAPTER: how often its status told of an overrun."""
        return {
            Cause.MALFORMED: self._decoder.malformed,
            Cause.ADAPTER: self._overruns,
            Cause.KERNEL: self._stream.overruns(),
        }

    def send(self, rows: Frames) -> None:
        """As `Sender.send`."""
        if not self._channel.sends or self.firmware is NONE:
            raise UsageError("was opened to listen only", where=self.name)
        self._stream.write(encode(rows))

    def close(self) -> None:
        """As `Source.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(PitwallError):  # one that is gone can't be told
            if self.firmware is not NONE:
                self._stream.write(b"C\r")
        self._stream.close()


def plug(address: Address, settings: Settings, zero: int) -> Plug:
    """An SLCAN adapter, as `address` says it is reached."""
    name = f"{address.scheme} {address.place}"
    options = dict(address.options)
    baud = whole(options.pop("baud"), "baud", name) if "baud" in options else None
    channel = channel_of(options, settings, name)
    connect, node = _reached(address.place, baud, name)
    return plug_over(connect, channel, name, zero, node)


def plug_over(connect: Callable[[], ByteStream], channel: Channel, name: str, zero: int, node: Path | None) -> Plug:
    """An SLCAN adapter behind whatever `connect` opens, anew each time."""
    return Plug(name, lambda: SlcanSource(connect(), channel, name, zero=zero), node)


def channel_of(options: Mapping[str, str], settings: Settings, name: str) -> Channel:
    """The channel that an address's options and a bus's settings ask for; an option is nearer than a setting.

    Raises UsageError for an option that there is none, or one that makes no sense.
    """
    for option in options:
        if option not in OPTIONS:
            raise UsageError(f"has no option {option!r}", where=name, hint=f"one of {', '.join(OPTIONS)}")
    firmware = options.get("firmware")
    if firmware is not None and firmware not in FIRMWARES:
        raise UsageError(f"no firmware is called {firmware!r}", where=name, hint=f"one of {', '.join(FIRMWARES)}")
    channel = Channel(
        bitrate=whole(options["bitrate"], "bitrate", name) if "bitrate" in options else settings.bitrate,
        data_bitrate=whole(options["data_bitrate"], "data_bitrate", name)
        if "data_bitrate" in options
        else settings.data_bitrate,
        fd=settings.fd or "data_bitrate" in options,
        sends=settings.sends,
        stamps=options.get("timestamps"),
        firmware=FIRMWARES[firmware] if firmware else None,
    )
    channel.check(name)
    return channel


def whole(text: str, what: str, name: str) -> int:
    """The number that an option says."""
    if not re.fullmatch(r"\d{1,9}", text):
        raise UsageError(f"{what}={text} is no whole number", where=name, hint=f"{what}=500000, in bits a second")
    return int(text)


def _reached(place: str, baud: int | None, name: str) -> tuple[Callable[[], ByteStream], Path | None]:
    """How the stream to `place` is opened, and the device's node where it has one."""
    if match := re.fullmatch(r"fd:(\d{1,9})", place):
        number = int(match[1])
        return lambda: bytestream.inherited(number), None
    if "/" in place:
        return lambda: bytestream.serial(place, baud), Path(place)
    if match := re.fullmatch(r"\[?([^\[\]]+)\]?:(\d{1,5})", place):
        host, port = match[1], int(match[2])
        return lambda: bytestream.tcp(host, port), None
    raise UsageError("nobody says where the adapter is", where=name, hint="a device (/dev/ttyACM0), host:port, or fd:N")
