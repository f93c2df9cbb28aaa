"""A session and the word for a lap to compare with in, that lap out: best of the session, best ever, or a named one.

What is compared with is chosen by who asks, and is in no session's rows: those were judged by what was best so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pitwall.commands.options import Places, option
from pitwall.commands.output import plural
from pitwall.commands.reporting import tell
from pitwall.errors import LogError, UsageError

if TYPE_CHECKING:
    import duckdb

    from pitwall.car import Car
    from pitwall.log.session import Session
    from pitwall.project.catalog import Catalog

reference_option = option(
    "--reference",
    metavar="WHICH",
    help="Compare with: `best` of the session, `ever` (this car's, on this track), SESSION:LAP.",
)


def named(connection: duckdb.DuckDBPyConnection, session: Session, places: Places, which: str) -> tuple[str, str]:
    """The session and the lap (a number, or `best`) that `which` names.  connection: on the session's projection."""
    if which == "best":
        return session.id, "best"
    if which != "ever":
        name, colon, lap = which.rpartition(":")
        if not colon or not name or not lap:
            raise UsageError(f"{which!r} names no lap", where="--reference", hint="best, ever, or SESSION:LAP")
        return name, lap
    from pitwall.project.catalog import best_ever

    found = spanning(places, session.header.car)
    told_missing(found)
    return best_ever(connection, session.id, session.header.car, found)


def spanning(places: Places, car: str | None = None) -> Catalog:
    """The catalog of the sessions of one car, or of all."""
    from pitwall.car import load
    from pitwall.errors import CarError
    from pitwall.log.session import sessions
    from pitwall.project.catalog import catalog
    from pitwall.project.generations import Generations
    from pitwall.project.private import kept

    cars: dict[str, Car | None] = {}
    found: list[tuple[Session, Car]] = []
    for session in sessions(places.logs):
        name = session.header.car
        if name not in cars:
            try:
                cars[name] = load(places.cars, name)
            except (CarError, UsageError, LogError):
                if name == car:
                    raise
                cars[name] = None
        known = cars[name]
        if known is not None:
            found.append((session, known))
    with kept(places.projections) as folder:
        return catalog(found, Generations(folder))


def told_missing(found: Catalog) -> None:
    """Says which sessions are not in the catalog."""
    if found.missing:
        shown: Sequence[str] = [*found.missing[:3], *(["…"] if len(found.missing) > 3 else [])]
        what = f"{plural(len(found.missing), 'session')} not counted, as no replay was made: {', '.join(shown)}"
        tell([f"{what} (pitwall replay)"])
