"""Sources that fail in every way, and readers that go on: each frame once, each loss and each state told."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus import reader, watch
from pitwall.bus.account import Account
from pitwall.bus.gap import Gap, Gaps
from pitwall.bus.inbox import Inbox, Said
from pitwall.bus.reader import MAX_GIVEN_UP
from pitwall.bus.source import Cause, Plug
from pitwall.bus.standing import Patience, State
from pitwall.bus.watch import Watch
from pitwall.errors import PitwallError
from pitwall.frames import Control, Flag, Frames, empty
from pitwall.record.recording import merged
from tests.bus.faults import Device, Gone, Hang, Lose, Mute, Spin
from tests.record.drives import until

QUICK = Patience(silent_s=0.4, mute_s=0.6, hang_s=1.0, pauses_s=(0.01, 0.02, 0.3), read_s=0.05, tell_s=0.05)


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(watch, "LOOK_S", 0.02)
    monkeypatch.setattr(watch, "STOP_S", 0.3)
    monkeypatch.setattr(reader, "NODE_S", 0.01)


@contextmanager
def watching(*devices, patience=QUICK, names=None):
    """The inbox and the watch of these devices, at work."""
    inbox, zero = Inbox(10**6), time.monotonic_ns()
    for device in devices:
        device.zero = zero
    names = names or [device.name for device in devices]
    watched = Watch(
        [device.plug for device in devices],
        names,
        inbox,
        lambda: time.monotonic_ns() - zero,
        patience,
        Gaps(gap_s=0.1),  # where the machine is busy nobody hangs
    )
    try:
        watched.start(60, threading.Event())
        yield inbox, watched
    finally:
        for device in devices:
            device.release.set()
        watched.stop()


def told(items, bus=0):
    """What was given of a bus: the numbers of its frames, its states, what was lost by cause."""
    numbers, states, lost = [], [], {}
    for item in items:
        if isinstance(item, Frames):
            if item.bus[0] == bus:
                numbers += item.data.view("<u8").ravel().tolist()
        elif item.bus == bus and item.kind is Control.SOURCE:
            states.append(item.fact["state"])
        elif item.bus == bus and item.kind is Control.LOST:
            lost[item.fact["cause"]] = lost.get(item.fact["cause"], 0) + item.fact["count"]
    return numbers, states, lost


def run(*scripts):
    """All that is in the inbox once every script is over."""
    devices = [Device(script, f"fake{i}") for i, script in enumerate(scripts)]
    with watching(*devices) as (inbox, watched):
        until(lambda: watched.ended)
        # those that were given up come back, too late, when their source is closed
        late = [sum(step.late for step in script if isinstance(step, Hang)) for script in scripts]
        until(lambda: [one.lost.get(Cause.LATE, 0) for one in watched.standings()] == late)
    return inbox.rest().items, devices, watched


def expected_states(script):
    """The states that a source goes through, slowly and obviously."""
    states = []

    def enter(state):
        if states[-1:] != [state]:
            states.append(state)

    def fine():
        return states[-1:] in (["connected"], ["reconnected"])

    for step in script:
        if isinstance(step, (Gone, Hang, Spin)):
            if isinstance(step, Hang) and fine():
                enter("silent")
            enter("lost")
        elif isinstance(step, Mute):
            if states[-1] == "lost":
                enter("reconnected")  # it was opened, and its reads come back
            enter("silent")
        elif isinstance(step, int) and not fine():
            enter("reconnected" if states else "connected")
    return [*states, "ended"]


FAULTS = st.one_of(
    st.builds(Gone, st.integers(0, 3)),
    st.builds(Gone, st.just(0), st.sampled_from(["opening", "closing"])),
    st.builds(Hang, st.integers(0, 3)),
    st.just(Spin()),
    st.just(Mute()),
    st.builds(Lose, st.sampled_from([Cause.ADAPTER, Cause.MALFORMED]), st.integers(1, 9)),
)
SCRIPTS = st.lists(st.one_of(st.integers(1, 5), FAULTS), max_size=4).map(lambda steps: [1, *steps, 1])


@settings(max_examples=3, deadline=None)
@given(st.lists(SCRIPTS, min_size=6, max_size=6))
def test_every_frame_is_given_once_in_order_and_every_change_and_loss_is_told(scripts):
    items, devices, _ = run(*scripts)
    for bus, (script, device) in enumerate(zip(scripts, devices, strict=True)):
        numbers, states, lost = told(items, bus)
        assert len(numbers) == device.given
        assert numbers == sorted(set(numbers))
        assert states == expected_states(script), script
        counted: dict[str, int] = {}
        for step in script:
            if isinstance(step, Lose):
                counted[step.cause.value] = counted.get(step.cause.value, 0) + step.count
            elif isinstance(step, Hang) and step.late:
                counted["late"] = counted.get("late", 0) + step.late
        assert lost == counted
        mine = [item for item in items if bus_of(item) == bus]
        frames_t = [int(item.t[0]) for item in mine if isinstance(item, Frames)]
        said_t = [item.t for item in mine if isinstance(item, Said)]
        # each by itself: a thread that had no turn for longer than the leeway brings frames older than what was said
        assert frames_t == sorted(frames_t)
        assert said_t == sorted(said_t)


def bus_of(item):
    return item.bus if isinstance(item, Said) else int(item.bus[0])


def test_a_source_that_hangs_disturbs_no_other_and_what_it_gives_too_late_is_counted():
    items, _, watched = run([2, Hang(late=3), 2], [1, 1])
    numbers, states, lost = told(items)
    assert len(numbers) == len(set(numbers)) == 4
    assert states == ["connected", "silent", "lost", "reconnected", "ended"]
    assert lost == {"late": 3}
    assert told(items, 1) == ([0, 1], ["connected", "ended"], {})
    assert [one.frames for one in watched.standings()] == [4, 2]


def test_who_hangs_for_ever_is_tried_again_only_so_often_at_once():
    device = Device([1, *[Hang(for_ever=True)] * MAX_GIVEN_UP, 1])
    with watching(device, patience=replace(QUICK, silent_s=9, mute_s=9)) as (inbox, watched):
        until(lambda: "tries hang" in watched.standings()[0].why)
        assert device.opened == MAX_GIVEN_UP
        device.release.set()
        until(lambda: watched.ended)
    numbers, states, _ = told(inbox.rest().items)
    assert (numbers, states) == ([0, 1], ["connected", "lost", "reconnected", "ended"])
    assert device.opened == MAX_GIVEN_UP + 1


@pytest.mark.parametrize("fault", [Gone(5), Spin(), Hang()], ids=str)
def test_a_source_that_stays_away_is_told_of_once(fault, caplog):
    script = [1, *[fault] * 3, 1]
    with caplog.at_level("WARNING"):
        items, _, _ = run(script)
    assert told(items)[1] == expected_states(script)
    assert told(items)[1].count("lost") == 1
    said = [record.message for record in caplog.records if record.name == "pitwall.bus.account"]
    said = [line for line in said if "is silent" not in line]
    assert len(said) == 2, said
    assert "is lost: " in said[0]
    assert "is reconnected" in said[1]


def test_a_car_that_is_switched_off_is_silent_once_however_long():
    device = Device([1, *[Mute()] * 4, 1])
    with watching(device, patience=replace(QUICK, silent_s=0.1, mute_s=0.2, pauses_s=(0.1,))) as (inbox, watched):
        until(lambda: watched.ended)
    assert told(inbox.rest().items)[1] == ["connected", "silent", "reconnected", "ended"]
    assert device.opened == 5


def test_a_bus_that_never_spoke_is_silent_and_left_alone():
    device = Device([Mute()])
    with watching(device, patience=replace(QUICK, silent_s=0.1, mute_s=0.1, pauses_s=(0.1,))) as (inbox, watched):
        until(lambda: watched.standings()[0].state is State.SILENT)
        time.sleep(0.5)
    assert told(inbox.rest().items)[1] == ["connected", "silent"]
    assert device.opened == 1


def test_a_bus_that_speaks_seldom_is_called_silent_once():
    step = threading.Event()

    class Seldom(Device):
        def open(self):
            source = super().open()
            real = source.read

            def read(timeout_s):
                step.wait(0.3)
                return real(timeout_s)

            source.read = read
            return source

    device = Seldom([1] * 8)
    with watching(device, patience=replace(QUICK, silent_s=0.1, mute_s=60, hang_s=30)) as (inbox, watched):
        until(lambda: watched.ended)
    assert told(inbox.rest().items)[1].count("silent") == 1


@pytest.mark.parametrize("what", ["opening", "closing"])
def test_a_source_that_hangs_while_it_is_opened_or_closed_is_another_threads_then(what):
    items, _, _ = run([1, Gone(0, what), 1])
    assert told(items)[:2] == ([0, 1], ["connected", "lost", "reconnected", "ended"])


def test_a_source_that_is_not_there_at_first_is_tried_until_it_is():
    device = Device([1])
    device.failing = 7
    with watching(device) as (inbox, watched):
        until(lambda: watched.ended)
    assert told(inbox.rest().items)[1] == ["lost", "connected", "ended"]
    assert device.opened == 8


def test_it_is_tried_at_once_when_its_node_comes_back(tmp_path: Path):
    node, device = tmp_path / "node", Device([1, Gone(1), 1])
    node.touch()
    device.plug = Plug("fake", device.open, node)
    with watching(device, patience=replace(QUICK, pauses_s=(3600.0,))) as (inbox, watched):
        until(lambda: watched.standings()[0].state is State.LOST)
        node.unlink()
        time.sleep(0.1)
        assert device.opened == 1
        node.touch()
        until(lambda: device.opened == 2)  # that one fails; but another node is there
        (tmp_path / "other").touch()
        (tmp_path / "other").rename(node)
        until(lambda: watched.ended)
    assert told(inbox.rest().items)[0] == [0, 1]


def test_one_that_can_not_be_closed_keeps_no_other_from_it():
    closed = []

    class Stubborn(Device):
        def open(self):
            source = super().open()

            def close():
                closed.append(self.name)
                raise RuntimeError("no")

            source.close = close
            return source

    devices = [Stubborn([1, Mute()], "a"), Stubborn([1, Mute()], "b"), Device([1, Hang(for_ever=True)], "c")]
    with watching(*devices) as (inbox, watched):
        until(lambda: all(one.frames for one in watched.standings()))
    assert sorted(closed) == ["a", "b"]
    assert len([item for item in inbox.rest().items if isinstance(item, Frames)]) == 3


def test_losses_are_told_at_most_once_in_an_interval_and_all_of_them_in_the_end():
    device = Device([1, *[Lose(Cause.ADAPTER, 1)] * 500, Lose(Cause.KERNEL, 2), 1])
    with watching(device, patience=replace(QUICK, tell_s=30)) as (inbox, watched):
        until(lambda: watched.ended)
    rows = [item for item in inbox.rest().items if isinstance(item, Said) and item.kind is Control.LOST]
    assert [(row.fact["cause"], row.fact["count"]) for row in rows] == [("adapter", 500), ("kernel", 2)]


def test_a_clock_that_a_new_source_reads_otherwise_never_turns_time_back():
    class Wild(Device):
        def rows(self, n):
            rows = super().rows(n)
            return replace(rows, t=rows.t - (0 if self.opened == 1 else 10**12))

    device = Wild([2, Gone(), 2])
    with watching(device) as (inbox, watched):
        until(lambda: watched.ended)
    t = [int(item.t[0]) for item in inbox.rest().items if isinstance(item, Frames)]
    assert t == sorted(t)


def test_what_is_said_of_one_bus_never_moves_the_frames_that_another_heard_just_before():
    inbox = Inbox()
    account = Account(0, "a", "fake", inbox, lambda: 10**9)
    account.change(State.LOST, "why")
    inbox.put(1, replace(Device([]).rows(1), t=np.array([950_000_000])))
    rows, _ = merged(inbox.rest().items)
    assert rows.t.tolist() == [900_000_000, 950_000_000]
    account.hear(replace(Device([]).rows(2), t=np.array([10**9, 10**9 + 5])), State.RECONNECTED)
    rows, said = merged(inbox.rest().items)
    assert rows.t.tolist() == [10**9, 10**9, 10**9 + 5]
    assert (rows.flags[0], said[0].fact["state"]) == (Flag.CONTROL, "reconnected")


def test_who_is_being_opened_is_not_waited_for_when_all_is_to_end(monkeypatch):
    device = Device([1, Gone(0, "opening"), 1])
    with watching(device, patience=replace(QUICK, hang_s=3600)) as (_, watched):
        until(lambda: device.opened == 2 and not device.hanging)
        monkeypatch.setattr(watch, "STOP_S", 3600)
        watched.stop()


class Clocks:
    """Two clocks that are moved by hand, in seconds."""

    def __init__(self, boot=True):
        self.monotonic = self.booted = 0.0
        self.gaps = Gaps(lambda: int(self.monotonic * 1e9), (lambda: int(self.booted * 1e9)) if boot else None)

    def look(self, ran, slept=0.0):
        self.monotonic += ran
        self.booted += ran + slept
        return self.gaps.look()


def test_a_process_that_did_not_run_was_frozen_and_a_machine_that_slept_was_suspended():
    clocks = Clocks()
    assert clocks.look(0.25) == []
    assert clocks.look(1.9) == []
    assert clocks.look(60) == [Gap("frozen", 60)]
    assert clocks.look(0.25) == []
    assert clocks.look(0.25, slept=3600) == [Gap("suspended", 3600)]
    assert clocks.look(5, slept=7) == [Gap("suspended", 7), Gap("frozen", 5)]
    assert Clocks(boot=False).look(0.25, slept=3600) == []


def test_nobody_is_late_for_the_time_in_which_this_process_did_not_run():
    device, clocks, inbox = Device([1, Mute()]), Clocks(), Inbox()
    watched = Watch([device.plug], ["a"], inbox, lambda: 0, replace(QUICK, silent_s=3600), clocks.gaps)
    watched._readers[0].start()
    until(lambda: watched.standings()[0].frames)
    clocks.monotonic = 100.0
    before = time.monotonic()
    awake = watched.look(before - 10**6)
    assert awake >= before
    watched.stop()
    (gap,) = [item for item in inbox.rest().items if isinstance(item, Said) and item.kind is Control.GAP]
    assert gap.fact == {"what": "frozen", "seconds": 100.0}


def test_what_a_driver_says_is_told_in_one_line():
    class Wordy(Device):
        def open(self):
            raise PitwallError("can't be opened:\n  several\n  lines", where="x")

    device = Wordy([])
    with watching(device) as (inbox, _):
        pass
    (said,) = inbox.rest().items
    assert said.fact["why"] == "can't be opened: several lines"
    assert np.isfinite(said.t)


def test_a_bus_is_heard_once_there_is_room_for_its_thread_again(monkeypatch):
    begin, refused = threading.Thread.start, []

    def start(thread):
        if thread.name == "read fake" and device.opened and len(refused) < 3:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        begin(thread)

    device = Device([1, Hang(), 1, Hang(), 1])
    monkeypatch.setattr(threading.Thread, "start", start)
    with watching(device) as (inbox, watched):
        until(lambda: watched.ended)
    assert len(refused) == 3
    assert told(inbox.rest().items)[0] == [0, 1, 2]


def test_a_bus_that_was_silent_from_the_beginning_is_called_silent_as_soon_as_any_other():
    speak = threading.Event()

    class SwitchedOnLater(Device):
        def open(self):
            source = super().open()
            real = source.read

            def read(timeout_s):
                return real(timeout_s) if speak.wait(timeout_s) else empty()

            source.read = read
            return source

    device = SwitchedOnLater([1, Mute()])
    patience = replace(QUICK, silent_s=0.1, mute_s=5.0)
    with watching(device, patience=patience) as (_inbox, watched):
        until(lambda: watched.standings()[0].state is State.SILENT)
        speak.set()
        until(lambda: watched.standings()[0].frames)
        until(lambda: watched.standings()[0].state is State.SILENT)
        assert watched.standings()[0].why == "no frame for 0.1 s"
