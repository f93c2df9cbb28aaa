"""The text of an expression in, a frozen tree of allowed operations out.

Law: nothing but the names, numbers, operators and functions listed here ever gets into a tree, whatever the text says;
nothing is ever run.  Limits on length and depth bound what a text can cost.  Pure: no clock, no files.
"""

from __future__ import annotations

import ast
import math
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

MAX_CHARACTERS: Final = 2_000  # longer than any formula that a person keeps
MAX_DEPTH: Final = 50  # evaluation recurses once a level

UNBOUNDED: Final = 100

FUNCTIONS: Final[dict[str, tuple[int, int]]] = {
    "abs": (1, 1),
    "acos": (1, 1),
    "asin": (1, 1),
    "atan": (1, 1),
    "atan2": (2, 2),
    "ceil": (1, 1),
    "clip": (3, 3),
    "cos": (1, 1),
    "degrees": (1, 1),
    "exp": (1, 1),
    "floor": (1, 1),
    "hypot": (2, 2),
    "log": (1, 1),
    "log10": (1, 1),
    "max": (2, UNBOUNDED),
    "mean": (1, UNBOUNDED),
    "min": (2, UNBOUNDED),
    "radians": (1, 1),
    "round": (1, 1),
    "sign": (1, 1),
    "sin": (1, 1),
    "sqrt": (1, 1),
    "tan": (1, 1),
    "where": (3, 3),
}
"""What may be called, with the fewest and the most arguments."""

CONSTANTS: Final[dict[str, float]] = {"pi": math.pi}

WORDS: Final = frozenset(FUNCTIONS) | frozenset(CONSTANTS)
"""Names that mean something in an expression: no channel may have one."""

OPERATORS: Final[dict[type[ast.AST], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.And: "and",
    ast.Or: "or",
    ast.Not: "not",
    ast.USub: "neg",
    ast.UAdd: "pos",
}
"""Python's operators and what a tree calls them.  What compares, or is logical, gives 1 or 0."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A channel's value."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of FUNCTIONS, or an operator of OPERATORS, on its arguments."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Name | Call


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula over channels.  inputs: the channels that it reads, each once, in the order of the text."""

    tree: Node
    inputs: tuple[str, ...]


class ExpressionError(ValueError):
    """The text is no expression that is allowed here: `what`, and a `hint`."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def parse(text: str) -> Expression:
    """The expression that `text` says.  Names are not looked up.  Raises ExpressionError."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(f"an expression of {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of its own plans: `1if a` is read, and means what it says
            body = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "too deep"
        raise ExpressionError(f"the expression can't be read: {reason}") from error
    inputs: dict[str, None] = {}
    tree = _node(body, inputs, depth=0)
    if not inputs:
        raise ExpressionError("the expression reads no channel, so it would never be evaluated")
    return Expression(tree, tuple(inputs))


def _node(node: ast.expr, inputs: dict[str, None], depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")

    def inner(child: ast.expr) -> Node:
        return _node(child, inputs, depth + 1)

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
            inputs[name] = None
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
                Call(OPERATORS[type(op)], (a, b)) for op, a, b in zip(ops, sides, sides[1:], strict=False)
            ]
            return _folded("and", pairs)
        case ast.IfExp(test=test, body=body, orelse=other):
            return Call("where", (inner(test), inner(body), inner(other)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments, inputs, depth)
        case _:
            raise ExpressionError(f"{ast.unparse(node)!r} is not allowed in an expression")


def _call(name: str, arguments: list[ast.expr], inputs: dict[str, None], depth: int) -> Node:
    if name not in FUNCTIONS:
        close = get_close_matches(name, FUNCTIONS, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FUNCTIONS)}"
        raise ExpressionError(f"unknown function {name!r}", hint)
    fewest, most = FUNCTIONS[name]
    if not fewest <= len(arguments) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} or more"
        raise ExpressionError(f"{name} takes {wanted} arguments, and was given {len(arguments)}")
    return Call(name, tuple(_node(argument, inputs, depth + 1) for argument in arguments))


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
