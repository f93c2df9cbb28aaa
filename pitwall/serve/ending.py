"""`POST /session/<sid>/end`: the session that is being recorded ends; the next frame begins another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pitwall.errors import LogError
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request


def add(app: App) -> None:
    """Adds the route."""

    @app.post("/session/<sid>/end")
    async def end(request: Request, sid: str) -> HTTPResponse:
        session = await request.app.ctx.session(sid)
        try:
            await asyncio.to_thread(request.app.ctx.live.end, session)
        except LogError as error:
            raise Problem(409, "not-recording", error.what, hint=error.hint or "see /sessions") from error
        return answer({"session": session, "ended": True})
