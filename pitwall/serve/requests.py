"""What is asked of the recorder: a session's end, and where its laps begin.  Each becomes a row of the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pitwall.errors import LogError
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.track.definition import said

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request

Point = tuple[float, float]
Line = Annotated[tuple[Point, Point], Meta(description="[[lat, lon], [lat, lon]], in degrees: the two ends of a line")]


class Ended(Struct):
    """It has ended: the next frame begins another."""

    session: str
    ended: bool


@operation("POST", "/session/<sid>/end", answers=Ended, problems=("not-recording",))
async def end(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """End the session that is being recorded; the next frame begins another."""
    session = await request.app.ctx.session(sid)
    try:
        await asyncio.to_thread(request.app.ctx.live.end, session)
    except LogError as error:
        raise Problem("not-recording", error.what, hint=error.hint or "see /sessions") from error
    return answer({"session": session, "ended": True})


class StartLine(Struct, frozen=True, forbid_unknown_fields=True):
    """Where laps begin."""

    line: Line
    sectors: Annotated[list[Line] | None, Meta(description="the lines between sectors, in the order of a lap")] = None
    name: Annotated[str | None, Meta(description="of the track")] = None


class StartLineSet(Struct, omit_defaults=True):
    """It is in the log: laps are cut anew by it."""

    session: str
    line: Line
    sectors: list[Line] | None = None
    name: str | None = None


@operation("POST", "/session/<sid>/start-line", takes=StartLine, answers=StartLineSet, problems=("not-recording",))
async def start_line(request: Request, wanted: StartLine, sid: str) -> HTTPResponse:
    """Set where the session's laps begin, and its sectors, if you like."""
    fact = {key: value for key, value in msgspec.json.decode(msgspec.json.encode(wanted)).items() if value is not None}
    track = said(fact)
    if isinstance(track, str):
        raise Problem("bad-parameter", track, hint='{"line": [[lat, lon], [lat, lon]]}')
    session = await request.app.ctx.session(sid)
    await _written(request, session, fact)
    return answer({"session": session, **fact})


OPERATIONS: Final = (end, start_line)


async def _written(request: Request, session: str, fact: dict[str, Any]) -> None:
    try:
        await asyncio.to_thread(request.app.ctx.live.set_line, session, fact)
    except LogError as error:
        raise Problem("not-recording", error.what, hint=error.hint or "start `pitwall record`") from error
