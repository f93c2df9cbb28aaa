"""Derived channels against a slow, obvious reference that goes through the log one frame at a time."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from itertools import pairwise
from types import CodeType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import Car, load
from pitwall.car.rules import Distance, FuelUsed, GearRatio, LateralG, LongitudinalG, WheelSlip
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
    "tabled": "interp(raw, (-20000, 1), (0, -3), (1, 5), (9000.5, 7)) * unit(36, 'km/h', 'm/s')",
    "tabled_twice": "interp(front, (9, 9), (1e2, 0)) + interp(interp(rear, (0, -1), (655, 1)), (-0.5, 1), (0.5, 2))",
}

PAST_EXPRESSIONS = {
    "rated": "rate(front)",
    "rated_beside": "rate(front) + rpm / 1000",
    "summed": "integrate(front - rear) / 100",
    "lagged": "front - lag(front, 0.015)",
    "lagged_missing": "lag(divided, 0.02) + lag(rpm, 0.000000001)",
    "meant": "rolling_mean(divided, 0.02)",
    "spread": "rolling_max(rpm + raw, 0.03) - rolling_min(low, 0.005) * front",
    "nested": "rolling_mean(rate(front + low), 0.05) + rate(rolling_max(front, 0.02)) * rpm + rate(front)",
    "chained_on_past": "rate(nested) + where(rated > 0, lag(rated_beside, 0.03), 1)",
}
"""Those with functions that look back in time."""

ALL = EXPRESSIONS | PAST_EXPRESSIONS

YAML = (
    "car: {}\nbuses: {can: {dbc: car.dbc}}\n"
    "channels:\n  temp: {unit: degC, sign: -1, scale: 2, offset: 5}\n"
    "derived:\n"
    + "".join(f'  {name}: {{expr: "{text}", unit: none}}\n' for name, text in ALL.items())
    + "  gear: {method: gear_ratio, rpm: rpm, speed: rear, ratios: [4, 2, 1], final_drive: 3, tyre_circumference: 2}\n"
    "  way: {method: distance, speed: front, unit: km}\n"
    "  way_of_derived: {method: distance, speed: divided_speed}\n"
    "  divided_speed: {expr: divided, unit: km/h}\n"
    "  kept: {method: gear_ratio, rpm: rpm, speed: rear, ratios: [4, 2, 1], final_drive: 3, tyre_circumference: 2,\n"
    "         hysteresis: 0.2}\n"
    "  turning: {expr: raw, unit: deg/s}\n"
    "  tank: {expr: raw / 100 + low, unit: l}\n"
    "  slip: {method: wheel_slip, driven: rear, free: divided_speed, min_speed: 2 m/s}\n"
    "  pulled: {method: g_from_yaw, axis: long, speed: front, window: 0.015 s, unit: m/s^2}\n"
    "  pushed: {method: g_from_yaw, axis: lat, speed: divided_speed, yaw_rate: turning}\n"
    "  used: {method: fuel_used, fuel: tank, window: 0.03 s, unit: ml}\n"
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
    "unit": lambda number, unit, wanted: {("km/h", "m/s"): number / 3.6}[unit, wanted],
}


def _interp(x: float, *points: tuple[float, float]) -> float:
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= x <= x1:
            return y0 + (x - x0) / (x1 - x0) * (y1 - y0)
    return points[0][1] if x < points[0][0] else points[-1][1]


WORDS["interp"] = _interp


def reference(car: Car, frames: Frames) -> dict[str, Series]:
    """Every derived channel, sample by sample: Python's own arithmetic, one dictionary of newest values."""
    decode = plan(car, ["can"])
    held: dict[str, float] = {}
    rows: dict[str, Series] = {channel.name: [] for channel in car.derived}
    compute = {channel.name: _computing(channel.rule, channel.source) for channel in car.derived}
    sites = {name: _Sites(text) for name, text in PAST_EXPRESSIONS.items()}
    for offset in range(len(frames)):
        fresh = _measured(car, decode, cut(frames, offset, offset + 1))
        held.update(fresh)
        for channel in car.derived:
            t = int(frames.t[offset])
            if channel.name in sites:
                sites[channel.name].sample(fresh, held, t)
            if fresh.keys().isdisjoint(channel.inputs) or not held.keys() >= set(channel.inputs):
                continue
            if channel.name in sites:
                value = sites[channel.name].value(held)
            else:
                inputs = {name: held[name] for name in channel.inputs}
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
        case GearRatio(hysteresis=0):
            return lambda inputs, t: _gear(inputs["rpm"], inputs["rear"])
        case GearRatio():
            return _Kept()
        case WheelSlip():
            return lambda inputs, t: _slip(inputs["rear"], inputs["divided_speed"] / 3.6)
        case LateralG():
            return lambda inputs, t: inputs["divided_speed"] / 3.6 * math.radians(inputs["turning"]) / 9.80665
        case LongitudinalG():
            return _Pulled()
        case FuelUsed():
            return _Used()
        case Distance(factor=factor):
            return _Way(factor)
    code = compile(text, "expression", "eval")
    return lambda inputs, t: _evaluated(code, inputs)


def _evaluated(code: CodeType, inputs: dict[str, float]) -> float:
    try:
        value = eval(code, {"__builtins__": {}}, WORDS | inputs)
    except (ValueError, ZeroDivisionError, OverflowError):
        return math.nan
    return float(value) if not isinstance(value, complex) and math.isfinite(value) else math.nan


def _gear(rpm: float, speed: float) -> float:
    if speed < 5 / 3.6 or rpm == 0:
        return math.nan
    ratio = rpm / 60 / (speed / 2) / 3
    return float(min((1, 2, 3), key=lambda gear: abs(math.log(ratio / (4, 2, 1)[gear - 1]))))


PAST_FUNCTIONS: dict[str, Callable[[list[tuple[int, float]], float], float]] = {
    "rate": lambda rows, _: _slope(_there(rows)[-2:]),
    "integrate": lambda rows, _: sum((x + y) / 2 * (b - a) / 1e9 for (a, x), (b, y) in pairwise(_there(rows))),
    "lag": lambda rows, window_s: next((x for t, x in reversed(rows) if t <= rows[-1][0] - window_s * 1e9), math.nan),
    "rolling_mean": lambda rows, window_s: sum(_last(rows, window_s)) / len(_last(rows, window_s)),
    "rolling_min": lambda rows, window_s: min(_last(rows, window_s)),
    "rolling_max": lambda rows, window_s: max(_last(rows, window_s)),
}
"""From all rows of the argument so far, (t, value), the newest last, to the function's value at it."""


def _there(rows: list[tuple[int, float]]) -> list[tuple[int, float]]:
    return [(t, value) for t, value in rows if not math.isnan(value)]


def _last(rows: list[tuple[int, float]], window_s: float) -> list[float]:
    return [value for t, value in _there(rows) if t > rows[-1][0] - window_s * 1e9]


def _slope(rows: list[tuple[int, float]]) -> float:
    if len(rows) < 2 or rows[0][0] == rows[1][0]:
        return math.nan
    return (rows[1][1] - rows[0][1]) / ((rows[1][0] - rows[0][0]) / 1e9)


class _Sites:
    """An expression with functions that look back, each with all the rows that its argument has had."""

    def __init__(self, text: str) -> None:
        self._sites: list[tuple[str, ast.expr, float, set[str]]] = []
        self._tree = _Taken(self).visit(ast.parse(text, mode="eval").body)
        self._code = _code(self._tree)
        self._rows: dict[str, list[tuple[int, float]]] = {}
        self._values: dict[str, float] = {}

    def add(self, function: str, argument: ast.expr, window_s: float) -> str:
        name = f"{function}_{len(self._sites)}"
        self._sites.append((name, argument, window_s, {n.id for n in ast.walk(argument) if isinstance(n, ast.Name)}))
        return name

    def sample(self, fresh: dict[str, float], held: dict[str, float], t: int) -> None:
        new = set(fresh)
        for name, argument, window_s, inputs in self._sites:
            inputs = inputs - set(WORDS)
            known = held | self._values
            if new.isdisjoint(inputs) or not known.keys() >= inputs:
                continue
            missing = any(math.isnan(known[each]) for each in inputs)
            value = math.nan if missing else _evaluated(_code(argument), known)
            rows = self._rows.setdefault(name, [])
            rows.append((t, value))
            function = name.rsplit("_", 1)[0]
            skipped = math.isnan(value) and function != "lag"
            self._values[name] = math.nan if skipped else PAST_FUNCTIONS[function](rows, window_s)
            new.add(name)

    def value(self, held: dict[str, float]) -> float:
        names = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)} - set(WORDS)
        known = held | self._values
        return math.nan if any(math.isnan(known[name]) for name in names) else _evaluated(self._code, known)


class _Taken(ast.NodeTransformer):
    """Puts a name in the place of each call that looks back, the inner ones first."""

    def __init__(self, sites: _Sites) -> None:
        self._sites = sites

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        assert isinstance(node.func, ast.Name)
        if node.func.id not in PAST_FUNCTIONS:
            return node
        argument, *window = node.args
        seconds = ast.literal_eval(window[0]) if window else 0.0
        return ast.Name(self._sites.add(node.func.id, argument, seconds), ast.Load())


def _code(tree: ast.AST) -> CodeType:
    return compile(ast.fix_missing_locations(ast.Expression(tree)), "expression", "eval")  # type: ignore[arg-type]


def _slip(driven: float, free: float) -> float:
    return 100 * (driven - free) / max(free, 2)


class _Kept:
    """A gear of 4, 2, 1 that is kept until the ratio is a fifth beyond its edges, 2.83 and 1.41."""

    def __init__(self) -> None:
        self.gear = math.nan

    def __call__(self, inputs: dict[str, float], t: int) -> float:
        nearest = _gear(inputs["rpm"], inputs["rear"])
        if not math.isnan(nearest) and not math.isnan(self.gear):
            ratio = inputs["rpm"] / 60 / (inputs["rear"] / 2) / 3
            edges = [math.inf, 8**0.5, 2**0.5, 0]
            top, bottom = edges[int(self.gear) - 1], edges[int(self.gear)]
            if bottom / 1.2 <= ratio <= top * 1.2:
                return self.gear
        self.gear = nearest
        return nearest


class _Pulled:
    """The slope of the speed over 15 ms and more."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, float]] = []

    def __call__(self, inputs: dict[str, float], t: int) -> float:
        self.rows.append((t, inputs["front"]))
        old = [row for row in self.rows if row[0] <= t - 15_000_000]
        return _slope([old[-1], self.rows[-1]]) if old else math.nan


class _Used:
    """What the mean of 30 ms has lost since the first time that it was one."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, float]] = []
        self.full: float | None = None

    def __call__(self, inputs: dict[str, float], t: int) -> float:
        self.rows.append((t, inputs["tank"]))
        if t - self.rows[0][0] < 30_000_000:
            return math.nan
        mean = PAST_FUNCTIONS["rolling_mean"](self.rows, 0.03)
        self.full = mean if self.full is None else self.full
        return (self.full - mean) * 1000


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
