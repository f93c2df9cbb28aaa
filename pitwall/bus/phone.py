"""A phone's sensors in, as the Android app SensorServer tells of them; frames of the bus `gps` out, a value each.

    sensorserver:127.0.0.1:8080                               the app on the phone that records
    sensorserver:192.168.1.30:8080?sensors=gps,accelerometer  only these, and not without any of them

Laws:

1. A value's `t` is what its sensor's own time in ns makes of it (`AdapterClock`, one a sensor); never after it came.
   A fix comes some tenths of a second late: it is behind what was given meanwhile, and says its time as `unix_time`.
2. A sensor has a connection of its own.  What nobody names, and the phone has not or doesn't permit, is done without.
3. The app is asked for a sign of life every `PING_S`; where a connection says nothing for `SILENT_S`, all are lost: the
   app, or the phone, sleeps.
4. A message that can't be one is counted, and gives nothing.
"""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pitwall.bus.address import Address, Settings, endpoint
from pitwall.bus.gps import named_frames
from pitwall.bus.sensorserver import KINDS, USUAL, Sample, sample
from pitwall.bus.source import Cause, Plug
from pitwall.bus.stamps import AdapterClock, Ticks
from pitwall.bus.websocket import ClosedError, WebSocket
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Frames, concat, empty, take

logger = logging.getLogger(__name__)

PING_S: Final = 2.0
"""Twice within `SILENT_S`."""
SILENT_S: Final = 5.0
"""Longer than a network worth recording over stalls."""
GATHER_S: Final = 0.005
"""So long what comes is gathered before it is given: a tenth of what a client may see late."""
CLOCK: Final = Ticks(1, 1 << 62)
"""Android counts ns since the phone was started, in 64 bits."""
NOT_THERE: Final = frozenset({4001, 4009})
"""The app's reasons to close: there is no such sensor; it may not tell the location."""


@dataclass(slots=True)
class _Stream:
    """The connection of one kind of values, and what of it was not given yet: samples, and when each came."""

    kind: str
    socket: WebSocket
    asked_s: float | None = None  # when it was first asked for a sign of life that has not come yet
    clock: AdapterClock = field(default_factory=lambda: AdapterClock(CLOCK))
    waiting: list[tuple[int, Sample]] = field(default_factory=list)

    def rows(self, source: str) -> Frames:
        """The frames of what waits."""
        waiting, self.waiting = self.waiting, []
        rows = named_frames([(received, sample.values) for received, sample in waiting])
        sizes = [len(sample.values) for _, sample in waiting]
        stamps = np.repeat(np.array([sample.stamp_ns for _, sample in waiting], np.int64), sizes)
        return self.clock.laid(rows, stamps, rows.t, f"{source}: {self.kind}")


class Phone:
    """The app's server as a `Source`.  asked: the kinds that must be there; None: the usual ones, as far as they are.

    zero: what `clock` was at t = 0.  Raises PitwallError, when it is made, where the app does not answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        asked: Sequence[str] | None,
        name: str,
        *,
        zero: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._must = asked is not None
        self._zero, self._clock = zero, clock
        self._streams: list[_Stream] = []
        self._malformed = 0
        self._last = 0  # t of the last row given
        self._pinged = time.monotonic()
        self._lost: PitwallError | None = None  # told once all that came before it is given
        self._closed = threading.Event()
        self._using = threading.Lock()  # a descriptor that is polled is not closed: its number may be another's by then
        try:
            for kind in USUAL if asked is None else asked:
                socket = WebSocket(host, port, KINDS[kind].path, f"{name}: {kind}")
                self._streams.append(_Stream(kind, socket))
        except BaseException:
            self.close()
            raise

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`."""
        return {Cause.MALFORMED: self._malformed}

    def close(self) -> None:
        """As `Source.close`."""
        self._closed.set()
        with self._using:
            for stream in self._streams:
                stream.socket.close()
            self._streams.clear()

    def read(self, timeout_s: float) -> Frames | None:
        """As `Source.read`."""
        with self._using:
            until = time.monotonic() + timeout_s
            while not self._closed.is_set():
                if self._lost is not None:
                    raise self._lost
                self._wait(until - time.monotonic())
                now = time.monotonic()
                self._lost = self._receive(now + GATHER_S) or self._beat()
                rows = self._rows()
                if len(rows) or (now >= until and self._lost is None):
                    return rows
        return None

    def _wait(self, timeout_s: float) -> None:
        poll = select.poll()
        for stream in self._streams:
            poll.register(stream.socket, select.POLLIN)
        poll.poll(max(0, -(-timeout_s * 1000 // 1)))

    def _receive(self, until: float) -> PitwallError | None:
        """Take what has come, until `until`; why it is over, where it is."""
        for stream in list(self._streams):
            try:
                while messages := stream.socket.receive():
                    received = self._clock() - self._zero
                    for message in messages:
                        self._take(stream, message, received)
                    if time.monotonic() > until:
                        break
            except ClosedError as error:
                if self._must or error.code not in NOT_THERE or len(self._streams) == 1:
                    return error
                logger.warning("%s", f"{self.name}: goes on without {stream.kind}: {error.what}")
                self._streams.remove(stream)
                stream.socket.close()
        return None

    def _take(self, stream: _Stream, message: str, received: int) -> None:
        try:
            said = sample(KINDS[stream.kind], message)
        except ValueError:
            self._malformed += 1
            return
        if said is not None and said.values:
            stream.waiting.append((received, said))

    def _rows(self) -> Frames:
        """What has come of all sensors, in the order of its times."""
        parts = [stream.rows(self.name) for stream in self._streams if stream.waiting]
        if not parts:
            return empty()
        rows = concat(parts)
        rows = take(rows, np.argsort(rows.t, kind="stable"))
        np.maximum(rows.t, self._last, out=rows.t)
        self._last = int(rows.t[-1])
        return rows

    def _beat(self) -> PitwallError | None:
        """Ask all for a sign of life, now and then, however much the others say; why it is over, where one gives none.

        Who was not asked has no need to speak: a receiver without a fix doesn't.
        """
        now = time.monotonic()
        asks = now - self._pinged >= PING_S
        self._pinged = now if asks else self._pinged
        for stream in self._streams:
            if stream.asked_s is not None and stream.socket.heard_s >= stream.asked_s:
                stream.asked_s = None
            if stream.asked_s is not None and now - stream.asked_s > SILENT_S - PING_S:
                what = f"is lost: {stream.kind} has said nothing for {SILENT_S:g} s"
                return PitwallError(what, where=self.name, hint="is the app in the foreground, and the phone awake?")
            if asks:
                stream.asked_s = now if stream.asked_s is None else stream.asked_s
                with contextlib.suppress(ClosedError):  # its reading tells
                    stream.socket.ping()
        return None


def plug(address: Address, settings: Settings, zero: int) -> Plug:
    """The app's server at `host:port`."""
    where = f"{address.scheme}:{address.place}"
    options = dict(address.options)
    sensors = options.pop("sensors", None)
    if options:
        raise UsageError(f"there is no option {min(options)!r}", where=where, hint="sensors=gps,accelerometer")
    asked = None if sensors is None else tuple(dict.fromkeys(sensors.split(",")))
    for kind in asked or ():
        if kind not in KINDS:
            raise UsageError(f"no sensor is called {kind!r}", where=where, hint=f"there are {', '.join(KINDS)}")
    host, port = endpoint(address.place, where)
    name = f"{address.scheme} {address.place}"
    return Plug(name, lambda: Phone(host, port, asked, name, zero=zero))
