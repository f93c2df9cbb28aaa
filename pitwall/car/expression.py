"""What an expression may be made of: its words, and a frozen tree of them.  `parsing` makes one of a text.

Law: nothing but the names, numbers, operators and functions listed here is ever in a tree, and its depth and size bound
what it costs to evaluate.  Pure: no clock, no files.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Final

MAX_DEPTH: Final = 50  # evaluation recurses once a level
MAX_NODES: Final = 1_000  # `a < (b < (c < d) < e) < f` stands for twice as much with every level
MAX_WINDOW_S: Final = 60.0
"""How far back a function may look: what it remembers is bounded by this, and by the rows that come in that time."""

UNBOUNDED: Final = 100  # arguments of a function that takes any number

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
    "integrate": (1, 1),
    "interp": (3, UNBOUNDED),
    "lag": (2, 2),
    "log": (1, 1),
    "log10": (1, 1),
    "max": (2, UNBOUNDED),
    "mean": (1, UNBOUNDED),
    "min": (2, UNBOUNDED),
    "radians": (1, 1),
    "rate": (1, 1),
    "rolling_max": (2, 2),
    "rolling_mean": (2, 2),
    "rolling_min": (2, 2),
    "round": (1, 1),
    "sign": (1, 1),
    "sin": (1, 1),
    "sqrt": (1, 1),
    "tan": (1, 1),
    "unit": (3, 3),
    "where": (3, 3),
}
"""What may be called, with the fewest and the most arguments."""

PAST: Final = frozenset({"integrate", "lag", "rate", "rolling_max", "rolling_mean", "rolling_min"})
"""Those that look back in time.  Each has rows of its own: where its argument has a sample, whatever else is read."""

WINDOWS: Final = frozenset({"lag", "rolling_max", "rolling_mean", "rolling_min"})
"""Those of them whose second argument says how far back, in seconds."""

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
    """A function of FUNCTIONS, or an operator of OPERATORS, on its arguments.

    Of `interp` those are a value, then x and y of each point, x ascending; `unit` has become a number.
    """

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


def channels(tree: Node) -> tuple[str, ...]:
    """The channels that a tree reads, each once, in the order of the text.  Raises ExpressionError: it is too large."""
    found: dict[str, None] = {}
    nodes, left = 0, [(tree, 0)]
    while left:
        node, depth = left.pop()
        nodes += 1
        if depth > MAX_DEPTH:
            raise ExpressionError(f"the expression is nested deeper than {MAX_DEPTH} levels")
        if nodes > MAX_NODES:
            raise ExpressionError(f"the expression has more than {MAX_NODES} parts", "make two channels of it")
        if isinstance(node, Name):
            found[node.name] = None
        elif isinstance(node, Call):
            left.extend((argument, depth + 1) for argument in reversed(node.arguments))
    return tuple(found)


def written(node: Node) -> str:
    """A tree in one form of words, `+(a, rate(b))`: trees that are equal have one text, and others have others."""
    match node:
        case Number(value):
            return repr(value)
        case Name(name):
            return name
        case Call(function, arguments):
            return f"{function}({', '.join(written(argument) for argument in arguments)})"
