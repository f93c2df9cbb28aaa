"""Replay equals live: however a log is cut into batches, clustered or not, the rows are the same to the bit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import Car, load
from pitwall.decode import Plan, plan
from pitwall.derive import Deriver
from pitwall.frames import Flag, Frames, clustered, cut
from tests.strategies import batches, log, logs

CARS = Path(__file__).parents[2] / "cars"
E46 = load(CARS, "bmw-e46-m3")
IDS = [(0, message.id, 0) for bus in E46.buses for message in bus.messages]
IDS += [(0, 0x422, int(Flag.TX)), (0, 0x422, int(Flag.EXTENDED)), (0, 0x777, 0), (1, 0x422, 0), (0, 1, int(Flag.ERROR))]

WAVES = ["sin", "cos", "tan", "exp", "log", "log10", "atan", "sqrt", "degrees"]


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Car:
    """A car of functions that numpy computes several values at a time, and the last few of a batch otherwise."""
    cars = tmp_path_factory.mktemp("cars")
    (cars / "waves").mkdir()
    (cars / "waves" / "a.dbc").write_text(
        'VERSION ""\nBO_ 1 A: 8 X\n SG_ x : 0|32@1- (0.0001,0) [0|0] "" X\n SG_ y : 32|32@1+ (0.001,0) [0|0] "m/s" X\n'
    )
    derived = "".join(f"  f_{name}: {{expr: {name}(x), unit: none}}\n" for name in WAVES)
    derived += "  f_power: {expr: abs(x) ** 0.37, unit: none}\n  f_hypot: {expr: 'hypot(x, y)', unit: none}\n"
    derived += "  f_atan2: {expr: 'atan2(x, y)', unit: none}\n"
    derived += "  f_way: {method: distance, speed: y}\n"
    past = "rolling_mean(rate(x), 0.5) + rolling_max(y, 0.03) * lag(x / y, 0.02) + integrate(y)"
    derived += f"  f_past: {{expr: '{past}', unit: none}}\n"
    derived += "  f_interp: {expr: 'interp(x, (-9e4, 1), (-1e3, 7.3), (0, 0.1), (1e5, 9))', unit: none}\n"
    (cars / "waves" / "car.yaml").write_text(f"car: {{}}\nbuses: {{can: {{dbc: a.dbc}}}}\nderived:\n{derived}")
    return load(cars, "waves")


def bits(car: Car, parts: list[Frames]) -> dict[str, list[list[int]]]:
    """Per table: offset, time and the bits of every value of each row."""
    decode, deriver = plan(car, [bus.name for bus in car.buses]), Deriver(car)
    found: dict[str, list[list[int]]] = {}
    for part in parts:
        for rows in deriver.fold(decode.decode(part)):
            # which NaN a missing value is, is no part of the promise: a store makes NULL of all of them
            values = [np.where(np.isnan(column), np.nan, column).view(np.int64) for column in rows.values]
            found.setdefault(rows.table.name, []).extend(np.stack([rows.at, rows.t, *values], axis=1).tolist())
    return found


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_cut_of_an_e46_log_gives_the_same_rows(data: st.DataObject) -> None:
    frames = data.draw(logs(IDS, max_size=80))
    assert bits(E46, data.draw(batches(frames))) == bits(E46, [frames])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), edges=st.lists(st.integers(0, 2000), max_size=12))
def test_any_cut_gives_the_same_bits_of_every_function(waves: Car, seed: int, edges: list[int]) -> None:
    rng = np.random.default_rng(seed)
    frames = log([(0, 1, 0, rng.bytes(8)) for _ in range(2000)])
    cuts = [0, *sorted(edges), 2000]
    parts = [cut(frames, first, last) for first, last in pairwise(cuts)]
    assert bits(waves, parts) == bits(waves, [frames])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_thousands_of_frames_at_once_and_one_by_one_are_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = log([(*IDS[index], rng.bytes(8)) for index in rng.integers(0, len(IDS), 400)], step_ns=2_906_977)
    one_by_one = [cut(frames, offset, offset + 1) for offset in range(len(frames))]
    assert bits(E46, one_by_one) == bits(E46, [clustered(frames)])


def test_a_plan_keeps_nothing_from_batch_to_batch() -> None:
    decode: Plan = plan(E46, ["dash"])
    first, second = log([(0, 0x420, 0, b"12345678")]), log([(0, 0x420, 0, b"87654321")])
    before = decode.decode(first).messages[0].values["rpm"].tolist()
    decode.decode(second)
    assert decode.decode(first).messages[0].values["rpm"].tolist() == before
