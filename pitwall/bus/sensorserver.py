"""What the Android app SensorServer says in, values by the names of the shipped DBC out.  Pure: no socket, no clock.

    {"values": [0.31, -0.97, 10.05], "timestamp": 3925657519043709, "accuracy": 2}     a sensor: /sensor/connect?type=…
    {"latitude": 50.33, "longitude": 6.94, "altitude": 620.1, "speed": 41.2, "bearing": 271.3, "accuracy": 3.8,
     "time": 1700000000000, "elapsedRealtimeNanos": 3925657000000000, …}               a fix: /gps

Laws: a message counts whole or not at all.  What Android has no value for is absent: it says 0 then, and that the
accuracy of it is 0, too.  A fix that is only the last one known is none.

Sources: the app's README and its `SensorWebSocketServer.kt` (github.com/umer0586/SensorServer); Android's reference of
SensorEvent (axes, units, `timestamp`) and Location (`getSpeed`: 0 where there is none; accuracies alike).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

NO_STAMP: Final = -1


@dataclass(frozen=True, slots=True)
class Sample:
    """stamp_ns: of the phone's time since it was started; `NO_STAMP` where it says none.  values: by their names."""

    stamp_ns: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind of values is asked for, and how a message of it is read; None: it is none, and no fault either."""

    path: str
    read: Callable[[Mapping[str, Any]], Sample | None]


def sample(kind: Kind, text: str) -> Sample | None:
    """What a message says.  Raises ValueError where it can't be one of its kind."""
    try:
        message = json.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(message, dict):
        raise ValueError("is no JSON object")  # noqa: TRY004  of what was said, not of our own
    return kind.read(message)


def _sensor(type: str, names: tuple[str, ...], least: int | None = None) -> Kind:
    """A sensor of Android's, whose first values have these names; `least` of them are always there."""

    def read(message: Mapping[str, Any]) -> Sample:
        values = message.get("values")
        if not isinstance(values, list) or len(values) < (least or len(names)):
            raise ValueError("has too few values")
        found = {name: _number(value) for name, value in zip(names, values, strict=False)}
        return Sample(_stamp(message, "timestamp"), found)

    return Kind(f"/sensor/connect?type=android.sensor.{type}", read)


def _fix(message: Mapping[str, Any]) -> Sample | None:
    if message.get("lastKnowLocation", message.get("lastKnownLocation")) is True:
        return None
    lat, lon = _number(message.get("latitude")), _number(message.get("longitude"))
    if abs(lat) > 90 or abs(lon) > 180:
        raise ValueError("is nowhere on Earth")
    found: dict[str, float] = {}
    if "time" in message:
        found["unix_time"] = _number(message["time"]) / 1000
    found |= {"lat": lat, "lon": lon}
    for key, name, accuracy_key, accuracy_name in _MEASURED:
        value = _number(message[key]) if key and key in message else 0.0
        accuracy = _number(message[accuracy_key]) if accuracy_key in message else None
        if key in message and (value or accuracy != 0):
            found[name] = value
        if accuracy:
            found[accuracy_name] = accuracy
    return Sample(_stamp(message, "elapsedRealtimeNanos"), found)


_MEASURED: Final = (
    ("", "", "accuracy", "position_accuracy"),
    ("altitude", "ellipsoid_altitude", "verticalAccuracyMeters", "altitude_accuracy"),
    ("speed", "speed", "speedAccuracyMetersPerSecond", "speed_accuracy"),
    ("bearing", "heading", "bearingAccuracyDegrees", "heading_accuracy"),
)
"""Of a fix: the key of a value and its name, the key of its accuracy and its name."""


def _axes(name: str, axes: str = "xyz") -> tuple[str, ...]:
    return tuple(f"phone_{name}_{axis}" for axis in axes)


KINDS: Final[Mapping[str, Kind]] = {
    "gps": Kind("/gps", _fix),
    "accelerometer": _sensor("accelerometer", _axes("accel")),
    "gyroscope": _sensor("gyroscope", _axes("gyro")),
    "pressure": _sensor("pressure", ("phone_pressure",)),
    "linear_acceleration": _sensor("linear_acceleration", _axes("linear_accel")),
    "rotation_vector": _sensor("rotation_vector", _axes("rotation", "xyzw"), least=3),
}
"""What can be asked for, by the names that people use."""

USUAL: Final = ("gps", "accelerometer", "gyroscope", "pressure")
"""What is asked for where nobody names any; of these, what a phone has not is done without."""


def _stamp(message: Mapping[str, Any], key: str) -> int:
    stamp = message.get(key, NO_STAMP)
    if not isinstance(stamp, int) or isinstance(stamp, bool) or not NO_STAMP <= stamp < 1 << 62:
        raise ValueError(f"has no {key} in ns")
    return stamp


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
