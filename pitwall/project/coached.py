"""A session's open projection in, what its coach's tables hold out, as the coach's own nouns: for commands and the API.

Law: nothing is measured anew here: what is read is what a replay made.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pitwall.coach.advice import Debrief
from pitwall.coach.debriefing import debrief
from pitwall.coach.finding import Figure, Finding, Level, Link, Priority
from pitwall.coach.findings import order
from pitwall.coach.happened import findings_of
from pitwall.coach.incidents import Incident

if TYPE_CHECKING:
    import duckdb


def findings_in(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    """What is to be said first, first: incidents among them."""
    rows = connection.execute(
        "SELECT rule, priority, corner, section, worth_s, laps, of_laps, figures, links FROM findings"
    ).fetchall()
    found = [
        Finding(
            rule=rule,
            priority=Priority[priority.upper()],
            where=corner,
            section=section,
            worth_s=worth_s,
            laps=tuple(json.loads(laps)),
            of=of,
            figures=_figures(figures),
            links=tuple(Link(**link) for link in json.loads(links)),
        )
        for rule, priority, corner, section, worth_s, laps, of, figures, links in rows
    ]
    happened = findings_of(incidents_in(connection), len(lap_times_in(connection)))
    return sorted([*found, *happened], key=order)


def incidents_in(connection: duckdb.DuckDBPyConnection) -> list[Incident]:
    """In the order of time."""
    rows = connection.execute(
        "SELECT kind, priority, t, told_t, lap, distance_m, what, figures FROM incidents ORDER BY told_t, kind, what"
    ).fetchall()
    return [
        Incident(kind, Priority[priority.upper()], t, told, lap, distance_m, what or "", _figures(figures))
        for kind, priority, t, told, lap, distance_m, what, figures in rows
    ]


def lap_times_in(connection: duckdb.DuckDBPyConnection) -> dict[int, float]:
    """Of the flying laps that count."""
    rows = connection.execute("SELECT number, time_s FROM laps WHERE flying AND valid ORDER BY number").fetchall()
    return dict(rows)


def debrief_of(
    connection: duckdb.DuckDBPyConnection,
    level: Level,
    *,
    before: duckdb.DuckDBPyConnection | None = None,
) -> Debrief:
    """Of the session whose projection it is.  before: that of another session, which it is held against."""
    earlier = None if before is None else findings_in(before)
    against = "" if before is None else _session(before)
    return debrief(
        _session(connection),
        findings_in(connection),
        lap_times_in(connection),
        level,
        before=earlier,
        against=against,
    )


def _session(connection: duckdb.DuckDBPyConnection) -> str:
    row = connection.execute("SELECT session FROM built_from").fetchone()
    assert row is not None
    return str(row[0])


def _figures(text: str) -> tuple[Figure, ...]:
    given: list[dict[str, Any]] = json.loads(text)
    return tuple(Figure(**figure) for figure in given)
