"""Record batches in, a table, JSON, CSV, Arrow or Parquet out: batch by batch, so that an answer of any size fits.

Missing values are empty in tables and CSV, null in JSON; what is no number is missing in JSON, which can't say it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import chain
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pitwall.commands.output import fit
from pitwall.errors import UsageError
from pitwall.serve.encoding import dumps

MEASURED_ROWS: Final = 1000
"""Rows that decide how wide a table's columns are; later cells that are longer stand out."""

CELL_WIDTH: Final = 60
"""Longer cells are cut in a table, which is for the eye; the other formats hold all."""

Write = Callable[[pa.Schema, Iterable[pa.RecordBatch], IO[bytes]], None]


def write_table(schema: pa.Schema, batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """Columns under a head, numbers flush right."""
    rows = (row for batch in batches for row in _rows(batch))
    first = [row for row, _ in zip(rows, range(MEASURED_ROWS), strict=False)]
    right = [_is_number(field.type) for field in schema]
    widths = [max(map(len, (name, *column))) for name, *column in zip(schema.names, *first, strict=True)]
    for row in chain([list(schema.names)], first, rows):
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        out.write("  ".join(cells).rstrip().encode() + b"\n")


def write_json(schema: pa.Schema, batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """A list of objects, one a row and a line."""
    before = b"[\n"
    for batch in batches:
        for row in batch.to_pylist():
            out.write(before + dumps(row, _plain))
            before = b",\n"
    out.write(b"\n]\n" if before == b",\n" else b"[]\n")


def write_csv(schema: pa.Schema, batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """Comma-separated values under a head."""
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    with _holding("csv"), pyarrow.csv.CSVWriter(out, schema, write_options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)


def write_arrow(schema: pa.Schema, batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """An Arrow IPC stream."""
    with pa.ipc.new_stream(out, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """A Parquet file, zstd."""
    with _holding("parquet"), pyarrow.parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


WRITERS: Final[dict[str, Write]] = {
    "table": write_table,
    "json": write_json,
    "csv": write_csv,
    "arrow": write_arrow,
    "parquet": write_parquet,
}
"""How an answer can be had, by name."""


@contextlib.contextmanager
def _holding(name: str) -> Iterator[None]:
    """UsageError where the format has no room for a type of the answer: a list, an interval, …"""
    try:
        yield
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise UsageError(f"{name} can't hold this answer: {error}", hint="cast it to VARCHAR, or use json") from error


def _rows(batch: pa.RecordBatch) -> Iterator[list[str]]:
    columns = [column.to_pylist() for column in batch.columns]
    for values in zip(*columns, strict=True):
        yield [fit(_shown(value), CELL_WIDTH) for value in values]


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, bytes):
        return value.hex()
    # a cell is one line, whatever its text holds
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _plain(value: Any) -> Any:
    """What JSON can't say: the sum of many integers is a decimal without places."""
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value() and abs(value) < 2**63
        return int(value) if whole else float(value)
    return value.hex() if isinstance(value, bytes) else str(value)
