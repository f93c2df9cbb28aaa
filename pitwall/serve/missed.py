"""Where a client of `/live` had got to in, what it missed out: channels, laps and cues since then, of the projection.

An event's id is `session@offset@t`: the place in the log that it shows, and the time of the newest value there, in ns
since the session began.  A client that comes back says the last id that it has (Last-Event-ID).  An id of an event
before the first value has no t, and stands for the session's beginning.

Law: at most MISSED_NS, the newest, and MISSED_POINTS a channel, least and greatest of each bucket: what it costs to
have been away does not grow with how long that was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import duckdb

from pitwall.coach.finding import Level
from pitwall.errors import PitwallError
from pitwall.project.lap_answers import lap_facts
from pitwall.serve.broadcast import event
from pitwall.serve.limits import MAX_VALUES, MISSED_NS, MISSED_POINTS
from pitwall.serve.problem import Problem
from pitwall.serve.window import Asked, read
from pitwall.serve.window_stored import Stored

if TYPE_CHECKING:
    from pitwall.serve.newest import Picture
    from pitwall.serve.reading import Readings

ID: Final = re.compile(r"([\w.-]{1,128})@(\d{1,18})(?:@(\d{1,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Left:
    """Where a client left.  t: ns, of the newest value that it has.  place: in the log; of a replay, in time, ns."""

    session: str
    t: int
    place: int

    def is_of(self, picture: Picture) -> bool:
        """Whether the session that is shown is that one, or there is none yet: then it may become so."""
        return picture.cast is None or picture.cast.session == self.session


def left(id: str) -> Left | None:
    """What an event's id says; None: it is none."""
    found = ID.fullmatch(id)
    return Left(found[1], int(found[3] or 0), int(found[2])) if found else None


def is_caught_up(picture: Picture) -> bool:
    """Whether a session is shown as it is, and not still as it was."""
    return picture.cast is not None and picture.status.state != "catching up"


async def missed(readings: Readings, since: Left, id: str) -> bytes:
    """The event `missed`, encoded off the loop; with a `problem` in it where the projection can't be asked."""

    def question(cursor: duckdb.DuckDBPyConnection) -> bytes:
        return event(id, "missed", {"session": since.session, **_missed(cursor, since.t)})

    try:
        return (await readings.ask(since.session, question)).answer
    except Problem as error:
        problem = error
    except (PitwallError, duckdb.Error) as error:  # else the stream would end, be asked for again with this id, and end
        problem = Problem("no-projection", str(error))
    return event(id, "missed", {"session": since.session, "problem": problem.document()})


def _missed(cursor: duckdb.DuckDBPyConnection, since: int) -> dict[str, Any]:
    names = [name for (name,) in cursor.execute("SELECT name FROM channels ORDER BY name").fetchall()]
    (newest,) = cursor.execute("SELECT coalesce(max(t), 0) FROM signals").fetchone() or (0,)
    t_to = max(since, newest)
    t_from = max(since, t_to - MISSED_NS)
    traces = {}
    if names:
        points = max(2, min(MISSED_POINTS, MAX_VALUES // len(names)))
        traces = read(Stored(cursor), Asked(tuple(names), t_from, t_to, points)).traces
    return {
        "t_from": t_from,
        "t_to": t_to,
        "whole": t_from == since,
        "signals": {name: {"t": one.t, "v": one.v} for name, one in traces.items() if len(one.t)},
        "laps": [lap for lap in lap_facts(cursor) if lap["t_end"] is not None and t_from <= lap["t_end"] <= t_to],
        "cues": _cues(cursor, t_from, t_to),
    }


def _cues(cursor: duckdb.DuckDBPyConnection, t_from: int, t_to: int) -> list[dict[str, Any]]:
    levels = [level.value for level in Level]
    names = ("t", "lap", "distance_m", "priority", "what", "corner", "ahead_m", "worth_s", *levels)
    sql = f"SELECT {', '.join(names)} FROM cues WHERE t BETWEEN $t_from AND $t_to ORDER BY t"  # noqa: S608
    rows = [
        dict(zip(names, row, strict=True)) for row in cursor.execute(sql, {"t_from": t_from, "t_to": t_to}).fetchall()
    ]
    return [row | {"words": {level: row.pop(level) for level in levels}} for row in rows]
