"""Units: pint is the judge of the table of spellings, and physics of the conversions."""

from __future__ import annotations

import subprocess
import sys

import pint
import pytest

from pitwall.car import units

PINT = pint.UnitRegistry()


@pytest.mark.parametrize("word", [word for word in units.SPELLINGS if word])
def test_every_word_of_the_table_is_a_unit_to_pint(word: str) -> None:
    assert PINT.parse_units(word)


@pytest.mark.parametrize(
    ("have", "want", "factor", "bias"),
    [
        ("mph", "m/s", 0.44704, 0),
        ("km/h", "mph", 0.621371192237334, 0),
        ("degF", "degC", 5 / 9, -160 / 9),
        ("°C", "K", 1, 273.15),
        ("psi", "bar", 0.0689475729316836, 0),
        ("kPa", "bar", 0.01, 0),
        ("gal", "l", 3.785411784, 0),
        ("g", "m/s^2", 9.80665, 0),
        ("deg/s", "rad/s", 0.0174532925199433, 0),
        ("rpm", "deg/s", 6, 0),
        ("%", "", 0.01, 0),
        ("mV", "V", 0.001, 0),
        ("Grad", "rad", 0.0174532925199433, 0),
        ("Nm", "lbf*ft", 0.737562149277265, 0),
    ],
)
def test_conversions_are_those_of_physics(have: str, want: str, factor: float, bias: float) -> None:
    found = units.conversion(have, want)
    assert (float(found[0]), float(found[1])) == (pytest.approx(factor, rel=1e-14), pytest.approx(bias, rel=1e-14))


@pytest.mark.parametrize(
    ("have", "want"),
    [
        *(("degF", "bar"), ("mph", "m"), ("", "m/s"), ("m/s", ""), ("deg", "%"), ("rpm", "Hz"), ("V", "deg")),
        *(("dB", ""), ("dB**2", "m"), ("dBm * m", "W"), ("m", "decade/s")),
    ],
)
def test_what_measures_something_else_does_not_convert(have: str, want: str) -> None:
    with pytest.raises(units.UnitError, match="does not convert"):
        units.conversion(have, want)


@pytest.mark.parametrize("unit", ["blorbs", "m/z", "m//s", "km/h/", "(", "5", "__class__", "m/s; x"])
def test_what_is_no_unit_is_refused(unit: str) -> None:
    with pytest.raises(units.UnitError, match="unknown unit"):
        units.meaning(unit)


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [("5 km/h", "m/s", 5 / 3.6), ("1.998", "m", 1.998), ("79 in", "m", 2.0066), (" 3 m", "m", 3)],
)
def test_a_quantity_is_a_number_and_maybe_a_unit(text: str, wanted: str, value: float) -> None:
    assert units.quantity(text, wanted) == pytest.approx(value, rel=1e-15)


def test_spellings_of_one_unit_convert_without_pint() -> None:
    code = (
        "import sys; from pitwall.car import units; assert units.conversion('mph', 'mi/h') == (1, 0);"
        "assert units.conversion('°C', 'degC') == (1, 0); assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
