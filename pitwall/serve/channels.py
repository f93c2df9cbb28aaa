"""`GET /session/<sid>/channels`: what exists in a session: each channel's unit, source, place, count and rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.serving import answer

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request

COLUMNS: Final = ("name", "unit", "source", "table_name", "column_name", "rows", "rate_hz")


def add(app: App) -> None:
    """Adds the route."""

    @app.route("/session/<sid>/channels", methods=["GET", "HEAD"])
    async def channels(request: Request, sid: str) -> HTTPResponse:
        session = await request.app.ctx.session(sid)
        told = await request.app.ctx.readings.ask(session, _channels)
        return answer({"session": session, **told.pipeline(), "channels": told.answer})


def _channels(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    columns = ", ".join(f'"{column}"' for column in COLUMNS)
    rows = cursor.execute(f"SELECT {columns} FROM channels ORDER BY name").fetchall()  # noqa: S608
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]
