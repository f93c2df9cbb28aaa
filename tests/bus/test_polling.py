"""OBD-II is asked for on a real bus, of control units whose ISO-TP is another's; what comes is what they say."""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus import polling, usb
from pitwall.bus.address import Address, Settings, parse, plug
from pitwall.bus.obd2 import TIMEOUT_NS, Poller
from pitwall.bus.pythoncan import can
from pitwall.bus.source import Plug
from pitwall.car import load
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Control, Flag, concat, empty
from tests.adapters.slcan import Adapter
from tests.adapters.usb import Frame, GsUsbAdapter, Hub
from tests.bus.units import Unit
from tests.strategies import log

CARS = Path(__file__).parents[2] / "cars"
names = (f"polling-{os.getpid()}-{n}" for n in itertools.count())

ENGINE = {
    0x05: bytes([130]),  # 90 degC
    0x0C: bytes([0x1A, 0xF8]),  # 1726 rpm
    0x0D: bytes([50]),  # km/h
    0x11: bytes([51]),  # 20 %
    0x42: bytes([0x36, 0xB0]),  # 14 V
    0x68: bytes([1, 60, 0, 0, 0, 0, 0]),  # seven bytes: an answer of two frames
}


@pytest.fixture
def wire():
    units = []

    def make(answers, **options):
        units.append(Unit(name, answers=answers, **options))
        return units[-1]

    name = next(names)
    yield name, make
    for unit in units:
        unit.close()


def polled(name, options="", zero=0):
    return plug(parse(f"virtual:{name}?poll=obd2{options}"), Settings(), zero).open()


def heard(source, enough, limit_s=20):
    """What a source gives until it is enough."""
    rows = empty()
    until = time.monotonic() + limit_s
    while not enough(rows):
        assert time.monotonic() < until, "it is never enough"
        rows = concat([rows, source.read(0.05)])
    return rows


def count(rows, pid, *, id=0x7E8):
    """How many answers of one frame there are to a PID."""
    return int(np.count_nonzero((rows.id == id) & (rows.data[:, 1] == 0x41) & (rows.data[:, 2] == pid)))


def test_the_values_of_a_control_unit_are_in_the_log_with_the_requests_for_them(wire):
    name, make = wire
    unit = make(ENGINE)
    source = polled(name)
    rows = heard(source, lambda rows: count(rows, 0x0C) >= 5 and np.count_nonzero(rows.data[:, 0] == 0x21) >= 1)
    source.close()
    found: dict[str, set[float]] = {}
    car = load(CARS, "obd2")
    for table in Deriver(car).fold(plan(car, ["obd"]).decode(rows)):
        for channel, values in zip(table.table.channels, table.values, strict=True):
            found.setdefault(channel.name, set()).update(np.round(values[~np.isnan(values)], 6).tolist())
    assert found["rpm"] == {1726.0}
    assert found["speed"] == {round(50 / 3.6, 6)}
    assert found["water_temp"] == {90.0}
    assert found["throttle"] == {20.0}
    assert found["battery"] == {14.0}
    sent = rows.flags == Flag.TX
    control = rows.flags & np.uint8(Flag.CONTROL) != 0
    assert set(rows.id[sent].tolist()) == {0x7DF, 0x7E0}
    requests = sent & (rows.data[:, 0] == 2)
    assert [bytes(row[1:3]) for row in rows.data[requests]][: len(unit.asked)] == unit.asked[: int(requests.sum())]
    assert np.all(np.diff(rows.t) >= 0)
    (fact,) = [json.loads(more.as_py()) for more, one in zip(rows.more, control, strict=True) if one]
    assert int(rows.id[control][0]) == Control.SOURCE
    assert fact["state"] == "polling"
    assert fact["asks"] == {"7E8": ["05", "0C", "0D", "11", "42", "68"]}
    assert fact["source"] == source.name == f"virtual {name}, polled by OBD-II"


def test_what_changes_fast_is_asked_often_and_a_slow_unit_gives_each_its_share(wire):
    name, make = wire
    make(ENGINE).delay_s = 0.03
    source = polled(name)
    rows = heard(source, lambda rows: count(rows, 0x0C) >= 12)
    source.close()
    assert count(rows, 0x0C) > 3 * count(rows, 0x05) > 0
    assert count(rows, 0x0D) > 3 * count(rows, 0x42) > 0
    sent = rows.t[(rows.flags == Flag.TX) & (rows.data[:, 0] == 2)]
    answered = rows.t[(rows.id == 0x7E8) & (rows.data[:, 0] != 0x10)]
    late = answered[np.searchsorted(answered, sent[:-1])]
    assert np.all((late <= sent[1:]) | (np.diff(sent) >= TIMEOUT_NS)), "one request at a time"


def test_only_what_is_named_is_asked_of_the_first_unit_that_has_it(wire, caplog):
    name, make = wire
    engine = make({0x0C: bytes(2), 0x0D: bytes(1)})
    gearbox = make({0x0C: bytes(2), 0x05: bytes(1)}, id=0x7E9)
    source = polled(name, "&pids=0C,05,2F")
    with caplog.at_level(logging.WARNING):
        rows = heard(source, lambda rows: count(rows, 0x0C) >= 3 and count(rows, 0x05, id=0x7E9))
    source.close()
    assert {request[1] for request in engine.asked} == {0x00, 0x0C}
    assert {request[1] for request in gearbox.asked} == {0x00, 0x05}
    assert "no control unit has the PIDs 2F" in caplog.text
    assert count(rows, 0x0C, id=0x7E9) == 0


def test_refusals_and_silence_cost_the_other_values_nothing(wire):
    name, make = wire
    turns = itertools.cycle([b"\x7f\x01\x21", bytes([50])])  # busy every other time
    unit = make({**ENGINE, 0x04: b"\x7f\x01\x12", 0x0B: None, 0x0D: lambda: next(turns)})
    source = polled(name)
    rows = heard(source, lambda rows: count(rows, 0x0C) >= 30)
    source.close()
    asked = [request[1] for request in unit.asked]
    times = asked.count(0x00)  # that it was found: once, unless the machine stalled for long
    assert asked.count(0x04) == times, "refused for good"
    assert 1 <= asked.count(0x0B) <= 4 * times, "never answered: asked seldom"
    assert count(rows, 0x0D) >= 5, "refused for now: asked again"


def test_control_units_with_ids_of_29_bits_are_found_once_those_of_11_bits_are_silent(wire):
    name, make = wire
    engine = make(ENGINE, id=0x18DAF110)
    gearbox = make({0x05: bytes(1), 0x5C: bytes([130])}, id=0x18DAF118)
    source = polled(name)
    rows = heard(
        source,
        lambda rows: (
            count(rows, 0x0C, id=0x18DAF110) >= 5
            and count(rows, 0x5C, id=0x18DAF118)
            and np.count_nonzero(rows.data[:, 0] == 0x21)
        ),
    )
    source.close()
    assert {request[1] for request in engine.asked} >= {0x00, *ENGINE}
    assert {request[1] for request in gearbox.asked} == {0x00, 0x20, 0x40, 0x5C}
    sent = rows.flags & np.uint8(Flag.TX) != 0
    assert rows.id[sent][:2].tolist() == [0x7DF, 0x18DB33F1]
    assert set(rows.id[sent].tolist()) == {0x7DF, 0x18DB33F1, 0x18DA10F1, 0x18DA18F1}
    assert np.array_equal(rows.flags[sent] & np.uint8(Flag.EXTENDED) != 0, rows.id[sent] > 0x7FF)
    found = {}
    car = load(CARS, "obd2")
    for table in Deriver(car).fold(plan(car, ["obd"]).decode(rows)):
        for channel, values in zip(table.table.channels, table.values, strict=True):
            found.setdefault(channel.name, set()).update(np.round(values[~np.isnan(values)], 6).tolist())
    assert found["rpm"] == {1726.0}
    assert found["water_temp"] == {90.0}


def test_a_unit_that_says_that_its_answer_is_pending_is_waited_for():
    poller, second = Poller(), 1_000_000_000
    heard = {0: [6, 0x41, 0x00, 0x08, 0, 0, 0, 0], 1: [3, 0x7F, 1, 0x78, 0, 0, 0, 0], 2: [3, 0x41, 5, 130, 0, 0, 0, 0]}
    rows = {n: log([(0, 0x7E8, 0, bytes(payload))]) for n, payload in heard.items()}
    (to_all,) = poller.step(0, empty())
    assert (to_all.id, to_all.data[:3]) == (0x7DF, b"\2\1\0")
    assert poller.step(1, rows[0]) == []
    (request,) = poller.step(TIMEOUT_NS, empty())
    assert (request.id, request.data[:3]) == (0x7E0, b"\2\1\5")
    assert poller.step(TIMEOUT_NS + 1, rows[1]) == []
    assert poller.step(4 * second, empty()) == []
    assert poller.step(5 * second, rows[2]) == []
    assert (poller.tally.answered, poller.tally.in_vain) == (2, 0)
    assert poller.wake_ns(5 * second) == TIMEOUT_NS + 5 * second, "it changes slowly"
    (again,) = poller.step(6 * second, empty())
    assert again == request


def test_a_silent_bus_is_left_alone_begins_nothing_and_is_found_again(wire):
    name, make = wire
    source = polled(name)
    while not source._poller.quiet:
        assert len(source.read(0.05)) == 0, "what is sent to nobody is not told yet"
    unit = make({0x0C: bytes(2)})
    rows = heard(source, lambda rows: count(rows, 0x0C) >= 3)
    assert rows.flags[0] == Flag.TX, "what was asked while nobody answered is there, too"
    unit.mute.set()
    while not source._poller.quiet:
        source.read(0.05)
    asked = source._poller.tally.asked
    assert len(source.read(0.3)) == 0
    assert source._poller.tally.asked - asked <= 2
    unit.mute.clear()
    assert heard(source, lambda rows: count(rows, 0x0C) >= 3).flags[0] == Flag.TX
    source.close()


@given(st.lists(st.sampled_from(["answer", "nothing", "busy", "never", "pending", "half"]), max_size=60), st.data())
@settings(max_examples=60, deadline=None)
def test_a_unit_never_has_two_requests_whatever_it_answers(behaviour, data):
    """The poller's own time, and a unit that is at its worst: each request waits for its answer or its time."""
    poller, now, open_until = Poller(), 0, None
    refusals = {"busy": 0x21, "never": 0x12, "pending": 0x78}
    heard: list[tuple[int, bytes]] = []
    for what in ["answer", "answer", *behaviour]:
        requests = poller.step(now, log([(0, id, 0, payload) for id, payload in heard]))
        heard = []
        for request in requests:
            if request.data[0] == 0x30:
                heard.append((0x7E8, b"\x21".ljust(8, b"\0")))
                continue
            assert open_until is None or now >= open_until, "one at a time"
            pid = request.data[2]
            open_until = now + 100_000_000
            if what == "answer" or pid % 0x20 == 0:
                heard.append((0x7E8, bytes([6, 0x41, pid, 0x18 if pid == 0 else 0, 0x18, 0, 0, 0])))
            elif what in refusals:
                heard.append((0x7E8, bytes([3, 0x7F, 1, refusals[what], 0, 0, 0, 0])))
            elif what == "half":
                heard.append((0x7E8, bytes([0x10, 9, 0x41, pid, 0, 0, 0, 0])))
        if heard:
            last = heard[-1][1]
            open_until = {0x78: now + 5_000_000_000}.get(last[3] if last[1] == 0x7F else -1, 0)
            if last[0] == 0x10:
                open_until = now + 1_000_000_000
            now += data.draw(st.integers(1, 90_000_000))
        else:
            now = max(now + 1, poller.wake_ns(now))
    tally = poller.tally
    assert tally.asked >= tally.answered + tally.refused + tally.in_vain


def test_it_is_said_before_anything_is_sent(wire, caplog):
    with caplog.at_level(logging.WARNING):
        source = polled(wire[0])
    assert "THIS SENDS on the bus" in caplog.text
    assert source._poller.tally.asked == 0
    source.close()


def test_without_poll_nothing_is_sent(wire):
    name, make = wire
    unit = make(ENGINE)
    source = plug(Address("virtual", name, {}), Settings(), 0).open()
    assert len(source.read(0.3)) == 0
    assert unit.asked == []
    source.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("poll=kwp", "poll=kwp is unknown"),
        ("pids=0C", "pids are named, and nothing is polled"),
        ("poll=obd2&pids=0C;0D", "are no PIDs"),
        ("poll=obd2&pids=40", "no value with the PID 40"),
        ("poll=obd2&pids=10C", "no value with the PID 10C"),
        ("poll=obd2&listen_only=true", "listen_only and poll=obd2 contradict"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_opened(options, says):
    with pytest.raises(UsageError, match=says):
        plug(parse(f"virtual:nowhere?{options}"), Settings(), 0)


def test_a_source_that_only_listens_refuses_to_be_polled(monkeypatch):
    from pitwall.bus import interface

    class Listener:
        name = "deaf and mute"
        closed = False

        def read(self, timeout_s):
            return empty()

        def counted(self):
            return {}

        def close(self):
            Listener.closed = True

    monkeypatch.setattr(interface, "plug", lambda *_: Plug("deaf and mute", Listener))
    with pytest.raises(UsageError, match="deaf and mute: it only listens, and can't be polled"):
        plug(parse("virtual:x?poll=obd2"), Settings(), 0).open()
    assert Listener.closed


def test_a_car_behind_slcan_is_polled_on_a_channel_that_may_send(tmp_path):
    answers = {b"t7DF8020100": b"t7E88064100080000000A\r", b"t7E08020105": b"t7E8803410582AAAAAAAA\r"}
    with Adapter("lawicel", link=tmp_path / "ttyACM0") as adapter:
        source = plug(parse(f"{adapter.address}?poll=obd2"), Settings(bitrate=500_000), 0).open()
        adapter.wait_open()
        assert not adapter.silent
        rows, answered, until = empty(), 0, time.monotonic() + 20
        while not count(rows, 0x05):
            assert time.monotonic() < until
            rows = concat([rows, source.read(0.05)])
            for command in adapter.commands[answered:]:
                adapter.frames([answers[key] for key in answers if command.encode().startswith(key)])
                answered += 1
        source.close()
        assert set(rows.id[rows.flags == Flag.TX].tolist()) == {0x7DF, 0x7E0}
        silent = plug(parse(f"{adapter.address}?poll=obd2&firmware=none"), Settings(), 0).open()
        with pytest.raises(UsageError, match="was opened to listen only"):
            silent.read(1)
        silent.close()


def test_a_car_behind_a_gs_usb_adapter_is_polled(wire):
    name, make = wire
    make(ENGINE)
    hub = Hub()
    adapter = GsUsbAdapter(hub)
    adapter.plug_in()
    bus = can.Bus(name, "virtual")
    adapter.onto = lambda frame: bus.send(can.Message(arbitration_id=frame.id, data=frame.data, is_extended_id=False))
    answers = can.Notifier(bus, [lambda m: adapter.hear([Frame(m.arbitration_id, bytes(m.data), m.is_extended_id)])])
    plain = usb.plug(Address("usb", "", {}), Settings(bitrate=500_000, sends=True), 0, usb1=lambda: hub.usb1)
    source = polling.polled(plain, polling.Asked(None), 0).open()
    rows = heard(source, lambda rows: count(rows, 0x0C) >= 5 and np.count_nonzero(rows.data[:, 0] == 0x21) >= 1)
    source.close()
    answers.stop()
    bus.shutdown()
    adapter.end()
    assert not adapter.listens_only
    sent = rows.flags == Flag.TX
    assert set(rows.id[sent].tolist()) == {0x7DF, 0x7E0}
    assert np.count_nonzero(sent) <= len(adapter.sent), "each is in the log once, as it was sent, not as it is echoed"
    assert sum(source.counted().values()) == 0


def test_a_bus_that_takes_no_frame_is_one_that_does_not_answer(wire, caplog):
    source = polled(wire[0])

    def full(rows):
        raise PitwallError("frame 0x7df can't be sent: no buffer space", where="virtual")

    source._sender = type("Full", (), {"send": staticmethod(full)})()
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            assert len(source.read(0.1)) == 0
    assert source._poller.quiet
    assert caplog.text.count("no buffer space") == 1
    source.close()
