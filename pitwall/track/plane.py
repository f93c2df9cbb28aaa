"""Latitude and longitude in, metres in a flat plane about an origin out.

A plate carrée: degrees times the lengths that a degree of WGS84 has at the origin.  Law: it is linear, so a straight
line between two fixes stays one, and where a line is crossed between them does not depend on the origin.  Its error:
a degree of longitude is taken to be as long everywhere as at the origin, which is off by tan(latitude) / 6371 km a
metre north of it: at 52 degrees 0.02 % a kilometre, 20 cm of a kilometre's length.  The same for every lap.  Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.derive.travel import degree_m

LatLon: TypeAlias = tuple[float, float]
"""Degrees, north and east positive."""


@dataclass(frozen=True, slots=True)
class Plane:
    """x east, y north, in metres from an origin.  per_lat, per_lon: metres in a degree there."""

    lat: float
    lon: float
    per_lat: float
    per_lon: float

    def metres(self, lat: Float64, lon: Float64) -> tuple[Float64, Float64]:
        """x and y, float64 (n,), of degrees, float64 (n,).  The 180th meridian is crossed like any other."""
        around = lon - self.lon
        if len(around) and (float(around.max()) > 180.0 or float(around.min()) < -180.0):
            around = (around + 180.0) % 360.0 - 180.0
        return around * self.per_lon, (lat - self.lat) * self.per_lat

    def degrees(self, x_m: float, y_m: float) -> LatLon:
        """The way back, of one point."""
        return self.lat + y_m / self.per_lat, (self.lon + x_m / self.per_lon + 180.0) % 360.0 - 180.0

    def point(self, at: LatLon) -> tuple[float, float]:
        """x and y of one point."""
        x, y = self.metres(np.array([at[0]]), np.array([at[1]]))
        return float(x[0]), float(y[0])


def plane_about(at: LatLon) -> Plane:
    """The plane whose origin is there."""
    per_lat, per_lon = degree_m(np.array([at[0]]))
    return Plane(at[0], at[1], float(per_lat[0]), float(per_lon[0]))


def apart_m(a: LatLon, b: LatLon) -> float:
    """Metres between two points that are near each other."""
    x, y = plane_about(a).point(b)
    return float((x * x + y * y) ** 0.5)
