"""`GET /jobs`: what goes on behind, and how far it is: captures being imported, past sessions being rebuilt."""

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
    from pitwall.serve.rebuilds import Rebuilds
    from pitwall.serve.serving import Request, Serving


class Job(Struct, kw_only=True):
    """One thing that is done behind.

    session: that is rebuilt, or that a capture became.  losses: what of a damaged capture could not be read, the first
    of `lost`; all else of it was imported.
    """

    id: str
    kind: Literal["import", "rebuild"]
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
    """What goes on behind: imports, and rebuilds of past sessions.  The newest of what has ended is told of."""
    held = request.app.ctx.readings.rebuilds.held or None
    return answer(msgspec.to_builtins(Jobs(list(_all(request.app.ctx)), held)))


@operation("GET", "/jobs/<job>", answers=Job, problems=("unknown-job",))
async def one_job(request: Request, _: Nothing, job: str) -> HTTPResponse:
    """One of them."""
    found = next((one for one in _all(request.app.ctx) if one.id == job), None)
    if found is None:
        raise Problem("unknown-job", f"{job[:80]!r} is no job, or was over long ago", hint="see /jobs")
    return answer(msgspec.to_builtins(found))


OPERATIONS: Final = (jobs, one_job)


def of_import(one: Import) -> Job:
    """An import as the API shows it."""
    progress = 1.0 if one.state == "done" else one.done / one.of if one.of else None
    return Job(
        id=one.id,
        kind="import",
        state=one.state,  # type: ignore[arg-type]  # one of these
        progress=progress,
        session=one.session,
        car=one.car,
        file=one.file,
        error=one.error,
        losses=list(one.losses),
        lost=one.lost,
        started_at=iso(one.began_ns) if one.began_ns is not None else None,
    )


def _all(serving: Serving) -> Iterator[Job]:
    yield from map(of_import, serving.importer.jobs())
    yield from _rebuilds(serving.readings.rebuilds)


def _rebuilds(rebuilds: Rebuilds) -> Iterator[Job]:
    for session, (done, rows) in dict(rebuilds.running).items():
        began_ns = rebuilds.began.get(session)
        yield _rebuild(
            session,
            "running",
            progress=min(1.0, done / rows) if rows else None,
            started_at=iso(began_ns) if began_ns is not None else None,
        )
    for session in rebuilds.waiting[:MOST_WAITING]:
        yield _rebuild(session, "waiting")
    for session in rebuilds.ended:
        yield _rebuild(session, "done", progress=1.0)
    for session, why in list(dict(rebuilds.failed).items())[:MOST_FAILED]:
        yield _rebuild(session, "failed", error=why)


def _rebuild(session: str, state: Literal["waiting", "running", "done", "failed"], **facts: object) -> Job:
    return Job(id=f"rebuild-{session}", kind="rebuild", state=state, session=session, **facts)  # type: ignore[arg-type]
