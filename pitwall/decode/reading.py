"""Payloads of one message in, the values of all of its signals out.

Laws: a signal that a payload is too short to hold is missing (NaN), and so is one that the multiplexer says isn't
there; the others of the same payload are given.  A payload longer than its message is read as far as the message goes.
Of a J1939 message, a raw value that says `error` or `not available` is missing.  Pure.
"""

from __future__ import annotations

import numpy as np

from pitwall.car import j1939
from pitwall.car.definition import Message, Signal
from pitwall.decode.multiplex import Mask, conditions
from pitwall.decode.signals import Float64, Raw, Reader, reader, width
from pitwall.frames import UInt8


class Reading:
    """How the payloads of one message on one bus are read.  Immutable.

    columns: how wide payloads are to be.  needed: the fewest bytes that hold every signal.
    """

    def __init__(self, bus: str, message: Message) -> None:
        self.bus = bus
        self.message = message
        self.needed = max((signal.bytes_needed for signal in message.signals), default=0)
        covered = () if message.checksum is None else message.checksum.over
        self.columns = width(max(self.needed, *(byte + 1 for byte in covered), 0))
        by_name = {signal.name: signal for signal in message.signals}
        self.readers = {name: reader(signal, self.columns) for name, signal in by_name.items()}
        self._conditions = {name: conditions(signal, by_name) for name, signal in by_name.items()}
        self._always_there = all(condition == () for condition in self._conditions.values())
        self._voids = {name: _ranges(signal) for name, signal in by_name.items()} if message.pgn is not None else {}

    def values(self, payloads: UInt8, lengths: UInt8, shortest: int) -> dict[str, Float64]:
        """float64 (m,) of every signal.  payloads: uint8 (m, columns), of `lengths` (m,) bytes, at least `shortest`."""
        if self._always_there and shortest >= self.needed and not self._voids:
            return {name: read.scaled(read.raw(payloads)) for name, read in self.readers.items()}
        return self._values_there(payloads, lengths, shortest)

    def short(self, payloads: UInt8, lengths: UInt8) -> Mask:
        """bool (m,): where a payload is too short to hold a signal that its multiplexers say is there."""
        short = np.zeros(len(payloads), np.bool_)
        least = int(lengths.min(initial=self.needed))
        for name, read in self.readers.items():
            chosen = self._conditions[name]
            if read.needed <= least or chosen is None:
                continue
            there = [
                condition(lambda other: self.readers[other].raw(payloads), lambda other: self._held(other, lengths))
                for condition in chosen
            ]
            short |= np.logical_and.reduce([lengths < read.needed, *there])
        return short

    def _held(self, name: str, lengths: UInt8) -> Mask:
        held: Mask = lengths >= self.readers[name].needed
        return held

    def nothing(self, rows: int) -> dict[str, Float64]:
        """No value of any signal, for `rows` payloads."""
        return {name: np.full(rows, np.nan) for name in self.readers}

    def _values_there(self, payloads: UInt8, lengths: UInt8, shortest: int) -> dict[str, Float64]:
        raws: dict[str, Raw] = {}

        def raw(name: str) -> Raw:
            if name not in raws:
                raws[name] = self.readers[name].raw(payloads)
            return raws[name]

        def held(name: str) -> Mask | None:
            needed = self.readers[name].needed
            return None if shortest >= needed else lengths >= needed

        values = {}
        for name, read in self.readers.items():
            column = read.scaled(raw(name))
            conditions_of_it = self._conditions[name]
            if conditions_of_it is None:
                column[:] = np.nan
            else:
                there = _all(held(name), [condition(raw, held) for condition in conditions_of_it])
                if there is not None:
                    column[~there] = np.nan
            for first, last in self._voids.get(name, ()):
                number = unsigned(read, raw(name))
                column[(number >= first) & (number <= last)] = np.nan
            values[name] = column
        return values


def unsigned(read: Reader, raw: Raw) -> Raw:
    """The raw values of a signal, as its bits alone: uint64 (m,)."""
    return raw.astype(np.int64).view(np.uint64) & np.uint64((1 << read.signal.length) - 1)


def _ranges(signal: Signal) -> list[tuple[np.uint64, np.uint64]]:
    return [(np.uint64(first), np.uint64(last)) for first, last in j1939.void(signal)]


def _all(first: Mask | None, others: list[Mask]) -> Mask | None:
    """Where every mask is true; None: everywhere."""
    masks = others if first is None else [first, *others]
    return np.logical_and.reduce(masks) if masks else None
