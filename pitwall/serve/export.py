"""`GET /session/<sid>/export`: a whole session, or a window of it, as a file that is made while it is sent.

Law: no more than one window of WINDOW_NS is held; each is one question, so that others are asked between two. A
session whose projection is replaced meanwhile breaks the answer off, rather than be of two pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol, cast

import msgspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from msgspec import Meta, Struct

from pitwall.errors import UsageError
from pitwall.serve.foxglove import mcap, messages
from pitwall.serve.foxglove.topics import Topic, topics
from pitwall.serve.operations import operation
from pitwall.serve.problem import Problem
from pitwall.serve.signals import MAX_T_NS
from pitwall.serve.tables import MEDIA

if TYPE_CHECKING:
    import duckdb

    from pitwall.serve.serving import About, Request

TALL: Final = pa.schema([("t", pa.int64()), ("channel", pa.string()), ("value", pa.float64())])
"""Of the tables: as the view `signals` has it, by t and channel."""

Time = Annotated[int, Meta(gt=-MAX_T_NS, lt=MAX_T_NS, description="ns since the session began")]


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session as a file."""

    format: Annotated[
        Literal["mcap", "parquet", "csv", "arrow"],
        Meta(description="mcap: as Foxglove's tools read it; else a table of t (ns), channel and value"),
    ] = "parquet"
    t_from: Time | None = None
    t_to: Annotated[Time | None, Meta(description="its end, which is not included")] = None


class _Exporting(Protocol):
    """A file on its way."""

    def read(self, cursor: duckdb.DuckDBPyConnection, begin: int, end: int) -> Any:
        """What the window [begin, end) holds; in a thread of its own."""

    def write(self, found: Any) -> None:
        """The next window."""

    def finish(self) -> None:
        """The end of the file."""


class _Table:
    """Parquet, CSV or an Arrow stream of `TALL`."""

    def __init__(self, out: IO[bytes], form: str) -> None:
        self._writer: Any = _WRITERS[form](out)

    def read(self, cursor: duckdb.DuckDBPyConnection, begin: int, end: int) -> pa.Table:
        sql = "SELECT t, channel, value FROM signals WHERE t >= ? AND t < ? ORDER BY t, channel"
        return cursor.sql(sql, params=[begin, end]).to_arrow_table().cast(TALL)

    def write(self, found: pa.Table) -> None:
        self._writer.write_table(found)

    def finish(self) -> None:
        self._writer.close()


_WRITERS: Final[dict[str, Callable[[IO[bytes]], Any]]] = {
    "parquet": lambda out: pyarrow.parquet.ParquetWriter(out, TALL, compression="zstd"),
    "csv": lambda out: pyarrow.csv.CSVWriter(out, TALL, write_options=pyarrow.csv.WriteOptions(quoting_style="needed")),
    "arrow": lambda out: pa.ipc.new_stream(out, TALL),
}


class _Mcap:
    """MCAP, of all topics."""

    def __init__(self, out: IO[bytes], about: About, known: tuple[Topic, ...]) -> None:
        self._known, self._started_at_ns = known, about.started_at_ns
        self._file = mcap.McapFile(out, known, session=about.id, car=about.car, started_at_ns=about.started_at_ns)

    def read(self, cursor: duckdb.DuckDBPyConnection, begin: int, end: int) -> list[messages.Message]:
        return messages.between(cursor, self._known, self._started_at_ns, begin, end)

    def write(self, found: Iterable[messages.Message]) -> None:
        self._file.write(found)

    def finish(self) -> None:
        self._file.finish()


@operation(
    "GET",
    "/session/<sid>/export",
    takes=Wanted,
    answers=msgspec.Raw,
    problems=("no-such-format",),
    media=(MEDIA["parquet"], MEDIA["csv"], MEDIA["arrow"], mcap.MEDIA),
)
async def export(request: Request, wanted: Wanted, sid: str) -> None:
    """A whole session as a file, sent while it is made.

    One that breaks off before its end is no whole file: Parquet and MCAP readers say so.
    """
    if wanted.format == "mcap":
        try:
            mcap.check()
        except UsageError as error:
            raise Problem("no-such-format", error.what, hint=error.hint) from error
    readings, about = request.app.ctx.readings, await request.app.ctx.about(sid)
    roles = await readings.roles(about.id)

    def beginning(cursor: duckdb.DuckDBPyConnection) -> tuple[tuple[Topic, ...], messages.Span]:
        known = messages.channels(cursor)
        return topics(known, roles), messages.span(cursor, known)

    told = await readings.ask(about.id, beginning)
    known, ends = told.answer
    out = _Sent()
    to = cast("IO[bytes]", out)
    file: _Exporting = _Mcap(to, about, known) if wanted.format == "mcap" else _Table(to, wanted.format)
    begin = ends.first if wanted.t_from is None else max(wanted.t_from, ends.first)
    stop = ends.last + 1 if wanted.t_to is None else min(wanted.t_to, ends.last + 1)
    media = mcap.MEDIA if wanted.format == "mcap" else MEDIA[wanted.format]
    name = f'attachment; filename="{about.id}.{wanted.format}"'
    response = await request.respond(content_type=media, headers={"Content-Disposition": name})
    if request.method == "HEAD":
        await response.send(end_stream=True)
        return
    for first, last in messages.windows(begin, stop):
        found = await readings.ask(about.id, lambda cursor, a=first, b=last: file.read(cursor, a, b))  # type: ignore[misc]
        if told.edition.is_replaced_by(found.edition):
            raise Problem("internal", "the session's pipeline was replaced meanwhile", hint="ask again")
        file.write(found.answer)
        await response.send(out.take())
    file.finish()
    await response.send(out.take())
    await response.eof()


OPERATIONS: Final = (export,)


class _Sent:
    """What was written and not yet sent, for writers that only write and tell."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._sent = 0

    def flush(self) -> None:
        """Nothing is held back."""

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._sent += len(part)
        return len(part)

    def tell(self) -> int:
        return self._sent

    def close(self) -> None:
        """What was written is still to be sent."""

    def take(self) -> bytes:
        """All since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
