"""A source that can send, and what is to be asked on its bus, in; a source whose bus is asked for its values, out.

Laws:

1. Nothing is sent unless the address asks for it by name (`?poll=obd2`); it is said before the first frame goes out,
   and the source's name says it wherever the source is shown.
2. What is sent is in the log, flagged TX, before what answers it.  A request that goes out while nobody answers waits
   for the next frame that is heard: asking an empty bus begins no session, and keeps none from ending.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pitwall.bus.address import Address
from pitwall.bus.obd2 import LISTS, Poller, Request
from pitwall.bus.source import Cause, Plug, Sender, Source
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import DATA_BYTES, Control, Flag, Frames, concat, control, empty, frames

logger = logging.getLogger(__name__)

HELD: Final = 64
"""Frames sent to nobody that wait for an answer to be logged with: half an hour of asking a silent bus.  The oldest of
more are only counted, in the row that says who is asked for what."""

HEARS_ONLY: Final = ("listen_only", "listenonly", "silent")
"""Options of python-can's interfaces, and our own, that keep an adapter from sending."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be polled.  pids: of service 01; None: all that the car has."""

    pids: tuple[int, ...] | None


def asked(address: Address) -> tuple[Asked, Address]:
    """What an address asks to be polled, and the address without it.  UsageError where that makes no sense."""
    options = dict(address.options)
    where = f"{address.scheme}:{address.place}"
    what, pids = options.pop("poll", None), options.pop("pids", None)
    if what is None:
        raise UsageError("pids are named, and nothing is polled", where=where, hint="poll=obd2 sends on the bus")
    if what != "obd2":
        raise UsageError(f"poll={what} is unknown", where=where, hint="poll=obd2 asks for values by OBD-II")
    for name in HEARS_ONLY:
        if options.get(name, "").lower() in ("1", "true", "yes", "on"):
            raise UsageError(f"{name} and poll=obd2 contradict each other", where=where, hint="polling has to send")
    return Asked(None if pids is None else _pids(pids, where)), replace(address, options=options)


def _pids(text: str, where: str) -> tuple[int, ...]:
    hint = "two hexadecimal digits each: pids=0C,0D,11"
    try:
        pids = tuple(int(word, 16) for word in text.split(","))
    except ValueError as error:
        raise UsageError(f"pids={text} are no PIDs", where=where, hint=hint) from error
    for pid in pids:
        if not 0 < pid <= 0xFF or pid in LISTS:
            raise UsageError(f"there is no value with the PID {pid:02X}", where=where, hint=hint)
    return pids


def polled(plug: Plug, polls: Asked, zero: int) -> Plug:
    """What the polled bus is opened from.  zero: what `time.monotonic_ns()` was at t = 0."""
    name = f"{plug.name}, polled by OBD-II"

    def opened() -> Polled:
        source = plug.open()
        if not isinstance(source, Sender):
            source.close()
            raise UsageError("it only listens, and can't be polled", where=plug.name, hint="leave poll=obd2 away")
        logger.warning("%s: THIS SENDS on the bus: requests of OBD-II, asked for by poll=obd2", plug.name)
        return Polled(source, name, Poller(polls.pids), zero=zero)

    return replace(plug, name=name, open=opened)


class Polled:
    """A source whose bus is polled.  source: a `Source` that is a `Sender`, too; it is closed with this one."""

    def __init__(
        self,
        source: Source,
        name: str,
        poller: Poller,
        *,
        zero: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        assert isinstance(source, Sender)
        self.name = name
        self._source: Source = source
        self._sender: Sender = source
        self._poller, self._zero, self._clock = poller, zero, clock
        self._last = 0  # t of the last row given out, or waiting
        self._held: deque[Frames] = deque(maxlen=HELD)
        self._unlogged = 0  # of those that found no room there
        self._unsent = ""  # why a request could not be sent, once that was told
        self._told: object = None  # what was said last of who is asked for what

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`."""
        return self._source.counted()

    def close(self) -> None:
        """As `Source.close`."""
        self._source.close()

    def read(self, timeout_s: float) -> Frames | None:
        """As `Source.read`; what is due is sent meanwhile."""
        until = self._now() + round(timeout_s * 1e9)
        while True:
            now = self._now()
            wait_ns = min(until, self._poller.wake_ns(now)) - now
            heard = self._source.read(max(0, wait_ns) / 1e9)
            if heard is None:
                return None
            heard = self._in_order(heard)
            parts = [*self._held, heard] if len(heard) else []
            if parts:
                self._held.clear()
            sent = self._send(self._poller.step(self._now(), heard))
            if self._poller.quiet or not self._poller.asks:
                self._told = None  # who answers next may be another
                self._unlogged += max(0, len(self._held) + len(sent) - HELD)
                self._held.extend(sent)
            else:
                parts += [*self._held, *sent]
                self._held.clear()
            if parts:
                return concat([*parts, *self._about()])
            if self._now() >= until:
                return empty()

    def _now(self) -> int:
        return self._clock() - self._zero

    def _in_order(self, rows: Frames) -> Frames:
        """An adapter's stamps may lie before what was sent meanwhile: time never runs backwards."""
        if len(rows) and rows.t[0] < self._last:
            rows = replace(rows, t=np.maximum(rows.t, self._last))
        self._last = int(rows.t[-1]) if len(rows) else self._last
        return rows

    def _send(self, requests: Sequence[Request]) -> list[Frames]:
        sent = []
        for request in requests:
            row = frames(
                0,
                t=[max(self._last, self._now())],
                id=[request.id],
                data=np.frombuffer(request.data, np.uint8).reshape(1, DATA_BYTES),
                flags=int(Flag.TX | (Flag.EXTENDED if request.id > 0x7FF else Flag(0))),
            )
            try:
                self._sender.send(row)
            except UsageError:  # it was opened to listen only
                raise
            except PitwallError as error:  # nobody answers it, then: the poller sees to that
                if error.what != self._unsent:
                    logger.warning("%s", error)
                self._unsent = error.what
                continue
            self._unsent = ""
            self._last = int(row.t[0])
            sent.append(row)
        return sent

    def _about(self) -> list[Frames]:
        """A control row, where it has become known who is asked for what."""
        if not self._poller.settled or self._poller.asks == self._told:
            return []
        self._told = self._poller.asks
        asks = {f"{id:X}": [f"{pid:02X}" for pid in pids] for id, pids in self._poller.asks.items()}
        missing = [f"{pid:02X}" for pid in self._poller.missing]
        if missing:
            logger.warning("%s: no control unit has the PIDs %s", self.name, ", ".join(missing))
        fact = {
            "source": self.name,
            "state": "polling",
            "sends": "OBD-II",
            "asks": asks,
            "missing": missing,
            "unlogged": self._unlogged,
        }
        self._unlogged = 0
        return [control(Control.SOURCE, self._last, json.dumps(fact).encode())]
