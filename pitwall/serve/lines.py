"""`POST /session/<sid>/start-line`: where the session's laps begin.  A control row, by way of the recorder."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from pitwall.errors import LogError
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.track.definition import said

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request


def add(app: App) -> None:
    """Adds the route."""

    @app.post("/session/<sid>/start-line")
    async def start_line(request: Request, sid: str) -> HTTPResponse:
        fact = _fact(request.body)
        session = await request.app.ctx.session(sid)
        try:
            await asyncio.to_thread(request.app.ctx.live.set_line, session, fact)
        except LogError as error:
            raise Problem(409, "not-recording", error.what, hint=error.hint or "start `pitwall record`") from error
        return answer({"session": session, **fact})


def _fact(body: bytes) -> dict[str, Any]:
    """What the row will say.  Problem: it makes no sense."""
    try:
        fact = json.loads(body)
    except (ValueError, RecursionError) as error:
        hint = '{"line": [[lat, lon], [lat, lon]]}'
        raise Problem(400, "bad-parameter", f"the body is no JSON: {error}", hint=hint) from error
    track = said(fact)
    if isinstance(track, str):
        raise Problem(400, "bad-parameter", track, hint='{"line": [[lat, lon], [lat, lon]]}')
    wanted = {"line", "sectors", "name"}
    if not fact.keys() <= wanted:
        raise Problem(
            400, "bad-parameter", f"unknown key {min(fact.keys() - wanted)!r}", hint=", ".join(sorted(wanted))
        )
    return dict(fact)
