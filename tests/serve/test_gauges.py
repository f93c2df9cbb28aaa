"""What the gauges show is the last value that was there, however the log is cut into batches."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import load
from pitwall.derive import Channel, Rows, Table
from pitwall.frames import Control, Flag, Frames, clustered, concat, control, frames
from pitwall.serve.gauges import RATE_NS, Gauges
from pitwall.serve.newest import NEVER, Status
from pitwall.serve.origins import channels_of_buses
from tests.serve.stand import CAST

ROOT = Path(__file__).parents[2]

TABLES = (
    Table("m", (Channel("a", "V", ""), Channel("b", "V", ""))),
    Table("n", (Channel("c", "V", ""),)),
)


def rows_of(table: Table, samples: list[tuple]) -> Rows:
    t = np.array([sample[0] for sample in samples], np.int64)
    values = tuple(np.array([s[1][i] for s in samples], float) for i in range(len(table.channels)))
    return Rows(table, np.arange(len(t), dtype=np.int64), t, values)


def heard(t: list[int], control: bool = False) -> Frames:
    n = len(t)
    flags = int(Flag.CONTROL) if control else 0
    return frames(0, t=np.array(t, np.int64), id=np.arange(n), data=np.zeros((n, 8), np.uint8), flags=flags)


def shown(gauges: Gauges) -> dict[str, tuple[int, float]]:
    picture = gauges.picture(1, CAST, Status())
    names = [channel.name for channel in gauges.channels]
    return {
        name: (t, v) for name, t, v in zip(names, picture.t.tolist(), picture.v.tolist(), strict=True) if t != NEVER
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1]), *[st.one_of(st.just(np.nan), st.floats(-9, 9))] * 2), max_size=30),
    st.data(),
)
def test_a_value_stays_until_another_comes(samples, data):
    gauges = Gauges(TABLES)
    truth: dict[str, tuple[int, float]] = {}
    at = 0
    while at < len(samples):
        stop = data.draw(st.integers(at + 1, len(samples)))
        batch: list[list[tuple]] = [[], []]
        for t, (which, *values) in enumerate(samples[at:stop], at):
            batch[which].append((t, values[: len(TABLES[which].channels)]))
            for channel, value in zip(TABLES[which].channels, values, strict=False):
                if not np.isnan(value):
                    truth[channel.name] = (t, value)
        gauges.take(heard(list(range(at, stop))), [rows_of(TABLES[i], batch[i]) for i in (0, 1) if batch[i]])
        at = stop
    assert shown(gauges) == truth


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3 * RATE_NS), min_size=1, max_size=50).map(sorted), st.integers(1, 49), st.booleans())
def test_frames_a_second_are_those_of_the_last_two(times, cut, by_cluster):
    gauges = Gauges(TABLES)
    for part in (times[:cut], times[cut:]):
        gauges.take(clustered(heard(part)) if by_cluster and part else heard(part), [])
    newest = times[-1]
    inside = sum(t > newest - RATE_NS for t in times)
    assert gauges.frames_per_s() == pytest.approx(inside / min(RATE_NS, newest) * 1e9 if newest else 0, abs=0.1)


def test_control_rows_are_no_frames():
    gauges = Gauges(TABLES)
    gauges.take(heard([10**9]), [])
    gauges.take(heard([10**9] * 5, control=True), [])
    assert gauges.frames_per_s() == 1.0


BUSES = {"x": frozenset({"a", "b", "c"}), "y": frozenset({"c"})}
"""c is derived from both."""


def said(offset: int, fact: object, kind: Control = Control.SOURCE) -> Frames:
    return control(kind, offset, json.dumps(fact).encode(), start=offset)


EVENTS = st.lists(st.sampled_from(["m", "n", "x back", "y back", "x lost", "y lost"]), max_size=20)


@settings(max_examples=80, deadline=None)
@given(EVENTS, st.data())
def test_what_stems_from_a_bus_is_forgotten_where_it_returns_however_the_log_is_cut(events, data):
    truth: dict[str, tuple[int, float]] = {}
    gauges = Gauges(TABLES, BUSES)
    at = 0
    while at < len(events):
        stop = data.draw(st.integers(at + 1, len(events)))
        parts, samples = [], {"m": [], "n": []}
        for t, event in enumerate(events[at:stop], at):
            if event in samples:
                table = TABLES["mn".index(event)]
                samples[event].append((t, [float(t)] * len(table.channels)))
                truth |= {channel.name: (t, float(t)) for channel in table.channels}
                parts.append(replace(heard([t]), start=t))
                continue
            bus, what = event.split()
            parts.append(said(t, {"bus": bus, "state": "reconnected" if what == "back" else "lost"}))
            if what == "back":
                truth = {name: value for name, value in truth.items() if name not in BUSES[bus]}
        batch = concat(parts)
        rows = [
            replace(rows_of(TABLES[i], samples[name]), at=np.array([t for t, _ in samples[name]], np.int64))
            for i, name in enumerate("mn")
            if samples[name]
        ]
        gauges.take(clustered(batch) if data.draw(st.booleans()) else batch, rows)
        at = stop
    assert shown(gauges) == truth


@pytest.mark.parametrize("fact", [[], "x", {}, {"bus": "x"}, {"bus": "z", "state": "reconnected"}, {"state": "lost"}])
def test_a_row_that_says_something_else_forgets_nothing(fact):
    gauges = Gauges(TABLES, BUSES)
    gauges.take(heard([5]), [rows_of(TABLES[0], [(5, [1.0, 2.0])])])
    gauges.take(said(6, fact), [])
    gauges.take(said(7, {"bus": "x", "state": "reconnected"}, Control.NOTE), [])
    gauges.take(replace(said(8, {}), more=pa.array([b"{"], pa.binary())), [])
    assert shown(gauges) == {"a": (5, 1.0), "b": (5, 2.0)}


def test_the_channels_of_a_bus_are_its_own_and_what_is_derived_from_them(tmp_path):
    car = load(ROOT / "cars", "bmw-e46-m3")
    of = channels_of_buses(car)
    assert of.keys() == {bus.name for bus in car.buses}
    assert of["dash"] == {channel.name for channel in (*car.channels, *car.derived)}, "all of it comes from there"
