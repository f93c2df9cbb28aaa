"""Signals in, channels out: renamed, in their units, their steps done, and what is derived from them.

Laws:

1. Every frame of a message is one row of its table.
2. A derived channel has a row wherever the log has a sample of one of its inputs; the others keep their values from
   before, and until each has had one there is no row.  A frame without the signal (too short, or not its turn in a
   multiplexed message) is no sample of it; a value that a step made missing is one, and is missing.
3. A derived value that can't be computed (no gear at a standstill, a division by 0) is missing, and so is all that
   reads it there; so is a value that is older than its channel holds.
4. A rule that raises on a row gives no value there; the row is told of as rejected.
5. However frames are cut into batches, and clustered or not, the rows are the same to the bit.

Pure: no clock, no files; what must be kept from batch to batch is rebuilt by replay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from pitwall.car.definition import Bus, Car, Measured, Message
from pitwall.car.steps import Zero
from pitwall.decode import Decoded, Decoding, Rejected, Step
from pitwall.derive.channel import Channel, Float64, Rows, Table
from pitwall.derive.computing import computing
from pitwall.derive.guarded import guarded
from pitwall.derive.parts import Part, parts
from pitwall.derive.series import Held, Input, Series, aligned, carried, newest
from pitwall.derive.steps import Speeds, Steps, tabled
from pitwall.derive.trace import Trace
from pitwall.frames import Int64


class Deriver:
    """The channels of a car, folded over a log from its first frame on.

    tables: one for every message that has signals, then one for every derived channel.
    rejected: the rows of the newest frames that a rule raised on.
    """

    def __init__(self, car: Car, trace: Trace | None = None) -> None:
        """trace: sees what is done to every sample."""
        zeros = [zero for channel in car.channels if (zero := _zero(channel)) is not None]
        self._speed = zeros[0].speed if zeros else None
        self._parts = _parts(car, trace)
        wanted: set[str | None] = {self._speed, *(name for part in self._parts for name in part.inputs)}
        self._messages = _message_tables(car, wanted, trace)
        self._hold_ns = _holds(car, self._parts)
        self._held: dict[str, Held] = {}
        self.rejected: list[Rejected] = []
        self.tables: tuple[Table, ...] = (
            *(message.table for message in self._messages.values()),
            *(part.table for part in self._parts if part.table is not None),
        )

    def fold(self, decoding: Decoding) -> list[Rows]:
        """The rows that the next frames of the log give; a table that gets none is left out."""
        found: list[Rows] = []
        samples: dict[str, Series] = {}
        self.rejected = []
        speeds = partial(self._speeds, samples)
        for decoded in sorted(decoding.messages, key=self._waits):
            message = self._messages.get((decoded.bus, decoded.message.name))
            if message is not None:
                found.append(message.rows(decoded, samples, speeds))
                for guard in message.guards:
                    self.rejected += guard.taken() if guard.rejected else []
        for part in self._parts:
            series = part.series([self._input(name, samples) for name in part.inputs])
            if part.step.rejected:
                self.rejected += part.step.taken()
            if series is None:
                continue
            samples[part.name] = series
            if part.table is not None:
                found.append(Rows(part.table, series.at, series.t, (series.values,)))
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
    guards: of the steps of each.
    """

    table: Table
    channels: tuple[Measured, ...]
    steps: tuple[Steps, ...]
    wanted: frozenset[int]
    order: tuple[int, ...]
    guards: tuple[Step, ...]

    def rows(self, decoded: Decoded, samples: dict[str, Series], speeds: Speeds) -> Rows:
        """The rows of one message's frames; the samples of those that are wanted go to `samples`."""
        values: dict[int, Float64] = {}
        for index in self.order:
            channel = self.channels[index]
            signal = decoded.values[channel.signal]
            values[index] = self._stepped(index, decoded, converted(signal, channel), speeds)
            if index in self.wanted:
                series = carried(decoded.at, decoded.t, values[index], signal)
                if series is not None:
                    samples[channel.name] = series
        return Rows(self.table, decoded.at, decoded.t, tuple(values[index] for index in range(len(self.channels))))

    def _stepped(self, index: int, decoded: Decoded, values: Float64, speeds: Speeds) -> Float64:
        at, t, steps = decoded.at, decoded.t, self.steps[index]
        return guarded(self.guards[index], at, lambda part: steps(at[part], t[part], values[part], speeds))


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
                    tuple(Step(f"the steps of {channel.name}") for channel in channels),
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


class _Running:
    """One derived channel, or a part of one, and what it keeps from batch to batch.

    table: None for a part, whose samples are read by other parts alone.
    """

    def __init__(self, part: Part, table: Table | None, trace: Trace | None) -> None:
        self.name = part.name
        self.inputs = part.rule.inputs
        self._optional = part.optional
        self.table = table
        self.step = Step(f"computing {part.name}")
        self._compute = computing(part.rule)
        self._trace = trace
        if trace is not None:
            trace.inputs[part.name] = part.rule.inputs

    def series(self, inputs: Sequence[Input]) -> Series | None:
        """What the next frames give, by the new samples of the inputs and the values that they had before."""
        clock = aligned([self._ready(name, each) for name, each in zip(self.inputs, inputs, strict=True)])
        if clock is None:
            return None
        at, t, columns = clock
        values = guarded(self.step, at, lambda part: self._compute(t[part], [column[part] for column in columns]))
        if self._trace is not None:
            self._trace.see(self.name, t, columns, values)
        return Series(at, t, values)

    def _ready(self, name: str, each: Input) -> Input:
        """An input that may never come is missing until it does; any other is waited for."""
        return replace(each, held=_NEVER) if each.held is None and name in self._optional else each


_NEVER: Final = Held(math.nan, 0)


def _holds(car: Car, running: Sequence[_Running]) -> dict[str, int | None]:
    """For how long a value of each channel is good; a part of a formula is as good as what it reads."""
    holds = {channel.name: channel.hold_ns for channel in car.channels}
    for part in running:
        if part.table is None:
            of_inputs = [hold for name in part.inputs if (hold := holds.get(name)) is not None]
            holds[part.name] = min(of_inputs, default=None)
    return holds


def _parts(car: Car, trace: Trace | None) -> list[_Running]:
    """Each after its inputs; what two channels both need is computed once."""
    found: dict[str, _Running] = {}
    for derived in car.derived:
        for part in parts(derived):
            if part.name not in found:
                own = part.name == derived.name
                table = Table(derived.name, (Channel(derived.name, derived.unit, derived.source),)) if own else None
                found[part.name] = _Running(part, table, trace)
    return list(found.values())
