"""`GET /session/<sid>/query?sql=`: a question in SQL that only reads; its answer as columns and rows, or as a table.

What keeps it from doing anything else is `project.query`; what it may cost is said here: rows, bytes, and a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import pyarrow as pa
from msgspec import Meta, Struct
from sanic.response import HTTPResponse

from pitwall.errors import PitwallError, UsageError
from pitwall.project.query import BrokenError, ask_on
from pitwall.serve.answers import OfSession
from pitwall.serve.encoding import dumps
from pitwall.serve.formats import plain
from pitwall.serve.limits import MAX_SQL, QUERY_BYTES, QUERY_ROWS
from pitwall.serve.operations import JSON, operation
from pitwall.serve.parameters import Tabled
from pitwall.serve.problem import Problem
from pitwall.serve.serving import asked
from pitwall.serve.tables import TABLED, chosen, tabled

if TYPE_CHECKING:
    import duckdb

    from pitwall.serve.serving import Request


class Wanted(Tabled, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question."""

    sql: Annotated[
        str,
        Meta(description="one SELECT; SHOW TABLES lists what there is", examples=["SELECT number, time_s FROM laps"]),
    ] = ""


class Column(Struct):
    """One of an answer.  type: as Arrow calls it."""

    name: str
    type: str


class Rows(OfSession):
    """The answer, in the order that SQL gave it."""

    columns: list[Column]
    rows: list[list[Any]]


@operation(
    "GET",
    "/session/<sid>/query",
    takes=Wanted,
    answers=Rows,
    problems=("bad-question", "too-long", "too-many-rows", "too-often", "no-such-format"),
    media=TABLED,
)
async def query(request: Request, wanted: Wanted, sid: str) -> HTTPResponse:
    """A question in SQL.

    It only reads, and reads nothing but the session's projection.
    """
    if not wanted.sql.strip():
        raise Problem("bad-parameter", "nothing is asked", hint="?sql=SELECT * FROM laps")
    if len(wanted.sql) > MAX_SQL:
        raise Problem("too-long", f"the question has {len(wanted.sql):,} characters", hint=f"at most {MAX_SQL:,}")
    form = chosen(request, wanted.format)
    session = await request.app.ctx.session(sid)
    told = await asked(request, session, lambda cursor: read(cursor, wanted.sql))
    table = told.answer
    if form != "json":
        return tabled(table, form)
    columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return HTTPResponse(
        dumps({"session": session, **told.pipeline(), "columns": columns, "rows": rows}, plain), content_type=JSON
    )


OPERATIONS: Final = (query,)


def read(cursor: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The answer, whole.  Problem: the question is wrong, or asks for too much."""
    taken: list[pa.RecordBatch] = []
    try:
        batches = ask_on(cursor, sql)
        for batch in batches:
            taken.append(batch)
            rows, size = sum(one.num_rows for one in taken), sum(one.nbytes for one in taken)
            if rows > QUERY_ROWS or size > QUERY_BYTES:
                raise Problem(
                    "too-many-rows",
                    f"the answer has more than {QUERY_ROWS:,} rows, or than {QUERY_BYTES >> 20} MB",
                    hint="ask for less: a LIMIT, a window of t, an aggregate",
                )
        return pa.Table.from_batches(taken, batches.schema)
    except UsageError as error:
        raise Problem("bad-question", error.what, hint=error.hint) from error
    except BrokenError:
        raise
    except PitwallError as error:
        raise Problem("too-many-rows", error.what, hint=error.hint) from error
