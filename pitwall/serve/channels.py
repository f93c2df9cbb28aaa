"""A projection's own small tables: channels, corners, incidents; each as JSON, or as a table in any of the formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from pitwall.project.database import quoted
from pitwall.serve.answers import OfSession, Row
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Tabled
from pitwall.serve.serving import answer, asked
from pitwall.serve.tables import TABLED, chosen, tabled

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request

COLUMNS: Final = ("name", "unit", "source", "table_name", "column_name", "rows", "rate_hz")


class OneChannel(Struct):
    """A channel.  source: the signal it is made of.  table_name, column_name: where `/query` finds it."""

    name: str
    unit: str
    source: str
    table_name: str
    column_name: str
    rows: int
    rate_hz: float | None


class Channels(OfSession):
    """By name."""

    channels: list[OneChannel]


@operation("GET", "/session/<sid>/channels", takes=Tabled, answers=Channels, problems=("no-such-format",), media=TABLED)
async def channels(request: Request, wanted: Tabled, sid: str) -> HTTPResponse:
    """The channels of a session: units, sources, counts and rates."""
    return await _table(request, wanted, sid, "channels", COLUMNS, "ORDER BY name")


class Corners(OfSession):
    """One row a corner and lap, in the order that they were driven: the columns of the table `corners`."""

    corners: list[Row]


@operation("GET", "/session/<sid>/corners", takes=Tabled, answers=Corners, problems=("no-such-format",), media=TABLED)
async def corners(request: Request, wanted: Tabled, sid: str) -> HTTPResponse:
    """How each corner was driven, lap by lap."""
    return await _table(request, wanted, sid, "corners", (), "ORDER BY rowid")


class Incidents(OfSession):
    """In the order of time: the columns of the table `incidents`."""

    incidents: list[Row]


@operation(
    "GET", "/session/<sid>/incidents", takes=Tabled, answers=Incidents, problems=("no-such-format",), media=TABLED
)
async def incidents(request: Request, wanted: Tabled, sid: str) -> HTTPResponse:
    """Spins, offs, lock-ups, over-revs and what was out of its limits, with evidence."""
    return await _table(request, wanted, sid, "incidents", (), "ORDER BY t, kind, what")


OPERATIONS: Final = (channels, corners, incidents)


async def _table(
    request: Request, wanted: Tabled, sid: str, table: str, columns: tuple[str, ...], order: str
) -> HTTPResponse:
    form = chosen(request, wanted.format)
    session = await request.app.ctx.session(sid)
    named = ", ".join(map(quoted, columns)) or "*"
    told = await asked(request, session, lambda cursor: _rows(cursor, f"SELECT {named} FROM {table} {order}"))  # noqa: S608
    if form != "json":
        return tabled(told.answer, form)
    return answer({"session": session, **told.pipeline(), table: told.answer.to_pylist()})


def _rows(cursor: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    found: Any = cursor.sql(sql)
    return found.to_arrow_table()
