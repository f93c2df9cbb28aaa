"""Signals in, channels out: renamed, in their units, and what is derived from them.

Laws:

1. Every frame of a message is one row of its table.
2. A derived channel has a row wherever the log has a sample of one of its inputs; the others keep their values from
   before, and until each has had one there is no row.  A frame without the signal (too short, or not its turn in a
   multiplexed message) is no sample of it.
3. A derived value that can't be computed (no gear at a standstill, a division by 0) is missing, and so is all that
   reads it there.
4. However frames are cut into batches, and clustered or not, the rows are the same to the bit.

Pure: no clock, no files; what must be kept from batch to batch is rebuilt by replay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pitwall.car.definition import Bus, Car, Measured, Message
from pitwall.decode import Decoded, Decoding
from pitwall.derive.channel import Channel, Float64, Rows, Table
from pitwall.derive.computing import computing
from pitwall.derive.parts import Part, parts
from pitwall.derive.series import Input, Series, aligned, carried


class Deriver:
    """The channels of a car, folded over a log from its first frame on.

    tables: one for every message that has signals, then one for every derived channel.
    """

    def __init__(self, car: Car) -> None:
        self._parts = _parts(car)
        self._messages = _message_tables(car, {name for part in self._parts for name in part.inputs})
        self._held: dict[str, float] = {}
        self.tables: tuple[Table, ...] = (
            *(message.table for message in self._messages.values()),
            *(part.table for part in self._parts if part.table is not None),
        )

    def fold(self, decoding: Decoding) -> list[Rows]:
        """The rows that the next frames of the log give; a table that gets none is left out."""
        found: list[Rows] = []
        samples: dict[str, Series] = {}
        for decoded in decoding.messages:
            message = self._messages.get((decoded.bus, decoded.message.name))
            if message is not None:
                found.append(message.rows(decoded, samples))
        for part in self._parts:
            series = part.series(samples, self._held)
            if series is None:
                continue
            samples[part.name] = series
            if part.table is not None:
                found.append(Rows(part.table, series.at, series.t, (series.values,)))
        self._held.update((name, float(series.values[-1])) for name, series in samples.items())
        return found


@dataclass(frozen=True)
class _MessageTable:
    """The channels that one message gives.  wanted: the indices of those that derived channels read."""

    table: Table
    channels: tuple[Measured, ...]
    wanted: tuple[int, ...]

    def rows(self, decoded: Decoded, samples: dict[str, Series]) -> Rows:
        values = tuple(_converted(decoded.values[channel.signal], channel) for channel in self.channels)
        for index in self.wanted:
            series = carried(decoded.at, decoded.t, values[index])
            if series is not None:
                samples[self.channels[index].name] = series
        return Rows(self.table, decoded.at, decoded.t, values)


def _converted(values: Float64, channel: Measured) -> Float64:
    if channel.factor == 1 and channel.bias == 0:
        return values
    converted = values * channel.factor
    if channel.bias != 0:
        converted += channel.bias
    return converted


def _message_tables(car: Car, wanted: set[str]) -> dict[tuple[str, str], _MessageTable]:
    by_message: dict[tuple[str, str], list[Measured]] = {}
    for channel in car.channels:
        by_message.setdefault((channel.bus, channel.message), []).append(channel)
    tables: dict[tuple[str, str], _MessageTable] = {}
    taken: set[str] = set()
    for bus in car.buses:
        for message in bus.messages:
            places = {signal.name: place for place, signal in enumerate(message.signals)}
            channels = by_message.get((bus.name, message.name), [])
            channels.sort(key=lambda channel: places[channel.signal])
            if channels:
                tables[(bus.name, message.name)] = _MessageTable(
                    Table(_name(bus, message, taken), tuple(_channel(channel) for channel in channels)),
                    tuple(channels),
                    tuple(index for index, channel in enumerate(channels) if channel.name in wanted),
                )
    return tables


def _name(bus: Bus, message: Message, taken: set[str]) -> str:
    """`dash_SmartyCam01`; with its id where messages' names differ in case alone, which tables can't."""
    name = f"{bus.word}_{message.name}"
    if name.casefold() in taken:
        name = f"{name}_{message.id:x}"
    taken.add(name.casefold())
    return name


def _channel(channel: Measured) -> Channel:
    return Channel(channel.name, channel.unit, f"{channel.bus} {channel.message}.{channel.signal}")


class _Running:
    """One derived channel, or a part of one, and what it keeps from batch to batch.

    table: None for a part, whose samples are read by other parts alone.
    """

    def __init__(self, part: Part, table: Table | None) -> None:
        self.name = part.name
        self.inputs = part.rule.inputs
        self._optional = part.optional
        self.table = table
        self._compute = computing(part.rule)

    def series(self, samples: Mapping[str, Series], held: Mapping[str, float]) -> Series | None:
        """What the next frames give, by the new samples of channels and the values that they had before."""
        before = {**dict.fromkeys(self._optional, math.nan), **held} if self._optional else held
        clock = aligned([Input(samples.get(name), before.get(name)) for name in self.inputs])
        if clock is None:
            return None
        at, t, columns = clock
        return Series(at, t, self._compute(t, columns))


def _parts(car: Car) -> list[_Running]:
    """Each after its inputs; what two channels both need is computed once."""
    found: dict[str, _Running] = {}
    for derived in car.derived:
        for part in parts(derived):
            if part.name not in found:
                own = part.name == derived.name
                table = Table(derived.name, (Channel(derived.name, derived.unit, derived.source),)) if own else None
                found[part.name] = _Running(part, table)
    return list(found.values())
