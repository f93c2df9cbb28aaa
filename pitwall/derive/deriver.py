"""Signals in, channels out: renamed, in their units, their steps done, and what is derived from them.

Laws:

1. Every frame of a message is one row of its table.
2. A derived channel has a row wherever the log has a sample of one of its inputs; the others keep their values from
   before, and until each has had one there is no row.  A frame without the signal (too short, or not its turn in a
   multiplexed message) is no sample of it; a value that a step made missing is one, and is missing.
3. A derived value that can't be computed (no gear at a standstill, a division by 0) is missing, and so is all that
   reads it there; so is a value that is older than its channel holds.
4. However frames are cut into batches, and clustered or not, the rows are the same to the bit.

Pure: no clock, no files; what must be kept from batch to batch is rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pitwall.car.definition import Bus, Car, Derived, Distance, GearRatio, Measured, Message
from pitwall.car.expression import Expression
from pitwall.car.steps import Zero
from pitwall.decode import Decoded, Decoding
from pitwall.derive import methods
from pitwall.derive.channel import Channel, Float64, Rows, Table
from pitwall.derive.evaluate import compiled
from pitwall.derive.series import Held, Input, Series, aligned, carried, newest
from pitwall.derive.steps import Speeds, Steps, tabled
from pitwall.derive.trace import Compute, Trace
from pitwall.frames import Int64


class Deriver:
    """The channels of a car, folded over a log from its first frame on.

    tables: one for every message that has signals, then one for every derived channel.
    """

    def __init__(self, car: Car, trace: Trace | None = None) -> None:
        """trace: sees what is done to every sample."""
        zeros = [zero for channel in car.channels if (zero := _zero(channel)) is not None]
        self._speed = zeros[0].speed if zeros else None
        wanted: set[str | None] = {self._speed, *(name for channel in car.derived for name in channel.inputs)}
        self._messages = _message_tables(car, wanted, trace)
        self._derived = [_DerivedTable(channel, trace) for channel in car.derived]
        self._hold_ns = {channel.name: channel.hold_ns for channel in car.channels}
        self._held: dict[str, Held] = {}
        self.tables: tuple[Table, ...] = (
            *(message.table for message in self._messages.values()),
            *(derived.table for derived in self._derived),
        )

    def fold(self, decoding: Decoding) -> list[Rows]:
        """The rows that the next frames of the log give; a table that gets none is left out."""
        found: list[Rows] = []
        samples: dict[str, Series] = {}
        speeds = partial(self._speeds, samples)
        for decoded in sorted(decoding.messages, key=self._waits):
            message = self._messages.get((decoded.bus, decoded.message.name))
            if message is not None:
                found.append(message.rows(decoded, samples, speeds))
        for derived in self._derived:
            rows = derived.rows([self._input(name, samples) for name in derived.inputs])
            if rows is not None:
                found.append(rows)
                samples[derived.name] = Series(rows.at, rows.t, rows.values[0])
        self._held.update((name, Held(float(each.values[-1]), int(each.t[-1]))) for name, each in samples.items())
        return found

    def _input(self, name: str, samples: Mapping[str, Series]) -> Input:
        return Input(samples.get(name), self._held.get(name), self._hold_ns.get(name))

    def _speeds(self, samples: Mapping[str, Series], at: Int64, t: Int64) -> Float64:
        assert self._speed is not None, "a channel that needs the speed says which"
        return newest(self._input(self._speed, samples), at, t)

    def _waits(self, decoded: Decoded) -> bool:
        """Whether a message comes behind the one that has the speed, which others may need."""
        message = self._messages.get((decoded.bus, decoded.message.name))
        return message is None or all(channel.name != self._speed for channel in message.channels)


@dataclass(frozen=True)
class _MessageTable:
    """The channels that one message gives, and the steps of each.

    wanted: the indices of those that others read.  order: all indices; those that need to know the speed are last.
    """

    table: Table
    channels: tuple[Measured, ...]
    steps: tuple[Steps, ...]
    wanted: frozenset[int]
    order: tuple[int, ...]

    def rows(self, decoded: Decoded, samples: dict[str, Series], speeds: Speeds) -> Rows:
        """The rows of one message's frames; the samples of those that are wanted go to `samples`."""
        values: dict[int, Float64] = {}
        for index in self.order:
            channel = self.channels[index]
            signal = decoded.values[channel.signal]
            values[index] = self.steps[index](decoded.at, decoded.t, converted(signal, channel), speeds)
            if index in self.wanted:
                series = carried(decoded.at, decoded.t, values[index], signal)
                if series is not None:
                    samples[channel.name] = series
        return Rows(self.table, decoded.at, decoded.t, tuple(values[index] for index in range(len(self.channels))))


def _zero(channel: Measured) -> Zero | None:
    return next((step for step in channel.steps if isinstance(step, Zero)), None)


def converted(values: Float64, channel: Measured) -> Float64:
    """Values of the channel's signal, float64 (m,), by its table, or in its unit; before its steps."""
    if channel.table is not None:
        values = tabled(channel.table, values)
    if channel.factor == 1 and channel.bias == 0:
        return values
    done = values * channel.factor
    if channel.bias != 0:
        done += channel.bias
    return done


def _message_tables(car: Car, wanted: set[str | None], trace: Trace | None) -> dict[tuple[str, str], _MessageTable]:
    stepping = (lambda channel: Steps(channel.steps)) if trace is None else trace.steps
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
                    tuple(stepping(channel) for channel in channels),
                    frozenset(index for index, channel in enumerate(channels) if channel.name in wanted),
                    tuple(sorted(range(len(channels)), key=lambda index: _zero(channels[index]) is not None)),
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
    hold_s = None if channel.hold_ns is None else channel.hold_ns / 1e9
    return Channel(channel.name, channel.unit, f"{channel.bus} {channel.message}.{channel.signal}", hold_s)


class _DerivedTable:
    """One derived channel, and what it keeps from batch to batch."""

    def __init__(self, derived: Derived, trace: Trace | None) -> None:
        self.name = derived.name
        self.inputs = derived.inputs
        self.table = Table(derived.name, (Channel(derived.name, derived.unit, derived.source),))
        compute = _computing(derived)
        self._compute = compute if trace is None else trace.compute(derived, compute)

    def rows(self, inputs: list[Input]) -> Rows | None:
        clock = aligned(inputs)
        if clock is None:
            return None
        at, t, columns = clock
        return Rows(self.table, at, t, (self._compute(t, columns),))


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
