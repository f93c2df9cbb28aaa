"""`GET /archive`, `POST /session/<sid>/archive`, `/restore`: sessions that go to the archive, and come back, as jobs.

Where the archive is, is said when the server starts: who asks over HTTP can't send a log elsewhere, or bring one in.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from pitwall.errors import UsageError
from pitwall.log import records
from pitwall.serve.answers import Iso, UnixNs
from pitwall.serve.jobs import Job, of_move
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer, is_name
from pitwall.serve.sessions import iso

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.log.records import Record
    from pitwall.serve.mover import Mover
    from pitwall.serve.serving import Request


class OneArchived(Struct):
    """A session in the archive.  at: where that is.  here: whether it is in the log, too."""

    id: str
    car: str
    started_at: Iso
    started_at_ns: UnixNs
    duration_s: float
    frames: int
    rows: int
    bytes: int
    archived_at: Iso
    at: str
    here: bool


class Archive(Struct):
    """Those that were archived from here, oldest first.  to: where sessions are archived to; null: nobody said."""

    to: str | None
    sessions: list[OneArchived]


@operation("GET", "/archive", answers=Archive)
async def archive(request: Request, _: Nothing) -> HTTPResponse:
    """The sessions that were archived from this log, and where they are."""
    mover = request.app.ctx.mover
    found = await asyncio.to_thread(records.archived, mover.logs)
    return answer({"to": mover.archive_to or None, "sessions": [_shown(one) for one in found]})


@operation("POST", "/session/<sid>/archive", answers=Job, problems=("no-archive", "recording"))
async def archive_session(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """Copy the session to the archive, and remove it here once every byte of the copy was read back and compared.

    The answer is a job. A session that is pinned, or damaged in a way that keeps it from being copied, stays; the job
    says why.
    """
    serving = request.app.ctx
    session = await serving.readings.find(await serving.session(sid))
    if not serving.mover.archive_to:
        raise Problem("no-archive", "nobody said where the archive is", hint="pitwall serve --archive-to DEST")
    if session.state == "recording":
        raise Problem("recording", f"{session.id} is being recorded", hint="archive it once it has ended")
    return _asked(serving.mover, "archive", session.id)


@operation("POST", "/session/<sid>/restore", answers=Job)
async def restore_session(request: Request, _: Nothing, sid: str) -> HTTPResponse:
    """Bring an archived session back into the log: all of it, proven, or nothing.

    The answer is a job. The archive keeps its copy.
    """
    mover = request.app.ctx.mover
    if not is_name(sid):
        raise Problem("unknown-session", f"{sid[:80]!r} can't be a session's name", hint="see /archive")
    try:
        record = await asyncio.to_thread(records.find, mover.logs, sid)
    except UsageError as error:
        raise Problem("unknown-session", error.what, hint="see /archive") from error
    return _asked(mover, "restore", record.session)


OPERATIONS: Final = (archive, archive_session, restore_session)


def _asked(mover: Mover, kind: str, session: str) -> HTTPResponse:
    one = mover.put(kind, session)
    if one is None:
        raise Problem("too-busy", "too many wait for it", hint="see /jobs", headers={"Retry-After": "10"})
    return answer(msgspec.to_builtins(of_move(one)))


def _shown(record: Record) -> dict[str, Any]:
    manifest = record.manifest
    return {
        "id": record.session,
        "car": manifest.car,
        "started_at": iso(manifest.started_at_ns),
        "started_at_ns": manifest.started_at_ns,
        "duration_s": manifest.duration_s,
        "frames": manifest.frames,
        "rows": manifest.rows,
        "bytes": manifest.bytes,
        "archived_at": iso(manifest.archived_at_ns),
        "at": record.at,
        "here": record.here,
    }
