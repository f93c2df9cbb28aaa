"""The steps of a channel against slow, obvious references that go one sample at a time, however samples are cut."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.steps import Despike, Limits, LowPass, Step, Table, Zero
from pitwall.decode import Step as GuardStep
from pitwall.derive.guarded import guarded
from pitwall.derive.steps import Steps, tabled

NAN = math.nan
Samples = list[tuple[int, float, float]]
"""(t in ns, value, speed) of every row."""

# values near one another and far off, missing ones, and bursts at one instant
VALUES = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 100.0, NAN]), st.floats(-1e6, 1e6))
GAPS = st.sampled_from([0, 1, 1_000_000, 20_000_000, 20_000_001, 400_000_000, 3_000_000_000])
SPEEDS = st.sampled_from([0.0, 0.0, 0.0, -0.1, 0.2, 0.3, 50.0, NAN])


@st.composite
def samples(draw: st.DrawFn) -> Samples:
    t, found = 0, []
    for gap, value, speed in draw(st.lists(st.tuples(GAPS, VALUES, SPEEDS), max_size=60)):
        t += gap
        found.append((t, value, speed))
    # again and again: blocks and windows of more than a few samples
    span = t + draw(GAPS)
    return [(t + k * span, value, speed) for k in range(draw(st.sampled_from([1, 1, 12]))) for t, value, speed in found]


def limited(rule: Limits, rows: Samples) -> list[float]:
    return [value if rule.low <= value <= rule.high else NAN for _, value, _ in rows]


def despiked(rule: Despike, rows: Samples) -> list[float]:
    before: list[float] = []
    found = []
    for _, value, _ in rows:
        if math.isnan(value):
            found.append(NAN)
            continue
        last = before[-rule.of :]
        spike = len(last) == rule.of and abs(value - statistics.median(last)) > rule.by
        found.append(NAN if spike else value)
        before.append(value)
    return found


def zeroed(rule: Zero, rows: Samples) -> list[float]:
    zero, run = None, []
    found = []
    for t, value, speed in rows:
        if math.isnan(value):
            found.append(NAN)
            continue
        if zero is None:
            run = [*run, (t, value)] if abs(speed) < rule.still else []
            if run and t - run[0][0] >= rule.span_ns:
                zero = math.fsum(value for _, value in run) / len(run)
        found.append(NAN if zero is None else value - zero)
    return found


def low_passed(rule: LowPass, rows: Samples) -> list[float]:
    y, before = None, 0
    found = []
    for t, value, _ in rows:
        if math.isnan(value):
            found.append(NAN)
            continue
        share = -math.expm1(-2 * math.pi * rule.hz * (t - before) / 1e9)
        y = value if y is None else y + (value - y) * share
        before = t
        found.append(y)
    return found


CASES: dict[str, tuple[Step, Callable[..., list[float]]]] = {
    "limits": (Limits(-1.0, 1000.0), limited),
    "despike of 3": (Despike(5.0, 3), despiked),
    "despike of 7": (Despike(0.0, 7), despiked),
    "zero": (Zero(1_000_000_000, "speed", 0.3), zeroed),
    "zero at once": (Zero(1, "speed", 0.3), zeroed),
    "low pass": (LowPass(1.0), low_passed),
    "slow low pass": (LowPass(0.001), low_passed),
    "fast low pass": (LowPass(1000.0), low_passed),
}


def done(steps: list[Step], rows: Samples, cuts: list[int]) -> np.ndarray:
    """What the steps make of the rows, cut there into batches."""
    doing = Steps(steps)
    speed_of = np.array([speed for *_, speed in rows])
    parts = [np.empty(0)]
    for first, last in pairwise([0, *sorted(cut for cut in cuts if cut < len(rows)), len(rows)]):
        at = np.arange(first, last)
        t = np.array([t for t, *_ in rows[first:last]], np.int64)
        values = np.array([value for _, value, _ in rows[first:last]], np.float64)
        parts.append(doing(at, t, values, lambda at, t: speed_of[at]))
    return np.concatenate(parts)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=60, deadline=None)
@given(rows=samples(), cuts=st.lists(st.integers(0, 700), max_size=12))
def test_each_step_does_as_the_reference_does_and_to_the_bit_whatever_the_batches(
    case: str, rows: Samples, cuts: list[int]
) -> None:
    step, reference = CASES[case]
    whole = done([step], rows, [])
    np.testing.assert_allclose(whole, reference(step, rows), rtol=1e-9, atol=1e-6)
    assert done([step], rows, cuts).tobytes() == whole.tobytes()


@settings(max_examples=60, deadline=None)
@given(rows=samples(), cuts=st.lists(st.integers(0, 700), max_size=12))
def test_steps_work_on_what_the_one_before_left(rows: Samples, cuts: list[int]) -> None:
    steps = [Limits(-500.0, 500.0), Despike(50.0, 3), Zero(400_000_000, "speed", 0.3), LowPass(2.0)]
    expected = rows
    for step, reference in zip(steps, (limited, despiked, zeroed, low_passed), strict=True):
        values = reference(step, expected)
        expected = [(t, value, speed) for (t, _, speed), value in zip(expected, values, strict=True)]
    whole = done(list(steps), rows, [])
    np.testing.assert_allclose(whole, [value for _, value, _ in expected], rtol=1e-9, atol=1e-6)
    assert done(list(steps), rows, cuts).tobytes() == whole.tobytes()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 20_000), max_size=6))
def test_a_long_run_is_the_same_to_the_bit_whatever_the_batches(seed: int, cuts: list[int]) -> None:
    """More samples than any block or window, every one of them full of digits."""
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.integers(1, 40_000_000, 20_000)).tolist()
    rows = list(zip(t, rng.normal(0, 10, 20_000).tolist(), [0.0] * 20_000, strict=True))
    for step in (LowPass(0.2), Despike(15.0, 5), Zero(5_000_000_000, "speed", 1.0)):
        whole = done([step], rows, [])
        assert done([step], rows, cuts).tobytes() == whole.tobytes()
        assert np.isfinite(whole).sum() > 15_000


def test_a_spike_goes_and_a_step_stays() -> None:
    values = [1.0, 1.0, 1.0, 90.0, 1.0, 1.0, 50.0, 50.0, 50.0, 50.0]
    rows = [(i, value, NAN) for i, value in enumerate(values)]
    kept = done([Despike(10.0, 3)], rows, [])
    np.testing.assert_equal(kept, [1, 1, 1, NAN, 1, 1, NAN, NAN, 50, 50])


def test_a_low_pass_comes_to_63_percent_of_a_step_in_its_time_constant() -> None:
    rows = [(0, 0.0, NAN), (1, 100.0, NAN)]
    rows += [(1 + i * 1_000_000, 100.0, NAN) for i in range(1, 160)]  # 159 ms: 1 / (2 pi 1 Hz)
    assert done([LowPass(1.0)], rows, [])[-1] == pytest.approx(100 * (1 - math.exp(-1)), abs=0.2)


def test_a_zero_needs_a_standstill_as_long_as_it_says() -> None:
    second = 1_000_000_000
    speeds = [9.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0, 0.0]
    rows = [(i * second, 4.0 + i, speed) for i, speed in enumerate(speeds)]
    # the second standstill is long enough: 8, 9 and 10, whose mean is 9
    np.testing.assert_equal(
        done([Zero(2 * second, "speed", 0.3)], rows, []), [NAN, NAN, NAN, NAN, NAN, NAN, 1.0, 2.0, 3.0]
    )


@given(
    value=st.floats(-20, 20),
    points=st.dictionaries(st.integers(-10, 10), st.integers(-100, 100), min_size=2, max_size=9),
)
def test_a_table_is_linear_between_its_points_and_its_ends_beyond(value: float, points: dict[int, int]) -> None:
    raw = sorted(points)
    (found,) = tabled(Table(tuple(raw), tuple(points[x] for x in raw)), np.array([value])).tolist()
    near = min(max(value, raw[0]), raw[-1])
    low = max(x for x in raw[:-1] if x <= near)
    high = raw[raw.index(low) + 1]
    share = (near - low) / (high - low)
    assert found == pytest.approx(points[low] * (1 - share) + points[high] * share, abs=1e-9)


def test_a_table_leaves_what_is_missing_missing() -> None:
    assert math.isnan(tabled(Table((0.0, 1.0), (5.0, 6.0)), np.array([NAN]))[0])


class _Refuses:
    """A step that raises on some rows, told by their offsets."""

    def __init__(self, offsets: set[int]) -> None:
        self.offsets = offsets

    def __call__(self, at, t, values, speeds, /):
        if self.offsets & set(at.tolist()):
            raise ValueError("not this one")
        return values


@given(st.lists(st.integers(1, 40), max_size=6), st.sets(st.integers(0, 59), max_size=4))
@settings(max_examples=50, deadline=None)
def test_a_step_that_raises_leaves_the_others_as_if_the_row_had_not_been(cuts, refused):
    t = np.arange(60, dtype=np.int64) * 10**7
    at, values = np.arange(60, dtype=np.int64), np.sin(t / 1e8) * 9
    guard = GuardStep("the steps of x")
    steps = Steps([LowPass(5.0)])
    steps._steps.append(_Refuses(refused))
    found = []
    for first, last in pairwise([0, *np.minimum(np.cumsum(cuts), 60).tolist(), 60]):
        part = slice(first, last)
        work = partial(_on, steps, at[part], t[part], values[part])
        found.append(guarded(guard, at[part], work))
    kept = np.array([i not in refused for i in range(60)])
    expected = np.full(60, np.nan)
    expected[kept] = Steps([LowPass(5.0)])(at[kept], t[kept], values[kept], _no_speeds)
    np.testing.assert_array_equal(np.concatenate(found), expected)
    assert sorted(row.at for row in guard.taken()) == sorted(refused)


def _on(steps, at, t, values, part):
    return steps(at[part], t[part], values[part], _no_speeds)


def _no_speeds(at, t):
    raise AssertionError("no step of these asks for the speed")
