"""The recorder's loop into a real log: from python-can's virtual interface, and from sources that obey."""

from __future__ import annotations

import itertools
import os
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from pitwall.bus.address import Address, Settings, plug
from pitwall.bus.pythoncan import can
from pitwall.bus.source import Plug
from pitwall.errors import LogError, PitwallError, UsageError
from pitwall.frames import Control, Flag, concat, control, empty, moved, same
from pitwall.log import lock
from pitwall.log.hold import Hold
from pitwall.log.session import sessions
from pitwall.log.verify import verify
from pitwall.log.writer import Writer
from pitwall.record import record
from pitwall.stored import store_frames
from tests.bus.messages import heard_in
from tests.record.drives import SOON, Script, only_frames, plugged, recorded, rows_of, some

names = (f"record-{os.getpid()}-{n}" for n in itertools.count())


def test_what_is_on_a_bus_is_in_the_log(tmp_path):
    name, stop, zero = next(names), threading.Event(), time.monotonic_ns()
    random = np.random.default_rng(3)
    sent = [
        can.Message(arbitration_id=int(i), data=random.bytes(int(i) % 9), is_fd=i % 7 == 0, is_extended_id=bool(i % 2))
        for i in random.integers(0, 0x7FF, 500)
    ]
    seen = []

    def watch(status):
        seen.append(status)
        if status.frames == len(sent):
            stop.set()

    with can.Bus(name, "virtual") as bus:
        source = plug(Address("virtual", name, {}), Settings(), zero).open()
        for message in sent:
            bus.send(message)
        result = recorded(
            [source],
            tmp_path,
            buses=["dash"],
            zero=zero,
            stop=stop,
            report=watch,
            clock=time.monotonic_ns,
            wall=time.time_ns,
        )
    session, rows, facts = rows_of(tmp_path)
    assert (result.sessions, result.frames, result.lost, result.problems) == ([session.id], 500, 0, [])
    assert (session.state, session.frames, session.header.buses) == ("ended", 500, ("dash",))
    heard = heard_in(only_frames(rows), session.header.buses)
    assert [(one.id, one.data, one.extended, one.fd) for one in heard] == [
        (m.arbitration_id, bytes(m.data), m.is_extended_id, m.is_fd) for m in sent
    ]
    assert [kind for kind, _, _ in facts] == [Control.SESSION_START, Control.SOURCE, Control.SESSION_END]
    assert abs(session.header.started_at_ns - time.time_ns()) < 60e9
    assert not verify(session).damages
    assert seen[-1].written == seen[-1].durable == len(rows)


def test_a_session_begins_with_its_first_frame_and_ends_when_the_last_source_does(tmp_path):
    source = Script("one", empty(), some([5_000, 7_000]), empty(), some(9_000))
    result = recorded([source], tmp_path, zero=1_000, clock=lambda: 11_000, wall=lambda: 1_700_000_000 * 10**9)
    session, rows, facts = rows_of(tmp_path)
    assert only_frames(rows).t.tolist() == [0, 2000, 4000]
    # the clock shows 11 us, which is t = 10 us of the source, so that its t = 5 us was 5 us ago
    assert session.header.started_at_ns == 1_700_000_000 * 10**9 - 5_000
    assert facts[-1][0] == Control.SESSION_END
    assert session.state == "ended"
    assert source.closed
    assert result.frames == 3


def test_the_same_id_on_two_buses_stays_apart_and_time_never_runs_backwards(tmp_path):
    first = threading.Event()
    late = Script("late", first, some([10, 20], id=7))
    early = Script("early", some([30, 40], id=7))
    recorded([late, early], tmp_path, report=lambda _status: first.set())
    _, rows, _ = rows_of(tmp_path)
    kept = only_frames(rows)
    assert np.all(np.diff(rows.t) >= 0)
    assert kept.bus.tolist() == [1, 1, 0, 0]
    assert kept.t.tolist() == [0, 10, 10, 10], "what came late is not older than what is written"


def test_sources_that_wait_together_are_merged_by_their_times(tmp_path):
    recorded([Script("a", some([10, 40], id=1)), Script("b", some([20, 30], id=2))], tmp_path)
    _, rows, _ = rows_of(tmp_path)
    kept = only_frames(rows)
    assert sorted(zip(kept.t.tolist(), kept.id.tolist(), strict=True)) == list(
        zip(kept.t.tolist(), kept.id.tolist(), strict=True)
    )


def test_frames_that_find_no_room_are_counted_in_the_log(tmp_path):
    source = Script("fast", some([0, 1]), some(np.arange(2, 30)), some(np.arange(30, 33)))
    result = recorded([source], tmp_path, queue_frames=8)
    _, rows, facts = rows_of(tmp_path)
    lost = [(t, fact) for kind, t, fact in facts if kind is Control.LOST]
    kept = only_frames(rows).t.tolist()
    assert result.lost == sum(fact["count"] for _, fact in lost) == 33 - len(kept) >= 22
    assert lost[0][1]["bus"] == "bus0"
    first, last = lost[0][1]["first_t"], lost[0][1]["last_t"]
    assert kept[:8] == list(range(8)), "what there was room for is kept"
    assert (first, last + 1 in (30, 33)) == (8, True), "and what is missing is missing in one piece"
    assert any("frames lost" in problem for problem in result.problems)


def test_a_disk_that_is_too_slow_for_hours_is_one_problem_with_a_sum(tmp_path):
    waits = [lambda n=n: seen and seen[-1].frames >= 4 * (n + 1) for n in range(20)]
    steps = [step for n in range(20) for step in (some(np.arange(10) + 10 * n), waits[n])]
    seen = []
    result = recorded([Script("fast", *steps)], tmp_path, queue_frames=4, report=seen.append)
    assert len([fact for kind, _, fact in rows_of(tmp_path)[2] if kind is Control.LOST]) == 20
    assert result.problems == ["fast: 120 frames lost: the log could not be written as fast as frames came"]


def test_a_source_that_is_lost_does_not_stop_the_other_and_is_opened_again(tmp_path):
    back = threading.Event()
    broken = Script("usb", some(0), PitwallError("is unplugged", where="usb"), some(3), lambda: back.set() or True)
    steady = Script("can", some(1, id=2), back, some(5, id=2))
    result = recorded([broken, steady], tmp_path)
    _, rows, facts = rows_of(tmp_path)
    assert np.count_nonzero(only_frames(rows).id == 2) == 2
    states = [fact["state"] for kind, _, fact in facts if kind is Control.SOURCE and fact["source"] == "usb"]
    assert states == ["connected", "lost", "reconnected", "ended"]
    why = [fact["why"] for kind, _, fact in facts if kind is Control.SOURCE and fact["state"] == "lost"]
    assert why == ["is unplugged"]
    assert result.problems == [], "what is missing was never heard"


def test_a_session_begins_with_how_its_sources_are(tmp_path):
    def away():
        raise PitwallError("is not there", where="usb")

    stop = threading.Event()
    lost = lambda: [one.state for one in lock.recorder(tmp_path).state.sources][:1] == ["lost"]  # noqa: E731
    steady = Script("can", lost, some([5, 6]), stop)
    with closing(Hold(tmp_path)) as hold:
        plugs, about = [Plug("usb", away), plugged(steady)], {"car": "test", "buses": ["a", "b"]}

        def watch(status):
            if status.frames == 2:
                stop.set()

        record(plugs, hold=hold, **about, zero=0, stop=stop, report=watch, patience=SOON, clock=lambda: 0)
    _, rows, facts = rows_of(tmp_path)
    assert [kind for kind, _, _ in facts[:3]] == [Control.SESSION_START, Control.SOURCE, Control.SOURCE]
    assert [(fact["bus"], fact["state"]) for _, _, fact in facts[1:3]] == [("a", "lost"), ("b", "connected")]
    assert facts[1][2]["why"] == "is not there"
    assert rows.bus[1:3].tolist() == [0, 1]
    assert rows.flags[3] & Flag.CONTROL == 0, "and the frames come behind"


def test_what_a_source_itself_says_before_its_first_frame_is_of_the_session(tmp_path):
    said = control(Control.CLOCKS, 4, b"{}")
    recorded(
        [Script("one", concat([said, some([5, 6])]), concat([control(Control.CLOCKS, 7, b"{}"), some(8)]))], tmp_path
    )
    session, rows, facts = rows_of(tmp_path)
    assert [kind for kind, _, _ in facts] == [
        Control.SESSION_START, Control.SOURCE, Control.CLOCKS, Control.CLOCKS, Control.SOURCE, Control.SESSION_END
    ]  # fmt: skip
    assert only_frames(rows).t.tolist() == [1, 2, 4]
    assert session.frames == 3


def test_a_source_that_never_gave_a_frame_leaves_no_session(tmp_path):
    assert recorded([Script("usb", PitwallError("is unplugged", where="usb"))], tmp_path).sessions == []
    assert recorded([Script("silent")], tmp_path).sessions == []
    assert sessions(tmp_path) == []


def test_a_fault_of_a_driver_is_a_loss_like_any_other(tmp_path):
    recorded([Script("buggy", some(0), ZeroDivisionError("oh"), SystemExit(7), some(1))], tmp_path)
    session, rows, facts = rows_of(tmp_path)
    assert (session.state, only_frames(rows).t.tolist()) == ("ended", [0, 1])
    assert [fact["why"] for _, _, fact in facts if fact.get("state") == "lost"] == ["ZeroDivisionError: oh"]


def test_a_source_that_can_never_be_opened_ends_it_before_anything_is_recorded(tmp_path):
    def never():
        raise UsageError("its driver is missing", where="usb")

    stop = threading.Event()
    plugs = [plugged(Script("can", some(0), stop)), Plug("usb", never)]
    with closing(Hold(tmp_path)) as hold, pytest.raises(UsageError, match="its driver is missing"):
        record(plugs, hold=hold, car="test", buses=["a", "b"], zero=0, stop=stop)
    assert sessions(tmp_path) == []


def test_a_wall_clock_that_jumps_is_noted(tmp_path):
    times = iter([1_700_000_000 * 10**9] * 2)
    later = itertools.repeat(1_700_003_600 * 10**9)
    going = threading.Event()
    source = Script("one", some(0), going, some(1))
    recorded([source], tmp_path, wall=lambda: next(times, None) or next(later), report=lambda _: going.set())
    _, _, facts = rows_of(tmp_path)
    jumps = [fact["by_ns"] for kind, _, fact in facts if kind is Control.CLOCK_JUMP]
    assert jumps == [3600 * 10**9]


def test_a_log_that_is_written_already_is_one_clear_error(tmp_path):
    other = Writer.create(tmp_path, car="test", buses=["x"], started_at_ns=0, session_id="other")
    source = Script("one", some(0))
    with pytest.raises(LogError):
        recorded([source], tmp_path)
    other.end(0)
    assert [session.id for session in sessions(tmp_path)] == ["other"]


def test_stored_frames_are_an_ended_session_and_the_same_again(tmp_path):
    batches = [some(np.arange(n * 1000, (n + 1) * 1000)) for n in range(5)]
    told = []
    about = {"logs": tmp_path, "car": "test", "buses": ["dash"], "started_at_ns": 10**18, "session_id": "s"}
    stored = store_frames(iter(batches), **about, progress=told.append)
    session, rows, _ = rows_of(tmp_path, "s")
    assert same(moved(only_frames(rows), 0), concat(batches))
    assert (stored.frames, session.frames, session.state, told[-1]) == (5000, 5000, "ended", 5000)
    with pytest.raises(UsageError, match="already"):
        store_frames(batches, **about)


def test_a_drive_that_fails_midway_leaves_no_session(tmp_path):
    def breaks():
        yield some([0, 1])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store_frames(breaks(), logs=tmp_path, car="test", buses=["dash"], started_at_ns=10**18)
    assert sessions(tmp_path) == []
    store_frames([some(0)], logs=tmp_path, car="test", buses=["dash"], started_at_ns=10**18)
