"""A car and the log's bus names in, a plan out; then frames in, signals out.

Laws:

1. Nothing here runs per frame: a batch costs array operations, and a few steps for every stream in it.
2. A signal that a frame is too short to hold is missing (NaN), and so is one that the multiplexer says isn't there; the
   others of the same frame are given.  A frame longer than its message is read as far as the message goes.
3. Standard and extended ids are different ids.  Echoes of what was sent, remote frames, error frames and control rows
   give no signals.
4. What no DBC names is counted like everything else.

Pure: no clock, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pitwall.car.definition import Bus, Car, Message
from pitwall.decode.multiplex import Mask, conditions
from pitwall.decode.signals import Float64, Raw, reader, width
from pitwall.decode.streams import Stream, streams
from pitwall.frames import Flag, Frames, Int64, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What `m` frames of one message hold, in log order.

    bus: its name in the car.  at: int64 (m,), log offsets, ascending.  t: int64 (m,).
    values: float64 (m,) of every signal, by its name, in its DBC's unit; NaN: missing.
    """

    bus: str
    message: Message
    at: Int64
    t: Int64
    values: dict[str, Float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """An id that frames of one batch had.

    bus: index in the log.  flags: as `Stream`.  message: what the car calls it, None if it has no name for it.
    decoded: whether its frames give signals.  short: how many are too short to hold every signal of the message.
    first_t, last_t: ns.  payload: of the last frame.
    """

    bus: int
    id: int
    flags: int
    message: str | None
    decoded: bool
    frames: int
    short: int
    first_t: int
    last_t: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Decoding:
    """messages: those of which there were frames.  ids: of every frame, named or not; control rows have none."""

    messages: list[Decoded]
    ids: list[Seen]


class Plan:
    """How the frames of a log become the signals of a car.  Immutable; made by `plan`."""

    def __init__(self, buses: Sequence[Bus | None]) -> None:
        self._readings: dict[int, _Reading] = {}
        self._names: dict[tuple[int, int, bool], str] = {}
        for index, bus in enumerate(buses):
            for message in bus.messages if bus is not None else ():
                assert bus is not None
                flags = int(Flag.EXTENDED) if message.extended else 0
                self._names[(index, message.id, message.extended)] = message.name
                self._readings[index << 40 | flags << 32 | message.id] = _Reading(bus.name, message)

    def decode(self, frames: Frames) -> Decoding:
        """The signals of `frames`, clustered or in log order; one `Decoded` for every message that occurs."""
        messages, ids = [], []
        # a payload may hold any float: too large once scaled (infinite), or one that signals that it is none
        with np.errstate(all="ignore"):
            for stream in streams(frames):
                reading = self._readings.get(stream.key)
                if reading is not None:
                    messages.append(reading.decode(stream))
                if not stream.is_control:
                    ids.append(self._seen(stream, reading))
        return Decoding(messages, ids)

    def _seen(self, stream: Stream, reading: _Reading | None) -> Seen:
        return Seen(
            bus=stream.bus,
            id=stream.id,
            flags=stream.flags,
            message=self._names.get((stream.bus, stream.id, stream.is_extended)),
            decoded=reading is not None,
            frames=len(stream.at),
            short=0 if reading is None else reading.short(stream),
            first_t=int(stream.t[0]),
            last_t=int(stream.t[-1]),
            payload=stream.last_payload(),
        )


def plan(car: Car, bus_names: Sequence[str]) -> Plan:
    """How frames of a log whose buses are called `bus_names` become the signals of `car`."""
    return Plan(matched(car, bus_names))


def matched(car: Car, bus_names: Sequence[str]) -> list[Bus | None]:
    """The car's bus for each bus of a log; None where it has none.

    A bus of the log is the car's bus of that name, else the one that is opened as that channel; what is left on both
    sides after that is paired in order, so that a capture of another tool, which calls the first bus `can0`, is read.
    """
    pairs: list[Bus | None] = [None] * len(bus_names)
    left = list(car.buses)
    for is_same in (_is_called, _is_opened_as, _is_next):
        for index, name in enumerate(bus_names):
            bus = next((bus for bus in left if is_same(bus, name)), None) if pairs[index] is None else None
            if bus is not None:
                pairs[index] = bus
                left.remove(bus)
    return pairs


def _is_called(bus: Bus, name: str) -> bool:
    return bus.name == name


def _is_opened_as(bus: Bus, name: str) -> bool:
    return bus.channel == name


def _is_next(_bus: Bus, _name: str) -> bool:
    return True


class _Reading:
    """How the frames of one message on one bus are read."""

    def __init__(self, bus: str, message: Message) -> None:
        self._bus = bus
        self._message = message
        self._columns = width(message.signals)
        by_name = {signal.name: signal for signal in message.signals}
        self._readers = {name: reader(signal, self._columns) for name, signal in by_name.items()}
        self._conditions = {name: conditions(signal, by_name) for name, signal in by_name.items()}
        self._always_there = all(condition == () for condition in self._conditions.values())
        self.needed = max((signal.bytes_needed for signal in message.signals), default=0)

    def decode(self, stream: Stream) -> Decoded:
        payloads = stream.payloads(self._columns)
        if self._always_there and stream.shortest >= self.needed:
            values = {name: read.scaled(read.raw(payloads)) for name, read in self._readers.items()}
        else:
            values = self._values_there(stream, payloads)
        return Decoded(self._bus, self._message, stream.at, stream.t, values)

    def short(self, stream: Stream) -> int:
        """How many frames are too short to hold every signal."""
        return 0 if stream.shortest >= self.needed else int(np.count_nonzero(stream.len < self.needed))

    def _values_there(self, stream: Stream, payloads: UInt8) -> dict[str, Float64]:
        raws: dict[str, Raw] = {}

        def raw(name: str) -> Raw:
            if name not in raws:
                raws[name] = self._readers[name].raw(payloads)
            return raws[name]

        def held(name: str) -> Mask | None:
            needed = self._readers[name].needed
            return None if stream.shortest >= needed else stream.len >= needed

        values = {}
        for name, read in self._readers.items():
            column = read.scaled(raw(name))
            conditions_of_it = self._conditions[name]
            if conditions_of_it is None:
                column[:] = np.nan
            else:
                there = _all(held(name), [condition(raw, held) for condition in conditions_of_it])
                if there is not None:
                    column[~there] = np.nan
            values[name] = column
        return values


def _all(first: Mask | None, others: list[Mask]) -> Mask | None:
    """Where every mask is true; None: everywhere."""
    masks = others if first is None else [first, *others]
    return np.logical_and.reduce(masks) if masks else None
