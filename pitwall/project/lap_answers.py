"""An open projection in, what people and programs are told of its laps out: facts, a lap as a trace, two laps compared.

Times on the session's clock are int, ns; how long something took is in s.  Nothing is computed that `track` has not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import duckdb
import numpy as np

from pitwall.derive.channel import Float64
from pitwall.errors import UsageError
from pitwall.project.database import quoted
from pitwall.project.laps import Small
from pitwall.project.layout import FIXED
from pitwall.track.comparing import best_rolling, lost, trace_at
from pitwall.track.definition import Track, given
from pitwall.track.lapping import LAPTIME

TIMED: Final = ("flying", "cooling")
"""Laps from line to line: they have a trace."""

STEPS_M: Final = (10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000)
"""A comparison goes by one of these."""
ROWS: Final = 20
"""In about so many rows: a screen."""


@dataclass(frozen=True, slots=True, eq=False)
class Traced:
    """A timed lap.  facts: as `lap_facts` has it.  length_m: of its path.  trace: as of `track.comparing`."""

    session: str
    facts: dict[str, Any]
    length_m: float
    trace: Float64

    def named(self) -> dict[str, Any]:
        """Which lap it is."""
        return {"session": self.session, "number": self.facts["number"], "time_s": self.facts["time_s"]}


def lap_facts(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every lap: the columns of `laps`, and its sectors' times as `sectors_s`."""
    sectors = connection.execute("SELECT lap, time_s FROM sectors ORDER BY lap, number").fetchall()
    names = [row[0] for row in connection.execute("DESCRIBE laps").fetchall()]
    return _facts(names, connection.execute("FROM laps ORDER BY number").fetchall(), sectors)


def facts_so_far(small: Small) -> list[dict[str, Any]]:
    """The same of a session that is being projected.  small: its tables of laps, as `Pipeline.laps` has them."""
    sectors = sorted(small.get("sectors", ()), key=itemgetter(0, 1))
    names = [name for name, _ in FIXED["laps"]]
    return _facts(names, sorted(small.get("laps", ()), key=itemgetter(0)), [(row[0], row[4]) for row in sectors])


def chosen(laps: Sequence[dict[str, Any]], session: str, lap: str) -> dict[str, Any]:
    """The lap that `lap`, a number or `best`, names among those of a session.  UsageError: there is none."""
    timed = [one for one in laps if one["kind"] in TIMED]
    good = [one for one in timed if one["flying"] and one["valid"]]
    if not good:
        raise UsageError("it has no good lap", where=session, hint=f"pitwall laps {session}")
    if lap == "best":
        return min(good, key=lambda one: float(one["time_s"]))
    found = [one for one in timed if str(one["number"]) == lap]
    if not found:
        numbers = ", ".join(str(one["number"]) for one in timed)
        raise UsageError(f"it has no timed lap {lap}", where=session, hint=f"there are {numbers}, and best")
    return found[0]


def traced(connection: duckdb.DuckDBPyConnection, session: str, lap: str) -> Traced:
    """The lap of that name with its trace.  UsageError: there is none."""
    facts = chosen(lap_facts(connection), session, lap)
    length_m = path_m(connection)
    if length_m is None:
        raise UsageError("it has no good lap", where=session, hint=f"pitwall laps {session}")
    return Traced(session, facts, length_m, _trace(connection, facts, length_m))


def part_of_lap(
    connection: duckdb.DuckDBPyConnection, session: str, lap: str, from_m: float | None, to_m: float | None
) -> tuple[int, int]:
    """When (ns) the car was on that part of a lap: from its start, to its end, where nothing is said.

    UsageError: there is no such lap.
    """
    found = traced(connection, session, lap)
    way = np.linspace(0.0, found.length_m, len(found.trace))
    first, last = (
        found.facts[end] if at is None else found.facts["t_start"] + round(float(np.interp(at, way, found.trace)) * 1e9)
        for at, end in ((from_m, "t_start"), (to_m, "t_end"))
    )
    return int(first), int(last)


def path_m(connection: duckdb.DuckDBPyConnection) -> float | None:
    """The length of the session's path; None before its first good lap."""
    row = connection.execute("SELECT length_m FROM track").fetchone()
    return None if row is None else row[0]


def course_of(connection: duckdb.DuckDBPyConnection) -> Track | None:
    """The track that the session's laps were cut on; None: none is known yet."""
    row = connection.execute("SELECT definition FROM track").fetchone()
    return None if row is None else given(json.loads(row[0]))


def rolling_best(connection: duckdb.DuckDBPyConnection) -> float | None:
    """The best continuous lap from any point, in seconds; None without a good lap."""
    good = [lap for lap in lap_facts(connection) if lap["flying"] and lap["valid"]]
    length_m = path_m(connection)
    if not good or length_m is None:
        return None
    return best_rolling([lap["number"] for lap in good], [_trace(connection, lap, length_m) for lap in good])


def compared(mine: Traced, theirs: Traced) -> dict[str, Any]:
    """What `mine` has lost to `theirs`, in all, by sectors and by distance; lost is above 0.

    Their traces go along one path: a lap of another session is `lap_paths.grounded` first.
    """
    delta = lost(mine.trace, theirs.trace)
    way = np.linspace(0.0, mine.length_m, len(delta))
    step = next((step for step in STEPS_M if mine.length_m / step <= ROWS), STEPS_M[-1])
    at = np.append(np.arange(step, mine.length_m, step), mine.length_m)
    sectors = [
        None if a is None or b is None else round(a - b, 6)
        for a, b in zip(mine.facts["sectors_s"], theirs.facts["sectors_s"], strict=False)
    ]
    return {
        "lap": mine.named(),
        "reference": theirs.named(),
        "delta_s": round(mine.facts["time_s"] - theirs.facts["time_s"], 9),
        "sectors_delta_s": sectors,
        "length_m": round(mine.length_m, 3),
        "by_distance": [
            {"distance_m": round(float(s), 3), "time_s": round(float(t), 6), "delta_s": round(float(d), 6)}
            for s, t, d in zip(at, np.interp(at, way, mine.trace), np.interp(at, way, delta), strict=True)
        ],
    }


def rounded(value: Any) -> Any:
    """To a nanosecond: what is beyond is how binary fractions are written."""
    return round(value, 9) if isinstance(value, float) else value


def _facts(
    names: Sequence[str], laps: Iterable[Sequence[Any]], sectors: Iterable[Sequence[Any]]
) -> list[dict[str, Any]]:
    """laps: rows of `laps`, with these columns.  sectors: lap and time of each row of `sectors`.  In their order."""
    times: dict[int, list[float | None]] = {}
    for lap, time_s in sectors:
        times.setdefault(lap, []).append(rounded(time_s))
    return [
        {**{name: rounded(value) for name, value in zip(names, row, strict=True)}, "sectors_s": times.get(row[0], [])}
        for row in laps
    ]


def _trace(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any], length_m: float) -> Float64:
    # by their places: where the car has a channel of the name, ours is called otherwise
    lap, distance = [quoted(str(row[0])) for row in connection.execute(f"DESCRIBE {LAPTIME}").fetchall()[1:3]]
    found = connection.execute(
        f"SELECT {distance} AS s, (t - ?) / 1e9 AS t FROM {LAPTIME} WHERE {lap} = ? ORDER BY rowid",  # noqa: S608
        [facts["t_start"], facts["number"]],
    ).fetchnumpy()
    return trace_at(found["s"], found["t"], facts["time_s"], length_m)
