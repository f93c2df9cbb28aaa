"""A session put back on a bus: its order, and its own time."""

from __future__ import annotations

import itertools
import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.interface import InterfaceSource
from pitwall.bus.message import to_frames
from pitwall.bus.play import NAP_S, play
from pitwall.bus.pythoncan import can
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Control, Flag, clustered, concat, control, cut, frames
from tests.bus.messages import heard_by_python_can

names = (f"play-{os.getpid()}-{n}" for n in itertools.count())


class Time:
    """A clock that sleeping moves, and each look at it a little."""

    def __init__(self):
        self.now = 1000.0
        self.naps = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds


class Wire(can.BusABC):
    """A bus that notes what was sent, and when."""

    def __init__(self, time):
        super().__init__("wire")
        self.channel_info = "a wire"
        self.time, self.sent = time, []

    def send(self, msg, timeout=None):
        self.sent.append((self.time.now, msg))

    def _recv_internal(self, timeout):
        return None, False


def sender(bus):
    return InterfaceSource(bus, "a wire", zero=0)


@pytest.fixture
def wire():
    time = Time()
    bus = Wire(time)
    yield time, bus
    bus.shutdown()


def drive(t, **columns):
    t = np.array(t)
    return frames(0, t=t, id=np.arange(len(t)) + 1, data=np.zeros((len(t), 8), np.uint8), **columns)


@settings(max_examples=50, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 700_000_000), min_size=1, max_size=30),
    speed=st.sampled_from([0.5, 1.0, 8.0]),
    start_s=st.sampled_from([0.0, 1.0]),
    cuts=st.lists(st.integers(0, 30), max_size=3).map(sorted),
)
def test_frames_go_out_in_their_order_at_their_times(gaps, speed, start_s, cuts):
    time = Time()
    bus = Wire(time)
    rows = drive(np.cumsum(gaps))
    batches = [cut(rows, a, b) for a, b in itertools.pairwise([0, *cuts, len(rows)])]
    played = play(batches, {0: sender(bus)}, speed=speed, start_s=start_s, clock=time.clock, sleep=time.sleep)
    bus.shutdown()
    due = rows.t >= start_s * 1e9
    assert [message.arbitration_id for _, message in bus.sent] == rows.id[due].tolist()
    times = 1000 + (rows.t[due] / 1e9 - start_s) / speed
    assert [at for at, _ in bus.sent] == pytest.approx(times.tolist(), abs=1e-6)
    assert played.frames == np.count_nonzero(due)
    assert all(nap <= NAP_S for nap in time.naps)


def test_it_makes_up_for_being_late(wire):
    time, bus = wire
    real = bus.send

    def slow(message, timeout=None):
        real(message)
        time.now += 0.5 if message.arbitration_id == 1 else 0

    bus.send = slow
    played = play([drive([0, 100_000_000, 900_000_000])], {0: sender(bus)}, clock=time.clock, sleep=time.sleep)
    assert [round(at - 1000, 6) for at, _ in bus.sent] == [0, 0.5, 0.9]
    assert played.late_s == pytest.approx(0.4)


def test_control_rows_and_error_frames_stay_behind_and_each_bus_gets_its_own(wire):
    time, bus = wire
    rows = concat(
        [
            control(Control.SESSION_START, 0, b"{}"),
            drive([1, 2, 3, 4], bus=[0, 1, 0, 2], flags=[0, Flag.EXTENDED, Flag.ERROR, 0]),
            control(Control.NOTE, 5, b"{}"),
        ]
    )
    other = Wire(time)
    played = play([clustered(rows)], {0: sender(bus), 1: sender(other)}, clock=time.clock, sleep=time.sleep)
    other.shutdown()
    assert [message.arbitration_id for _, message in bus.sent] == [1]
    assert [(message.arbitration_id, message.is_extended_id) for _, message in other.sent] == [(2, True)]
    assert (played.frames, played.left_out) == (2, 2)


def test_a_silent_stretch_is_left_when_it_is_told_to_stop(wire):
    time, bus = wire
    stop = threading.Event()

    def sleep(seconds):
        time.sleep(seconds)
        if time.now > 1010:
            stop.set()

    played = play([drive([0, 3_600_000_000_000])], {0: sender(bus)}, stop=stop, clock=time.clock, sleep=sleep)
    assert played.frames == 1
    assert time.now < 1011


def test_a_bus_that_takes_nothing_is_named(wire):
    time, bus = wire

    def refuse(message, timeout=None):
        raise can.CanOperationError("buffer full")

    bus.send = refuse
    with pytest.raises(PitwallError, match=r"a wire: frame 0x1 can't be sent: buffer full"):
        play([drive([0])], {0: sender(bus)}, clock=time.clock, sleep=time.sleep)


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(wire, speed):
    with pytest.raises(UsageError, match="speed"):
        play([], {0: sender(wire[1])}, speed=speed)


def test_what_was_played_is_heard_on_a_real_bus():
    name = next(names)
    found = [
        can.Message(arbitration_id=0x123, is_extended_id=False, data=b"\1\2", timestamp=1),
        can.Message(arbitration_id=0x18FF0A1B, is_fd=True, bitrate_switch=True, data=bytes(range(64)), timestamp=2),
        can.Message(arbitration_id=0x321, is_remote_frame=True, dlc=4, timestamp=3),
    ]
    with can.Bus(name, "virtual") as ours, can.Bus(name, "virtual") as theirs:
        play([to_frames(found, [0, 1, 2], 0)], {0: sender(ours)})
        got = [theirs.recv(1) for _ in found]
    for i, message in enumerate(got):
        message.channel, message.timestamp = None, i
        found[i].timestamp = i
    assert heard_by_python_can(got) == heard_by_python_can(found)
