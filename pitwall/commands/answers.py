"""Record batches in, a table for the eye out, in which what is missing is empty; and the formats that programs read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any, Final

import pyarrow as pa

from pitwall.commands.output import fit
from pitwall.serve import formats
from pitwall.serve.formats import Write

MEASURED_ROWS: Final = 1000
"""Rows that decide how wide a table's columns are; later cells that are longer stand out."""

CELL_WIDTH: Final = 60
"""Longer cells are cut in a table, which is for the eye; the other formats hold all."""


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


WRITERS: Final[dict[str, Write]] = {"table": write_table, **formats.WRITERS}
"""How an answer can be had, by name."""


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
