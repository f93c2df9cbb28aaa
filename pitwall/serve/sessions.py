"""`GET /sessions`: the sessions of the logs folder, oldest first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.log.session import Session
    from pitwall.serve.serving import App, Request


def add(app: App) -> None:
    """Adds the route."""

    @app.route("/sessions", methods=["GET", "HEAD"])
    async def sessions(request: Request) -> HTTPResponse:
        cast = request.app.ctx.live.picture().cast
        found = await request.app.ctx.readings.sessions()
        return answer({"live": cast.session if cast else None, "sessions": [shown(session) for session in found]})


def shown(session: Session) -> dict[str, Any]:
    """A session as the API shows it."""
    header = session.header
    return {
        "id": session.id,
        "car": header.car,
        "state": session.state,
        "started_at": iso(header.started_at_ns),
        "started_at_ns": header.started_at_ns,
        "duration_s": session.duration_s,
        "frames": session.frames,
        "rows": session.rows,
        "written": session.rows,
        "durable": session.durable,
        "bytes": session.bytes,
        "buses": list(header.buses),
    }


def iso(unix_ns: int) -> str:
    """Unix ns as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(unix_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
