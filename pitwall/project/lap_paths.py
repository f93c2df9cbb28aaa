"""Open projections of two sessions in, a lap of the one on the path of the other out: what makes their distances one.

Law: the path is cut from the session's own positions by what cut it when it was built, and a lap of another session is
placed on it as one of its own is: by the nearest point, whatever line it was driven on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.derive.channel import Channel, Rows, Table
from pitwall.errors import UsageError
from pitwall.project.database import quoted
from pitwall.project.lap_answers import Traced, course_of
from pitwall.track.comparing import placed, trace_at
from pitwall.track.cutting import Cutter
from pitwall.track.distance import Path
from pitwall.track.driven import SECOND
from pitwall.track.fixes import NONE, ROLES, Fixes, Fixing
from pitwall.track.plane import Plane

if TYPE_CHECKING:
    import duckdb

ON_PATH: Final = 0.9
"""Of a lap's positions so many lie on a path of the same track; an excursion or a short loss is less than the rest."""
LEAD_NS: Final = SECOND
"""Read in front of a lap: the fix before its line, which says how far behind the line its first one is."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What laps of other sessions are placed on: the path of `session`, in its track's plane."""

    session: str
    plane: Plane
    path: Path


def ground(connection: duckdb.DuckDBPyConnection, session: str, roles: Mapping[str, str]) -> Ground:
    """The path of a session.  roles: the channel of each role of its car.  UsageError: it can't be had."""
    track = course_of(connection)
    driven = fixes(connection, roles)
    if track is None or not len(driven):
        raise _nowhere(session)
    cutter = Cutter(track)
    cutter.fold(driven)
    if cutter.judge.path is None:
        raise UsageError("it has no good lap", where=session, hint=f"pitwall laps {session}")
    return Ground(session, cutter.plane, cutter.judge.path)


def fixes_of(connection: duckdb.DuckDBPyConnection, lap: Traced, roles: Mapping[str, str]) -> Fixes:
    """The fixes of a lap, and of a moment before it.  roles: as of its session's car.  UsageError: it has none."""
    found = fixes(connection, roles, (lap.facts["t_start"] - LEAD_NS, lap.facts["t_end"]))
    if not (found.t >= lap.facts["t_start"]).any():
        raise _nowhere(lap.session)
    return found


def grounded(lap: Traced, driven: Fixes, on: Ground) -> Traced:
    """A lap of another session, its trace along the path of `on`.  driven: the lap's fixes, as of `fixes_of`.

    UsageError: it was not driven on that track, or not from that start line.
    """
    t, s = placed(on.path, on.plane, driven, lap.facts["t_start"])
    there = float(np.isfinite(s).mean())
    if there < ON_PATH:
        what = f"{there:.0%} of lap {lap.facts['number']} lies on the path of {on.session}"
        hint = "another track or start line: `pitwall laps SESSION` names a session's"
        raise UsageError(f"{what}, too little to compare them", where=lap.session, hint=hint)
    trace = trace_at(s, t, lap.facts["time_s"], on.path.length_m)
    return replace(lap, length_m=on.path.length_m, trace=trace)


def fixes(
    connection: duckdb.DuckDBPyConnection, roles: Mapping[str, str], span_ns: tuple[int, int] | None = None
) -> Fixes:
    """The session's fixes; those of a span of its time, where one is named.  roles: the channel of each of its car."""
    wanted = [roles[role] for role in ROLES if role in roles]
    known: dict[str, list[tuple[str, str, str]]] = {}
    for name, unit, table, column in connection.execute(
        "SELECT name, unit, table_name, column_name FROM channels WHERE list_contains(?, name)", [wanted]
    ).fetchall():
        known.setdefault(table, []).append((name, unit or "", column))
    tables = {
        table: Table(table, tuple(Channel(name, unit, "") for name, unit, _ in columns))
        for table, columns in known.items()
    }
    fixing = Fixing(list(tables.values()), roles)
    if not fixing.finds:
        return NONE
    where, span = ("", []) if span_ns is None else (" WHERE t BETWEEN ? AND ?", list(span_ns))
    rows = []
    for table, columns in known.items():
        names = ", ".join(quoted(column) for _, _, column in columns)
        asked = f"SELECT t, {names} FROM {quoted(table)}{where} ORDER BY rowid"  # noqa: S608
        found = list(connection.execute(asked, span).fetchnumpy().values())
        t = np.asarray(found[0], np.int64)
        # a projection keeps no offsets: its rows are in the order of the log, and tables are told apart by time
        rows.append(Rows(tables[table], t, t, tuple(_filled(values) for values in found[1:])))
    return fixing.fold(rows)


def _filled(values: Any) -> Any:
    return np.ma.filled(np.ma.asarray(values, np.float64), np.nan)


def _nowhere(session: str) -> UsageError:
    hint = "laps of two sessions are compared by where the cars were"
    return UsageError("its positions can't be had", where=session, hint=hint)
