"""An expression's tree in, a function from columns to a column out.

Laws: a missing input makes the result missing, whatever the formula; so does a result that is no finite number.  Every
operation works element by element, so that a value depends on its own row alone.  What looks back in time is no
operation here: `parts` has put a column in its place.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Final

import numpy as np

from pitwall.car.expression import Call, Expression, Name, Node, Number
from pitwall.derive.channel import Float64

Columns = Mapping[str, Float64]


def _mean(*values: Any) -> Any:
    return reduce(np.add, values) / len(values)


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(np.not_equal(condition, 0), then, otherwise)


def _interp(value: Any, *numbers: Any) -> Any:
    """The line through the points x0, y0, x1, y1, … at `value`; beyond the last point on either side, its y."""
    x, y = np.array(numbers[::2]), np.array(numbers[1::2])
    slopes = np.append(np.diff(y) / np.diff(x), 0.0)
    within = np.minimum(np.maximum(value, x[0]), x[-1])
    before = np.minimum(np.searchsorted(x, within, side="right"), len(x)) - 1  # a NaN sorts behind all, and stays one
    return y[before] + (within - x[before]) * slopes[before]


def _truth(operation: Callable[..., Any]) -> Callable[..., Any]:
    """The same operation, giving 1.0 and 0.0."""
    return lambda *values: operation(*values).astype(np.float64)


OPERATIONS: Final[dict[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
    "neg": np.negative,
    "pos": np.positive,
    "<": _truth(np.less),
    "<=": _truth(np.less_equal),
    ">": _truth(np.greater),
    ">=": _truth(np.greater_equal),
    "==": _truth(np.equal),
    "!=": _truth(np.not_equal),
    "and": _truth(np.logical_and),
    "or": _truth(np.logical_or),
    "not": _truth(np.logical_not),
    "abs": np.abs,
    "acos": np.arccos,
    "asin": np.arcsin,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "ceil": np.ceil,
    "clip": lambda value, low, high: np.minimum(np.maximum(value, low), high),
    "cos": np.cos,
    "degrees": np.degrees,
    "exp": np.exp,
    "floor": np.floor,
    "hypot": np.hypot,
    "interp": _interp,
    "log": np.log,
    "log10": np.log10,
    "max": lambda *values: reduce(np.maximum, values),
    "mean": _mean,
    "min": lambda *values: reduce(np.minimum, values),
    "radians": np.radians,
    "round": np.rint,
    "sign": np.sign,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "where": _where,
}
"""What each function and operator of `pitwall.car.expression` does to columns."""


def compiled(expression: Expression) -> Callable[[Columns], Float64]:
    """A function from the columns of the inputs, float64 (m,) each, to the column of the result, newly made."""
    run = _compiled(expression.tree)

    def evaluate(columns: Columns) -> Float64:
        with np.errstate(all="ignore"):
            result = np.array(run(columns), np.float64)
        for name in expression.inputs:
            missing = np.isnan(columns[name])
            if missing.any():
                result[missing] = np.nan
        finite = np.isfinite(result)
        if not finite.all():
            result[~finite] = np.nan
        return result

    return evaluate


def _compiled(node: Node) -> Callable[[Columns], Any]:
    match node:
        case Number(value):
            number = np.float64(value)
            return lambda columns: number
        case Name(name):
            return lambda columns: columns[name]
        case Call(function, arguments):
            operation = OPERATIONS[function]
            parts = [_compiled(argument) for argument in arguments]
            return lambda columns: operation(*[part(columns) for part in parts])
