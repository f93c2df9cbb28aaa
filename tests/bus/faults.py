"""A device that does what a script says, however often it is opened: `[3, Gone(), 2, Hang(), Spin(), Mute(), 1]`.

A number is so many frames, each with its own number in its payload.  When the script is over, the source ends.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from pitwall.bus.source import Cause, Plug
from pitwall.errors import PitwallError
from pitwall.frames import empty, frames


@dataclass(frozen=True)
class Gone:
    """A read that fails; so do the next openings.  hangs: what does not come back behind it: "closing", "opening"."""

    openings: int = 0
    hangs: str = ""


@dataclass(frozen=True)
class Hang:
    """A read that does not come back before the source is closed; then it gives so many frames, too late."""

    late: int = 0
    for_ever: bool = False


@dataclass(frozen=True)
class Spin:
    """Reads that give nothing, at once, until the source is opened anew."""


@dataclass(frozen=True)
class Mute:
    """Reads that give nothing, in their time, until the source is opened anew."""


@dataclass(frozen=True)
class Lose:
    """The source counts more that it lost."""

    cause: Cause
    count: int


class Device:
    """What is behind `plug`.  given: frames that a source gave while nobody had given it up.  opened: how often.

    release: lets everything that hangs come back.
    """

    def __init__(self, script, name="fake", zero=0):
        self.name, self.release = name, threading.Event()
        self.given = self.opened = self.at = 0
        self.script, self.zero = list(script), zero
        self.failing, self.hanging = 0, ""
        self.plug = Plug(name, self.open)

    def open(self):
        self.opened += 1
        if self.hanging == "opening":
            self.hanging = ""
            self.release.wait()
        if self.failing:
            self.failing -= 1
            raise PitwallError("is not there", where=self.name)
        return _Source(self)

    def rows(self, n):
        data = np.arange(self.at, self.at + n, dtype="<u8").view(np.uint8)
        self.at += n
        return frames(0, t=np.full(n, time.monotonic_ns() - self.zero), id=np.full(n, 1), data=data)


class _Source:
    def __init__(self, device):
        self.name = device.name
        self._device, self._closed, self._stays = device, threading.Event(), None
        self._counted = {}

    def read(self, timeout_s):
        device = self._device
        if self._stays is None:
            if not device.script:
                return None
            step = device.script.pop(0)
            if isinstance(step, int):
                device.given += step
                return device.rows(step)
            if isinstance(step, Lose):
                self._counted[step.cause] = self._counted.get(step.cause, 0) + step.count
                return empty()
            if isinstance(step, Gone):
                device.failing, device.hanging = step.openings, step.hangs
                raise PitwallError("is unplugged", where=self.name)
            self._stays = step
        if isinstance(self._stays, Hang):
            (device.release if self._stays.for_ever else self._closed).wait()
            return device.rows(self._stays.late)
        if isinstance(self._stays, Mute):
            self._closed.wait(timeout_s)
        return empty()

    def counted(self):
        return dict(self._counted)

    def close(self):
        self._closed.set()
        if self._device.hanging == "closing":
            self._device.hanging = ""
            self._device.release.wait()
