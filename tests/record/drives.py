"""What the recorder's tests share: sources that obey, a disk that fails when told to, and what a log holds."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from pitwall.bus.source import Plug
from pitwall.frames import Control, Flag, Frames, concat, empty, frames, in_log_order, take
from pitwall.log.disk import DISK, Disk
from pitwall.log.hold import Hold
from pitwall.log.reader import read
from pitwall.log.session import find
from pitwall.record import Patience, Recorded, record

SOON = Patience(silent_s=60, mute_s=60, hang_s=30, pauses_s=(0.01,), read_s=0.01, tell_s=0)
"""Tries again at once, and takes nobody for silent."""


def some(t, id=1, **columns):
    t = np.atleast_1d(t)
    return frames(0, t=t, id=np.full(len(t), id), data=np.zeros((len(t), 8), np.uint8), **columns)


class Script:
    """A source that does what it was told, step by step; then it ends.

    A step: frames; an error to raise; an event to wait for; a function, to be called once more until it says something
    true, or frames.
    """

    def __init__(self, name, *steps):
        self.name = name
        self._steps = list(steps)
        self.closed = False

    def read(self, timeout_s):
        if not self._steps:
            return None
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, threading.Event):
            if not step.wait(timeout_s):
                self._steps.insert(0, step)
            return empty()
        if callable(step):
            said = step()
            if not said:
                self._steps.insert(0, step)
                time.sleep(0.001)
            return empty()
        return step

    def counted(self):
        return {}

    def close(self):
        self.closed = True


def plugged(source):
    """What gives that source whenever it is opened."""
    return Plug(source.name, lambda: source)


class FailingDisk(Disk):
    """A disk on which each call in `failing` fails.  calls: how many did."""

    EVERY = frozenset({"create", "write", "sync", "rename", "make_folder", "sync_folder"})

    def __init__(self, error=errno.EIO):
        self.failing = frozenset()
        self.error = error
        self.calls = 0

    def _check(self, call):
        if call in self.failing:
            self.calls += 1
            raise OSError(self.error, os.strerror(self.error))

    def create(self, path):
        self._check("create")
        return super().create(path)

    def write(self, fd, data):
        self._check("write")
        return super().write(fd, data)

    def sync(self, fd):
        self._check("sync")
        super().sync(fd)

    def rename(self, path, to):
        self._check("rename")
        super().rename(path, to)

    def make_folder(self, path):
        self._check("make_folder")
        super().make_folder(path)

    def sync_folder(self, path):
        self._check("sync_folder")
        super().sync_folder(path)


def rows_of(logs, name="latest"):
    """A session's frames, and its control rows as (kind, t, fact)."""
    session = find(logs, name)
    rows = concat([in_log_order(batch) for batch in read(session.path)])
    marks = np.flatnonzero(rows.flags & np.uint8(Flag.CONTROL))
    facts = [(Control(int(rows.id[i])), int(rows.t[i]), json.loads(rows.more[i].as_py())) for i in marks]
    return session, rows, facts


def only_frames(rows: Frames):
    """The rows that are no control rows."""
    return take(rows, np.flatnonzero(rows.flags & np.uint8(Flag.CONTROL) == 0))


def recorded(sources, logs: Path, *, disk: Disk = DISK, **options) -> Recorded:
    """What the recorder makes of the sources, by a clock that stands still unless another is given."""
    given = {
        "car": "test", "buses": [f"bus{i}" for i in range(len(sources))], "zero": 0,
        "stop": threading.Event(), "clock": lambda: 0, "wall": lambda: 1_700_000_000 * 10**9, "patience": SOON,
    }  # fmt: skip
    with closing(Hold(logs, disk=disk)) as hold:
        return record([plugged(source) for source in sources], hold=hold, **given | options)


def until(true: Callable[[], object], within_s: float = 60) -> object:
    """What `true` says once it says something; fails where it has not by then."""
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
    return found
