"""A session, a channel and a time in, what made the channel's value out: the frame, its bits, and every step.

The log is replayed up to that time by the pipeline that makes projections, with a trace in it; whatever is told is what
the pipeline did, and ends in the value that the projection holds, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pitwall.car import Car, heard
from pitwall.car.definition import Measured, Message, Signal
from pitwall.car.document import suggestion
from pitwall.car.steps import Despike, Limits, LowPass, Step, Zero
from pitwall.decode.one import Bits, absent, bits
from pitwall.derive import Rows, Trace
from pitwall.derive.channel import Channel
from pitwall.derive.deriver import converted
from pitwall.errors import UsageError
from pitwall.frames import Frames, cut, in_log_order
from pitwall.log.place import Damage
from pitwall.log.reader import read
from pitwall.log.session import Session
from pitwall.project.build import Progress
from pitwall.project.pipeline import Pipeline
from pitwall.project.raw import Frame, frame
from pitwall.track.fixes import ROLES
from pitwall.track.lapping import LAPTIME

Damaged = Callable[[Damage], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A step of a definition.  value: behind it; NaN: missing.  removed: why, where it is this step that removed it."""

    words: str
    value: float
    removed: str = ""


@dataclass(frozen=True, slots=True)
class OfFrame:
    """Why a measured channel has its value.

    frame, bits: None: no frame up to that time held its signal.  steps: in order.
    missing: why there is no value, in words; empty: there is one.
    since: where newer frames of the message did not hold the signal, why the newest did not.
    """

    channel: Measured
    message: Message
    signal: Signal
    value: float
    frame: Frame | None = None
    bits: Bits | None = None
    steps: tuple[Done, ...] = ()
    missing: str = ""
    since: str = ""

    @property
    def name(self) -> str:
        return self.channel.name

    @property
    def unit(self) -> str:
        return self.channel.unit

    @property
    def where(self) -> str:
        """`file:line` of its definition; "" where none names it."""
        return self.channel.where

    @property
    def t(self) -> int | None:
        """When its sample came, in ns; None: there is none."""
        return None if self.frame is None else self.frame.t


@dataclass(frozen=True, slots=True)
class Seen:
    """An input of a derived channel.  t: of its newest sample, in ns.  value: what the rule saw; NaN: missing."""

    name: str
    unit: str
    t: int | None
    value: float
    expired: bool = False


@dataclass(frozen=True, slots=True)
class OfInputs:
    """Why a derived channel, or a part of one that looks back, has its value.

    source: the formula.  where: `file:line` of it, "" for a part.  t: of its row, in ns; None: there is none.
    missing: as of `OfFrame`.
    """

    name: str
    unit: str
    source: str
    where: str
    t: int | None
    value: float
    inputs: tuple[Seen, ...]
    missing: str = ""


Why = OfFrame | OfInputs


def why(
    session: Session, car: Car, channel: str, t: int, *, damaged: Damaged, progress: Progress | None = None
) -> dict[str, Why]:
    """Why `channel` has the value that it has at `t` ns, and why all that it reads has its own: each by its name.

    Told is the newest sample at or before `t`; the channel comes first, its inputs behind it.  damaged: told of what of
    the log can't be read.  UsageError: the car has no such channel.
    """
    car = heard(car, session.header.buses)
    trace = Trace()
    pipeline = Pipeline(car, session.header, trace=trace)
    timed = {one.name: one for table in pipeline.tables if table.name == LAPTIME for one in table.channels}
    _check(car, channel, timed)
    roles = dict(car.roles)
    fixes = tuple(roles[role] for role in ROLES if role in roles)
    names = _wanted(trace, channel) if channel not in timed else _with_fixes(trace, channel, fixes)
    held: dict[str, _Held] = {name: _Held() for name in names}
    for frames in _until(read(session.path, damaged=damaged), t):
        for rows in pipeline.apply(frames).rows:
            for place, made in enumerate(rows.table.channels):
                if made.name in held:
                    held[made.name].see(rows, place, trace.sampled(made.name))
        if progress is not None:
            progress(frames.stop, max(frames.stop, session.rows))
    telling = _Telling(session, car, trace, held, _Timed(timed, fixes, pipeline.behind_laps()))
    return {name: telling.tell(name) for name in names}


class _Held:
    """The value that a projection holds of a channel's newest sample."""

    def __init__(self) -> None:
        self.at = -1
        self.t: int | None = None
        self.value = np.nan

    def see(self, rows: Rows, place: int, at: int | None) -> None:
        """at: the offset of the newest sample, if it is known; None: the last row is one."""
        row = len(rows.at) - 1 if at is None else int(np.searchsorted(rows.at, at))
        if row < len(rows.at) and (at is None or rows.at[row] == at):
            self.at, self.t, self.value = int(rows.at[row]), int(rows.t[row]), float(rows.values[place][row])


@dataclass(frozen=True, slots=True)
class _Timed:
    """The channels of `laptime`.  fixes: those that they are computed of.  behind: what the newest row stands on."""

    channels: Mapping[str, Channel]
    fixes: tuple[str, ...]
    behind: str


def _with_fixes(trace: Trace, channel: str, fixes: tuple[str, ...]) -> list[str]:
    return [channel, *dict.fromkeys(name for fix in fixes for name in _wanted(trace, fix))]


def _check(car: Car, channel: str, timed: Mapping[str, Channel]) -> None:
    known = {*(one.name for one in car.channels), *(one.name for one in car.derived), *timed}
    if channel not in known:
        hint = suggestion(channel, known) or f"`pitwall car show {car.name}` lists them"
        raise UsageError(f"there is no channel {channel!r}", where=car.name, hint=hint)


def _wanted(trace: Trace, channel: str) -> list[str]:
    """The channel and all that it reads, parts that look back too, each once, the nearest first."""
    names = [channel]
    for name in names:
        names += [read for read in trace.inputs.get(name, ()) if read not in names]
    return names


def _until(batches: Iterator[Frames], t: int) -> Iterator[Frames]:
    """The rows up to `t`; time never runs backwards along them."""
    for frames in batches:
        count = int(np.count_nonzero(frames.t <= t))
        if count < len(frames):
            if count:
                yield cut(in_log_order(frames), 0, count)
            return
        yield frames


class _Telling:
    """What a replay up to some time has shown, in words and numbers."""

    def __init__(self, session: Session, car: Car, trace: Trace, held: Mapping[str, _Held], timed: _Timed) -> None:
        self._session = session
        self._timed = timed
        self._trace = trace
        self._held = held
        self._measured = {one.name: one for one in car.channels}
        self._derived = {one.name: one for one in car.derived}
        self._units = {one.name: one.unit for one in car.channels} | {one.name: one.unit for one in car.derived}
        self._messages = {(bus.name, message.name): message for bus in car.buses for message in bus.messages}

    def tell(self, name: str) -> Why:
        if name in self._timed.channels:
            return self._of_laps(self._timed.channels[name])
        return self._of_frame(self._measured[name]) if name in self._measured else self._of_inputs(name)

    def _of_frame(self, channel: Measured) -> OfFrame:
        message = self._messages[(channel.bus, channel.message)]
        signal = next(one for one in message.signals if one.name == channel.signal)
        newest = self._trace.newest_frame(channel.name)
        passed = self._trace.passed(channel.name)
        nothing = OfFrame(channel, message, signal, np.nan)
        if newest is None:
            return replace(nothing, missing=f"no frame of {message.name} was heard until then")
        since = "" if passed is not None and passed.at == newest else self._absent(nothing, newest)
        if passed is None:
            return replace(nothing, missing=f"no frame of {message.name} held it until then; of the newest, {since}")
        raw = frame(self._session, passed.at)
        found = bits(signal, raw.payload)
        steps = tuple(_steps(channel, found.value, passed.steps))
        value = steps[-1].value if steps else found.value
        assert _same(_before(channel, steps, found.value), passed.converted), "the signal is what the pipeline read"
        assert passed.at == self._held[channel.name].at, "the sample is a row of the projection"
        assert _same(value, self._held[channel.name].value), "the last step is what the projection holds"
        removed = next((step for step in steps if step.removed), None)
        missing = f"{removed.words}: {removed.removed}" if removed is not None else ""
        return replace(nothing, value=value, frame=raw, bits=found, steps=steps, missing=missing, since=since)

    def _absent(self, of: OfFrame, offset: int) -> str:
        payload = frame(self._session, offset).payload
        return absent(of.message, of.signal, payload) or f"{of.signal.name} is no number, or the frame was rejected"

    def _of_inputs(self, name: str) -> OfInputs:
        channel, names = self._derived.get(name), self._trace.inputs[name]
        about = (
            name,
            self._unit(name),
            name if channel is None else channel.source,
            "" if channel is None else channel.where,
        )
        computed = self._trace.computed(name)
        times, units = [self._time(each) for each in names], [self._unit(each) for each in names]
        if computed is None:
            inputs = tuple(map(Seen, names, units, times, [self._value(each) for each in names]))
            never = [each.name for each in inputs if each.t is None]
            missing = f"{', '.join(never)} had no value until then" if never else "it reads nothing"
            return OfInputs(*about, None, np.nan, inputs, missing)
        if channel is not None:
            assert _same(computed.value, self._held[name].value), "what was computed is what the projection holds"
        was_there = [not np.isnan(self._value(each)) for each in names]
        expired = [there and bool(np.isnan(seen)) for there, seen in zip(was_there, computed.inputs, strict=True)]
        inputs = tuple(map(Seen, names, units, times, computed.inputs, expired))
        return OfInputs(*about, computed.t, computed.value, inputs, _uncomputed(computed.value, inputs))

    def _of_laps(self, channel: Channel) -> OfInputs:
        """Of `laptime`: the fix that the row is of, what it is computed from, and which laps it stands on."""
        held, names = self._held[channel.name], self._timed.fixes
        inputs = tuple(Seen(name, self._unit(name), self._time(name), self._value(name)) for name in names)
        about = (channel.name, channel.unit, f"{channel.source}; {self._timed.behind}", "")
        if held.t is None:
            return OfInputs(*about, None, np.nan, inputs, "there was no fix on a known course until then")
        missing = "" if not np.isnan(held.value) else "there is none at this fix (docs/laps.md tells when)"
        return OfInputs(*about, held.t, held.value, inputs, missing)

    def _unit(self, name: str) -> str:
        return self._units.get(name, "")  # nobody says one for a part

    def _value(self, name: str) -> float:
        """The newest value of a channel, or of a part of one; NaN: it is missing."""
        if name in self._units:
            return self._held[name].value
        computed = self._trace.computed(name)
        return np.nan if computed is None else computed.value

    def _time(self, name: str) -> int | None:
        """When the newest sample of a channel came."""
        if name in self._measured:
            passed = self._trace.passed(name)
            return None if passed is None else passed.t
        computed = self._trace.computed(name)
        return None if computed is None else computed.t


def _uncomputed(value: float, inputs: tuple[Seen, ...]) -> str:
    """Why a derived value is missing, in words; empty: it isn't."""
    if not np.isnan(value):
        return ""
    for each in inputs:
        if each.expired:
            return f"{each.name} is older than it holds"
        if np.isnan(each.value):
            return f"{each.name} is missing"
    return "it can't be computed from these"


def _steps(channel: Measured, signal: float, behind: tuple[float, ...]) -> Iterator[Done]:
    """What is done to the value of a signal.  behind: the value behind each of the channel's steps."""
    value = signal
    if channel.table is not None:
        value = _converted(channel, signal, 1.0, 0.0)
        yield Done(f"table of {len(channel.table.raw)} points", value)
    for fold in channel.folds:
        value = _converted(channel, signal, fold.factor, fold.bias)
        yield Done(fold.words, value)
    for step, after in zip(channel.steps, behind, strict=True):
        removed = _REMOVED[type(step)](step, value) if np.isnan(after) and not np.isnan(value) else ""
        yield Done(str(step), after, removed)
        value = after


def _before(channel: Measured, steps: tuple[Done, ...], signal: float) -> float:
    """The value before the channel's `steps`, which come last."""
    first = len(steps) - len(channel.steps)
    return steps[first - 1].value if first else signal


def _converted(channel: Measured, signal: float, factor: float, bias: float) -> float:
    return float(converted(np.array([signal]), replace(channel, factor=factor, bias=bias))[0])


_REMOVED: Final[dict[type[Step], Callable[..., str]]] = {
    Limits: lambda step, value: f"{value!r} is {'below' if value < step.low else 'above'} them",
    Despike: lambda step, value: f"{value!r} is too far from the median of the {step.of} before it",
    Zero: lambda step, value: "no standstill has been seen yet",
    LowPass: lambda step, value: "the filter gives no number",
}
"""Why a step makes a value missing."""


def _same(a: float, b: float) -> bool:
    """Equal to the bit, or both missing."""
    return np.float64(a).tobytes() == np.float64(b).tobytes() or bool(np.isnan(a) and np.isnan(b))
