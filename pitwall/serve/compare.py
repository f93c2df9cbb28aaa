"""`GET /session/<sid>/compare`: where one lap loses time to another, by distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from msgspec import Meta, Struct

from pitwall.errors import UsageError
from pitwall.project.catalog import best_ever
from pitwall.project.lap_answers import compared, traced
from pitwall.project.lap_paths import fixes_of, ground, grounded
from pitwall.serve.answers import OfSession
from pitwall.serve.laps import no_lap
from pitwall.serve.operations import operation
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.project.lap_answers import Traced
    from pitwall.serve.reading import Told
    from pitwall.serve.serving import Request

T = TypeVar("T")


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Two laps."""

    lap: Annotated[str, Meta(description="its number, or `best`", examples=["3"])]
    reference: Annotated[
        str, Meta(description="a lap of the same session, SESSION:LAP, or `ever`", examples=["best"])
    ] = "best"


class Named(Struct):
    """A lap."""

    session: str
    number: int
    time_s: float


class Here(Struct):
    """At a place of the lap.  time_s: since the lap began.  delta_s: above 0 is lost."""

    distance_m: float
    time_s: float
    delta_s: float


class Compared(OfSession):
    """What `lap` lost to `reference`, in all, by sectors (null: not both have it) and by distance."""

    lap: Named
    reference: Named
    delta_s: float
    sectors_delta_s: list[float | None]
    length_m: float
    by_distance: list[Here]


@operation("GET", "/session/<sid>/compare", takes=Wanted, answers=Compared, problems=("unknown-lap",))
async def compare(request: Request, wanted: Wanted, sid: str) -> HTTPResponse:
    """Where a lap loses time to another, of this session or of another one on the same track."""
    session = await request.app.ctx.session(sid)
    if wanted.reference == "ever":
        car, found = await request.app.ctx.readings.catalog(session)
        other, lap = (await _asked(request, session, lambda cursor: best_ever(cursor, session, car, found))).answer
    else:
        other, _, lap = wanted.reference.rpartition(":")
    against = await request.app.ctx.session(other) if other else session
    if against == session:
        told = await _asked(
            request, session, lambda cursor: (traced(cursor, session, wanted.lap), traced(cursor, session, lap))
        )
        mine, theirs = told.answer
        return answer({"session": session, **told.pipeline(), **compared(mine, theirs)})
    roles, theirs_roles = [await request.app.ctx.readings.roles(each) for each in (session, against)]
    here = await _asked(
        request, session, lambda cursor: (traced(cursor, session, wanted.lap), ground(cursor, session, roles))
    )
    mine, path = here.answer

    def placed(cursor: duckdb.DuckDBPyConnection) -> Traced:
        found = traced(cursor, against, lap)
        return grounded(found, fixes_of(cursor, found, theirs_roles), path)

    there = await _asked(request, against, placed)
    return answer({"session": session, **here.pipeline(), **compared(mine, there.answer)})


OPERATIONS: Final = (compare,)


async def _asked(request: Request, session: str, question: Callable[[duckdb.DuckDBPyConnection], T]) -> Told[T]:
    try:
        return await request.app.ctx.readings.ask(session, question)
    except UsageError as error:
        raise no_lap(error, session) from error
