"""Whatever a capture calls its buses, and however it numbers them, a frame is decoded as the bus that knows its id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.capture import Timeline
from pitwall.car import Car
from pitwall.car.definition import Bus, Message
from pitwall.commands.arranging import arranged, remarked
from pitwall.decode.plan import matched
from pitwall.frames import Frames, frames

NAMES = ["can0", "can1", "can2", "hs", "ms", "x"]


def car_of(names: list[str]) -> Car:
    """A car whose n-th bus has one message, of the id n."""
    buses = tuple(Bus(name, (Message(f"M{n}", n, False, 8, ()),)) for n, name in enumerate(names))
    return Car(
        name="mine", folder=Path("mine"), about=(), buses=buses, channels=(), derived=(), roles=(), fingerprint="f"
    )


def timeline_of(names: list[str], heard: list[int]) -> Timeline:
    """A capture with a frame of the id `heard[n]` on its n-th bus."""
    n = len(names)
    rows: Frames = frames(0, t=np.arange(n), id=heard, bus=np.arange(n), data=np.zeros((n, 8), np.uint8))
    return Timeline(tuple(names), 0, rows, (), (), ())


unique = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)


@settings(deadline=None)
@given(unique, unique, st.data())
def test_each_bus_is_the_car_s_bus_that_knows_its_ids(car: list[str], capture: list[str], data: st.DataObject) -> None:
    ids = data.draw(st.permutations(range(len(NAMES))))[: len(capture)]
    before = timeline_of(capture, ids)
    after = arranged(car_of(car), before)
    pairs = matched(car_of(car), after.buses)
    assert len(set(after.buses)) == len(capture)
    assert after.frames.id.tolist() == before.frames.id.tolist()
    for bus, id, name in zip(after.frames.bus.tolist(), ids, capture, strict=True):
        if name in car:  # what is called as the car's bus is that bus
            taken = pairs[bus]
            assert taken is not None
            assert taken.name == name
        elif id < len(car) and car[id] not in capture:
            taken = pairs[bus]
            assert taken is not None
            assert taken.name == car[id]


def test_a_capture_that_fits_as_it_is_stays_as_it_is() -> None:
    timeline = timeline_of(["can0"], [0])
    assert arranged(car_of(["hs"]), timeline) is timeline


def test_names_are_kept_where_the_order_can_say_it() -> None:
    after = arranged(car_of(["hs"]), timeline_of(["can1", "can2"], [7, 0]))
    assert after.buses == ("can2", "can1")
    assert after.frames.bus.tolist() == [1, 0]
    assert after.notes == ("told by their ids, of the captures' buses can2 is hs of mine",)


def test_a_bus_of_which_the_car_knows_no_id_is_remarked_and_no_other() -> None:
    car = car_of(["hs", "ms"])
    told = remarked(car, timeline_of(["hs", "ms"], [0, 7])).notes
    assert len(told) == 1
    assert "mine knows none of the 1 id on ms" in told[0]
    assert remarked(car, timeline_of(["hs", "ms"], [0, 1])).notes == ()
