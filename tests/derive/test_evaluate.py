"""What expressions compute, and that nothing but arithmetic is ever in one."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.expression import FUNCTIONS, OPERATORS, ExpressionError, parse
from pitwall.derive.evaluate import OPERATIONS, compiled

COLUMNS = {"a": np.array([1.0, -2.0, 3.5]), "b": np.array([2.0, 2.0, 0.0]), "c": np.array([np.nan, 0.0, 1.0])}


def value(text: str) -> list[float]:
    return compiled(parse(text))(COLUMNS).tolist()


def test_all_that_may_be_said_can_be_computed() -> None:
    assert set(OPERATIONS) == set(FUNCTIONS) | set(OPERATORS.values())


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
    ],
)
def test_expressions_mean_what_they_say(text: str, expected: list[float]) -> None:
    assert value(text) == [pytest.approx(each) for each in expected]


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


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("__import__('os').system('true')", "not allowed"),
        ("a.__class__", "'a.__class__' is not allowed"),
        ("(lambda: a)()", "not allowed"),
        ("a[0]", "'a[0]' is not allowed"),
        ("[x for x in (1,)]", "not allowed"),
        ("f'{a}'", "not allowed"),
        ("a if b", "can't be read"),
        ("a +", "can't be read"),
        ("", "can't be read"),
        ("a; b", "can't be read"),
        ("a := 1", "can't be read"),
        ("(a := 1)", "not allowed"),
        ("'text'", "not allowed"),
        ("True + a", "True and False are not allowed"),
        ("1j * a", "not allowed"),
        ("a is b", "not allowed"),
        ("a in b", "not allowed"),
        ("a @ b", "not allowed"),
        ("a << 2", "not allowed"),
        ("~a", "not allowed"),
        ("hypott(a, b)", "unknown function 'hypott'"),
        ("hypot(a)", "hypot takes 2 arguments, and was given 1"),
        ("mean()", "mean takes 1 or more arguments"),
        ("clip(a, lo=1, hi=2)", "not allowed"),
        ("max(*a, b)", "'*a' is not allowed"),
        ("sqrt + a", "'sqrt' is a function"),
        ("1 + 2", "reads no channel"),
        ("1e999 * a", "too large"),
        ("9" * 400 + " * a", "too large"),
        ("(" * 150 + "a" + ")" * 150 + "+" * 3, "can't be read"),
        ("-" * 1500 + "a", "deep"),
        ("a" + " + a" * 60, "nested deeper than 50"),
        ("a" * 3000, "3000 characters"),
        ("a\0b", "can't be read"),
    ],
)
def test_what_is_no_arithmetic_is_refused(text: str, what: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(what)):
        parse(text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab01.+-*/%()<>=!,'\"[]{}:_ \n\tnotandorifelsewherxp"), max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError:
        return
    columns = {name: np.array([1.0, -3.0]) for name in expression.inputs}
    assert compiled(expression)(columns).shape == (2,)
