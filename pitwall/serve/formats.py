"""Record batches in, JSON, CSV, Arrow or Parquet out, batch by batch: an answer of any size fits.

Missing values are empty in CSV, null in JSON; what is no number is missing in JSON, which can't say it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pitwall.errors import UsageError
from pitwall.serve.encoding import dumps

Write = Callable[[pa.Schema, Iterable[pa.RecordBatch], IO[bytes]], None]


def write_json(schema: pa.Schema, batches: Iterable[pa.RecordBatch], out: IO[bytes]) -> None:
    """A list of objects, one a row and a line; times to the microsecond, which is all that Python's hold."""
    before = b"[\n"
    held = pa.schema([pa.field(one.name, _held(one.type)) for one in schema])
    for batch in batches:
        for row in pa.Table.from_batches([batch]).cast(held, safe=False).to_pylist():
            out.write(before + dumps(row, plain))
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


def _held(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) and kind.unit == "ns" else kind


def plain(value: Any) -> Any:
    """What JSON can't say: the sum of many integers is a decimal without places."""
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value() and abs(value) < 2**63
        return int(value) if whole else float(value)
    return value.hex() if isinstance(value, bytes) else str(value)
