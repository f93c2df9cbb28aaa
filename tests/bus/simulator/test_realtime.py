"""The simulated car as a live source: every frame when it is due, on a clock that the test holds."""

from __future__ import annotations

import threading
from itertools import islice

import numpy as np

from pitwall.bus.simulator import SimulatorSource, simulate
from pitwall.bus.source import Source
from pitwall.frames import concat


class Clock:
    """A clock that moves when it is waited for."""

    def __init__(self, now_ns: int = 5_000_000_000) -> None:
        self.now_ns = now_ns
        self.waits: list[float] = []

    def __call__(self) -> int:
        return self.now_ns

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_ns += round(seconds * 1e9)


def started(drive, **kwargs):
    clock = Clock()
    source: Source = SimulatorSource(drive, clock=clock, wait=clock.wait, **kwargs)
    return source, clock


def test_frames_come_when_they_are_due_and_none_is_lost():
    source, clock = started(simulate(seed=4))
    begun = clock.now_ns
    parts = []
    while clock.now_ns - begun < 20e9:
        part = source.read(0.05)
        assert part is not None
        assert part.start == 0
        assert not len(part) or part.t[-1] <= clock.now_ns - begun
        parts.append(part)
    heard = concat(parts)
    lap = next(simulate(seed=4).frames())
    assert (heard.t == lap.t[: len(heard)]).all()
    assert (heard.data == lap.data[: len(heard)]).all()
    assert lap.t[len(heard)] >= 20e9 - 0.05e9


def test_time_counts_from_the_sessions_zero():
    source, _ = started(simulate(seed=4), zero_ns=2_000_000_000)
    first = source.read(0.1)
    assert first.t[0] == 3_000_000_000


def test_a_read_waits_no_longer_than_it_is_told_and_gives_no_rows_then():
    source, clock = started(simulate(seed=4))
    source.read(1.0)
    quiet = source.read(0.000_001)
    assert len(quiet) == 0
    assert clock.waits[-1] <= 0.000_001


def test_what_fell_due_while_nobody_read_comes_at_once():
    source, clock = started(simulate(seed=4))
    clock.now_ns += 10_000_000_000
    assert abs(len(source.read(0.0)) - 3440) < 20


def test_a_finite_drive_ends_and_laps_join():
    drive = simulate(seed=4, laps=1)
    source, clock = started(drive)
    parts = []
    while (part := source.read(60.0)) is not None:
        parts.append(part)
        clock.now_ns += 30_000_000_000
    heard = concat(parts)
    assert (heard.t == concat(list(drive.frames())).t).all()
    assert (np.diff(heard.t) > 0).all()
    assert source.read(1.0) is None


def test_closing_wakes_a_read_that_waits():
    drive = simulate(seed=4)
    frozen = Clock()
    source = SimulatorSource(drive, clock=frozen)  # waits for real, on a clock that stands still
    assert len(source.read(0.0)) == 1  # the frame of the first instant
    ended = threading.Event()
    answer = []

    def read():
        while (rows := source.read(60.0)) is not None:  # each waits until the next frame would be due
            assert len(rows) == 0
        answer.append(rows)
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    source.close()
    assert ended.wait(10)
    thread.join()
    assert answer == [None]
    assert source.read(1.0) is None


def test_an_endless_drive_is_driven_lap_by_lap():
    laps = list(islice(simulate(seed=4).frames(), 3))
    assert laps[0].stop == laps[1].start
    assert laps[1].stop == laps[2].start
    assert laps[0].t[-1] < laps[1].t[0]
