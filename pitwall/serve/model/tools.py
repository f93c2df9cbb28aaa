"""A tool's name and arguments in, rows of a projection out: what a model may look at. It only reads.

Laws: rows, cells and time are limited (the time by whoever calls, who interrupts the cursor); each number of an answer
is a figure that a projection holds, and becomes part of the ground that the model's words stand on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import duckdb

from pitwall.errors import PitwallError
from pitwall.project.database import literal, quoted
from pitwall.serve.model.rows import MAX_ROWS, Rows, ToolError, found, has, is_number
from pitwall.serve.model.stated import stated

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_SQL: Final = 2_000
TOOL_S: Final = 1.0
"""For one call."""

CORNER_COLUMNS: Final = (
    "lap, corner, approach_mps, brake_m, brake_g, trail_s, turn_in_m, entry_mps, min_mps, min_m, throttle_m, exit_mps, "
    "coast_s, g_peak, time_s, lost_s, entry_lost_s, middle_lost_s, exit_lost_s"
)
"""Of the table `corners`: what one speaks of."""


@dataclass(frozen=True, slots=True)
class Tool:
    """run: the rows, given a cursor and arguments of these `parameters` (name -> JSON type).  needed: of them."""

    does: str
    parameters: Mapping[str, str]
    run: Callable[[DuckDBPyConnection, Mapping[str, Any]], Rows]
    needed: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def described(self, name: str) -> dict[str, Any]:
        """As the protocol has it."""
        properties = {
            key: {"type": kind} | ({"description": self.notes[key]} if key in self.notes else {})
            for key, kind in self.parameters.items()
        }
        schema = {"type": "object", "properties": properties, "required": list(self.needed)}
        return {"type": "function", "function": {"name": name, "description": self.does, "parameters": schema}}


def call(cursor: DuckDBPyConnection, name: str, arguments: str, allowed: Sequence[str]) -> Rows:
    """The rows that a tool gives.  ToolError: it can't; duckdb.InterruptException: time was up."""
    tool = TOOLS.get(name) if name in allowed else None
    if tool is None:
        raise ToolError(f"there is no tool {name[:80]!r}; there are {', '.join(allowed)}")
    try:
        said = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise ToolError("the arguments are no JSON") from None
    if not isinstance(said, dict):
        raise ToolError("the arguments are no JSON object")
    given = {key: value for key, value in said.items() if value is not None}
    for key, value in given.items():
        if key not in tool.parameters:
            raise ToolError(f"there is no argument {key[:80]!r}; there are {', '.join(tool.parameters) or 'none'}")
        if not isinstance(value, _TYPES[tool.parameters[key]]) or isinstance(value, bool):
            raise ToolError(f"{key} must be of the type {tool.parameters[key]}")
    for key in tool.needed:
        if key not in given:
            raise ToolError(f"{key} is missing")
    try:
        return tool.run(cursor, given)
    except duckdb.InterruptException:
        raise
    except (PitwallError, duckdb.Error) as error:
        raise ToolError(" ".join(str(error).split())[:300]) from error


def _laps(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    _needs(cursor, "laps")
    columns = "number, kind, time_s, valid, flying, delta_s, distance_m, top_speed_mps, min_speed_mps"
    return found(cursor, f"SELECT {columns} FROM laps ORDER BY number", table="laps")  # noqa: S608


def _sectors(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    _needs(cursor, "sectors")
    one = "WHERE lap = ?" if "lap" in arguments else ""
    sql = f"SELECT lap, number, time_s FROM sectors {one} ORDER BY lap, number"  # noqa: S608
    return found(cursor, sql, [arguments["lap"]] if one else [], table="sectors")


def _corners(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    _needs(cursor, "corners")
    asked = [key for key in ("corner", "lap") if key in arguments]
    where = f"WHERE {' AND '.join(f'{key} = ?' for key in asked)}" if asked else ""
    sql = f"SELECT {CORNER_COLUMNS} FROM corners {where} ORDER BY lap, corner"  # noqa: S608
    return found(cursor, sql, [arguments[key] for key in asked], table="corners")


def _incidents(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    _needs(cursor, "incidents")
    return found(cursor, "SELECT t / 1e9 AS at_s, kind, what, lap, distance_m FROM incidents ORDER BY t")


def _compare(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    _needs(cursor, "sectors")
    sql = """
        SELECT a.number AS sector, a.lap AS lap_a, b.lap AS lap_b, a.time_s AS a_s, b.time_s AS b_s,
               b.time_s - a.time_s AS lost_by_b_s
        FROM sectors a JOIN sectors b ON a.number = b.number WHERE a.lap = $1 AND b.lap = $2
        UNION ALL BY NAME
        SELECT NULL::BIGINT AS sector, a.number AS lap_a, b.number AS lap_b, a.time_s AS a_s, b.time_s AS b_s,
               b.time_s - a.time_s AS lost_by_b_s FROM laps a, laps b WHERE a.number = $1 AND b.number = $2
        ORDER BY sector NULLS LAST
    """
    return found(cursor, sql, [arguments["lap_a"], arguments["lap_b"]])


def channel(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    """What a channel came to, in a window of the session, or on a lap."""
    name = arguments["channel"]
    sql = "SELECT name, unit, table_name, column_name FROM channels WHERE name = ?"
    place = cursor.execute(sql, [name]).fetchone()
    if place is None:
        names = [row[0] for row in cursor.execute("SELECT name FROM channels ORDER BY name").fetchall()]
        raise ToolError(f"there is no channel {name[:80]!r}; there are {', '.join(names)[:600]}")
    t_from, t_to = (arguments.get(key) for key in ("t_from_s", "t_to_s"))
    if "lap" in arguments:
        _needs(cursor, "laps")
        ends = cursor.execute("SELECT t_start / 1e9, t_end / 1e9 FROM laps WHERE number = ?", [arguments["lap"]])
        lap = ends.fetchone()
        if lap is None:
            raise ToolError(f"there is no lap {arguments['lap']}")
        t_from, t_to = lap
    column, table = quoted(place[3]), quoted(place[2])
    within = f"WHERE t BETWEEN {_ns(t_from, 0)} AND {_ns(t_to, 2**62)}"
    sql = (
        f"SELECT {literal(name)} AS channel, min({column}) AS least, max({column}) AS most, avg({column}) AS mean, "  # noqa: S608
        f"arg_max({column}, t) AS last, arg_max(t, {column}) / 1e9 AS most_at_s FROM {table} {within}"
    )
    rows = found(cursor, sql)
    unit = place[1] or ""
    units = {"least": unit, "most": unit, "mean": unit, "last": unit, "most_at_s": "s", "channel": ""}
    return Rows(units, rows.rows) if rows.rows and is_number(rows.rows[0][1]) else Rows(units, [])


def _tables(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    sql = """
        SELECT table_name AS table, string_agg(column_name, ', ' ORDER BY column_index) AS columns
        FROM duckdb_columns() WHERE NOT internal GROUP BY table_name ORDER BY table_name
    """
    return found(cursor, sql)


def _sql(cursor: DuckDBPyConnection, arguments: Mapping[str, Any]) -> Rows:
    sql = arguments["query"]
    if len(sql) > MAX_SQL:
        raise ToolError(f"the query is longer than {MAX_SQL:,} characters")
    constants = stated(cursor, sql)
    rows = found(cursor, sql)
    # what the question said itself is no figure of the projection
    kept = [[None if is_number(cell) and float(cell) in constants else cell for cell in row] for row in rows.rows]
    return Rows(rows.columns, kept, "laps" if " laps" in sql else "", rows.more)


def _needs(cursor: DuckDBPyConnection, table: str) -> None:
    if not has(cursor, table):
        raise ToolError(f"this session has no {table}")


def _ns(seconds: Any, otherwise: int) -> int:
    return round(seconds * 1e9) if is_number(seconds) and abs(seconds) < 1e9 else otherwise


_TYPES: Final[dict[str, Any]] = {"string": str, "integer": int, "number": (int, float)}

TOOLS: Final[dict[str, Tool]] = {
    "laps": Tool("The laps of the session: kind, time, whether valid, speeds.", {}, _laps),
    "sectors": Tool("The sector times of one lap, or of all.", {"lap": "integer"}, _sectors),
    "corners": Tool(
        "How corners were driven: of one corner, one lap, or all.", {"corner": "string", "lap": "integer"}, _corners
    ),
    "incidents": Tool("What went wrong: spins, locked or spinning wheels, values out of their limits.", {}, _incidents),
    "compare": Tool(
        "Two laps, sector by sector; lost_by_b_s is what lap_b lost to lap_a.",
        {"lap_a": "integer", "lap_b": "integer"},
        _compare,
        ("lap_a", "lap_b"),
    ),
    "channel": Tool(
        "What a channel came to in a lap, in a window (seconds since the session began), or in all of it.",
        {"channel": "string", "lap": "integer", "t_from_s": "number", "t_to_s": "number"},
        channel,
        ("channel",),
    ),
    "tables": Tool("The tables that SQL can read, with their columns.", {}, _tables),
    "sql": Tool(
        f"One SELECT over the session's tables (DuckDB), {MAX_ROWS} rows at most; times in tables are ns.",
        {"query": "string"},
        _sql,
        ("query",),
        {"query": "columns of tables and what is computed from them; numbers of your own only in WHERE"},
    ),
}
"""By the names that models call them by."""
