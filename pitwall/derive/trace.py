"""What is done to samples in, what the newest sample of each channel went through out.

Laws: who is traced computes what it computes otherwise, by the same code; a trace holds one sample a channel, however
long the log.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pitwall.car.definition import Measured
from pitwall.derive.channel import Float64
from pitwall.derive.steps import Doing, Speeds, Steps
from pitwall.frames import Int64


@dataclass(frozen=True, slots=True)
class Passed:
    """A sample of a measured channel, at the log offset `at`.

    converted: its value before the steps.  steps: the value behind each; NaN: missing, by that step or one before.
    """

    at: int
    t: int
    converted: float
    steps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Computed:
    """A row of a derived channel, or a part of one.  inputs: what it saw.  value: what came out; NaN: missing."""

    t: int
    inputs: tuple[float, ...]
    value: float


class Trace:
    """What the newest samples went through, of all the channels of the deriver that it is given to.

    inputs: what each derived channel, and each part of one that looks back, reads.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, tuple[str, ...]] = {}
        self._steps: dict[str, TracedSteps] = {}
        self._computed: dict[str, Computed] = {}

    def steps(self, channel: Measured) -> TracedSteps:
        """The steps of `channel`, watched."""
        self._steps[channel.name] = TracedSteps(channel)
        return self._steps[channel.name]

    def see(self, name: str, t: Int64, columns: list[Float64], values: Float64) -> None:
        """Rows of a derived channel, or a part of one: their times, what it saw of its inputs, what came out."""
        if len(t):
            seen = tuple(float(column[-1]) for column in columns)
            self._computed[name] = Computed(int(t[-1]), seen, float(values[-1]))

    def passed(self, name: str) -> Passed | None:
        """The newest sample of a measured channel; None: no frame held its signal so far."""
        return self._steps[name].newest()

    def sampled(self, name: str) -> int | None:
        """The offset of the newest sample of a measured channel; None: it has none so far, or is derived."""
        passed = self.passed(name) if name in self._steps else None
        return None if passed is None else passed.at

    def newest_frame(self, name: str) -> int | None:
        """The offset of the newest frame of a measured channel's message, whether or not it held the signal."""
        return self._steps[name].frame

    def computed(self, name: str) -> Computed | None:
        """The newest row of a derived channel, or a part of one; None: there is none so far."""
        return self._computed.get(name)


class TracedSteps(Steps):
    """The steps of one channel, each watched.  frame: the offset of the newest row that came."""

    def __init__(self, channel: Measured) -> None:
        super().__init__(channel.steps)
        self._watched = [_Watched(step) for step in self._steps]
        self._steps = [*self._watched]
        self._newest: tuple[int, int, float] | None = None
        self.frame: int | None = None

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds) -> Float64:
        there = np.flatnonzero(~np.isnan(values))
        if len(there):
            row = there[-1]
            self._newest = int(at[row]), int(t[row]), float(values[row])
        self.frame = int(at[-1])
        return super().__call__(at, t, values, speeds)

    def newest(self) -> Passed | None:
        """The newest row that has a value before the steps."""
        if self._newest is None:
            return None
        at, t, converted = self._newest
        # a step sees no missing value: if the newest that it saw is another row, this one was missing before it
        values = tuple(step.value if step.at == at else np.nan for step in self._watched)
        return Passed(at, t, converted, values)


class _Watched:
    """A step, and the newest row that it saw: its offset, and its value behind the step."""

    def __init__(self, step: Doing) -> None:
        self._step = step
        self.at = -1
        self.value = np.nan

    def __call__(self, at: Int64, t: Int64, values: Float64, speeds: Speeds, /) -> Float64:
        done = self._step(at, t, values, speeds)
        self.at, self.value = int(at[-1]), float(done[-1])
        return done
