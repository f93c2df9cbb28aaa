"""Questions of our own to a projection in, rows with units out, and the ground that an answer has in them.

Law: a number is a figure if its column says what it is: of a lap's number it is that lap, of a corner's row a figure of
that corner.  Texts are names at most: what digits they hold is given to nobody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from pitwall.project.query import ask
from pitwall.serve.model.ground import Given, Ground

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MAX_ROWS: Final = 40
"""Of one answer to a model: what one can read, and a phone's model can take."""
MAX_CELL: Final = 120
"""Characters of a text."""
MAX_COLUMNS: Final = 40

UNITS_BY_SUFFIX: Final = {
    "_s": "s",
    "_mps": "m/s",
    "_m": "m",
    "_g": "g",
    "_bar": "bar",
    "_pct": "%",
    "_deg": "deg",
    "_kmh": "km/h",
    "_ns": "ns",
    "_rpm": "rpm",
    "_c": "degC",
}
"""What the end of a column's name says of its unit."""
LAPS: Final = frozenset({"lap", "lap_number", "best_lap", "lap_a", "lap_b"})
"""Columns that hold laps' numbers."""
CORNERS: Final = frozenset({"corner", "corners", "where", "place"})
TIMES_NS: Final = frozenset({"t", "t_start", "t_end", "first_t", "last_t"})


class ToolError(Exception):
    """A call that can't be answered: `str` says why, for the model."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a tool found.  columns: and their units, empty where there is none.  more: there were more rows."""

    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]
    table: str = ""
    more: bool = False

    def facts(self) -> dict[str, Any]:
        """As JSON: for a model, and as figures of an answer."""
        units = {name: unit for name, unit in self.columns.items() if unit}
        rows = [dict(zip(self.columns, map(_shown, row), strict=True)) for row in self.rows]
        return {"units": units, "rows": rows} | ({"more": True} if self.more else {})

    def ground(self) -> Ground:
        """The figures, laps and corners of it."""
        figures: list[Given] = []
        laps: set[int] = set()
        corners: set[str] = set()
        sectors: set[int] = set()
        for row in self.rows:
            named = dict(zip(self.columns, row, strict=True))
            where = next((str(v) for k, v in named.items() if k in CORNERS and isinstance(v, str)), "")
            for name, value in named.items():
                if name in CORNERS and isinstance(value, str) and value:
                    corners.add(value)
                if not is_number(value):
                    continue
                if name in LAPS or (name == "number" and self.table == "laps"):
                    laps.add(int(value))
                elif name == "sector" or (name == "number" and self.table == "sectors"):
                    sectors.add(int(value))
                else:
                    figures.append(Given(float(value), self.columns[name], where))
        counts = frozenset({len(self.rows)}) if not self.more else frozenset()
        return Ground(tuple(figures), frozenset(laps), frozenset(sectors), frozenset(corners), counts)


def has(cursor: DuckDBPyConnection, table: str) -> bool:
    """Whether the projection has that table."""
    sql = "SELECT 1 FROM duckdb_columns() WHERE table_name = ? LIMIT 1"
    return cursor.execute(sql, [table]).fetchone() is not None


def found(
    cursor: DuckDBPyConnection, sql: str, parameters: Sequence[Any] = (), *, table: str = "", most: int = MAX_ROWS
) -> Rows:
    """The rows of a question of our own."""
    with ask(cursor, sql, list(parameters)) as reader:
        rows: list[tuple[Any, ...]] = []
        for batch in reader:
            rows += zip(*(column.to_pylist() for column in batch.columns), strict=True)
            if len(rows) > most:
                break
        names = reader.schema.names
    if len(names) > MAX_COLUMNS or len(set(names)) < len(names):
        raise ToolError(f"at most {MAX_COLUMNS} columns can be taken, each of a name of its own")
    plain = [[float(cell) if isinstance(cell, Decimal) else cell for cell in row] for row in rows[:most]]
    return Rows({name: unit_of(name) for name in names}, plain, table, len(rows) > most)


def unit_of(column: str) -> str:
    """The unit that a column's name tells."""
    if column in TIMES_NS:
        return "ns"
    return next((unit for suffix, unit in UNITS_BY_SUFFIX.items() if column.endswith(suffix)), "")


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return (float(f"{value:.6g}") if isinstance(value, float) else value) if math.isfinite(value) else None
    return str(value)[:MAX_CELL]
