"""Derived channels against a slow, obvious reference that goes through the log one frame at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import Car, load
from pitwall.car.definition import Distance, GearRatio
from pitwall.decode import Plan, plan
from pitwall.derive import Deriver
from pitwall.frames import Frames, cut, in_log_order
from tests.strategies import batches, log, logs

DBC = """VERSION ""
NS_ :
BS_:
BU_:

BO_ 1 Engine: 4 X
 SG_ rpm : 0|16@1+ (1,0) [0|0] "rpm" X
 SG_ temp : 16|16@1- (0.1,0) [0|0] "degF" X

BO_ 2 Wheels: 6 X
 SG_ front : 0|16@1+ (0.01,0) [0|0] "m/s" X
 SG_ rear : 16|16@1+ (0.01,0) [0|0] "m/s" X
 SG_ raw : 32|16@1- (1,0) [0|0] "" X

BO_ 3 Muxed: 3 X
 SG_ page M : 0|8@1+ (1,0) [0|0] "" X
 SG_ low m0 : 8|16@1- (0.5,0) [0|0] "V" X
 SG_ high m1 : 8|16@1- (0.25,1) [0|0] "V" X
"""

EXPRESSIONS = {
    "one_message": "hypot(front, rear) - mean(front, rear, front)",
    "two_messages": "front * 2 + rpm / 1000",
    "three_messages": "max(front, low, rpm) - min(rear, high)",
    "divided": "front / rear",
    "chained": "divided + rpm",
    "chained_on_one": "one_message * 2 + abs(raw)",
    "rooted": "sqrt(raw)",
    "chosen": "where(front > rear, front, rear) + (1 if raw >= 0 else -1) * (not rooted > 100)",
    "clipped": "clip(low, -10, 10) ** 2 % 7 // 2 + round(high)",
    "turned": "sin(raw) + atan2(front, rear + 1) + exp(-front)",
    "bounded": "0 < front <= 300 and rear != 5 or raw == 0",
}

YAML = (
    "car: {}\nbuses: {can: {dbc: car.dbc}}\n"
    "channels:\n  temp: {unit: degC, sign: -1, scale: 2, offset: 5}\n"
    "derived:\n"
    + "".join(f'  {name}: {{expr: "{text}"}}\n' for name, text in EXPRESSIONS.items())
    + "  gear: {method: gear_ratio, rpm: rpm, speed: rear, ratios: [4, 2, 1], final_drive: 3, tyre_circumference: 2}\n"
    "  way: {method: distance, speed: front, unit: km}\n"
    "  way_of_derived: {method: distance, speed: divided_speed}\n"
    "  divided_speed: {expr: divided, unit: km/h}\n"
)

IDS = [(0, 1, 0), (0, 2, 0), (0, 3, 0), (0, 4, 0)]


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Car:
    cars = tmp_path_factory.mktemp("cars")
    folder = cars / "test"
    folder.mkdir()
    (folder / "car.dbc").write_text(DBC)
    (folder / "car.yaml").write_text(YAML)
    return load(cars, "test")


Series = list[tuple[int, int, float]]
"""(offset, t, value) of every row of a channel."""

MATHS = {name: getattr(math, name) for name in ("hypot", "sqrt", "sin", "atan2", "exp")}
WORDS = MATHS | {
    "abs": abs,
    "max": max,
    "min": min,
    "round": round,
    "mean": lambda *values: sum(values) / len(values),
    "clip": lambda value, low, high: min(max(value, low), high),
    "where": lambda condition, then, otherwise: then if condition else otherwise,
}


def reference(car: Car, frames: Frames) -> dict[str, Series]:
    """Every derived channel, sample by sample: Python's own arithmetic, one dictionary of newest values."""
    decode = plan(car, ["can"])
    held: dict[str, float] = {}
    rows: dict[str, Series] = {channel.name: [] for channel in car.derived}
    compute = {channel.name: _computing(channel.rule, channel.source) for channel in car.derived}
    for offset in range(len(frames)):
        fresh = _measured(car, decode, cut(frames, offset, offset + 1))
        held.update(fresh)
        for channel in car.derived:
            if fresh.keys().isdisjoint(channel.inputs) or not held.keys() >= set(channel.inputs):
                continue
            inputs = {name: held[name] for name in channel.inputs}
            t = int(frames.t[offset])
            missing = any(math.isnan(value) for value in inputs.values())
            value = math.nan if missing else compute[channel.name](inputs, t)
            rows[channel.name].append((offset, t, value))
            fresh[channel.name] = held[channel.name] = value
    return rows


def _measured(car: Car, decode: Plan, frame: Frames) -> dict[str, float]:
    found = {}
    for decoded in decode.decode(frame).messages:
        for channel in car.channels:
            if channel.message == decoded.message.name:
                value = float(decoded.values[channel.signal][0])
                if channel.name == "temp":
                    value = (value - 32) / 1.8 * -1 * 2 + 5
                if not math.isnan(value):
                    found[channel.name] = value
    return found


def _computing(rule: object, text: str) -> Callable[[dict[str, float], int], float]:
    match rule:
        case GearRatio():
            return lambda inputs, t: _gear(inputs["rpm"], inputs["rear"])
        case Distance(factor=factor):
            return _Way(factor)
    code = compile(text, "expression", "eval")

    def evaluated(inputs: dict[str, float], t: int) -> float:
        try:
            value = eval(code, {"__builtins__": {}}, WORDS | inputs)
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan
        return float(value) if not isinstance(value, complex) and math.isfinite(value) else math.nan

    return evaluated


def _gear(rpm: float, speed: float) -> float:
    if speed < 5 / 3.6 or rpm == 0:
        return math.nan
    ratio = rpm / 60 / (speed / 2) / 3
    return float(min((1, 2, 3), key=lambda gear: abs(math.log(ratio / (4, 2, 1)[gear - 1]))))


class _Way:
    def __init__(self, factor: float) -> None:
        self.factor, self.total, self.before = factor, 0.0, None

    def __call__(self, inputs: dict[str, float], t: int) -> float:
        (speed,) = inputs.values()
        if self.before is not None:
            self.total += (speed + self.before[1]) / 2 * (t - self.before[0]) / 1e9 * self.factor
        self.before = (t, speed)
        return self.total


def derived(car: Car, parts: list[Frames]) -> dict[str, Series]:
    decode, deriver = plan(car, ["can"]), Deriver(car)
    found: dict[str, Series] = {channel.name: [] for channel in car.derived}
    for part in parts:
        for rows in deriver.fold(decode.decode(part)):
            if rows.table.name in found:
                (values,) = rows.values
                found[rows.table.name] += zip(rows.at.tolist(), rows.t.tolist(), values.tolist(), strict=True)
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_derived_channels_agree_with_the_reference_however_the_log_is_cut(car: Car, data: st.DataObject) -> None:
    frames = in_log_order(data.draw(logs(IDS, max_size=40)))
    expected = reference(car, frames)
    found = derived(car, data.draw(batches(frames)))
    for name, series in expected.items():
        assert [row[:2] for row in found[name]] == [row[:2] for row in series], name
        np.testing.assert_allclose(
            [row[2] for row in found[name]], [row[2] for row in series], rtol=1e-9, atol=1e-9, err_msg=name
        )


def test_the_reference_is_not_empty(car: Car) -> None:
    """Every derived channel gets values from a log like those above: the agreement is about something."""
    rng = np.random.default_rng(2)
    rows = [(0, int(rng.integers(1, 4)), 0, bytes([int(rng.integers(0, 2)), *rng.bytes(5)])) for _ in range(400)]
    for name, series in reference(car, log(rows)).items():
        assert sum(not math.isnan(value) for _, _, value in series) > 50, name
