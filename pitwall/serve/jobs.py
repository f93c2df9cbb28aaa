"""`GET /jobs`: what goes on behind, and how far it is: imports, rebuilds, the archive; and `POST /rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from pitwall.serve.answers import Iso
from pitwall.serve.limits import MOST_FAILED, MOST_WAITING
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.serve.sessions import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sanic.response import HTTPResponse

    from pitwall.serve.importer import Import
    from pitwall.serve.mover import Move
    from pitwall.serve.rebuilds import Rebuilds
    from pitwall.serve.serving import Request, Serving


class Job(Struct, kw_only=True):
    """One thing that is done behind.

    session: that is rebuilt, archived or restored, or that a capture became.  losses: what of a damaged capture could
    not be read, or of a session or its archive was damaged, the first of `lost`; all else is there.
    """

    id: str
    kind: Literal["import", "rebuild", "archive", "restore"]
    state: Literal["waiting", "running", "done", "failed"]
    progress: Annotated[float | None, Meta(description="0 to 1; null: it has not said yet")] = None
    session: str | None = None
    car: str | None = None
    file: str | None = None
    error: str | None = None
    losses: list[str] = []
    lost: int = 0
    started_at: Iso | None = None


class Jobs(Struct):
    """What runs, what waits, and what has ended since the server began, of each kind in this order.

    held: why nothing is rebuilt just now; null: it is.
    """

    jobs: list[Job]
    held: str | None


@operation("GET", "/jobs", answers=Jobs)
async def jobs(request: Request, _: Nothing) -> HTTPResponse:
    """What goes on behind: imports, rebuilds, the archive.  The newest of what has ended is told of."""
    held = request.app.ctx.readings.rebuilds.held or None
    return answer(msgspec.to_builtins(Jobs(list(_all(request.app.ctx)), held)))


@operation("GET", "/jobs/<job>", answers=Job, problems=("unknown-job",))
async def one_job(request: Request, _: Nothing, job: str) -> HTTPResponse:
    """One of them."""
    found = next((one for one in _all(request.app.ctx) if one.id == job), None)
    if found is None:
        raise Problem("unknown-job", f"{job[:80]!r} is no job, or was over long ago", hint="see /jobs")
    return answer(msgspec.to_builtins(found))


class Rebuild(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which projections."""

    session: (
        Annotated[str, Meta(max_length=128, description="of this session; when it is left out, of all that are over")]
        | None
    ) = None


@operation(
    "POST",
    "/rebuild",
    takes=Rebuild,
    answers=Jobs,
    problems=("unknown-session", "no-live-session", "recording", "query-timeout"),
)
async def rebuild(request: Request, wanted: Rebuild) -> HTTPResponse:
    """Build the projection of a session, or of all of them, anew from the log: the answer is the jobs of it.

    Readers have the old one until the new one takes its place. What is stale is rebuilt without being asked for.
    """
    readings = request.app.ctx.readings
    if wanted.session is not None:
        found = [await readings.find(await request.app.ctx.session(wanted.session))]
        if found[0].state == "recording":
            what = f"{found[0].id} is being recorded, and projected as it grows"
            raise Problem("recording", what, hint="rebuild it once it has ended")
    else:
        found = [one for one in reversed(await readings.sessions()) if one.state != "recording"]
    rebuilds = readings.rebuilds
    rebuilds.asked.extend(one.id for one in found)
    shown = [_rebuild(one.id, "waiting") for one in found[:MOST_WAITING]]
    return answer(msgspec.to_builtins(Jobs(shown, rebuilds.held or None)))


OPERATIONS: Final = (jobs, one_job, rebuild)


def of_import(one: Import) -> Job:
    """An import as the API shows it."""
    return Job(
        id=one.id,
        kind="import",
        state=one.state,  # type: ignore[arg-type]  # one of these
        progress=one.progress,
        session=one.session,
        car=one.car,
        file=one.file,
        error=one.error,
        losses=list(one.losses),
        lost=one.lost,
        started_at=iso(one.began_ns) if one.began_ns is not None else None,
    )


def of_move(one: Move) -> Job:
    """A session's way to the archive, or back, as the API shows it."""
    return Job(
        id=one.id,
        kind=one.kind,  # type: ignore[arg-type]  # one of these
        state=one.state,  # type: ignore[arg-type]
        progress=one.progress,
        session=one.session,
        error=one.error,
        losses=list(one.losses),
        lost=one.lost,
        started_at=iso(one.began_ns) if one.began_ns is not None else None,
    )


def _all(serving: Serving) -> Iterator[Job]:
    yield from map(of_move, serving.mover.jobs())
    yield from map(of_import, serving.importer.jobs())
    yield from _rebuilds(serving.readings.rebuilds)


def _rebuilds(rebuilds: Rebuilds) -> Iterator[Job]:
    # in the order in which one goes from here to there: none is missed on its way
    waiting = list(dict.fromkeys([*rebuilds.asked, *rebuilds.waiting]))[:MOST_WAITING]
    running = dict(rebuilds.running)
    for session, (done, rows) in running.items():
        began_ns = rebuilds.began.get(session)
        yield _rebuild(
            session,
            "running",
            progress=min(1.0, done / rows) if rows else None,
            started_at=iso(began_ns) if began_ns is not None else None,
        )
    for session in waiting:
        if session not in running:
            yield _rebuild(session, "waiting")
    again = {*running, *waiting}
    for session in rebuilds.ended:
        if session not in again:
            yield _rebuild(session, "done", progress=1.0)
    for session, why in list(dict(rebuilds.failed).items())[:MOST_FAILED]:
        if session not in again:
            yield _rebuild(session, "failed", error=why)


def _rebuild(session: str, state: Literal["waiting", "running", "done", "failed"], **facts: object) -> Job:
    return Job(id=f"rebuild-{session}", kind="rebuild", state=state, session=session, **facts)  # type: ignore[arg-type]
