"""A track as data: the lines that laps and sectors are cut at, and the names of its corners, all as coordinates.

Laws:

1. A line is two points; whoever passes between them crosses it.  It has a direction: the heading that it is driven over
   at, or, where nobody says, the one in which it is crossed first.
2. A lap goes from the start line to the finish line, which is the start line but on a point-to-point course.
3. Two tracks of one `fingerprint` cut the same laps.

Pure and frozen: no clock, no files.  `load` makes one from a file.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final

from pitwall.track.plane import LatLon, apart_m

LINE_M: Final = (2.0, 300.0)
"""How long a line may be, in metres: less is no gate that a fix's error leaves open, more is no track's width."""

SECTORS: Final = 16
"""Most sector lines of a track: more than any has."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line across the track.  heading_deg: that it is driven over at, clockwise from north; None: nobody says."""

    a: LatLon
    b: LatLon
    heading_deg: float | None = None

    @property
    def middle(self) -> LatLon:
        return (self.a[0] + self.b[0]) / 2, (self.a[1] + self.b[1]) / 2


@dataclass(frozen=True, slots=True)
class Corner:
    """A corner that has a name.  apex: where it is."""

    name: str
    apex: LatLon


@dataclass(frozen=True, slots=True)
class Track:
    """Where laps are cut.

    sectors: the lines between sectors, in the order of a lap.  finish: of a point-to-point course; None: laps end where
    they start.  source: who says where all of this is.  learned: found by pitwall, where a path came back to itself.
    """

    name: str
    start: Line
    sectors: tuple[Line, ...] = ()
    finish: Line | None = None
    corners: tuple[Corner, ...] = ()
    source: str = ""
    learned: bool = False

    @property
    def fingerprint(self) -> str:
        """64 hex digits."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def line_problem(a: LatLon, b: LatLon) -> str:
    """What is wrong with a line between the two; nothing: ""."""
    for lat, lon in (a, b):
        if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) < 90 and abs(lon) <= 180):
            return f"{lat:g}, {lon:g} is no latitude and longitude"
    shortest, longest = LINE_M
    length = apart_m(a, b)
    if not shortest <= length <= longest:
        return f"the line is {length:.1f} m long; {shortest:g} to {longest:g} m make sense"
    return ""


def said(fact: Any) -> Track | str:
    """The track that a control row START_LINE names, or what is wrong with it.

    fact: `{"line": [[lat, lon], [lat, lon]], "sectors": [line, …], "name": "…"}`, the last two if there are any.
    """
    if not isinstance(fact, dict) or "line" not in fact:
        return 'a start line is {"line": [[lat, lon], [lat, lon]]}'
    lines: list[Line] = []
    sectors = fact.get("sectors") or []
    if not isinstance(sectors, list) or len(sectors) > SECTORS:
        return f"sectors is a list of up to {SECTORS} lines"
    for given in (fact["line"], *sectors):
        line = _line(given)
        if isinstance(line, str):
            return line
        lines.append(line)
    name = fact.get("name")
    return Track(name if isinstance(name, str) else "", lines[0], tuple(lines[1:]), source="set by hand")


def given(definition: Any) -> Track:
    """The track that `definition` of a projection's table `track` says: what `asdict` made of one, read from JSON."""
    line, known = _asdict_line, dict(definition)
    known["start"] = line(known["start"])
    known["finish"] = line(known["finish"]) if known.get("finish") else None
    known["sectors"] = tuple(line(each) for each in known.get("sectors", ()))
    known["corners"] = tuple(Corner(each["name"], tuple(each["apex"])) for each in known.get("corners", ()))
    return Track(**{"name": "", **known})


def _asdict_line(said: Any) -> Line:
    return Line(tuple(said["a"]), tuple(said["b"]), said["heading_deg"])


def _line(given: Any) -> Line | str:
    try:
        (a, b), (c, d) = given
        first, second = (float(a), float(b)), (float(c), float(d))
    except (TypeError, ValueError):
        return "a line is two points, [[lat, lon], [lat, lon]], in degrees"
    return line_problem(first, second) or Line(first, second)
