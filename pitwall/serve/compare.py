"""`GET /session/<sid>/compare`: where one lap loses time to another, by distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from pitwall.errors import UsageError
from pitwall.project.lap_answers import compared, traced
from pitwall.serve.answers import OfSession
from pitwall.serve.laps import no_lap
from pitwall.serve.operations import operation
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.project.lap_answers import Traced
    from pitwall.serve.reading import Told
    from pitwall.serve.serving import Request


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Two laps."""

    lap: Annotated[str, Meta(description="its number, or `best`", examples=["3"])]
    reference: Annotated[str, Meta(description="a lap of the same session, or SESSION:LAP", examples=["best"])] = "best"


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
    """Where a lap loses time to another, of this session or of another one."""
    session = await request.app.ctx.session(sid)
    other, _, lap = wanted.reference.rpartition(":")
    mine = await _traced(request, session, wanted.lap)
    theirs = await _traced(request, await request.app.ctx.session(other) if other else session, lap)
    return answer({"session": session, **mine.pipeline(), **compared(mine.answer, theirs.answer)})


OPERATIONS: Final = (compare,)


async def _traced(request: Request, session: str, lap: str) -> Told[Traced]:
    try:
        return await request.app.ctx.readings.ask(session, lambda cursor: traced(cursor, session, lap))
    except UsageError as error:
        raise no_lap(error, session) from error
