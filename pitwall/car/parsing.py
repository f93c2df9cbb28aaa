"""The text of an expression in, a frozen tree of allowed operations out.

Law: whatever the text says, nothing of it is ever run, and what comes out is a tree of what `expression` lists, or one
ExpressionError with advice.  Limits on length, depth and size bound what a text can cost.  Pure: no clock, no files.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from itertools import pairwise
from typing import Final

from pitwall.car import units
from pitwall.car.expression import (
    CONSTANTS,
    FUNCTIONS,
    MAX_DEPTH,
    MAX_WINDOW_S,
    OPERATORS,
    PAST,
    WINDOWS,
    Call,
    Expression,
    ExpressionError,
    Name,
    Node,
    Number,
    channels,
)

MAX_CHARACTERS: Final = 2_000  # longer than any formula that a person keeps
MAX_SHOWN: Final = 60  # characters of it in an error


def parse(text: str, unit_of: Callable[[str], str | None] = lambda name: None) -> Expression:
    """The expression that `text` says.  Raises ExpressionError.

    Names are not looked up but those that `unit(80, "km/h", speed)` names, whose unit `unit_of` says; None: it has said
    what is wrong with that one, and the expression will not be used.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    text = text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of its own plans: `1if a` is read, and means what it says
            body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        deep = isinstance(error, (RecursionError, MemoryError))
        reason = "too deep" if deep else error.msg if isinstance(error, SyntaxError) else "it is no text"
        raise ExpressionError(f"the expression can't be read: {reason}") from error
    tree = _Reader(text, unit_of).node(body)
    inputs = channels(tree)
    if not inputs:
        raise ExpressionError("the expression reads no channel, so it would never be evaluated")
    return Expression(tree, inputs)


class _Reader:
    """One text, from Python's tree of it to ours."""

    def __init__(self, text: str, unit_of: Callable[[str], str | None]) -> None:
        self._text = text
        self._unit_of = unit_of
        self._special = {
            "interp": self._interp,
            "unit": self._unit,
            **dict.fromkeys(PAST, self._past),
        }

    def node(self, node: ast.expr, depth: int = 0) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")

        def inner(child: ast.expr) -> Node:
            return self.node(child, depth + 1)

        match node:
            case ast.Constant(value=bool()):
                raise ExpressionError("True and False are not allowed", "use 1 and 0")
            case ast.Constant(value=int() | float() as value):
                return _number(value)
            case ast.Name(id=name):
                if name in CONSTANTS:
                    return Number(CONSTANTS[name])
                if name in FUNCTIONS:
                    raise ExpressionError(f"{name!r} is a function", f"call it: {name}(…)")
                return Name(name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return Call(OPERATORS[type(op)], (inner(left), inner(right)))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return Call(OPERATORS[type(op)], (inner(operand),))
            case ast.BoolOp(op=op, values=values):
                return _folded(OPERATORS[type(op)], [inner(value) for value in values])
            case ast.Compare(left=left, ops=ops, comparators=right_sides) if all(type(op) in OPERATORS for op in ops):
                sides = [inner(left), *(inner(side) for side in right_sides)]
                pairs: list[Node] = [
                    Call(OPERATORS[type(op)], (a, b)) for op, (a, b) in zip(ops, pairwise(sides), strict=True)
                ]
                return _folded("and", pairs)
            case ast.IfExp(test=test, body=body, orelse=other):
                return Call("where", (inner(test), inner(body), inner(other)))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(name, arguments, depth)
            case _:
                raise self._refused(node)

    def _call(self, name: str, arguments: list[ast.expr], depth: int) -> Node:
        if name not in FUNCTIONS:
            close = get_close_matches(name, FUNCTIONS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FUNCTIONS)}"
            raise ExpressionError(f"unknown function {name!r}", hint)
        fewest, most = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} or more"
            raise ExpressionError(f"{name} takes {wanted} arguments, and was given {len(arguments)}")
        if name in self._special:
            return self._special[name](name, arguments, depth + 1)
        return Call(name, tuple(self.node(argument, depth + 1) for argument in arguments))

    def _interp(self, name: str, arguments: list[ast.expr], depth: int) -> Node:
        points = []
        for argument in arguments[1:]:
            match argument:
                case ast.Tuple(elts=[x, y]):
                    points.append((self._constant(x, depth), self._constant(y, depth)))
                case _:
                    raise ExpressionError(
                        f"{name} takes points after its first argument, and was given {self._source(argument)!r}",
                        "interp(x, (0, 0), (50, 20), (100, 100))",
                    )
        for (before, _), (after, _) in pairwise(points):
            if not before < after:
                raise ExpressionError(f"the points of {name} must ascend, and {after:g} comes after {before:g}")
        numbers = (Number(value) for point in points for value in point)
        return Call(name, (self.node(arguments[0], depth), *numbers))

    def _past(self, name: str, arguments: list[ast.expr], depth: int) -> Node:
        value = self.node(arguments[0], depth)
        if not channels(value):
            raise ExpressionError(f"{name} is given {self._source(arguments[0])!r}, which reads no channel")
        if name not in WINDOWS:
            return Call(name, (value,))
        window_s = self._constant(arguments[1], depth)
        if not 1e-9 <= window_s <= MAX_WINDOW_S:
            raise ExpressionError(
                f"{name} looks back at least 1e-09 and at most {MAX_WINDOW_S:g} seconds, not {window_s:g}"
            )
        return Call(name, (value, Number(window_s)))

    def _unit(self, name: str, arguments: list[ast.expr], depth: int) -> Node:
        value = self._constant(arguments[0], depth)
        match arguments[1:]:
            case [ast.Constant(value=str(unit)), ast.Constant(value=str(wanted))]:
                return _converted(value, unit, wanted)
            case [ast.Constant(value=str(unit)), ast.Name(id=channel)]:
                wanted_unit = self._unit_of(channel)
                return Number(value) if wanted_unit is None else _converted(value, unit, wanted_unit)
            case _:
                raise ExpressionError(
                    f"{name} takes a number, its unit and the unit that is wanted, or a channel that has it",
                    'unit(80, "km/h", "m/s") or unit(80, "km/h", speed)',
                )

    def _constant(self, node: ast.expr, depth: int) -> float:
        match self.node(node, depth):
            case Number(value):
                return value
            case Call("neg", (Number(value),)):
                return -value
            case _:
                raise ExpressionError(f"a number is expected here, not {self._source(node)!r}")

    def _refused(self, node: ast.expr) -> ExpressionError:
        return ExpressionError(f"{self._source(node)!r} is not allowed in an expression")

    def _source(self, node: ast.expr) -> str:
        """What of the text `node` is: as it stands there, since writing a tree out recurses as deep as it is."""
        source = ast.get_source_segment(self._text, node) or "this"
        return source if len(source) <= MAX_SHOWN else source[: MAX_SHOWN - 1] + "…"


def _converted(value: float, unit: str, wanted: str) -> Number:
    try:
        return _number(units.converted(value, unit, wanted))
    except units.UnitError as error:
        raise ExpressionError(error.what, error.hint) from error


def _number(value: float) -> Number:
    try:
        number = float(value)
    except OverflowError as error:
        raise ExpressionError("a number too large for a float") from error
    if not math.isfinite(number):
        raise ExpressionError("a number too large for a float")
    return Number(number)


def _folded(operator: str, nodes: list[Node]) -> Node:
    folded = nodes[0]
    for node in nodes[1:]:
        folded = Call(operator, (folded, node))
    return folded
