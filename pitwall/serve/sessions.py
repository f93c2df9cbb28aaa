"""`GET /sessions` and `GET /session/<sid>`: the sessions of the logs folder, oldest first, and one of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from pitwall.serve.answers import Iso, UnixNs
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.log.session import Session
    from pitwall.serve.serving import Request


class OneSession(Struct):
    """A session as it is on disk now.

    state: recording, ended, or interrupted, where its recorder died.  frames: without control rows.
    written, durable: offset behind the last row that is written, and that no loss of power takes; null: nobody knows.
    """

    id: str
    car: str
    state: str
    started_at: Iso
    started_at_ns: UnixNs
    duration_s: float
    frames: int
    rows: int
    written: int
    durable: int | None
    bytes: int
    buses: list[str]


class Sessions(Struct):
    """All of them, oldest first.  live: the id that `_live` stands for."""

    live: str | None
    sessions: list[OneSession]


@operation("GET", "/sessions", answers=Sessions, problems=("too-busy",))
async def sessions(request: Request, _: Nothing) -> HTTPResponse:
    """The sessions, oldest first."""
    cast = request.app.ctx.live.picture().cast
    found = await request.app.ctx.readings.sessions()
    return answer({"live": cast.session if cast else None, "sessions": [shown(session) for session in found]})


@operation("GET", "/session/<sid>", answers=OneSession)
async def session(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """One session: when, of which car, how much."""
    serving = request.app.ctx
    return answer(shown(await serving.readings.find(await serving.session(sid))))


OPERATIONS: Final = (sessions, session)


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
