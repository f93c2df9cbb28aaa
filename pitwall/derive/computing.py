"""A rule in, what computes it out: a function from a clock and columns to a column.

Pure; where a rule has a state, it is kept from batch to batch, and rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pitwall.car.expression import Expression
from pitwall.car.rules import Distance, FuelUsed, GearRatio, LateralG, LongitudinalG, Position, Rule, WheelSlip
from pitwall.derive import methods, past, travel
from pitwall.derive.channel import Float64
from pitwall.derive.evaluate import compiled
from pitwall.derive.parts import Back, Corrected, Since
from pitwall.frames import Int64

Compute = Callable[[Int64, list[Float64]], Float64]
"""Times int64 (m,) and the values of the inputs, float64 (m,) each -> those of the result, float64 (m,)."""


def computing(rule: Rule | Back | Corrected | Since) -> Compute:
    """A fresh one: it begins where the log does."""
    match rule:
        case Expression() as expression:
            evaluate = compiled(expression)
            return lambda t, columns: evaluate(dict(zip(expression.inputs, columns, strict=True)))
        case Back(function, _, None):
            return _Folding(past.FUNCTIONS[function])
        case Back(function, _, window_ns):
            return _Folding(partial(past.FUNCTIONS[function], window_ns=window_ns))
        case GearRatio():
            return _Folding(partial(methods.gear, rule))
        case WheelSlip():
            return lambda t, columns: methods.wheel_slip(rule, *columns)
        case LateralG():
            return lambda t, columns: methods.lateral_g(rule, *columns)
        case LongitudinalG():
            return _Folding(partial(methods.longitudinal_g, rule))
        case FuelUsed():
            return _Folding(partial(methods.fuel_used, rule))
        case Distance():
            return _Folding(partial(travel.distance, rule))
        case Since():
            return _Folding(past.since)
        case Corrected():
            return _Folding(partial(travel.corrected, rule))
        case Position():
            return _Folding(partial(travel.position, rule))


class _Folding:
    """A fold, and the state that it has come to."""

    def __init__(self, fold: Callable[..., tuple[Float64, Any]]) -> None:
        self._fold = fold
        self._state: Any = None

    def __call__(self, t: Int64, columns: list[Float64]) -> Float64:
        values, self._state = self._fold(self._state, t, *columns)
        return values
