"""The samples of a window as a projection's tables have them.  Reads through a cursor; writes nothing.

A question costs more than the rows of a minute: where they are few, one fetches all of them, each table once, and numpy
does the rest; where they are many, DuckDB counts them and finds the least and greatest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.project.database import quoted
from pitwall.serve.limits import MAX_VALUES
from pitwall.serve.window import Cut, Float64, Found, Place, both, width
from pitwall.serve.window_samples import Samples

if TYPE_CHECKING:
    import duckdb

    from pitwall.frames import Int64

WITHIN: Final = "t BETWEEN $t_from AND $t_to"
FEW: Final = MAX_VALUES
"""Values that are fetched whole: as many as an answer may hold, a megabyte."""


class Stored:
    """A projection behind a cursor: a `Source`.  few: values of a window that are fetched whole."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, few: int = FEW) -> None:
        self._cursor = cursor
        self._few = few

    def places(self) -> Mapping[str, Place]:
        sql = "SELECT name, unit, table_name, column_name FROM channels"
        return {name: Place(name, unit or "", *where) for name, unit, *where in self._cursor.execute(sql).fetchall()}

    def newest(self, places: Sequence[Place]) -> int:
        tables = dict.fromkeys(quoted(place.table) for place in places)
        each = [f"SELECT coalesce(max(t), 0) AS t FROM {table}" for table in tables]  # noqa: S608
        return int(_columns(self._cursor, each, {})["t"].max())

    def cut(self, places: Sequence[Place], t_from: int, t_to: int) -> Cut:
        found = self._all(places, t_from, t_to)
        return _Many(self._cursor, places, t_from, t_to) if found is None else Samples(found, t_from, t_to)

    def _all(self, places: Sequence[Place], t_from: int, t_to: int) -> Found | None:
        """All of the samples; None: they are not few."""
        tables = _by_table(places)
        most = max(map(len, tables.values()))
        each = [
            f"SELECT {i} AS place, t, {', '.join(f'{column} AS v{j}' for j, column in enumerate(columns))} "  # noqa: S608
            f"FROM {quoted(table)} WHERE {WITHIN}"
            for i, (table, held) in enumerate(tables.items())
            for columns in [[*(quoted(place.column) for place in held), *["NULL::DOUBLE"] * (most - len(held))]]
        ]
        limit = self._few // most
        rows = _columns(self._cursor, each, {"t_from": t_from, "t_to": t_to}, f"LIMIT {limit + 1}")
        if len(rows["t"]) > limit:
            return None
        parts = zip(tables.values(), _parts(rows, tables), strict=True)
        return {
            place.name: _present(rows["t"][part], rows[f"v{j}"][part])
            for held, part in parts
            for j, place in enumerate(held)
        }


class _Many:
    """A `Cut` of it, by DuckDB."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, places: Sequence[Place], t_from: int, t_to: int) -> None:
        self._cursor = cursor
        self._places = places
        self._ends = {"t_from": t_from, "t_to": t_to}

    def counts(self) -> Mapping[str, int]:
        tables = _by_table(self._places)
        # a table is read once for all of its channels
        each = [
            f"SELECT {i}, [{', '.join(f'count({quoted(place.column)})' for place in held)}] "  # noqa: S608
            f"FROM {quoted(table)} WHERE {WITHIN}"
            for i, (table, held) in enumerate(tables.items())
        ]
        found = dict(self._cursor.execute(" UNION ALL ".join(each), self._ends).fetchall())
        return {
            place.name: count
            for i, held in enumerate(tables.values())
            for place, count in zip(held, found[i], strict=True)
        }

    def samples(self, places: Sequence[Place]) -> Found:
        # rows stand in the order of the log, and come in it
        each = [
            f"SELECT {i} AS place, t, {quoted(place.column)} AS v FROM {quoted(place.table)} "  # noqa: S608
            f"WHERE {WITHIN} AND {quoted(place.column)} IS NOT NULL"
            for i, place in enumerate(places)
        ]
        columns = _columns(self._cursor, each, self._ends)
        return {
            place.name: (columns["t"][part], columns["v"][part])
            for place, part in zip(places, _parts(columns, places), strict=True)
        }

    def extremes(self, places: Sequence[Place], buckets: int) -> Found:
        each = [
            f"SELECT {i} AS place, (t - $t_from) // $width AS bucket, min({c}) AS low, arg_min(t, {c}) AS t_low, "  # noqa: S608
            f"max({c}) AS high, arg_max(t, {c}) AS t_high FROM {quoted(place.table)} "
            f"WHERE {WITHIN} AND {c} IS NOT NULL GROUP BY bucket"
            for i, place in enumerate(places)
            for c in [quoted(place.column)]
        ]
        given = self._ends | {"width": width(**self._ends, buckets=buckets)}
        columns = _columns(self._cursor, each, given, "ORDER BY place, bucket")
        return {
            place.name: both(*(columns[of][part] for of in ("t_low", "low", "t_high", "high")))
            for place, part in zip(places, _parts(columns, places), strict=True)
        }


def _by_table(places: Sequence[Place]) -> dict[str, list[Place]]:
    tables: dict[str, list[Place]] = {}
    for place in places:
        tables.setdefault(place.table, []).append(place)
    return tables


def _present(t: Int64, v: np.ma.MaskedArray[Any, Any] | Float64) -> tuple[Int64, Float64]:
    """Those that are there: where some are missing, DuckDB gives a mask."""
    missing = np.ma.getmaskarray(v)
    return (t[~missing], np.asarray(v[~missing], np.float64)) if missing.any() else (t, np.asarray(v, np.float64))


def _parts(columns: dict[str, Any], places: Collection[object]) -> list[slice]:
    """Where each place's rows stand: the places come one behind the other."""
    ends = np.searchsorted(columns["place"], np.arange(len(places) + 1)).tolist() if places else [0]
    return [slice(first, stop) for first, stop in pairwise(ends)]


def _columns(
    cursor: duckdb.DuckDBPyConnection, each: list[str], parameters: dict[str, int], order: str = ""
) -> dict[str, Any]:
    """All of `each` in one question: a question costs more than the few rows of a channel."""
    if not each:
        return {}
    return dict(cursor.execute(f"{' UNION ALL '.join(each)} {order}", parameters).fetchnumpy())
