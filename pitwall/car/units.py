"""Units as DBCs and people spell them in, the line from one to the other out.

Law: units of one meaning convert without pint, which takes the better part of a second to import; any other conversion
is pint's, in decimal arithmetic, so that the figures are the nearest floats to the true ones.
"""

from __future__ import annotations

import contextlib
import re
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    # pint's word: the other ways in which DBCs, loggers and people write the same unit
    "": ("1", "-", "none", "bool", "bit", "bits", "flag", "count", "counts", "enum", "lambda"),
    "percent": ("%", "pct"),
    "revolution / minute": ("rpm", "1/min", "/min", "min-1", "min^-1", "rev/min", "u/min", "tr/min"),
    "meter / second": ("m/s", "mps", "meter/s", "ms-1"),
    "kilometer / hour": ("km/h", "kmh", "kph", "kmph", "km/hr"),
    "mile / hour": ("mph", "mi/h", "mile/h", "miles/h"),
    "meter / second ** 2": ("m/s^2", "m/s2", "m/s²", "m/s/s", "m/s**2", "mps2"),
    "standard_gravity": ("g", "G", "g_0", "g-force"),
    "degree": ("deg", "°", "degrees", "Grad"),
    "degree / second": ("deg/s", "°/s", "degs", "dps", "degree/s", "deg/sec", "degrees/s"),
    "radian": ("rad",),
    "radian / second": ("rad/s", "rad/sec"),
    "degree_Celsius": ("degC", "°C", "C", "ºC", "celsius", "deg C", "deg_C", "degree C"),
    "degree_Fahrenheit": ("degF", "°F", "F", "ºF", "fahrenheit", "deg F", "deg_F", "degree F"),
    "kelvin": ("K", "degK", "°K"),
    "bar": ("bars",),
    "millibar": ("mbar",),
    "pound_force_per_square_inch": ("psi", "PSI", "lbf/in^2", "lb/in2"),
    "pascal": ("Pa",),
    "hectopascal": ("hPa",),
    "kilopascal": ("kPa", "KPa", "kpa"),
    "megapascal": ("MPa",),
    "volt": ("V", "Volt", "volts"),
    "millivolt": ("mV",),
    "ampere": ("A", "Amp", "amps"),
    "milliampere": ("mA",),
    "watt": ("W",),
    "kilowatt": ("kW",),
    "horsepower": ("hp",),
    "metric_horsepower": ("PS",),
    "newton": ("N",),
    "newton * meter": ("Nm", "N.m", "N*m", "N m"),
    "liter": ("l", "L", "litre", "litres", "liters"),
    "milliliter": ("ml", "mL"),
    "gallon": ("gal", "gallons", "usgal"),
    "liter / hour": ("l/h", "L/h"),
    "kilogram": ("kg",),
    "gram": ("gram", "grams"),
    "gram / second": ("g/s",),
    "kilogram / hour": ("kg/h",),
    "meter": ("m", "metre", "metres", "meters"),
    "millimeter": ("mm",),
    "centimeter": ("cm",),
    "kilometer": ("km",),
    "mile": ("mi", "miles"),
    "foot": ("ft", "feet"),
    "inch": ("in", "inches"),
    "second": ("s", "sec", "seconds", "secs"),
    "millisecond": ("ms", "msec"),
    "microsecond": ("us", "µs"),
    "minute": ("min", "minutes"),
    "hour": ("h", "hr", "hours"),
    "hertz": ("Hz",),
    "kilohertz": ("kHz",),
}
"""In a DBC `g` is an acceleration and `gal` the US gallon; a mass of one gram is spelt out."""

MAX_CHARACTERS: Final = 60  # of a unit; the longest known ones have 20

_POWER: Final = r"(?:\s*(?:\^|\*\*)\s*-?\d{1,2})?"
_FORM: Final = re.compile(rf"(?:1\s*/\s*)?[^\W\d]\w*{_POWER}(?:\s*[*/ ]\s*[^\W\d]\w*{_POWER}){{0,5}}")
"""Words and powers, multiplied and divided: pint's own parser takes much more, and raises anything on the rest."""

_MEANINGS: Final = {spelling: unit for unit, spellings in SPELLINGS.items() for spelling in (unit, *spellings)}


class UnitError(ValueError):
    """A unit that nobody knows, or two that don't convert: `what`, and a `hint`."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


@cache
def meaning(unit: str) -> str:
    """One word for all the spellings of a unit; two units are one where their meanings are.  Raises UnitError."""
    spelling = " ".join(unit.split())
    known = _MEANINGS.get(spelling)
    if known is None:
        known = _MEANINGS.get(spelling.casefold())
    return _parsed(spelling) if known is None else known


@cache
def conversion(unit: str, wanted: str) -> tuple[Decimal, Decimal]:
    """(factor, bias), exact to 28 digits: a value in `unit` * factor + bias is the same value in `wanted`.

    Raises UnitError where one is unknown, or they measure different things, or not in proportion (decibels).
    """
    have, want = meaning(unit), meaning(wanted)
    if have == want:
        return Decimal(1), Decimal(0)
    pint = _pint()
    impossible = UnitError(f"{unit!r} does not convert to {wanted!r}")
    try:
        # pint takes every angle for a pure number; a percentage of a turn, or an rpm in hertz, is nobody's wish
        if _is_angle(have) != _is_angle(want):
            raise impossible
        zero, one = (_registry().Quantity(Decimal(x), have).to(want).magnitude for x in (0, 1))
    except (pint.DimensionalityError, pint.UndefinedUnitError, TypeError) as error:
        # a logarithmic unit, as decibels are, is a TypeError, or in a product one that is undefined
        raise impossible from error
    return one - zero, zero


def quantity(text: str, wanted: str) -> float:
    """`5 km/h` in the unit `wanted`; a bare number is in it already.  Raises UnitError, or ValueError: no number."""
    number, _, unit = text.strip().partition(" ")
    return converted(float(number), unit.strip() or wanted, wanted)


def converted(value: float, unit: str, wanted: str) -> float:
    """A finite `value` in `unit`, in the unit `wanted`.  Raises UnitError."""
    factor, bias = conversion(unit, wanted)
    return float(Decimal(repr(value)) * factor + bias)


@cache
def _parsed(unit: str) -> str:
    if len(unit) <= MAX_CHARACTERS and _FORM.fullmatch(unit):
        with contextlib.suppress(_pint().UndefinedUnitError, ValueError):
            return str(_registry().parse_units(unit))
    close = get_close_matches(unit, _MEANINGS, 1)
    hint = f"did you mean {close[0]!r}?" if close else "units are spelt as in m/s, km/h, degC, bar, %, deg/s, g, V"
    raise UnitError(f"unknown unit {unit!r}", hint)


@cache
def _is_angle(unit: str) -> bool:
    return "radian" in str(_registry().Quantity(Decimal(1), unit).to_base_units().units)


def _pint() -> Any:
    import pint  # late: see the law

    return pint


@cache
def _registry() -> Any:
    return _pint().UnitRegistry(non_int_type=Decimal)
