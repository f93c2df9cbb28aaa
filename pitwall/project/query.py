"""SQL in, Arrow record batches out, of one session's projection.  Nothing can be written, and nothing else can be read.

What keeps it so, each alone enough for most: only SELECT and EXPLAIN are taken, one a question; it runs in a read-only
transaction; the connection reaches no file, extension or setting (`database.connect`).

A projection that is missing, stale or broken is replayed first, into its file; where another process is building it (a
server that follows the session), into memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from pitwall.errors import PitwallError, UsageError
from pitwall.project.build import Progress, build, replay_into, stale
from pitwall.project.built import BuiltFrom
from pitwall.project.database import connect
from pitwall.project.generations import Generations
from pitwall.project.loop import projecting_in_memory
from pitwall.project.pipeline import Pipeline, origin
from pitwall.project.room import is_full
from pitwall.project.turn import BusyError

if TYPE_CHECKING:
    from pitwall.car import Car
    from pitwall.log.place import Damage
    from pitwall.log.session import Session

BATCH_ROWS: Final = 65_536
"""Rows of one record batch of an answer."""

TAKEN: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
"""The kinds of statements that are taken; DESCRIBE, SHOW, SUMMARIZE, FROM, VALUES and WITH are SELECT to DuckDB."""

_DAMAGED: Final = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException, duckdb.SerializationException)
_DAMAGED_WORDS: Final = ("IO Error", "FATAL Error", "INTERNAL Error", "Serialization Error")
"""What DuckDB raises, and says in a stream, where the file is at fault and not the question."""

_HELD: Final = ("Could not set lock", "Conflicting lock")
"""What it says where another process has the file open to write."""
_SHORT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EPERM)
"""What keeps a file from being opened that may be whole."""


class BrokenError(PitwallError):
    """A projection turned out to be damaged while it was read."""


@dataclass(frozen=True, slots=True)
class Projection:
    """An open projection.

    connection: for cursors; who makes one closes it.  built: what it was built from.
    rebuilt: why it was replayed just now, in words; empty: it was current.  damages: what of the log was unreadable.
    """

    connection: duckdb.DuckDBPyConnection
    built: BuiltFrom
    rebuilt: str = ""
    damages: tuple[Damage, ...] = ()


@contextlib.contextmanager
def open_projection(
    session: Session, car: Car, generations: Generations, progress: Progress | None = None
) -> Iterator[Projection]:
    """The session's projection as of now, replayed if it must be.

    WriteError: it has to be, and there is no room to.  BrokenError: what was just built can't be opened.
    """
    rebuilt = stale(session, car, generations)
    damages: tuple[Damage, ...] = ()
    stack = contextlib.ExitStack()
    try:
        if rebuilt:
            damages = build(session, car, generations, progress).damages
        try:
            connection, built = _open(origin(car, session.header), generations, stack)
        except duckdb.Error as error:
            if any(word in str(error) for word in _HELD):
                raise BusyError("another process holds its file", where=session.id) from error
            if not is_spoilt(error):
                raise
            rebuilt = f"damaged: {_first_line(error)}"
            damages = _rebuild(session, car, generations, progress)
            connection, built = _open(origin(car, session.header), generations, stack)
    except duckdb.Error as error:
        raise _unopened(error, session.id) from error
    except BusyError as busy:
        with projecting_in_memory(Pipeline(car, session.header), generations) as projector:
            damages = replay_into(projector, session, progress)
            with contextlib.closing(projector.store.cursor()) as connection:
                yield Projection(connection, projector.finish(), f"{rebuilt}; into memory, as {busy.what}", damages)
        return
    with stack:
        yield Projection(connection, built, rebuilt, damages)


@contextlib.contextmanager
def open_as_it_is(built: BuiltFrom, generations: Generations) -> Iterator[Projection]:
    """That generation, which `Generations` trusts, stale or not.  Raises duckdb.Error: it is gone, or damaged."""
    with contextlib.ExitStack() as stack:
        connection, built = _open(built, generations, stack)
        yield Projection(connection, built)


@contextlib.contextmanager
def ask(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> Iterator[pa.RecordBatchReader]:
    """The answer to one question, as a stream that ends with the context.  parameters: of `?`, or by name of `$name`.

    UsageError: the question is wrong, or asks for more than reading.  May be called from any thread.
    """
    with contextlib.closing(connection.cursor()) as cursor:
        yield ask_on(cursor, sql, parameters)


def ask_on(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> pa.RecordBatchReader:
    """The same, on a cursor that is the caller's: who interrupts it stops the question.  It is good for no other."""
    with _asking():
        _check(cursor, sql)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        relation = cursor.sql(sql, params=parameters or None)
        reader = relation.to_arrow_reader(BATCH_ROWS)
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(reader))


def _open(
    wanted: BuiltFrom, generations: Generations, open_until: contextlib.ExitStack
) -> tuple[duckdb.DuckDBPyConnection, BuiltFrom]:
    file = generations.file(wanted.session, wanted.fingerprint)
    with contextlib.ExitStack() as stack:
        stack.enter_context(generations.reading(file))
        spill_bytes = generations.room.spare()
        connection = connect(file, generations.spill(file.stem), read_only=True, spill_bytes=spill_bytes)
        stack.enter_context(contextlib.closing(connection))
        row = connection.execute("FROM built_from").fetchone()
        if row is None:
            raise duckdb.IOException("it does not say what it was built from")
        open_until.push(stack.pop_all())
    return connection, BuiltFrom(*row)


def _rebuild(session: Session, car: Car, generations: Generations, progress: Progress | None) -> tuple[Damage, ...]:
    """Puts aside what its seal calls whole and DuckDB does not open, and builds anew."""
    broken = origin(car, session.header)
    with generations.building(broken.session):
        generations.put_aside(broken.session, broken.fingerprint)
    return build(session, car, generations, progress).damages


def _check(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = cursor.extract_statements(sql)
    if len(statements) != 1 or not _is_taken(statements[0]):
        raise UsageError(
            f"one question at a time, that only reads: {' '.join(sql.split())[:120]!r}",
            hint="SELECT …; also FROM, WITH, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN",
        )


def _is_taken(statement: duckdb.Statement) -> bool:
    try:
        return statement.type in TAKEN
    except ValueError:  # of a kind that DuckDB's own Python has no name for
        return False


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    with _asking():
        yield from reader


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.OutOfMemoryException as error:
        raise PitwallError(_first_line(error), hint="ask for less at a time") from error
    except (duckdb.Error, OSError) as error:
        raise _explained(error) from error
    except pa.ArrowException as error:
        raise UsageError(_first_line(error)) from error


def _explained(error: Exception) -> PitwallError:
    """What is at fault: the disk, the file, or the question."""
    if is_full(str(error)):
        return PitwallError(
            "the disk is too full to answer: nothing can be put aside", hint="make room, or ask for less at a time"
        )
    if is_damage(error):
        return _broken(error)
    return UsageError(_first_line(error), hint=_meant(error))


def _meant(error: Exception) -> str:
    """What DuckDB thinks was meant, where it says so; and what there is, where it is a name."""
    close = next((line.strip() for line in str(error).splitlines() if line.startswith(("Did you", "Candidate"))), "")
    if isinstance(error, duckdb.CatalogException):
        return f"{close} SHOW TABLES lists what there is".strip()
    return close


def is_spoilt(error: duckdb.Error) -> bool:
    """Whether a file that can't be opened is no use to anybody: damaged, of a DuckDB to come, or none of ours.

    One that there is too little memory or too few descriptors for, or no right to read, may be whole.
    """
    said = str(error)
    if isinstance(error, duckdb.OutOfMemoryException) or is_full(said):
        return False
    return not any(os.strerror(number) in said for number in _SHORT)


def _unopened(error: duckdb.Error, session: str) -> PitwallError:
    """Why a projection can't be opened, and what to do."""
    said = str(error)
    if is_full(said):
        return _explained(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return PitwallError(_first_line(error), where=session, hint="give it more with --memory")
    if not is_spoilt(error):
        return PitwallError(f"its projection can't be opened: {_first_line(error)}", where=session)
    return _broken(error)


def _broken(error: Exception) -> BrokenError:
    return BrokenError(
        f"the projection is damaged: {_first_line(error)}", hint="`pitwall replay SESSION --force` builds it again"
    )


def is_damage(error: Exception) -> bool:
    """Whether the file is at fault, and not the question."""
    # what goes wrong within a stream comes as OSError, with DuckDB's words
    return isinstance(error, _DAMAGED) or (isinstance(error, OSError) and str(error).startswith(_DAMAGED_WORDS))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
