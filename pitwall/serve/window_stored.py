"""The samples of a window as a projection's tables have them.  Reads through a cursor; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.project.database import quoted
from pitwall.serve.window import Found, Place, both, width

if TYPE_CHECKING:
    import duckdb

WITHIN: Final = "t BETWEEN $t_from AND $t_to"


class Stored:
    """A projection behind a cursor: a `Source`."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def places(self) -> Mapping[str, Place]:
        sql = "SELECT name, unit, table_name, column_name FROM channels"
        return {name: Place(name, unit or "", *where) for name, unit, *where in self._cursor.execute(sql).fetchall()}

    def newest(self, places: Sequence[Place]) -> int:
        tables = dict.fromkeys(quoted(place.table) for place in places)
        each = [f"SELECT coalesce(max(t), 0) AS t FROM {table}" for table in tables]  # noqa: S608
        return int(_columns(self._cursor, each, {})["t"].max())

    def cut(self, places: Sequence[Place], t_from: int, t_to: int) -> _Cut:
        return _Cut(self._cursor, places, t_from, t_to)


class _Cut:
    """A `Cut` of it."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, places: Sequence[Place], t_from: int, t_to: int) -> None:
        self._cursor = cursor
        self._places = places
        self._ends = {"t_from": t_from, "t_to": t_to}

    def counts(self) -> Mapping[str, int]:
        tables: dict[str, list[Place]] = {}
        for place in self._places:
            tables.setdefault(place.table, []).append(place)
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


def _parts(columns: dict[str, Any], places: Sequence[Place]) -> list[slice]:
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
