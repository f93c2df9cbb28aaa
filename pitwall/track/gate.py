"""A path and a line across it in, the times at which it was crossed out.

Laws:

1. A crossing's time is linear in time between the two fixes either side of the line, as loggers do it; where fixes
   scatter about the way that the speed tells, it is that of this way, laid through all fixes of the last moment.
2. A fix on the line is across it: a path that touches the line and goes on has crossed it once.
3. A crossing depends on its two fixes, and on a fixed number before them, so that it is the same however the path came
   in pieces.

Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pitwall.derive.channel import Float64
from pitwall.frames import Int64
from pitwall.track.definition import Line
from pitwall.track.plane import Plane


@dataclass(frozen=True, slots=True)
class Gate:
    """A line in a plane.  x_m, y_m: its first point.  along_x, along_y: from there to the other, in metres.

    sense: +1 or -1 where the line is driven over with its first point to the left or to the right; 0: not known yet.
    """

    x_m: float
    y_m: float
    along_x: float
    along_y: float
    sense: int = 0

    @property
    def length_m(self) -> float:
        return math.sqrt(self.along_x * self.along_x + self.along_y * self.along_y)

    @property
    def middle(self) -> tuple[float, float]:
        return self.x_m + self.along_x / 2, self.y_m + self.along_y / 2

    def beyond(self, x_m: Float64, y_m: Float64) -> Float64:
        """Twice the area of the triangle with each point: its sign says on which side of the line it is."""
        return (y_m - self.y_m) * self.along_x - (x_m - self.x_m) * self.along_y

    def directed(self, sense: int) -> Gate:
        """The same line, driven over in that sense."""
        return replace(self, sense=sense)


@dataclass(frozen=True, slots=True)
class Crossing:
    """index: of the fix behind the line; the one before it is the one before the line.

    part: of the way between the two, where the line is: above 0, at most 1.  t_ns: when.  x_m, y_m: where.
    sense: as a gate's.
    """

    index: int
    part: float
    t_ns: int
    x_m: float
    y_m: float
    sense: int


def gate(line: Line, plane: Plane) -> Gate:
    """The line in the plane."""
    (x, y), (x2, y2) = plane.point(line.a), plane.point(line.b)
    made = Gate(x, y, x2 - x, y2 - y)
    if line.heading_deg is None:
        return made
    north, east = math.cos(math.radians(line.heading_deg)), math.sin(math.radians(line.heading_deg))
    return made.directed(1 if north * made.along_x - east * made.along_y > 0 else -1)


def crossings(gate: Gate, t: Int64, x_m: Float64, y_m: Float64) -> list[Crossing]:
    """Where the path passes the line, in either direction.

    t: int64 (n,), ns, ascending.  x_m, y_m: float64 (n,).  The first fix is the one before the path begins.
    """
    if len(t) < 2:
        return []
    u = gate.beyond(x_m, y_m)
    ahead = u >= 0
    found = []
    for i in (ahead[1:] != ahead[:-1]).nonzero()[0].tolist():
        before, after = float(u[i]), float(u[i + 1])
        part = before / (before - after)
        x = float(x_m[i]) + part * float(x_m[i + 1] - x_m[i])
        y = float(y_m[i]) + part * float(y_m[i + 1] - y_m[i])
        across = (x - gate.x_m) * gate.along_x + (y - gate.y_m) * gate.along_y
        if 0 <= across <= gate.along_x * gate.along_x + gate.along_y * gate.along_y:
            t_ns = int(t[i]) + round(part * int(t[i + 1] - t[i]))
            found.append(Crossing(i + 1, part, t_ns, x, y, 1 if after > before else -1))
    return found


WINDOW_NS: Final = 800_000_000
"""So long before a crossing fixes are looked at: a speed's error grows to centimetres meanwhile, theirs is divided by
the root of their number."""
WINDOW: Final = 32
"""And no more than so many."""
FEWEST: Final = 6
"""Of fewer no scatter can be told."""
SCATTER_M: Final = 0.15
"""Below it a receiver, or its bus, is as even as the speed: two fixes say all there is to say."""


def refined(crossing: Crossing, gate: Gate, t: Int64, x_m: Float64, y_m: Float64, speed_mps: Float64) -> Crossing:
    """The same crossing, its time told by the speed as well, where fixes scatter: by noise, or as they came late.

    t, x_m, y_m, speed_mps: (n,), the fixes up to the one behind the line, that one included; at most WINDOW of them
    count.  The way across the line is the speed's part in that direction, by the course that the fixes have, summed up
    over time; it is laid through the fixes by the mean of their distances to it, and then crosses the line where it
    does.  A receiver's slow drift is in all of them, and stays.
    """
    first = max(len(t) - WINDOW, int(t.searchsorted(t[-1] - WINDOW_NS)))
    if len(t) - first < FEWEST:
        return crossing
    t, x_m, y_m, speed_mps = t[first:], x_m[first:], y_m[first:], speed_mps[first:]
    east, north = float(x_m[-1] - x_m[0]), float(y_m[-1] - y_m[0])
    chord_m = math.sqrt(east * east + north * north)
    if chord_m == 0 or math.isnan(float(np.add.reduce(speed_mps))):
        return crossing
    # of a metre of way, so much is over the line
    across = (north * gate.along_x - east * gate.along_y) / (chord_m * gate.length_m)
    pace = speed_mps * across
    way = np.zeros(len(t))
    np.cumsum((pace[1:] + pace[:-1]) * 0.5e-9 * (t[1:] - t[:-1]), out=way[1:])
    off = gate.beyond(x_m, y_m) / gate.length_m - way
    mean = float(np.add.reduce(off)) / len(off)
    scatter = off - mean
    if float(np.add.reduce(scatter * scatter)) < SCATTER_M * SCATTER_M * len(off):
        return crossing
    step = float(way[-1] - way[-2])
    if step == 0:
        return crossing
    part = min(max((-mean - float(way[-2])) / step, 0.0), 1.0)  # never beyond the two fixes that saw the line crossed
    return replace(crossing, t_ns=int(t[-2]) + round(part * int(t[-1] - t[-2])))


def directed(line: Line, plane: Plane, sense: int) -> Line:
    """The same line, driven over in that sense."""
    made = gate(line, plane)
    return replace(line, heading_deg=math.degrees(math.atan2(-made.along_y * sense, made.along_x * sense)) % 360.0)
