"""An open projection in, figures of every channel out: what `fixtures/<name>/expected.csv` holds."""

from __future__ import annotations

import csv
import math
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import duckdb
import numpy as np

from pitwall.project.database import quoted


@dataclass(frozen=True)
class Figures:
    """Of one channel, over a whole session; times in seconds since it began.  NaN where there is no value."""

    channel: str
    unit: str
    count: int
    min: float
    max: float
    sum: float
    first: float
    last: float
    t_first: float
    t_last: float
    median: float

    def agrees(self, other: Figures) -> bool:
        """To the 12 digits that a file keeps, however the sum was rounded on its way."""
        mine, theirs = astuple(self), astuple(other)
        return mine[:3] == theirs[:3] and np.allclose(mine[3:], theirs[3:], rtol=1e-9, atol=1e-9, equal_nan=True)


def figures(connection: duckdb.DuckDBPyConnection) -> list[Figures]:
    """Of every channel, in the order of `channels`."""
    places = connection.execute("SELECT name, unit, table_name, column_name FROM channels").fetchall()
    return [_figures(connection, *place) for place in places]


def write(file: Path, rows: list[Figures]) -> None:
    """As CSV, one line a channel."""
    with file.open("w", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(field.name for field in fields(Figures))
        writer.writerows([f"{v:.12g}" if isinstance(v, float) else v for v in astuple(row)] for row in rows)


def read(file: Path) -> list[Figures]:
    """What `write` wrote."""
    with file.open(newline="") as source:
        return [
            Figures(row["channel"], row["unit"], int(row["count"]), *(float(row[f.name]) for f in fields(Figures)[3:]))
            for row in csv.DictReader(source)
        ]


def _figures(connection: duckdb.DuckDBPyConnection, name: str, unit: str, table: str, column: str) -> Figures:
    found = connection.execute(
        f"SELECT t, {quoted(column)} AS v FROM {quoted(table)} WHERE {quoted(column)} IS NOT NULL"
    ).fetchnumpy()
    t, v = np.asarray(found["t"]) / 1e9, np.asarray(found["v"])
    if not len(v):
        return Figures(name, unit, 0, *[math.nan] * 8)
    return Figures(
        name, unit, len(v), float(v.min()), float(v.max()), math.fsum(v), float(v[0]), float(v[-1]),
        float(t[0]), float(t[-1]), float(np.median(v)),
    )  # fmt: skip
