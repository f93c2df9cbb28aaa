"""What expressions compute."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pitwall.car.expression import FUNCTIONS, OPERATORS, PAST
from pitwall.car.parsing import parse
from pitwall.derive import past
from pitwall.derive.evaluate import OPERATIONS, compiled

COLUMNS = {"a": np.array([1.0, -2.0, 3.5]), "b": np.array([2.0, 2.0, 0.0]), "c": np.array([np.nan, 0.0, 1.0])}


def value(text: str) -> list[float]:
    return compiled(parse(text))(COLUMNS).tolist()


def test_all_that_may_be_said_can_be_computed() -> None:
    assert set(OPERATIONS) == set(FUNCTIONS) - PAST - {"unit"} | set(OPERATORS.values())
    assert set(past.FUNCTIONS) == PAST


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [1, -2, 3.5]),
        ("-a + 2 * b", [3, 6, -3.5]),
        ("a ** 2 - b // 2 + 7 % 4", [3, 6, 15.25]),
        ("a < b", [1, 1, 0]),
        ("0 < a < 2", [1, 0, 0]),
        ("a > 0 and b > 0 or a == -2", [1, 1, 0]),
        ("not b", [0, 0, 1]),
        ("1 if a >= 1 else b", [1, 2, 1]),
        ("where(a > 0, a, 0)", [1, 0, 3.5]),
        ("clip(a, -1, 3)", [1, -1, 3]),
        ("mean(a, b, 3)", [2, 1, 6.5 / 3]),
        ("min(a, b, 1) + max(a, b)", [3, 0, 3.5]),
        ("hypot(3, 4) + 0 * a", [5, 5, 5]),
        ("sign(a) * abs(a) + round(2.5) + floor(1.5) + ceil(1.5)", [6, 3, 8.5]),
        ("degrees(pi) + b * 0", [180, 180, 180]),
        ("2 + 0 * a", [2, 2, 2]),
        ("interp(a, (-1, 10), (1, 20), (4, 50))", [20, 10, 45]),
        ("interp(c, (0, 1), (1, 2)) + a * 0", [math.nan, 1, 2]),
    ],
)
def test_expressions_mean_what_they_say(text: str, expected: list[float]) -> None:
    assert value(text) == [pytest.approx(each, nan_ok=True) for each in expected]


@pytest.mark.parametrize(
    "text", ["a / b", "sqrt(0 - a * a - 1) + b", "log(b)", "10 ** (b * 1000)", "c + 1", "where(1, 2, c)"]
)
def test_what_cannot_be_computed_is_missing(text: str) -> None:
    result = value(text)
    assert any(math.isnan(each) for each in result)
    assert not any(math.isinf(each) for each in result)


def test_a_missing_input_makes_a_comparison_missing_too() -> None:
    np.testing.assert_array_equal(value("c > 0"), [np.nan, 0, 1])


def test_a_result_is_never_the_memory_of_an_input() -> None:
    assert not np.shares_memory(compiled(parse("a"))(COLUMNS), COLUMNS["a"])
