"""An open projection in, digests of what it holds out: equal where two projections hold the same, row for row.

Of columns in the order of the rows, so that nothing of DuckDB's own (row groups, compression, versions) is in them.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from pitwall.project.database import quoted

_BATCH_ROWS: Final = 122_880


def digests(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """SHA-256, as hex, of each table: its columns' names and types, and every value of every row."""
    names = [
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' ORDER BY table_name"
        ).fetchall()
    ]
    return {name: _digest(connection, name) for name in names}


def digest(connection: duckdb.DuckDBPyConnection) -> str:
    """SHA-256, as hex, of the whole projection."""
    return hashlib.sha256(repr(sorted(digests(connection).items())).encode()).hexdigest()


def _digest(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    # rows stand in the order that they were inserted in: preserve_insertion_order (database.connect) says so
    cursor = connection.cursor()
    try:
        reader = cursor.sql(f"SELECT * FROM {quoted(table)}").to_arrow_reader(_BATCH_ROWS)  # noqa: S608
        columns = [hashlib.sha256(str(field).encode()) for field in reader.schema]
        for batch in reader:
            for column, array in zip(columns, batch.columns, strict=True):
                _update(column, array)
    finally:
        cursor.close()
    return hashlib.sha256(b"".join(column.digest() for column in columns)).hexdigest()


def _update(column: Any, array: pa.Array) -> None:
    """Feeds `column` with `array` so that it is all the same how the rows are cut into batches."""
    if pa.types.is_string(array.type):
        for value in array.to_pylist():
            column.update(repr(value).encode())
        return
    present = np.asarray(array.is_valid().cast(pa.uint8()))
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    # interleaved, value by value, so that a batch's end leaves no trace; what a NULL's slot holds is nobody's business
    values = np.asarray(array.fill_null(0))
    if values.dtype == np.float64:
        values = values + 0.0  # DuckDB 1.5 compresses -0.0 to 0.0 in some files: they are one value here
    pairs = np.empty(len(values), [("present", np.uint8), ("value", values.dtype)])
    pairs["present"], pairs["value"] = present, values
    column.update(pairs.tobytes())
