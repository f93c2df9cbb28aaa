"""Words for units in, what they measure out: `72 km/h` and 20.0 m/s are one speed. Pure tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, for tables."""
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Unit:
    """value in SI = value * factor + zero.  what: the kind of quantity; two of one kind can be compared."""

    what: str
    factor: float
    zero: float = 0.0


_TABLE: Final[tuple[tuple[str, Unit], ...]] = (
    ("m/s|mps|metres per second|meters per second|metres a second|meters a second", Unit("speed", 1.0)),
    (
        "km/h|kph|kmh|kilometres per hour|kilometers per hour|kilometres an hour|kilometers an hour|kilometre/hour"
        "|kilometer/hour|kilometer_per_hour|km / h",
        Unit("speed", 1 / 3.6),
    ),
    ("mph|miles per hour|miles an hour|mile/hour|mile / hour", Unit("speed", 0.44704)),
    ("m|metre|metres|meter|meters", Unit("length", 1.0)),
    ("km|kilometre|kilometres|kilometer|kilometers", Unit("length", 1000.0)),
    ("cm|centimetre|centimetres|centimeter|centimeters", Unit("length", 0.01)),
    ("mm|millimetre|millimetres|millimeter|millimeters", Unit("length", 0.001)),
    ("ft|foot|feet", Unit("length", 0.3048)),
    ("yd|yard|yards", Unit("length", 0.9144)),
    ("mile|miles", Unit("length", 1609.344)),
    ("s|sec|secs|second|seconds", Unit("time", 1.0)),
    ("ms|millisecond|milliseconds", Unit("time", 0.001)),
    ("tenth of a second|tenths of a second|tenth|tenths", Unit("time", 0.1)),
    ("hundredth of a second|hundredths of a second|hundredth|hundredths", Unit("time", 0.01)),
    ("thousandth of a second|thousandths of a second|thousandth|thousandths", Unit("time", 0.001)),
    ("min|mins|minute|minutes", Unit("time", 60.0)),
    ("ns|nanosecond|nanoseconds", Unit("time", 1e-9)),
    ("m/s²|m/s^2|m/s**2", Unit("acceleration", 1.0)),
    ("g|gs|standard_gravity|g_0", Unit("acceleration", 9.80665)),
    ("bar|bars", Unit("pressure", 1e5)),
    ("kpa|kilopascal|kilopascals", Unit("pressure", 1e3)),
    ("mpa|megapascal", Unit("pressure", 1e6)),
    ("pa|pascal", Unit("pressure", 1.0)),
    ("psi|pound_force_per_square_inch", Unit("pressure", 6894.757293168)),
    ("°c|degc|deg c|degrees c|degrees celsius|degree_celsius|celsius", Unit("temperature", 1.0, 273.15)),
    ("°f|degf|deg f|degrees f|degrees fahrenheit|fahrenheit", Unit("temperature", 5 / 9, 459.67 * 5 / 9)),
    ("k|kelvin", Unit("temperature", 1.0)),
    ("%|percent|per cent", Unit("share", 0.01)),
    ("rpm|revs|revs per minute|revolutions per minute|revolution/minute|revolutions_per_minute", Unit("turning", 1.0)),
    ("deg|°|degree|degrees", Unit("angle", 1.0)),
    ("rad|radian|radians", Unit("angle", 57.29577951308232)),
    ("deg/s|degrees per second|degrees a second|°/s|degree/second", Unit("yaw", 1.0)),
    ("v|volt|volts", Unit("voltage", 1.0)),
    ("l|litre|litres|liter|liters", Unit("volume", 1.0)),
    ("kg|kilogram|kilograms|kilo|kilos", Unit("mass", 1.0)),
    ("nm|newton metres|newton meters", Unit("torque", 1.0)),
    ("hz|hertz", Unit("frequency", 1.0)),
)

UNITS: Final[dict[str, tuple[Unit, ...]]] = {
    name: (unit,) for names, unit in _TABLE for name in names.split("|")
} | {  # where one word may mean either
    "degree": (Unit("angle", 1.0), Unit("temperature", 1.0, 273.15)),
    "degrees": (Unit("angle", 1.0), Unit("temperature", 1.0, 273.15)),
    "°": (Unit("angle", 1.0), Unit("temperature", 1.0, 273.15)),
}
"""By their words, in lower case: what a projection calls them, and what people do."""

COUNTED: Final = frozenset(
    words_of(
        """
    lap laps time times corner corners turn turns session sessions thing things point points place places sector
    sectors attempt attempts spot spots area areas section sections priority priorities item items apex apexes
    shift shifts lift lifts correction corrections row rows fix fixes stop stops mistake mistakes question
    questions cue cues tip tips step steps change changes gear gears straight straights
    """
    )
)
"""What is counted, and not measured."""


def units_of(name: str) -> tuple[Unit, ...]:
    """The units that a projection's unit may be; none where it has none, or one that nobody here knows."""
    return UNITS.get(name.strip().lower(), ())
