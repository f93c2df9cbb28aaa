"""A window of channels in, points out: what a plot can draw, with no peak lost.

A channel with more samples than points are wanted is cut into buckets of equal time, and each gives its least and its
greatest sample, at the times they really had, in order of time. Reads a projection through a cursor; writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.frames import Int64
from pitwall.project.database import quoted
from pitwall.serve.limits import MAX_POINTS, MAX_VALUES

if TYPE_CHECKING:
    import duckdb

Float64 = npt.NDArray[np.float64]

DEFAULT_NS: Final = 60_000_000_000
"""The window when neither end is given: the last minute."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.  Ends in ns (t_from <= t <= t_to), None where open; at most one of points and rate_hz."""

    channels: tuple[str, ...]
    t_from: int | None = None
    t_to: int | None = None
    points: int | None = None
    rate_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel lives."""

    name: str
    unit: str
    table: str
    column: str


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A channel's points.  t: int64 (k,) ns, ascending.  v: float64 (k,).  samples: how many the window holds."""

    unit: str
    t: Int64
    v: Float64
    samples: int


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The answer: its real ends, and a trace a channel, in the order asked."""

    t_from: int
    t_to: int
    traces: dict[str, Trace]


Found = dict[str, tuple[Int64, Float64]]
"""t and v of each channel."""

WITHIN: Final = "t BETWEEN $t_from AND $t_to"


class UnknownChannelError(Exception):
    """The projection has no channel `name`; `names` are what it has."""

    def __init__(self, name: str, names: list[str]) -> None:
        super().__init__(name)
        self.name = name
        self.names = names


class TooManyPointsError(Exception):
    """`count` points were asked for, of a `limit` for `what`; a window of `fits_s` seconds would fit."""

    def __init__(self, what: str, count: int, limit: int, fits_s: float) -> None:
        super().__init__(f"{what} would be {count:,} points, of at most {limit:,}")
        self.fits_s = fits_s


def read(cursor: duckdb.DuckDBPyConnection, asked: Asked) -> Window:
    """The window of the projection behind `cursor`.  Raises UnknownChannelError, TooManyPointsError."""
    places = _places(cursor, asked.channels)
    t_from, t_to = _ends(cursor, places, asked)
    counts = _counts(cursor, places, t_from, t_to)
    points = _points(asked, t_from, t_to)
    _check(counts, points, t_to - t_from)
    dense = [place for place in places if points is not None and counts[place.name] > points]
    sparse = [place for place in places if place not in dense]
    found = _samples(cursor, sparse, t_from, t_to)
    if points is not None:
        found |= _extremes(cursor, dense, t_from, t_to, max(1, points // 2))
    return Window(
        t_from, t_to, {place.name: Trace(place.unit, *found[place.name], counts[place.name]) for place in places}
    )


def _places(cursor: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> list[Place]:
    sql = "SELECT name, unit, table_name, column_name FROM channels"
    found = {name: Place(name, unit or "", *where) for name, unit, *where in cursor.execute(sql).fetchall()}
    for name in names:
        if name not in found:
            raise UnknownChannelError(name, sorted(found))
    return [found[name] for name in names]


def _ends(cursor: duckdb.DuckDBPyConnection, places: list[Place], asked: Asked) -> tuple[int, int]:
    t_to = asked.t_to
    if t_to is None:
        tables = dict.fromkeys(quoted(place.table) for place in places)
        newest = _columns(cursor, [f"SELECT coalesce(max(t), 0) AS t FROM {table}" for table in tables], {})  # noqa: S608
        t_to = int(newest["t"].max())
    t_from = asked.t_from
    if t_from is None:
        t_from = max(0, t_to - DEFAULT_NS) if asked.t_to is None else 0
    return t_from, max(t_from, t_to)


def _points(asked: Asked, t_from: int, t_to: int) -> int | None:
    if asked.rate_hz is None:
        return asked.points
    return max(2, math.ceil(asked.rate_hz * (t_to - t_from) / 1e9))


def _check(counts: dict[str, int], points: int | None, span_ns: int) -> None:
    wanted = {name: count if points is None else min(points, count) for name, count in counts.items()}
    most, total = max(wanted, key=wanted.__getitem__), sum(wanted.values())
    for what, count, limit in (
        (f"the channel {most!r}", wanted[most], MAX_POINTS),
        (f"{len(wanted)} channels", total, MAX_VALUES),
    ):
        if count > limit:
            raise TooManyPointsError(what, count, limit, span_ns / 1e9 * limit / count)


def _counts(cursor: duckdb.DuckDBPyConnection, places: list[Place], t_from: int, t_to: int) -> dict[str, int]:
    tables: dict[str, list[Place]] = {}
    for place in places:
        tables.setdefault(place.table, []).append(place)
    # a table is read once for all of its channels
    each = [
        f"SELECT {i}, [{', '.join(f'count({quoted(place.column)})' for place in held)}] "  # noqa: S608
        f"FROM {quoted(table)} WHERE {WITHIN}"
        for i, (table, held) in enumerate(tables.items())
    ]
    found = dict(cursor.execute(" UNION ALL ".join(each), {"t_from": t_from, "t_to": t_to}).fetchall())
    return {
        place.name: count for i, held in enumerate(tables.values()) for place, count in zip(held, found[i], strict=True)
    }


def _samples(cursor: duckdb.DuckDBPyConnection, places: list[Place], t_from: int, t_to: int) -> Found:
    # rows stand in the order of the log, and come in it
    each = [
        f"SELECT {i} AS place, t, {quoted(place.column)} AS v FROM {quoted(place.table)} "  # noqa: S608
        f"WHERE {WITHIN} AND {quoted(place.column)} IS NOT NULL"
        for i, place in enumerate(places)
    ]
    columns = _columns(cursor, each, {"t_from": t_from, "t_to": t_to})
    return {
        place.name: (columns["t"][part], columns["v"][part])
        for place, part in zip(places, _parts(columns, places), strict=True)
    }


def _extremes(cursor: duckdb.DuckDBPyConnection, places: list[Place], t_from: int, t_to: int, buckets: int) -> Found:
    each = [
        f"SELECT {i} AS place, (t - $t_from) // $width AS bucket, min({c}) AS low, arg_min(t, {c}) AS t_low, "  # noqa: S608
        f"max({c}) AS high, arg_max(t, {c}) AS t_high FROM {quoted(place.table)} "
        f"WHERE {WITHIN} AND {c} IS NOT NULL GROUP BY bucket"
        for i, place in enumerate(places)
        for c in [quoted(place.column)]
    ]
    width = (t_to - t_from) // buckets + 1
    columns = _columns(cursor, each, {"t_from": t_from, "t_to": t_to, "width": width}, "ORDER BY place, bucket")
    return {
        place.name: _both(*(columns[of][part] for of in ("t_low", "low", "t_high", "high")))
        for place, part in zip(places, _parts(columns, places), strict=True)
    }


def _both(t_low: Int64, low: Float64, t_high: Int64, high: Float64) -> tuple[Int64, Float64]:
    """The least and the greatest sample of each bucket in order of time, once where they are the same one."""
    t, v = np.stack([t_low, t_high], axis=1), np.stack([low, high], axis=1)
    order = np.argsort(t, axis=1, kind="stable")
    t, v = np.take_along_axis(t, order, axis=1), np.take_along_axis(v, order, axis=1)
    keep = np.ones(t.shape, np.bool_)
    keep[:, 1] = (t[:, 0] != t[:, 1]) | (v[:, 0] != v[:, 1])
    return t[keep], v[keep]


def _parts(columns: dict[str, Any], places: list[Place]) -> list[slice]:
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
