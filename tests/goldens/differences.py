"""Two projections of one session in, the rows that differ out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import numpy as np

EXAMPLES: Final = 5
"""Rows shown of what differs."""

LEFT_OUT: Final = {"built_from"}
"""It tells the code apart, not the rows."""


@dataclass(frozen=True)
class Difference:
    """Of one column of a table.  examples: (key, old, new); the key is the row's `t`, or its first column.

    changed, gone, come: how many rows.  column: empty where whole rows, or the table, came or went.
    """

    table: str
    column: str
    changed: int = 0
    gone: int = 0
    come: int = 0
    examples: tuple[tuple[Any, Any, Any], ...] = ()

    def __str__(self) -> str:
        counts = ", ".join(
            f"{count:,} {word}"
            for count, word in ((self.changed, "changed"), (self.gone, "gone"), (self.come, "come"))
            if count
        )
        shown = "".join(f"\n      {key}: {old!r} -> {new!r}" for key, old, new in self.examples)
        return f"  {self.table}{'.' if self.column else ''}{self.column}: {counts}{shown}"


def differences(old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection) -> Iterator[Difference]:
    """What differs, table by table and column by column; nothing where the projections hold the same."""
    before, after = _columns(old), _columns(new)
    for table in sorted(before.keys() | after.keys()):
        if table in LEFT_OUT:
            continue
        if table not in after:
            yield Difference(table, "", gone=_count(old, table))
        elif table not in before:
            yield Difference(table, "", come=_count(new, table))
        else:
            yield from _of_table(old, new, table, before[table], after[table])


def _of_table(
    old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection, table: str, before: list[str], after: list[str]
) -> Iterator[Difference]:
    key = "t" if "t" in before and "t" in after else before[0]
    keys = _values(old, table, key), _values(new, table, key)
    mine, theirs = _paired(*keys)
    gone, come = len(keys[0]) - len(mine), len(keys[1]) - len(theirs)
    if gone or come:
        lost = np.setdiff1d(np.arange(len(keys[0])), mine)[:EXAMPLES]
        found = np.setdiff1d(np.arange(len(keys[1])), theirs)[: EXAMPLES - len(lost)]
        examples = [(keys[0][i], "there", None) for i in lost] + [(keys[1][i], None, "there") for i in found]
        yield Difference(table, "", gone=gone, come=come, examples=tuple(examples))
    for column in [*before, *(name for name in after if name not in before)]:
        if column not in after:
            yield Difference(table, column, gone=len(keys[0]))
        elif column not in before:
            yield Difference(table, column, come=len(keys[1]))
        else:
            a, b = _values(old, table, column)[mine], _values(new, table, column)[theirs]
            differing = np.flatnonzero([x != y for x, y in zip(a.tolist(), b.tolist(), strict=True)])
            if len(differing):
                shown = tuple((keys[0][mine[i]], a[i], b[i]) for i in differing[:EXAMPLES])
                yield Difference(table, column, changed=len(differing), examples=shown)


def _paired(old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the one and of the other that are the same row: of equal key, and the so-manieth of that key."""
    if len(old) == len(new) and (old == new).all():
        same = np.arange(len(old))
        return same, same
    places = {key: i for i, key in enumerate(_numbered(new))}
    pairs = [(i, places[key]) for i, key in enumerate(_numbered(old)) if key in places]
    return np.array([i for i, _ in pairs], int), np.array([j for _, j in pairs], int)


def _numbered(keys: np.ndarray) -> list[tuple[Any, int]]:
    seen: dict[Any, int] = {}
    numbered = []
    for key in keys.tolist():
        seen[key] = seen.get(key, -1) + 1
        numbered.append((key, seen[key]))
    return numbered


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND table_name IN "
        "(SELECT table_name FROM duckdb_tables()) ORDER BY table_name, column_index"
    ).fetchall():
        tables.setdefault(table, []).append(column)
    return tables


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    found = connection.execute(f"SELECT count(*) FROM {_quoted(table)}").fetchone()
    return int(found[0]) if found else 0


def _values(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> np.ndarray:
    """One column as Python's own values: a missing one is None, and equals another."""
    rows = connection.execute(f"SELECT {_quoted(column)} FROM {_quoted(table)}").fetchall()
    values = np.empty(len(rows), object)
    values[:] = [value for (value,) in rows]
    return values


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
