"""What a logger's file calls a column, and in which unit, in; the signal of the shipped DBC that holds it out.

Laws: a column goes to a signal only where its unit becomes the signal's by an arithmetic that is written down; what no
signal can hold keeps its own name and unit, and an id made of its name.  Two columns never share a signal: the first
has it.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.gps import UNITS, id_of, made_id


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How a column's numbers become a signal's: (number + bias) * factor / divisor, or what is left of it by `modulo`.

    What is idle is not done: a number that needs nothing stays the very same.
    """

    factor: float = 1.0
    divisor: float = 1.0
    bias: float = 0.0
    modulo: int = 0

    def __call__(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.modulo:
            numbers = np.where(np.abs(numbers) >= self.modulo, np.mod(numbers, self.modulo), numbers)
        if self.bias:
            numbers = numbers + self.bias
        if self.factor != 1:
            numbers = numbers * self.factor
        return numbers / self.divisor if self.divisor != 1 else numbers

    def __str__(self) -> str:
        parts = [f"mod {self.modulo}"] if self.modulo else []
        parts += [f"{self.bias:+g}"] if self.bias else []
        parts += [f"* {self.factor:g}"] if self.factor != 1 else []
        return " ".join([*parts, f"/ {self.divisor:g}"] if self.divisor != 1 else parts)


AS_IS: Final = Arithmetic()

SAME: Final[Mapping[str, str]] = {
    "": "", "dop": "", "sats": "", "#": "", "unix time": "s", "s": "s", "sec": "s", "seconds": "s",
    "m": "m", "meters": "m", "metres": "m", "m/s": "m/s", "mps": "m/s", "deg": "deg", "degrees": "deg", "°": "deg",
    "deg/s": "deg/s", "deg/sec": "deg/s", "°/s": "deg/s", "dps": "deg/s", "g": "g", "rpm": "rpm", "1/min": "rpm",
    "%": "%", "hz": "Hz",
    "c": "degC", "°c": "degC", "degc": "degC", "celsius": "degC", "bar": "bar", "v": "V", "volts": "V",
}  # fmt: skip
"""Spellings of the units that the DBC has, in small letters."""

CONVERSIONS: Final[Mapping[tuple[str, str], Arithmetic]] = {
    ("km/h", "m/s"): Arithmetic(divisor=3.6),
    ("kmh", "m/s"): Arithmetic(divisor=3.6),
    ("kph", "m/s"): Arithmetic(divisor=3.6),
    ("mph", "m/s"): Arithmetic(factor=0.44704),
    ("knots", "m/s"): Arithmetic(factor=1852, divisor=3600),
    ("kn", "m/s"): Arithmetic(factor=1852, divisor=3600),
    ("mm", "m"): Arithmetic(divisor=1000),
    ("cm", "m"): Arithmetic(divisor=100),
    ("km", "m"): Arithmetic(factor=1000),
    ("ft", "m"): Arithmetic(factor=0.3048),
    ("mi", "m"): Arithmetic(factor=1609.344),
    ("miles", "m"): Arithmetic(factor=1609.344),
    ("ms", "s"): Arithmetic(divisor=1000),
    ("min", "deg"): Arithmetic(divisor=60),  # of arc
    ("min west", "deg"): Arithmetic(divisor=-60),
    ("m/s2", "g"): Arithmetic(divisor=9.80665),
    ("m/s^2", "g"): Arithmetic(divisor=9.80665),
    ("m/s²", "g"): Arithmetic(divisor=9.80665),
    ("mg", "g"): Arithmetic(divisor=1000),
    ("f", "degC"): Arithmetic(bias=-32, factor=5, divisor=9),
    ("°f", "degC"): Arithmetic(bias=-32, factor=5, divisor=9),
    ("kpa", "bar"): Arithmetic(divisor=100),
    ("mbar", "bar"): Arithmetic(divisor=1000),
    ("psi", "bar"): Arithmetic(factor=0.06894757293168362),
    ("mv", "V"): Arithmetic(divisor=1000),
}
"""From a unit in small letters to one of the DBC's."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file.  name, unit: as the file says them.  signal: what its values are called from then on."""

    name: str
    unit: str
    signal: str
    id: int
    arithmetic: Arithmetic = AS_IS

    @property
    def fact(self) -> dict[str, Any]:
        """As a control row has it."""
        fact = {"name": self.name, "unit": self.unit, "signal": self.signal, "id": self.id}
        return fact | ({"arithmetic": str(self.arithmetic)} if self.arithmetic != AS_IS else {})


@dataclass(frozen=True, slots=True)
class Wish:
    """A column as its file has it.  signal: what should hold it, if anything.  own: its name if nothing can.

    modulo: what of its numbers counts, if not all.
    """

    name: str
    unit: str
    signal: str | None
    own: str
    modulo: int = 0


def assigned(wishes: Iterable[Wish]) -> tuple[Column, ...]:
    """The columns of a file, in its order, no two with one id or one signal."""
    columns: dict[str, Column] = {}
    for wish in wishes:
        arithmetic = None if wish.signal is None else arithmetic_of(wish.unit, UNITS[wish.signal])
        if wish.signal is not None and arithmetic is not None and wish.signal not in columns:
            columns[wish.signal] = Column(
                wish.name, wish.unit, wish.signal, id_of(wish.signal), replace(arithmetic, modulo=wish.modulo)
            )
            continue
        called = next(name for name in _spellings(wish.own) if name not in columns and name not in UNITS)
        id = made_id(called, [column.id for column in columns.values()])
        columns[called] = Column(wish.name, wish.unit, called, id)
    return tuple(columns.values())


def arithmetic_of(unit: str, wanted: str) -> Arithmetic | None:
    """How numbers in `unit` become numbers in the DBC's unit `wanted`; None where nobody has said."""
    small = unit.strip().lower()
    return AS_IS if SAME.get(small) == wanted else CONVERSIONS.get((small, wanted))


def _spellings(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name} ({number})"
