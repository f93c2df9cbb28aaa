"""A model's question in SQL in, the numbers that it states itself out: none of them is a figure of the projection.

Law: a model must not make up a figure by having the database say it.  What it selects is columns of tables, and what is
computed from them; the constants that it may compute with are those that units and roundings need.  Where a number
only chooses among rows (WHERE, HAVING, ORDER BY, LIMIT) it may be any.  (Who is bent on it finds a way, such as the
length of a text, or another name for a column; that is beyond a model that tries to do as it is told.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.model.rows import ToolError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FACTORS: Final = frozenset({3.6, 60.0, 100.0, 1e3, 3600.0, 1e6, 1e9})
"""Of units: m/s to km/h, ns to s, shares to percent."""
_PLACES: Final = frozenset({0.0, 1.0, 2.0, 3.0})
_QUANTILES: Final = frozenset({0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95})

CONSTANTS: Final[Mapping[str, frozenset[float]]] = {
    "*": _FACTORS,
    "/": _FACTORS,
    "round": _PLACES,
    "quantile": _QUANTILES,
    "quantile_cont": _QUANTILES,
    "quantile_disc": _QUANTILES,
}
"""Functions and the constants that they may be given."""

_CHOOSES: Final = frozenset(
    {"where_clause", "having", "qualify", "modifiers", "group_expressions", "condition", "filter"}
)


def stated(cursor: DuckDBPyConnection, sql: str) -> frozenset[float]:
    """The numbers of the question.  ToolError: it states one where only columns belong, or reads no table."""
    row = cursor.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    said = json.loads(row[0]) if row else {}
    if said.get("error") or len(said.get("statements", [])) != 1:
        raise ToolError(f"that is no SELECT: {str(said.get('error_message', ''))[:200]}".rstrip(": "))
    found: set[float] = set()
    for node, function in _walk(said["statements"][0]["node"], ""):
        kind = node.get("type")
        if kind in ("TABLE_FUNCTION", "EXPRESSION_LIST", "COLUMN_DATA"):
            raise ToolError("only tables can be read; see `tables`")
        if kind == "SELECT_NODE":
            for column in node.get("select_list", []):
                if not any(_reads(part) for part, _ in _walk(column, "")):
                    raise ToolError("every column must come from a table")
        if kind != "VALUE_CONSTANT":
            continue
        value = _constant(node)
        if isinstance(value, float):
            found.add(value)
            if function is not None and value not in CONSTANTS.get(function, ()):
                raise ToolError(f"{value:g} can't be selected or computed with: select columns")
        elif function is not None and isinstance(value, str) and any(char.isdigit() for char in value):
            raise ToolError("a text with digits can't be selected: select columns")
    return frozenset(found)


def _walk(node: Any, function: str | None) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Every object of a parsed question, with the function that it is given to; None: it only chooses."""
    if isinstance(node, dict):
        if node.get("type") == "SELECT_NODE":
            function = ""
        yield node, function
        inner = str(node["function_name"]) if "function_name" in node else "" if "class" in node else function
        for key, value in node.items():
            yield from _walk(value, None if function is None or key in _CHOOSES else inner)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value, function)


def _reads(node: Mapping[str, Any]) -> bool:
    return node.get("type") in ("COLUMN_REF", "STAR", "SELECT_NODE") or node.get("function_name") == "count_star"


def _constant(node: Mapping[str, Any]) -> float | str | None:
    """The value of a constant, as DuckDB 1 or 2 writes it."""
    said = node.get("literal", node.get("value"))
    said = said.get("text", said.get("value")) if isinstance(said, dict) else said
    try:
        return float(said)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return said if isinstance(said, str) else None
