"""A rule in, what computes it out: a function from a clock and columns to a column.

Pure; where a rule has a state, it is kept from batch to batch, and rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pitwall.car.expression import Expression
from pitwall.car.rules import Distance, GearRatio, Rule
from pitwall.derive import methods, past
from pitwall.derive.channel import Float64
from pitwall.derive.evaluate import compiled
from pitwall.derive.parts import Back
from pitwall.frames import Int64

Compute = Callable[[Int64, list[Float64]], Float64]
"""Times int64 (m,) and the values of the inputs, float64 (m,) each -> those of the result, float64 (m,)."""


def computing(rule: Rule | Back) -> Compute:
    """A fresh one: it begins where the log does."""
    match rule:
        case Expression() as expression:
            evaluate = compiled(expression)
            return lambda t, columns: evaluate(dict(zip(expression.inputs, columns, strict=True)))
        case Back(function, _, None):
            return _Folding(past.FUNCTIONS[function])
        case Back(function, _, window_ns):
            return _Folding(partial(past.FUNCTIONS[function], window_ns=window_ns))
        case GearRatio() as gears:
            return lambda t, columns: methods.gear(gears, *columns)
        case Distance() as way:
            return _Folding(partial(methods.distance, way))


class _Folding:
    """A fold, and the state that it has come to."""

    def __init__(self, fold: Callable[..., tuple[Float64, Any]]) -> None:
        self._fold = fold
        self._state: Any = None

    def __call__(self, t: Int64, columns: list[Float64]) -> Float64:
        values, self._state = self._fold(self._state, t, *columns)
        return values
