"""The queue between reader threads and the recorder: bounded, counted, prompt."""

from __future__ import annotations

import threading

import numpy as np

from pitwall.bus.inbox import BATCH_FRAMES, QUEUE_SAID, WAIT_S, Inbox, Lost, Said
from pitwall.frames import Control, Frames, frames


def some(n, t=0):
    return frames(0, t=np.arange(t, t + n), id=np.ones(n), data=np.zeros((n, 8), np.uint8))


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def count(gathered):
    return sum(len(item) for item in gathered.items if isinstance(item, Frames))


def test_frames_wait_for_company_but_not_for_long():
    clock = Clock()
    inbox = Inbox(clock=clock)
    inbox.put(0, some(3))
    assert count(inbox.take(0)) == 0
    clock.now = WAIT_S / 2
    inbox.put(0, some(1))
    assert count(inbox.take(0)) == 0
    clock.now = WAIT_S
    assert count(inbox.take(0)) == 4
    assert count(inbox.take(0)) == 0


def test_a_full_batch_does_not_wait():
    inbox = Inbox(clock=Clock())
    inbox.put(0, some(BATCH_FRAMES - 1))
    assert count(inbox.take(0)) == 0
    inbox.put(0, some(1))
    assert count(inbox.take(0)) == BATCH_FRAMES


def test_what_finds_no_room_is_counted_bus_by_bus_and_what_follows_fits_again():
    clock = Clock()
    inbox = Inbox(10, clock=clock)
    inbox.put(0, some(8))
    inbox.put(1, some(3, t=100))
    inbox.put(1, some(2, t=200))
    inbox.put(0, some(4, t=300))
    assert (inbox.waiting, inbox.lost) == (10, 7)
    clock.now = 1
    gathered = inbox.take(0)
    assert [rows.t.tolist() for rows in gathered.items] == [list(range(8)), [100, 101]]
    assert gathered.lost == [Lost(1, 3, 102, 201), Lost(0, 4, 300, 303)]
    assert (inbox.waiting, inbox.lost) == (0, 0)
    inbox.put(0, some(10))
    assert count(inbox.rest()) == 10
    assert inbox.rest().lost == []


def test_what_was_lost_lies_in_one_piece_behind_what_was_kept():
    inbox = Inbox(10, clock=Clock())
    inbox.put(0, some(6))
    inbox.put(0, some(20, t=6))
    inbox.put(0, some(1, t=26))
    gathered = inbox.rest()
    assert [t for rows in gathered.items for t in rows.t.tolist()] == list(range(10))
    assert gathered.lost == [Lost(0, 17, 10, 26)], "none that came later is kept before one that was lost"


def fact(bus):
    return Said(Control.SOURCE, 0, bus, {"state": "lost"})


def test_what_is_said_of_a_bus_stands_between_its_frames():
    inbox = Inbox(clock=Clock())
    before, after = some(1), some(1, t=5)
    assert inbox.put(0, before) == 0
    assert inbox.say(fact(0))
    inbox.put(0, after)
    assert inbox.rest().items == [before, fact(0), after]


def test_what_is_said_finds_its_way_while_no_frame_fits_and_is_bounded_too():
    inbox = Inbox(2, clock=Clock())
    assert inbox.put(0, some(5)) == 3
    assert all(inbox.say(fact(0)) for _ in range(QUEUE_SAID))
    assert not inbox.say(fact(0))
    assert len(inbox.rest().items) == 1 + QUEUE_SAID
    assert inbox.say(fact(0))


def test_who_waits_is_woken():
    inbox = Inbox()
    got = []
    reader = threading.Thread(target=lambda: got.append(count(inbox.take(30))))
    reader.start()
    inbox.put(0, some(BATCH_FRAMES))
    reader.join(20)
    assert got == [BATCH_FRAMES]
