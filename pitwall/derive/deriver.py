"""Signals in, channels out: renamed, in their units, and what is derived from them.

Laws:

1. Every frame of a message is one row of its table.
2. A derived channel has a row wherever the log has a sample of one of its inputs; the others keep their values from
   before, and until each has had one there is no row.  A frame without the signal (too short, or not its turn in a
   multiplexed message) is no sample of it.
3. A derived value that can't be computed (no gear at a standstill, a division by 0) is missing, and so is all that
   reads it there.
4. A rule that raises on a row gives no value there; the row is told of as rejected.
5. However frames are cut into batches, and clustered or not, the rows are the same to the bit.

Pure: no clock, no files; what must be kept from batch to batch is rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pitwall.car.definition import Bus, Car, Derived, Distance, GearRatio, Measured, Message
from pitwall.car.expression import Expression
from pitwall.decode import Decoded, Decoding, Rejected, Step
from pitwall.derive import methods
from pitwall.derive.channel import Channel, Float64, Rows, Table
from pitwall.derive.evaluate import compiled
from pitwall.derive.series import Input, Series, aligned, carried
from pitwall.frames import Int64


class Deriver:
    """The channels of a car, folded over a log from its first frame on.

    tables: one for every message that has signals, then one for every derived channel.
    rejected: the rows of the newest frames that a rule raised on.
    """

    def __init__(self, car: Car) -> None:
        wanted = {name for channel in car.derived for name in channel.inputs}
        self._messages = _message_tables(car, wanted)
        self._derived = [_DerivedTable(channel) for channel in car.derived]
        self._held: dict[str, float] = {}
        self.rejected: list[Rejected] = []
        self.tables: tuple[Table, ...] = (
            *(message.table for message in self._messages.values()),
            *(derived.table for derived in self._derived),
        )

    def fold(self, decoding: Decoding) -> list[Rows]:
        """The rows that the next frames of the log give; a table that gets none is left out."""
        found: list[Rows] = []
        samples: dict[str, Series] = {}
        self.rejected = []
        for decoded in decoding.messages:
            message = self._messages.get((decoded.bus, decoded.message.name))
            if message is not None:
                found.append(message.rows(decoded, samples))
        for derived in self._derived:
            rows = derived.rows([Input(samples.get(name), self._held.get(name)) for name in derived.inputs])
            if derived.step.rejected:
                self.rejected += derived.step.taken()
            if rows is not None:
                found.append(rows)
                samples[derived.name] = Series(rows.at, rows.t, rows.values[0])
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


Compute = Callable[[Int64, list[Float64]], Float64]
"""Times int64 (m,) and the values of the inputs, float64 (m,) each -> those of the result, float64 (m,)."""


class _DerivedTable:
    """One derived channel, and what it keeps from batch to batch."""

    def __init__(self, derived: Derived) -> None:
        self.name = derived.name
        self.inputs = derived.inputs
        self.table = Table(derived.name, (Channel(derived.name, derived.unit, derived.source),))
        self.step = Step(f"computing {derived.name}")
        self._compute = _computing(derived)

    def rows(self, inputs: list[Input]) -> Rows | None:
        clock = aligned(inputs)
        if clock is None:
            return None
        at, t, columns = clock
        return Rows(self.table, at, t, (self._computed(at, t, columns),))

    def _computed(self, at: Int64, t: Int64, columns: list[Float64]) -> Float64:
        if not self.step.raised:
            try:
                return self._compute(t, columns)
            except MemoryError:
                raise
            except Exception:  # noqa: BLE001, S110  the step finds the row that it raised on
                pass
        done = self.step.run(lambda part: self._compute(t[part], [column[part] for column in columns]), at)
        values = np.full(len(at), np.nan)
        for part, found in done:
            values[part] = found
        return values


def _computing(derived: Derived) -> Compute:
    match derived.rule:
        case Expression() as expression:
            evaluate = compiled(expression)
            return lambda t, columns: evaluate(dict(zip(expression.inputs, columns, strict=True)))
        case GearRatio() as gears:
            return lambda t, columns: methods.gear(gears, *columns)
        case Distance() as way:
            return _Travelling(way)


class _Travelling:
    """A distance, and how far it has come."""

    def __init__(self, rule: Distance) -> None:
        self._rule = rule
        self._state: methods.Travelled | None = None

    def __call__(self, t: Int64, columns: list[Float64]) -> Float64:
        values, self._state = methods.distance(self._rule, self._state, t, columns[0])
        return values
