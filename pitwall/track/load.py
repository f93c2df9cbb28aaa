"""A track's file in, a frozen `Track` out: `pitwall/tracks/*.yaml`.

Law: whatever is wrong with a file is said at once, each problem `file:line:column: what (hint)`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from pitwall.car.document import Entry, Problems, read
from pitwall.errors import UsageError
from pitwall.track.definition import SECTORS, Corner, Line, Track, line_problem
from pitwall.track.plane import LatLon

SHIPPED: Final = Path(__file__).parents[1] / "tracks"
"""The tracks that pitwall knows by itself."""


@cache
def shipped() -> tuple[Track, ...]:
    """Every track that comes with pitwall, in the order of their files' names."""
    return load_all(SHIPPED)


def load_all(folder: Path) -> tuple[Track, ...]:
    """Every track of a folder.  UsageError: what is wrong with them, all of it."""
    problems = Problems()
    tracks = [_track(file, problems) for file in sorted(folder.glob("*.yaml"))]
    if problems:
        raise UsageError("; ".join(problems.lines()), hint="docs/laps.md tells what a track's file holds")
    return tuple(track for track in tracks if track is not None)


def load(file: Path) -> Track:
    """The track in `file`.  UsageError: what is wrong with it, all of it."""
    problems = Problems()
    track = _track(file, problems)
    if track is None or problems:
        raise UsageError("; ".join(problems.lines()), hint="docs/laps.md tells what a track's file holds")
    return track


def _track(file: Path, problems: Problems) -> Track | None:
    document = read(file, file.name, problems)
    if document is None:
        return None
    found = document.mapping(("track", "source", "start", "finish", "sectors", "corners"))
    for key in ("track", "source", "start"):
        if key not in found:
            document.problem(f"{key}: is missing")
    if not found.keys() >= {"track", "source", "start"}:
        return None
    name, source, start = found["track"].text(), found["source"].text(), _line(found["start"])
    finish = _line(found["finish"]) if "finish" in found else None
    sectors = [_line(entry) for entry in found["sectors"].items()] if "sectors" in found else []
    if len(sectors) > SECTORS:
        found["sectors"].problem(f"{len(sectors)} lines; at most {SECTORS} make sense")
    corners = [_corner(entry) for entry in found["corners"].items()] if "corners" in found else []
    if name is None or source is None or start is None or problems:
        return None
    lines = tuple(line for line in sectors if line is not None)
    return Track(name, start, lines, finish, tuple(corner for corner in corners if corner is not None), source)


def _line(entry: Entry) -> Line | None:
    found = entry.mapping(("line", "heading"))
    if "line" not in found:
        entry.problem("line: is missing", "line: [[lat, lon], [lat, lon]]")
        return None
    points = [_point(point) for point in found["line"].items()]
    heading = found["heading"].number() if "heading" in found else None
    if len(points) != 2 or None in points:
        if len(points) != 2:
            found["line"].problem(f"two points are expected here, not {len(points)}", "[[lat, lon], [lat, lon]]")
        return None
    a, b = points
    assert a is not None
    assert b is not None
    wrong = line_problem(a, b)
    if wrong:
        found["line"].problem(wrong)
        return None
    return Line(a, b, heading)


def _corner(entry: Entry) -> Corner | None:
    found = entry.mapping(("name", "apex"))
    if not found.keys() >= {"name", "apex"}:
        entry.problem("a corner has a name and an apex", "{name: T1, apex: [lat, lon]}")
        return None
    name, apex = found["name"].text(), _point(found["apex"])
    return None if name is None or apex is None else Corner(name, apex)


def _point(entry: Entry) -> LatLon | None:
    numbers = [each.number() for each in entry.items()]
    if len(numbers) != 2:
        entry.problem("a point is [latitude, longitude], in degrees")
        return None
    lat, lon = numbers
    return None if lat is None or lon is None else (lat, lon)
