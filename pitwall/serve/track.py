"""`GET /session/<sid>/track`: where the session's laps are cut, and who says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.answers import OfSession, Row
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.serving import answer, asked

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request


class Track(OfSession):
    """track: name, source, learned, length_m, and its lines (`start`, `sectors`, …); null: none is known yet."""

    track: Row | None


@operation("GET", "/session/<sid>/track", answers=Track)
async def track(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """Where the session's laps are cut, and who says so."""
    session = await request.app.ctx.session(sid)
    told = await asked(request, session, _track)
    return answer({"session": session, **told.pipeline(), "track": told.answer})


OPERATIONS: Final = (track,)


def _track(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    row = cursor.execute("SELECT name, source, learned, length_m, definition FROM track").fetchone()
    if row is None:
        return None
    name, source, learned, length_m, definition = row
    lines = {key: value for key, value in json.loads(definition).items() if key not in ("name", "source", "learned")}
    return {"name": name, "source": source, "learned": learned, "length_m": length_m, **lines}
