"""A circuit as data in, its geometry out: the simulator's "Larkholm", 3.5 km, twelve corners, driven clockwise.

Law: everything is a function of the distance `s` along the centreline from the start line, `0 <= s < length_m`, and
closes on itself.  The circuit, its name, its heights and its coordinates are invented; no such place exists.

The plane is x east, y north in metres about `ORIGIN`; headings run clockwise from north, so that a positive
curvature, as a positive lateral g on the bus, is to the right.  The centreline is a polygon with rounded corners,
which closes by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
LatLon = tuple[float, float]

NAME: Final = "Larkholm (invented)"
ORIGIN: Final[LatLon] = (52.4137, -0.6312)
"""Where the plane's x = y = 0 lies: farmland, chosen for looking plausible."""

GRAVITY: Final = 9.80665
LINE_STEP: Final = 10  # stations, about 1 m apart, between two unknowns of the ideal line
EASING_M: Final = 6.0
HALF_WIDTH_M: Final = 5.5
GATE_HALF_WIDTH_M: Final = 10.0
"""A line reaches past both edges, as lines of real tracks do, so that no fix that wanders passes beside it: half-way
between the racing line, 4.3 m from the middle, and the pit lane, 16 m."""
START_BEFORE_FIRST_CORNER_M: Final = 370.0
SECTOR_ENDS_M: Final = (1235.0, 2290.0)


@dataclass(frozen=True)
class Bend:
    """A corner of the polygon, rounded with an arc of `radius_m`."""

    name: str
    x_m: float
    y_m: float
    radius_m: float


BENDS: Final = (
    Bend("T1", 640, 505, 32),  # the long straight's end: the heaviest braking
    Bend("T2", 610, 275, 55),
    Bend("T3", 880, 75, 40),
    Bend("T4", 610, -80, 85),
    Bend("T5", 440, 40, 45),
    Bend("T6", 230, -190, 20),  # the hairpin
    Bend("T7", 150, 170, 90),  # the fast left
    Bend("T8", 20, 330, 34),
    Bend("T9", -190, 180, 60),
    Bend("T10", -400, 220, 45),
    Bend("T11", -390, 440, 65),
    Bend("T12", -150, 520, 170),  # the kink, flat out, onto the start straight
)

PIT_BOX_M: Final = 90.0  # before the start line, in the pit lane to its right
HEIGHTS: Final = ((1, -7.0), (2, 3.5), (3, 2.0), (7, -0.7), (11, 0.4))
"""Hills as cosines around the lap: waves a lap, and amplitude in metres.  All of them peak at the pit box, which so
lies level: a car that stands in it can zero its sensors."""


@dataclass(frozen=True)
class Corner:
    """A corner as people speak of it.  apex_m: the middle of its arc, along the centreline from the start line."""

    name: str
    apex_m: float
    turn_deg: float  # positive to the right
    radius_m: float


@dataclass(frozen=True, eq=False)
class Track:
    """The centreline at `n` stations about 1 m apart; station 0 is the start line.

    s_m, x_m, y_m, z_m, right_x, right_y (the unit vector to the right), grade (dz/ds, positive uphill), crest
    (d2z/ds2, 1/m): float64 (n,).
    """

    s_m: Float64
    x_m: Float64
    y_m: Float64
    z_m: Float64
    right_x: Float64
    right_y: Float64
    grade: Float64
    crest: Float64
    length_m: float
    corners: tuple[Corner, ...]

    @property
    def stations(self) -> int:
        return int(self.s_m.shape[0])

    def station(self, s_m: float) -> int:
        """The station nearest to `s_m`."""
        return int(np.argmin(np.abs(self.s_m - s_m % self.length_m)))

    def line(self, station: int) -> tuple[LatLon, LatLon]:
        """Two points of the line across the track at `station`: its left end and its right end."""
        x, y = float(self.x_m[station]), float(self.y_m[station])
        dx = GATE_HALF_WIDTH_M * float(self.right_x[station])
        dy = GATE_HALF_WIDTH_M * float(self.right_y[station])
        return _point(x - dx, y - dy), _point(x + dx, y + dy)


@cache
def circuit() -> Track:
    """The circuit, laid out once."""
    at = np.array([(bend.x_m, bend.y_m) for bend in BENDS])
    radius = np.array([bend.radius_m for bend in BENDS])
    side_in = at - np.roll(at, 1, axis=0)
    side_out = np.roll(at, -1, axis=0) - at
    heading = np.arctan2(side_in[:, 0], side_in[:, 1])
    turn = (np.arctan2(side_out[:, 0], side_out[:, 1]) - heading + np.pi) % (2 * np.pi) - np.pi
    tangent = radius * np.tan(np.abs(turn) / 2)
    straight = np.hypot(*side_in.T) - tangent - np.roll(tangent, 1)
    arc = radius * np.abs(turn)
    assert (straight > 0).all(), "neighbouring corners overlap"

    around = float(np.sum(straight) + np.sum(arc))
    n = LINE_STEP * round(around / LINE_STEP)
    along = np.arange(n) * (around / n)
    # distances from where the straight before the first corner begins; the start line lies on that straight
    arc_begin = np.cumsum(straight + np.roll(arc, 1)) - arc[-1]
    origin = straight[0] - START_BEFORE_FIRST_CORNER_M
    from_origin = (along + origin) % around
    bend = np.searchsorted(arc_begin + arc, from_origin, side="right") % len(BENDS)
    into = from_origin - arc_begin[bend]  # negative on the straight before the arc
    into = np.where(into > arc[bend], into - around, into)
    side = np.sign(turn[bend])[:, None]
    begin = at[bend] - tangent[bend, None] * _unit(heading[bend])
    centre = begin + radius[bend, None] * side * _right(heading[bend])
    angle = heading[bend] + side[:, 0] * np.maximum(into, 0.0) / radius[bend]
    on_arc = centre - radius[bend, None] * side * _right(angle)
    on_straight = begin + np.minimum(into, 0.0)[:, None] * _unit(heading[bend])
    middle = (arc_begin + arc / 2 - origin) % around
    return _eased(np.where(into[:, None] > 0, on_arc, on_straight), around, turn, middle)


def _eased(corners_m: Float64, around_m: float, turn_rad: Float64, middle_m: Float64) -> Track:
    """The track along points of the rounded polygon (n, 2), evenly `around_m`: straights ease into arcs (a Gaussian of
    `EASING_M` over positions, as a Fourier series, whose derivative is exact).

    turn_rad, middle_m: of each corner, its turn and where the middle of its arc lies.
    """
    n = corners_m.shape[0]
    wave = 2 * np.pi * np.arange(n // 2 + 1) / around_m
    series = np.fft.rfft(corners_m, axis=0) * np.exp(-0.5 * (wave * EASING_M) ** 2)[:, None]
    position = np.fft.irfft(series, n, axis=0)
    tangent = np.fft.irfft(series * (1j * wave)[:, None], n, axis=0)
    heading = np.unwrap(np.arctan2(tangent[:, 0], tangent[:, 1]))
    pace = np.hypot(tangent[:, 0], tangent[:, 1]) * (around_m / n)  # a little under 1 m a station, in corners
    ends = np.cumsum((pace + np.roll(pace, -1)) / 2)
    length = float(ends[-1])
    s = np.concatenate([[0.0], ends[:-1]])

    waves = np.array([count for count, _ in HEIGHTS]) * 2 * np.pi / length
    amplitude = np.array([size for _, size in HEIGHTS])
    phase = (s[:, None] + PIT_BOX_M) * waves
    right = _right(heading)
    apex = np.interp(middle_m, np.arange(n) * (around_m / n), s)
    return Track(
        s_m=s,
        x_m=position[:, 0],
        y_m=position[:, 1],
        z_m=np.cos(phase) @ amplitude,
        right_x=right[:, 0],
        right_y=right[:, 1],
        grade=-np.sin(phase) @ (amplitude * waves),
        crest=-np.cos(phase) @ (amplitude * waves**2),
        length_m=length,
        corners=tuple(
            Corner(bend.name, float(apex[k]), float(np.degrees(turn_rad[k])), bend.radius_m)
            for k, bend in enumerate(BENDS)
        ),
    )


def latitude_longitude(x_m: Float64, y_m: Float64) -> tuple[Float64, Float64]:
    """Degrees of points in the plane: WGS84's lengths of a degree at `ORIGIN` (NGA.STND.0036), flat around it."""
    phi = np.radians(ORIGIN[0])
    per_lat = 111132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
    per_lon = 111412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
    return ORIGIN[0] + y_m / per_lat, ORIGIN[1] + x_m / per_lon


def _point(x_m: float, y_m: float) -> LatLon:
    lat, lon = latitude_longitude(np.array(x_m), np.array(y_m))
    return round(float(lat), 8), round(float(lon), 8)


def _unit(heading: Float64) -> Float64:
    return np.column_stack([np.sin(heading), np.cos(heading)])


def _right(heading: Float64) -> Float64:
    return np.column_stack([np.cos(heading), -np.sin(heading)])
