"""`GET /session/<sid>/laps` and `/laps/<n>`: the laps of a session, and one of them by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from msgspec import Struct

from pitwall.errors import UsageError
from pitwall.project.lap_answers import lap_facts, rolling_best, rounded, traced
from pitwall.serve.answers import OfSession, Row
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing, Tabled
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer, asked
from pitwall.serve.tables import TABLED, chosen, tabled

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.project.lap_answers import Traced
    from pitwall.serve.serving import Request

POINTS: Final = 1_000
"""Of one lap by distance: every few metres."""


class Bests(Struct):
    """Of the flying laps that count; null: there is none.  theoretical_s: the best sectors together.

    rolling_s: the best continuous lap from any point.
    """

    lap: int | None
    time_s: float | None
    theoretical_s: float | None
    rolling_s: float | None


class Laps(OfSession):
    """Every lap: the columns of the table `laps`, and its sectors' times as `sectors_s`."""

    laps: list[Row]
    bests: Bests


class OneLap(OfSession):
    """A lap by distance: when the car was where, `distance_m` from the start line."""

    lap: Row
    length_m: float
    distance_m: list[float]
    time_s: list[float]


@operation("GET", "/session/<sid>/laps", takes=Tabled, answers=Laps, problems=("no-such-format",), media=TABLED)
async def laps(request: Request, wanted: Tabled, sid: str) -> HTTPResponse:
    """The laps of a session: times, sectors, what is best, and why one does not count."""
    form = chosen(request, wanted.format)
    session = await request.app.ctx.session(sid)
    told = await asked(request, session, _laps)
    if form != "json":
        return tabled(_sectored(told.answer["laps"]), form)
    return answer({"session": session, **told.pipeline(), **told.answer})


@operation("GET", "/session/<sid>/laps/<lap>", answers=OneLap, problems=("unknown-lap",))
async def lap(request: Request, _: Nothing, sid: str, lap: str) -> HTTPResponse:
    """One lap, by its number or `best`, by distance."""
    session = await request.app.ctx.session(sid)
    try:
        told = await asked(request, session, lambda cursor: traced(cursor, session, lap))
    except UsageError as error:
        raise no_lap(error, session) from error
    return answer({"session": session, **told.pipeline(), "lap": told.answer.facts, **_by_distance(told.answer)})


OPERATIONS: Final = (laps, lap)


def no_lap(error: UsageError, session: str) -> Problem:
    """There is no such lap."""
    return Problem("unknown-lap", f"{session}: {error.what}", hint=error.hint)


def _laps(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    laps = lap_facts(cursor)
    lap, time_s, theoretical_s, _ = cursor.execute("FROM bests").fetchone() or (None, None, None, None)
    best = {
        "lap": lap, "time_s": rounded(time_s), "theoretical_s": rounded(theoretical_s),
        "rolling_s": rounded(rolling_best(cursor)),
    }  # fmt: skip
    return {"laps": laps, "bests": best}


def _sectored(laps: list[dict[str, Any]]) -> pa.Table:
    """A column a sector."""
    most = max((len(one["sectors_s"]) for one in laps), default=0)
    rows = []
    for one in laps:
        times = one["sectors_s"] + [None] * (most - len(one["sectors_s"]))
        row = {name: value for name, value in one.items() if name != "sectors_s"}
        rows.append(row | {f"sector{i}_s": time_s for i, time_s in enumerate(times, 1)})
    return pa.Table.from_pylist(rows)


def _by_distance(lap: Traced) -> dict[str, Any]:
    way = np.linspace(0.0, lap.length_m, len(lap.trace))
    at = np.linspace(0.0, lap.length_m, POINTS + 1)
    return {"length_m": lap.length_m, "distance_m": np.round(at, 3), "time_s": np.interp(at, way, lap.trace).round(6)}
