"""A session's open projection in, why its start line cuts no lap out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pitwall.project.lap_answers import course_of
from pitwall.project.lap_paths import fixes
from pitwall.track.definition import Line
from pitwall.track.fixes import Fixes
from pitwall.track.plane import plane_about

if TYPE_CHECKING:
    import duckdb

KM_M = 1_000.0


def why_no_lap(connection: duckdb.DuckDBPyConnection, roles: Mapping[str, str]) -> str:
    """In words; empty: the line was crossed.  roles: the channel of each role of the session's car."""
    driven = fixes(connection, roles)
    track = course_of(connection)
    if track is None or not len(driven):
        return "no lap can be cut: nothing tells where the car was"
    row = connection.execute("SELECT count(*) FROM crossings WHERE line = 'start'").fetchone()
    if row is not None and row[0]:
        return ""
    away_m = nearest_m(track.start, driven)
    told = f"{away_m / KM_M:.1f} km" if away_m >= KM_M else f"{away_m:.0f} m"
    return f"no lap can be cut: the start line was never crossed, and the nearest fix is {told} away from it"


def nearest_m(line: Line, driven: Fixes) -> float:
    """Metres from the line to the fix that is nearest to it, of one at least."""
    plane = plane_about(line.middle)
    (ax, ay), (bx, by) = plane.point(line.a), plane.point(line.b)
    x, y = plane.metres(driven.lat, driven.lon)
    along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2)
    along = np.clip(along, 0.0, 1.0)
    return float(np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)).min())
