"""`GET /sessions` and `GET /session/<sid>`: the sessions of the logs folder, oldest first, some, or one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from pitwall.log.remarks import MAX_TAG
from pitwall.serve.answers import Iso, UnixNs
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.log.remarks import Remarks
    from pitwall.log.session import Session
    from pitwall.serve.serving import Request

Day = Annotated[str, Meta(min_length=8, max_length=40, description="a date, or a date and time, by ISO 8601; UTC")]


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """Which sessions; each of these leaves fewer."""

    find: (
        Annotated[
            str,
            Meta(max_length=200, description="words, each of which is in its name, its car, its tags or its notes"),
        ]
        | None
    ) = None
    car: Annotated[str, Meta(min_length=1, max_length=128, description="of this car alone")] | None = None
    tag: Annotated[str, Meta(min_length=1, max_length=MAX_TAG, description="that have this tag")] | None = None
    since: Annotated[Day, Meta(description="that began then or later: a date or a time by ISO 8601, UTC")] | None = None
    until: (
        Annotated[Day, Meta(description="that began before the end of that date, or at that time at the latest")] | None
    ) = None


class OneSession(Struct):
    """A session as it is on disk now.

    state: recording, ended, or interrupted, where its recorder died.  frames: without control rows.
    written, durable: offset behind the last row that is written, and that no loss of power takes; null: nobody knows.
    tags: those set last.  notes: how many there are.
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
    tags: list[str]
    notes: int


class Sessions(Struct):
    """Those asked for, oldest first.  live: the id that `_live` stands for.  of: how many there are in all."""

    live: str | None
    of: int
    sessions: list[OneSession]


@operation("GET", "/sessions", takes=Wanted, answers=Sessions, problems=("too-busy", "query-timeout"))
async def sessions(request: Request, wanted: Wanted) -> HTTPResponse:
    """The sessions, oldest first: all, or those of a car, a tag, a time, or that some words are found in."""
    cast, readings = request.app.ctx.live.picture().cast, request.app.ctx.readings
    listed = await readings.sessions()
    first, last = _day("from", wanted.since), _day("to", wanted.until, whole=True)
    found = [
        one
        for one in listed
        if (wanted.car is None or one.header.car == wanted.car)
        and (first is None or one.header.started_at_ns >= first)
        and (last is None or one.header.started_at_ns <= last)
    ]
    said = await readings.remarks(found)
    fits = [shown(one, words) for one, words in zip(found, said, strict=True) if _fits(one, words, wanted)]
    return answer({"live": cast.session if cast else None, "of": len(listed), "sessions": fits})


@operation("GET", "/session/<sid>", answers=OneSession)
async def session(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """One session: when, of which car, how much."""
    serving = request.app.ctx
    one = await serving.readings.find(await serving.session(sid))
    (said,) = await serving.readings.remarks([one])
    return answer(shown(one, said))


OPERATIONS: Final = (sessions, session)


def shown(session: Session, said: Remarks) -> dict[str, Any]:
    """A session as the API shows it.  said: of it, by people."""
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
        "tags": list(said.tags),
        "notes": said.notes,
    }


def iso(unix_ns: int) -> str:
    """Unix ns as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(unix_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fits(session: Session, said: Remarks, wanted: Wanted) -> bool:
    if wanted.tag is not None and wanted.tag not in said.tags:
        return False
    text = "\n".join((session.id, session.header.car, *said.tags, said.words)).casefold()
    return all(word in text for word in (wanted.find or "").casefold().split())


def _day(name: str, text: str | None, *, whole: bool = False) -> int | None:
    """Unix ns of a date or a time; of a `whole` date its last moment.  Problem: it is none."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        if whole and len(text) <= len("2026-11-24"):
            at += timedelta(days=1) - timedelta(microseconds=1)
        return (at - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError) as error:
        hint = f"{name}: 2026-11-24, or 2026-11-24T14:05:00Z"
        raise Problem("bad-parameter", f"{name}={text[:80]}: it is no date and no time", hint=hint) from error
