"""Expressions from hostile hands: a tree of what is allowed, or one error that says what is wrong."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.definition import Derived
from pitwall.car.expression import (
    CONSTANTS,
    FUNCTIONS,
    MAX_DEPTH,
    MAX_NODES,
    MAX_WINDOW_S,
    OPERATORS,
    PAST,
    WINDOWS,
    Call,
    Expression,
    ExpressionError,
    Name,
    Number,
    channels,
    written,
)
from pitwall.car.parsing import parse
from pitwall.car.rules import Rule
from pitwall.derive.computing import computing
from pitwall.derive.parts import parts

UNITS = {"speed": "km/h", "temp": "degC", "odd": None}

REAL = [
    "hypot(g_lat, g_long)",
    "100 * (rear - front) / max(front, 3)",
    "where(rolling_mean(rate(speed), 0.5) > unit(1, 'g', 'm/s^2'), lag(rpm, 0.25), integrate(speed * 2))",
    "interp(volt, (0.5, 0), (2.5, -40), (4.5, 150)) if not brake else -1e3",
    "clip(a, -1, 1) ** 2 % 7 // 2 + round(b) - (a <= b < 3 and a != b or a == 1)",
    "speed > unit(80, 'km/h', speed)",
]

HOSTILE = [
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('true')",
    "a.__class__",
    "a['b']",
    "a[0:1]",
    "(lambda: 0)()",
    "lambda x: a",
    "[b for b in a]",
    "{b: b for b in a}",
    "(b for b in a)",
    "(a := 1)",
    "f'{a}'",
    "f'{a!r:>{b}}'",
    "'%s' % a",
    "'{0.__class__}'.format(a)",
    "'a' * 10 ** 9",
    "b'a' + a",
    "await a",
    "yield a",
    "*a",
    "**a",
    "a @ b",
    "a << 99999999",
    "a | b",
    "~a",
    "a is b",
    "a in (b, c)",
    "(a, b)",
    "[a]",
    "{a}",
    "...",
    "None",
    "print(a)",
    "eval('a')",
    "abs(a)(b)",
    "abs(*a)",
    "abs(x=a)",
    "abs(**a)",
    "a.abs(b)",
    "clip(a, lo=1, hi=2)",
    "1j + a",
    "a\0",
    "a\N{BOM}",
    "\ud800 + a",
    "a\n\nb",
    "a # b\n c",
    "import os",
    "a = 1",
    "a; b",
    "\\",
    "[" + "-" * 1500 + "a]",
    "(" * 900 + "a" + ")" * 900,
    "[" * 900 + "a" + "]" * 900,
    "abs(" * 300 + "a" + ")" * 300,
    "not " * 400 + "a",
    "a if " * 200 + "a" + " else a" * 200,
    "a" + " < a" * 450,
    "a" + " and a" * 330,
    "a" + " ** a" * 300,
    "9" * 1990 + "+ a",
    "1e400 + a",
    "unit(1e308, 'km', 'um') * a",
    "unit(" * 200 + "a",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_hostile_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(text, UNITS.get)
    assert 5 < len(raised.value.what) < 200


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


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rate(a, 1)", "rate takes 1 arguments, and was given 2"),
        ("lag(a)", "lag takes 2 arguments, and was given 1"),
        ("lag(a, b)", "a number is expected here, not 'b'"),
        ("lag(a, 61)", "lag looks back at least 1e-09 and at most 60 seconds, not 61"),
        ("rolling_mean(a, 0)", "rolling_mean looks back at least 1e-09 and at most 60 seconds, not 0"),
        ("rolling_max(a, -1)", "rolling_max looks back at least 1e-09 and at most 60 seconds, not -1"),
        ("a + rate(3 * 2)", "rate is given '3 * 2', which reads no channel"),
        ("interp(a, (0, 1))", "interp takes 3 or more arguments"),
        ("interp(a, 0, 1)", "interp takes points after its first argument, and was given '0'"),
        ("interp(a, (0, 1), (0, 2))", "the points of interp must ascend, and 0 comes after 0"),
        ("interp(a, (0, 1), (b, 2))", "a number is expected here, not 'b'"),
        ("interp(a, (0, 1), (1, 2, 3))", "interp takes points after its first argument, and was given '(1, 2, 3)'"),
        ("unit(1, 'km/h')", "unit takes 3 arguments"),
        ("unit(1, 'km/h', 2) + a", "unit takes a number, its unit and the unit that is wanted"),
        ("unit(a, 'km/h', 'm/s')", "a number is expected here, not 'a'"),
        ("unit(1, 'km/h', 'bar') + a", "'km/h' does not convert to 'bar'"),
        ("unit(1, 'km/z', 'm/s') + a", "unknown unit 'km/z'"),
        ("unit(1, 'km/h', temp) + a", "'km/h' does not convert to 'degC'"),
        ("unit(1, 'km/h', 'm/s')", "reads no channel"),
        ("unit", "'unit' is a function"),
    ],
)
def test_what_is_wrong_with_an_argument_is_said(text: str, what: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(what)):
        parse(text, UNITS.get)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("unit(90, 'km/h', 'm/s')", 25.0),
        ("unit(25, 'm/s', speed)", 90.0),
        ("unit(-40, 'degF', temp)", -40.0),
        ("unit(1, 'g', 'm/s^2')", 9.80665),
        ("unit(7, 'km/h', odd)", 7.0),
    ],
)
def test_a_constant_is_converted_when_it_is_read(text: str, value: float) -> None:
    assert parse(f"a * {text}", UNITS.get).tree == Call("*", (Name("a"), Number(value)))


def test_a_unit_s_channel_is_no_input() -> None:
    assert parse("a > unit(1, 'm/s', speed)", UNITS.get).inputs == ("a",)


def test_a_small_text_can_t_stand_for_a_huge_tree() -> None:
    """The inner sides of a chain of comparisons are in its tree twice: 20 levels of them would be 2**20 parts."""
    text = "a"
    for _ in range(20):
        text = f"a<({text})<a"
    with pytest.raises(ExpressionError, match=f"more than {MAX_NODES} parts"):
        parse(text)


def test_huge_powers_cost_nothing_and_are_missing() -> None:
    for text in ("a + 9**9**9", "a * 1e308 ** 9 ** 9", "a + 9" + "**9" * 45):
        assert np.isnan(evaluated(parse(text), 1.0)).all()


def allowed(node: object, depth: int = 0) -> int:
    """Holds that a tree is made of what is allowed; gives its size."""
    assert depth <= MAX_DEPTH
    match node:
        case Number(value):
            assert isinstance(value, float)
            assert np.isfinite(value)
            return 1
        case Name(name):
            assert name.isidentifier()
            assert name not in set(FUNCTIONS) | set(CONSTANTS)
            return 1
        case Call(function, arguments):
            assert function in set(FUNCTIONS) - {"unit"} | set(OPERATORS.values())
            if function in PAST:
                assert channels(arguments[0])
                assert len(arguments) == 1 + (function in WINDOWS)
                assert all(isinstance(n, Number) and 0 < n.value <= MAX_WINDOW_S for n in arguments[1:])
            return 1 + sum(allowed(argument, depth + 1) for argument in arguments)
    raise AssertionError(f"{node!r} is in a tree")


def evaluated(rule: Rule, value: float) -> np.ndarray:
    """Three rows of it, every input being `value`."""
    columns: dict[str, np.ndarray] = {name: np.full(3, value) for name in rule.inputs}
    for part in parts(Derived("it", "", rule, "")):
        inputs = [columns[name] for name in part.rule.inputs]
        columns[part.name] = computing(part.rule)(np.arange(3) * 10**9, inputs)
    return columns["it"]


def check(text: str) -> None:
    try:
        expression = parse(text, UNITS.get)
    except ExpressionError as error:
        assert error.what  # noqa: PT017
        return
    assert isinstance(expression, Expression)
    assert allowed(expression.tree) <= MAX_NODES
    assert written(expression.tree)
    assert evaluated(expression, 2.5).shape == (3,)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    check(text)


PIECES = [*FUNCTIONS, *(o for o in OPERATORS.values() if o not in ("neg", "pos")), "(", ")", "(", ")", ",", ",", "a"]
PIECES += ["speed", "0.5", "(1, 2)", "'km/h'", "1e308", "[", "]", ".", ":", ":=", "lambda", "for", "in", "if", "else"]
PIECES += ["f'", "{", "}", "**", "*", "\n", "\0", "é", "\N{FULLWIDTH LATIN SMALL LETTER A}", "__class__", "True"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join))
def test_any_pieces_of_the_language_are_an_expression_or_refused(text: str) -> None:
    check(text)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(REAL + HOSTILE), st.data())
def test_a_real_expression_cut_up_is_an_expression_or_refused(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        first, last = sorted((data.draw(st.integers(0, len(text))), data.draw(st.integers(0, len(text)))))
        text = text[:first] + data.draw(st.sampled_from([*PIECES, "", text[first:last] * 3])) + text[last:]
    check(text)


@pytest.mark.parametrize("text", REAL)
def test_a_real_expression_is_read(text: str) -> None:
    check(text)
    assert parse(text, UNITS.get).inputs


def test_the_dearest_texts_take_little_memory() -> None:
    tracemalloc.start()
    for text in HOSTILE:
        with pytest.raises(ExpressionError):
            parse(text, UNITS.get)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30_000_000
