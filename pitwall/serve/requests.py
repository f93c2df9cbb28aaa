"""What is asked of the recorder: an end, a start line, a note, tags.  Each becomes a row of the session's log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, ParamSpec

import msgspec
from msgspec import Meta, Struct

from pitwall.errors import LogError
from pitwall.log.remarks import MAX_TAG, MAX_TAGS
from pitwall.serve.answers import Ns, OfSession
from pitwall.serve.limits import MAX_NOTE
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer, asked
from pitwall.track.definition import said

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request

P = ParamSpec("P")
START: Final = "start `pitwall record`"
"""What helps where a row can't be written."""

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
    await _written("see /sessions", request.app.ctx.live.end, session)
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
    await _written(START, request.app.ctx.live.set_line, session, fact)
    return answer({"session": session, **fact})


class Note(Struct, frozen=True, forbid_unknown_fields=True):
    """A person's words."""

    text: Annotated[str, Meta(min_length=1, max_length=MAX_NOTE, description="what is to be remembered")]
    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=16)] = []


class NoteKept(Struct):
    """It is in the log."""

    session: str
    text: str
    tags: list[str]


@operation("POST", "/session/<sid>/notes", takes=Note, answers=NoteKept, problems=("not-recording",))
async def note(request: Request, wanted: Note, sid: str) -> HTTPResponse:
    """Write a note into the session's log, at the present moment, or at its end where it is over."""
    session = await request.app.ctx.session(sid)
    fact = msgspec.to_builtins(wanted)
    await _written(START, request.app.ctx.live.note, session, fact)
    return answer({"session": session, **fact})


class OneNote(Struct):
    """t: when it was written."""

    t: Ns
    text: str
    tags: list[str]


class Notes(OfSession):
    """In the order that they were written."""

    notes: list[OneNote]


@operation("GET", "/session/<sid>/notes", answers=Notes)
async def notes(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """What people wrote of the session."""
    session = await request.app.ctx.session(sid)
    told = await asked(request, session, _notes)
    return answer({"session": session, **told.pipeline(), "notes": told.answer})


class Tags(Struct, frozen=True, forbid_unknown_fields=True):
    """All that the session is to have: those that it had before and are not among them are gone."""

    tags: Annotated[list[Annotated[str, Meta(min_length=1, max_length=MAX_TAG)]], Meta(max_length=MAX_TAGS)]


class TagsKept(Struct):
    """They are in the log."""

    session: str
    tags: list[str]


@operation("POST", "/session/<sid>/tags", takes=Tags, answers=TagsKept, problems=("not-recording",))
async def tag(request: Request, wanted: Tags, sid: str) -> HTTPResponse:
    """Give the session these tags, in place of those it has; `/sessions` tells and finds them."""
    session = await request.app.ctx.session(sid)
    fact = {"tags": list(dict.fromkeys(wanted.tags))}
    await _written(START, request.app.ctx.live.tag, session, fact)
    return answer({"session": session, **fact})


OPERATIONS: Final = (end, start_line, note, notes, tag)


def _notes(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    rows = cursor.execute("SELECT t, fact FROM control WHERE kind = 'note' ORDER BY log_offset").fetchall()
    return [{"t": t, **_said(fact)} for t, fact in rows]


def _said(fact: str) -> dict[str, Any]:
    """What a note's row says; one that is no JSON of ours is shown as it is."""
    try:
        return msgspec.to_builtins(msgspec.json.decode(fact, type=Note))  # type: ignore[no-any-return]
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {"text": fact, "tags": []}


async def _written(hint: str, ask: Callable[P, None], *said: P.args, **named: P.kwargs) -> None:
    """Asks the recorder for something, off the loop.  Problem: it can't be; hint: where the error has none."""
    try:
        await asyncio.to_thread(ask, *said, **named)
    except LogError as error:
        raise Problem("not-recording", error.what, hint=error.hint or hint) from error
