"""`GET /session/<sid>/query?sql=`: a question in SQL that only reads; its answer's columns and rows.

What keeps it from doing anything else is `project.query`; what it may cost is said here: rows, bytes, and a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pitwall.errors import PitwallError, UsageError
from pitwall.project.query import BrokenError, ask
from pitwall.serve.limits import MAX_SQL, QUERY_BYTES, QUERY_ROWS
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request


def add(app: App) -> None:
    """Adds the route."""

    @app.route("/session/<sid>/query", methods=["GET", "HEAD"])
    async def query(request: Request, sid: str) -> HTTPResponse:
        sql = _sql(request)
        session = await request.app.ctx.session(sid)
        told = await request.app.ctx.readings.ask(session, lambda cursor: read(cursor, sql))
        return answer({"session": session, **told.pipeline(), **told.answer})


def read(cursor: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    """The answer's `columns`, each with its `type`, and its `rows`, as they come.  Problem: wrong, or too much."""
    rows: list[tuple[Any, ...]] = []
    taken = 0
    try:
        with ask(cursor, sql) as batches:
            columns = [{"name": field.name, "type": str(field.type)} for field in batches.schema]
            for batch in batches:
                taken += batch.nbytes
                if len(rows) + batch.num_rows > QUERY_ROWS or taken > QUERY_BYTES:
                    raise Problem(
                        413,
                        "too-many-rows",
                        f"the answer has more than {QUERY_ROWS:,} rows, or than {QUERY_BYTES >> 20} MB",
                        hint="ask for less: a LIMIT, a window of t, an aggregate",
                    )
                rows += zip(*(_plain(column.to_pylist()) for column in batch.columns), strict=True)
    except UsageError as error:
        raise Problem(400, "bad-question", error.what, hint=error.hint) from error
    except BrokenError:
        raise
    except PitwallError as error:
        raise Problem(413, "too-many-rows", error.what, hint=error.hint) from error
    return {"columns": columns, "rows": rows}


def _sql(request: Request) -> str:
    unknown = sorted(set(request.args) - {"sql"})
    sql = request.args.get("sql") or ""
    if unknown:
        raise Problem(400, "bad-parameter", f"{unknown[0][:80]!r} is no parameter of it", hint="it takes sql")
    if not sql.strip():
        raise Problem(400, "bad-parameter", "nothing is asked", hint="?sql=SELECT * FROM laps")
    if len(sql) > MAX_SQL:
        raise Problem(413, "too-long", f"the question has {len(sql):,} characters", hint=f"at most {MAX_SQL:,}")
    return str(sql)


def _plain(values: list[Any]) -> list[Any]:
    """What JSON can say: of bytes their digits, of what it has no word for the text."""
    return [value if value is None or isinstance(value, bool | int | float | str) else _said(value) for value in values]


def _said(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return _plain(value)
    if isinstance(value, dict):
        return {str(key): _plain([one])[0] for key, one in value.items()}
    return str(value)
