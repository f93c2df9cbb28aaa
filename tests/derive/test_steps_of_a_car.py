"""What a definition says of its channels, done to a log: against a reference that goes one frame at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import Car, load
from pitwall.car.steps import Despike, Limits, LowPass, Zero
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.frames import Frames, cut, in_log_order
from tests.derive.test_steps import Samples, despiked, limited, low_passed, zeroed
from tests.strategies import batches, log, logs

DBC = """VERSION ""
NS_ :
BS_:
BU_:

BO_ 1 Motion: 3 X
 SG_ speed_kmh : 0|8@1+ (0.5,0) [0|0] "km/h" X
 SG_ yaw : 8|8@1- (1,0) [0|0] "deg/s" X
 SG_ volts : 16|8@1+ (0.02,0) [0|0] "V" X

BO_ 2 Other: 2 X
 SG_ roll : 0|8@1- (1,0) [0|0] "deg/s" X
 SG_ raw : 8|8@1+ (1,0) [0|0] "" X
"""

YAML = """car: {}
buses: {can: {dbc: car.dbc}}
channels:
  speed: {from: speed_kmh, unit: m/s, hold: 30 ms}
  yaw_rate: {from: yaw, zero: 20 ms, limits: [-50, 50]}
  roll_rate: {from: roll, low_pass: 2 Hz, zero: 0.001}
  pressure: {from: volts, unit: bar, table: [[0.5, 0], [2.5, 40], [4.5, 200]], despike: {of: 3, by: 60}}
  count: {from: raw, unit: none, hold: 0.02}
derived:
  turning: {expr: yaw_rate + speed, unit: deg/s}
  mixed: {expr: count * 100 + pressure, unit: bar}
  of_one: {expr: count + roll_rate, unit: none}
roles: {speed: speed}
"""

STEPS = {
    "yaw_rate": [(limited, Limits(-50, 50)), (zeroed, Zero(20_000_000, "speed", 1 / 3.6))],
    "roll_rate": [(zeroed, Zero(1_000_000, "speed", 1 / 3.6)), (low_passed, LowPass(2.0))],
    "pressure": [(despiked, Despike(60.0, 3))],
}
FORMULAS = {
    "turning": lambda newest: newest("yaw_rate") + newest("speed"),
    "mixed": lambda newest: newest("count") * 100 + newest("pressure"),
    "of_one": lambda newest: newest("count") + newest("roll_rate"),
}
INPUTS = {"turning": ("yaw_rate", "speed"), "mixed": ("count", "pressure"), "of_one": ("count", "roll_rate")}
HOLD_NS = {"speed": 30_000_000, "count": 20_000_000}
IDS = [(0, 1, 0), (0, 2, 0), (0, 3, 0)]


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Car:
    cars = tmp_path_factory.mktemp("cars")
    (cars / "test").mkdir()
    (cars / "test" / "car.dbc").write_text(DBC)
    (cars / "test" / "car.yaml").write_text(YAML)
    return load(cars, "test")


def signals(frame: Frames) -> dict[str, float]:
    """What one frame holds, by hand: the channel's value before its steps."""
    data = frame.data[0]
    known = {}
    if frame.id[0] == 1:
        volts = data[2] * 0.02
        bar = 20 * (volts - 0.5) if volts < 2.5 else 40 + 80 * (volts - 2.5)
        known = {"speed": data[0] * 0.5 / 3.6, "yaw_rate": float(data[1].view(np.int8)), "pressure": bar}
        known["pressure"] = min(max(bar, 0.0), 200.0)
    elif frame.id[0] == 2:
        known = {"roll_rate": float(data[0].view(np.int8)), "count": float(data[1])}
    return {name: value for (name, value), _ in zip(known.items(), range(frame.len[0]), strict=False)}


def reference(frames: Frames) -> dict[str, list[tuple[int, float]]]:
    """(offset, value) of every sample of every channel."""
    speed, found = math.nan, {}
    rows: dict[str, Samples] = {}
    offsets: dict[str, list[int]] = {}
    speeds: dict[int, float] = {}
    held = -math.inf
    for offset in range(len(frames)):
        t = int(frames.t[offset])
        fresh = signals(cut(frames, offset, offset + 1))
        if "speed" in fresh:
            speed, held = fresh["speed"], t
        speeds[offset] = speed if t - held <= HOLD_NS["speed"] else math.nan
        for name, value in fresh.items():
            rows.setdefault(name, []).append((t, value, speeds[offset]))
            offsets.setdefault(name, []).append(offset)
    for name, samples in rows.items():
        for step, rule in STEPS.get(name, []):
            values = step(rule, samples)
            samples = [(t, value, speed) for (t, _, speed), value in zip(samples, values, strict=True)]
        found[name] = list(zip(offsets[name], [value for _, value, _ in samples], strict=True))
    return found | derived(frames, found)


def derived(frames: Frames, found: dict[str, list[tuple[int, float]]]) -> dict[str, list[tuple[int, float]]]:
    by_offset = {name: dict(series) for name, series in found.items()}
    newest: dict[str, tuple[int, float]] = {}
    made: dict[str, list[tuple[int, float]]] = {}
    for offset in range(len(frames)):
        t = int(frames.t[offset])
        fresh = {name for name, series in by_offset.items() if offset in series}
        newest.update((name, (t, by_offset[name][offset])) for name in fresh)

        def value(name: str, t: int = t) -> float:
            since, value = newest[name]
            return value if t - since <= HOLD_NS.get(name, math.inf) else math.nan

        for name, inputs in INPUTS.items():
            if not fresh.isdisjoint(inputs) and newest.keys() >= set(inputs):
                made.setdefault(name, []).append((offset, FORMULAS[name](value)))
    return made


def folded(car: Car, parts: list[Frames]) -> dict[str, list[tuple[int, float]]]:
    decode, deriver = plan(car, ["can"]), Deriver(car)
    found: dict[str, list[tuple[int, float]]] = {}
    for part in parts:
        for rows in deriver.fold(decode.decode(part)):
            for channel, values in zip(rows.table.channels, rows.values, strict=True):
                found.setdefault(channel.name, []).extend(zip(rows.at.tolist(), values.tolist(), strict=True))
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_channels_agree_with_the_reference_however_the_log_is_cut(car: Car, data: st.DataObject) -> None:
    frames = in_log_order(data.draw(logs(IDS, longest=4, max_size=60)))
    # a car that stands now and then
    data_bytes = frames.data.copy()
    data_bytes[(frames.id == 1) & (data_bytes[:, 0] < 100), 0] = 0
    frames = replace(frames, data=data_bytes)
    found = folded(car, data.draw(batches(frames)))
    expected = reference(frames)
    for name, series in expected.items():
        # a frame too short for a signal has a row all the same, and no value in it
        got = dict(found[name])
        assert got.keys() >= dict(series).keys(), name
        assert all(math.isnan(got[offset]) for offset in got.keys() - dict(series).keys()), name
        np.testing.assert_allclose(
            [got[offset] for offset, _ in series], [value for _, value in series], rtol=1e-9, atol=1e-9, err_msg=name
        )
    assert {name for name in found if any(not math.isnan(value) for _, value in found[name])} <= expected.keys()


def test_the_reference_is_not_empty() -> None:
    """Every channel has values, and every step takes some away, in a log like those above."""
    rng = np.random.default_rng(5)
    rows = [(0, int(rng.integers(1, 3)), 0, bytes([0 if i < 200 else 200, *rng.bytes(2)])) for i in range(400)]
    expected = reference(log(rows, step_ns=9_000_000))
    for name, series in expected.items():
        missing = sum(math.isnan(value) for _, value in series)
        assert len(series) - missing > 40, name
        assert missing > 0 or name in ("speed", "count"), name


def test_the_tables_say_how_long_a_value_is_good_for(car: Car) -> None:
    hold_s = {channel.name: channel.hold_s for table in Deriver(car).tables for channel in table.channels}
    assert hold_s == dict.fromkeys(hold_s) | {"speed": 0.03, "count": 0.02}


def test_a_stale_value_is_missing_to_who_reads_it_and_nowhere_else(car: Car) -> None:
    frames = log([(0, 2, 0, b"\0\7"), (0, 1, 0, b"\0\0\x40"), (0, 1, 0, b"\0\0\x40")], step_ns=15_000_000)
    found = folded(car, [frames])
    assert found["count"] == [(0, 7.0)]
    (_, fresh), (_, stale) = found["mixed"]
    assert fresh > 700
    assert math.isnan(stale)
