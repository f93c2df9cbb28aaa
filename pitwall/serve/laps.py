"""`GET /session/<sid>/laps` and `/laps/<n>`: the laps of a session, and one of them by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.errors import UsageError
from pitwall.project.lap_answers import lap_facts, rolling_best, rounded, traced
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.project.lap_answers import Traced
    from pitwall.serve.reading import Told
    from pitwall.serve.serving import App, Request

POINTS: Final = 1_000
"""Of one lap by distance: every few metres."""


def add(app: App) -> None:
    """Adds the routes."""

    @app.route("/session/<sid>/laps", methods=["GET", "HEAD"])
    async def laps(request: Request, sid: str) -> HTTPResponse:
        session = await request.app.ctx.session(sid)
        told = await request.app.ctx.readings.ask(session, _laps)
        return answer({"session": session, **told.pipeline(), **told.answer})

    @app.route("/session/<sid>/laps/<lap>", methods=["GET", "HEAD"])
    async def one(request: Request, sid: str, lap: str) -> HTTPResponse:
        session = await request.app.ctx.session(sid)
        told = await traced_lap(request, session, lap)
        return answer({"session": session, **told.pipeline(), "lap": told.answer.facts, **_by_distance(told.answer)})


async def traced_lap(request: Request, session: str, lap: str) -> Told[Traced]:
    """The lap of that name.  Problem: there is none."""
    try:
        return await request.app.ctx.readings.ask(session, lambda cursor: traced(cursor, session, lap))
    except UsageError as error:
        raise Problem(404, "unknown-lap", f"{session}: {error.what}", hint=error.hint) from error


def _laps(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    laps = lap_facts(cursor)
    lap, time_s, theoretical_s, _ = cursor.execute("FROM bests").fetchone() or (None, None, None, None)
    best = {
        "lap": lap, "time_s": rounded(time_s), "theoretical_s": rounded(theoretical_s),
        "rolling_s": rounded(rolling_best(cursor)),
    }  # fmt: skip
    return {"laps": laps, "bests": best}


def _by_distance(lap: Traced) -> dict[str, Any]:
    way = np.linspace(0.0, lap.length_m, len(lap.trace))
    at = np.linspace(0.0, lap.length_m, POINTS + 1)
    return {"length_m": lap.length_m, "distance_m": np.round(at, 3), "time_s": np.interp(at, way, lap.trace).round(6)}
