"""`GET /session/<sid>/compare`: where one lap loses time to another, by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pitwall.project.lap_answers import compared
from pitwall.serve.laps import traced_lap
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request


def add(app: App) -> None:
    """Adds the route."""

    @app.route("/session/<sid>/compare", methods=["GET", "HEAD"])
    async def compare(request: Request, sid: str) -> HTTPResponse:
        unknown = request.args.keys() - {"lap", "reference"}
        if unknown or "lap" not in request.args:
            what = f"unknown parameter {min(unknown)!r}" if unknown else "lap is missing"
            raise Problem(400, "bad-parameter", what, hint="lap=3, and reference=best or SESSION:LAP")
        session = await request.app.ctx.session(sid)
        other, _, lap = str(request.args.get("reference", "best")).rpartition(":")
        mine = await traced_lap(request, session, str(request.args.get("lap")))
        theirs = await traced_lap(request, await request.app.ctx.session(other) if other else session, lap)
        return answer({"session": session, **mine.pipeline(), **compared(mine.answer, theirs.answer)})
