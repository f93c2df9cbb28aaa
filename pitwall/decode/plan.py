"""A car and the log's bus names in, a plan out; then frames in, signals out.

Laws:

1. Nothing here runs per frame: a batch costs array operations, and a few steps for every stream in it.
2. Standard and extended ids are different ids.  Echoes of what was sent, remote frames, error frames and control rows
   give no signals.
3. A frame belongs to the message that has its id; else, of 29 bits, to the J1939 message of its group and sender, else
   of its group and any sender.  Frames of several ids that belong to one message are its rows in log order.
4. What no DBC names is counted like everything else.
5. No frame stops it: what can't be taken as it is is counted, and told of as rejected.

Pure: no clock, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.car import j1939
from pitwall.car.definition import OBD2_29_BITS, Bus, Car
from pitwall.decode.reading import Reading
from pitwall.decode.rejected import Rejected, in_order
from pitwall.decode.sender import NO_FAULTS, Decoded, Faults, Sender, joined
from pitwall.decode.streams import Stream, streams
from pitwall.frames import Flag, Frames

# plain integers: an IntFlag's arithmetic costs more than all else that is done for a stream
_CONTROL: Final = int(Flag.CONTROL)
_NOT_HEARD: Final = int(Flag.TX | Flag.REMOTE | Flag.ERROR | Flag.CONTROL)


@dataclass(slots=True)  # one is made for every stream of every batch, and freezing would double what that costs
class Seen:
    """An id that frames of one batch had.

    bus: index in the log.  flags: as `Stream`.  message: what the car calls it, None if it has no name for it.
    decoded: whether its frames give signals.  short: how many are too short to hold every signal that they should.
    rejected: how many could not be taken as they are.  missed: how many more its counter says there were.
    first_t, last_t: ns.  payload: of the last frame.
    """

    bus: int
    id: int
    flags: int
    message: str | None
    decoded: bool
    frames: int
    short: int
    rejected: int
    missed: int
    first_t: int
    last_t: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Decoding:
    """messages: those of which there were frames.  ids: of every frame, named or not; control rows have none.

    rejected: frames that could not be taken as they are, in log order, as many as are told of.
    """

    messages: list[Decoded]
    ids: list[Seen]
    rejected: list[Rejected]


class Plan:
    """How the frames of one log become the signals of a car, folded from its first frame on; made by `plan`."""

    def __init__(self, buses: Sequence[Bus | None]) -> None:
        self._readings: dict[tuple[int, int, bool], Reading] = {}
        self._groups: dict[tuple[int, int, int | None], Reading] = {}
        self._met: dict[int, _Met] = {}
        for index, bus in enumerate(buses):
            for message in bus.messages if bus is not None else ():
                assert bus is not None
                reading = Reading(bus.name, message)
                if message.pgn is None:
                    self._readings[(index, message.id, message.extended)] = reading
                else:
                    self._groups[(index, message.pgn, message.sender)] = reading
        for (index, id, extended), reading in list(self._readings.items()):
            if reading.message.isotp and not extended and id in OBD2_29_BITS:
                self._readings.setdefault((index, OBD2_29_BITS[id], True), reading)

    def decode(self, frames: Frames) -> Decoding:
        """The signals of the log's next frames, clustered or not; one `Decoded` for every message that occurs."""
        messages: list[Decoded] = []
        shared: dict[tuple[str, str], list[Decoded]] = {}
        ids: list[Seen] = []
        rejected: list[Rejected] = []
        # a payload may hold any float: too large once scaled (infinite), or one that signals that it is none
        with np.errstate(all="ignore"):
            for stream in streams(frames):
                if stream.flags & _CONTROL:
                    continue
                met = self._met.get(stream.key) or self._meet(stream)
                faults = NO_FAULTS
                if met.sender is not None:
                    decoded, faults = met.sender.read(stream)
                    if not met.is_shared:
                        messages.append(decoded)
                    elif len(decoded.at):
                        shared.setdefault((decoded.bus, decoded.message.name), []).append(decoded)
                    if faults.told:
                        rejected += faults.told
                ids.append(_seen(stream, met, faults))
        if shared:
            messages += [joined(parts) for parts in shared.values()]
        return Decoding(messages, ids, in_order(rejected))

    def name(self, bus: int, id: int, *, extended: bool) -> str | None:
        """What the car calls the message that frames of this id belong to; None: no DBC names it."""
        reading = self._reading(bus, id, extended=extended)
        return None if reading is None else reading.message.name

    def _reading(self, bus: int, id: int, *, extended: bool) -> Reading | None:
        reading = self._readings.get((bus, id, extended))
        if reading is None and extended:
            group = (bus, j1939.group(id))
            reading = self._groups.get((*group, j1939.sender(id))) or self._groups.get((*group, None))
        return reading

    def _meet(self, stream: Stream) -> _Met:
        """What is known of a stream, when its first frames come."""
        reading = self._reading(stream.bus, stream.id, extended=stream.is_extended)
        heard = reading is not None and not stream.flags & _NOT_HEARD
        met = _Met(
            name=None if reading is None else reading.message.name,
            sender=Sender(reading) if reading is not None and heard else None,
            is_shared=reading is not None and (reading.message.pgn is not None or reading.message.isotp),
        )
        self._met[stream.key] = met
        return met


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


@dataclass(frozen=True, slots=True)
class _Met:
    """A stream that there were frames of.  name: what the car calls its message.  sender: if its frames give signals.

    is_shared: other streams may have frames of the same message.
    """

    name: str | None
    sender: Sender | None
    is_shared: bool


def _seen(stream: Stream, met: _Met, faults: Faults) -> Seen:
    return Seen(
        stream.bus,
        stream.id,
        stream.flags,
        met.name,
        met.sender is not None,
        len(stream.at),
        faults.short,
        faults.rejected,
        faults.missed,
        int(stream.t[0]),
        int(stream.t[-1]),
        stream.last_payload(),
    )
