"""The lines of a .vbo's `[laptiming]` and the path that was driven in, the start line and the splits in degrees out.

    Start        +02743.96882 -000784.39721 +02743.95983 -000784.39786 ¬   Start / Finish     RaceBox
    Start   -673.429560 +2689.899540 -673.406497 +2689.908983 ¬ Start                         RaceChrono, RaceLogic
    Split   -673.401120 +2689.872540 -673.393689 +2689.887846 ¬ 1°settore

Minutes, west positive, as everywhere in a .vbo, and two formats: latitude first and a line across the track, or
longitude first and two points along the direction of travel, the gate lying square to them.  Nothing in the file says
which; the path does: the order of the numbers is the one that puts the points near it, and two points are along the
track where they lie within 45 degrees of how it is driven there.  Such a gate stands at the first of them, the second
being where the heading goes (which may be off the track already), as wide as they are apart.  Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

NUMBER: Final = r"([+-]?\d+(?:[.,]\d*)?)"
GATE: Final = re.compile(rf"(\w+)\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}\s+{NUMBER}\s*(?:[^\w\s]+\s*(.*))?", re.DOTALL)

EARTH_M: Final = 6_371_008.8
"""Mean radius: near enough for which of two readings is near the path."""

NEAR_M: Final = 1000.0
"""A gate farther than this from everything that was driven is another track's, or misread."""

HEADING_M: Final = 5.0
"""The heading at a place is told from fixes so far apart: less would be the receiver's noise."""


@dataclass(frozen=True, slots=True)
class Gate:
    """kind: start, split or finish.  a, b: lat and lon in degrees of its ends, across the track."""

    kind: str
    a: tuple[float, float]
    b: tuple[float, float]
    words: str


def gates(lines: Iterable[str], lat: Float64, lon: Float64) -> tuple[list[Gate], list[str]]:
    """The gates that the lines say, and what is wrong with those that say none.

    lat, lon: (n,) degrees, the path that was driven, in the order of time.
    """
    found, wrong = [], []
    for line in lines:
        match = GATE.fullmatch(line.strip())
        if match is None:
            wrong.append(f"[laptiming] says no gate: {line.strip()[:60]!r}")
            continue
        kind, words = match[1].lower(), (match[6] or "").strip()
        numbers = [float(text.replace(",", ".")) for text in match.groups()[1:5]]
        gate = _gate(numbers, lat, lon)
        if gate is None:
            wrong.append(f"[laptiming]: {match[1]} lies nowhere near the path, whichever number is the latitude")
        else:
            found.append(Gate(kind, *gate, words))
    return found, wrong


def start_line(found: Iterable[Gate], name: str) -> dict[str, Any] | None:
    """The control row START_LINE of gates; None where none is the start.  name: the track's, if it is known."""
    line = next(([gate.a, gate.b] for gate in found if gate.kind == "start"), None)
    if line is None:
        return None
    fact: dict[str, Any] = {"line": line}
    if splits := [[gate.a, gate.b] for gate in found if gate.kind == "split"]:
        fact["sectors"] = splits
    if finish := next(([gate.a, gate.b] for gate in found if gate.kind == "finish"), None):
        fact["finish"] = finish
    return fact | ({"name": name} if name else {})


def _gate(minutes: list[float], lat: Float64, lon: Float64) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The ends of the gate across the track, (lat, lon) in degrees; None where neither reading is near the path."""
    a, b, c, d = (value / 60 for value in minutes)
    best = None
    for ends in (((a, -b), (c, -d)), ((b, -a), (d, -c))):
        if any(abs(north) > 90 or abs(east) > 180 for north, east in ends):
            continue
        middle = (ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2
        x, y = _plane(lat, lon, middle)
        apart = np.hypot(x, y)
        nearest = int(np.argmin(apart)) if len(apart) else -1
        if nearest >= 0 and apart[nearest] <= NEAR_M and (best is None or apart[nearest] < best[0]):
            best = apart[nearest], ends, middle, x, y, nearest
    if best is None:
        return None
    _, ends, middle, x, y, nearest = best
    ends_x, ends_y = _plane(np.array([end[0] for end in ends]), np.array([end[1] for end in ends]), middle)
    east, north = float(ends_x[1] - ends_x[0]), float(ends_y[1] - ends_y[0])
    ahead = _heading(x, y, nearest)
    if ahead is None or abs(east * ahead[0] + north * ahead[1]) < math.hypot(east, north) * math.sqrt(0.5):
        return ends
    (x0, y0) = float(ends_x[0]), float(ends_y[0])
    return _degrees(x0 - north / 2, y0 + east / 2, middle), _degrees(x0 + north / 2, y0 - east / 2, middle)


def _heading(x: Float64, y: Float64, at: int) -> tuple[float, float] | None:
    """The unit vector (east, north) of how the path is driven at the fix `at`; None where it does not move there."""
    apart = np.hypot(x - x[at], y - y[at])
    before = np.flatnonzero(apart[:at] >= HEADING_M)
    after = np.flatnonzero(apart[at:] >= HEADING_M)
    first = int(before[-1]) if len(before) else 0
    last = at + int(after[0]) if len(after) else len(x) - 1
    east, north = float(x[last] - x[first]), float(y[last] - y[first])
    length = math.hypot(east, north)
    return (east / length, north / length) if length else None


def _plane(lat: Float64, lon: Float64, middle: tuple[float, float]) -> tuple[Float64, Float64]:
    """Metres east and north of `middle`."""
    per_degree = math.radians(EARTH_M)
    return (lon - middle[1]) * per_degree * math.cos(math.radians(middle[0])), (lat - middle[0]) * per_degree


def _degrees(east: float, north: float, middle: tuple[float, float]) -> tuple[float, float]:
    per_degree = math.radians(EARTH_M)
    return middle[0] + north / per_degree, middle[1] + east / (per_degree * math.cos(math.radians(middle[0])))
