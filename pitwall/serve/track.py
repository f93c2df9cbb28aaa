"""`GET /session/<sid>/track`: where the session's laps are cut, and who says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pitwall.serve.serving import answer

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request


def add(app: App) -> None:
    """Adds the route."""

    @app.route("/session/<sid>/track", methods=["GET", "HEAD"])
    async def track(request: Request, sid: str) -> HTTPResponse:
        session = await request.app.ctx.session(sid)
        told = await request.app.ctx.readings.ask(session, _track)
        return answer({"session": session, **told.pipeline(), "track": told.answer})


def _track(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    row = cursor.execute("SELECT name, source, learned, length_m, definition FROM track").fetchone()
    if row is None:
        return None
    name, source, learned, length_m, definition = row
    lines = {key: value for key, value in json.loads(definition).items() if key not in ("name", "source", "learned")}
    return {"name": name, "source": source, "learned": learned, "length_m": length_m, **lines}
