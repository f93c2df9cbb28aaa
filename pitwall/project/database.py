"""DuckDB, opened in one way for every projection: bounded, closed to the world, its settings locked.

Whoever's SQL runs on such a connection reaches nothing but the projection: no file, no extension, no Python variable,
no setting (locked from the first moment, and for all cursors).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from pitwall.project.memory import memory

BUILD_MEMORY_MB: Final = 96
COLUMN_MEMORY_MB: Final = 0.5
"""And for building a file, where rows are gathered outside of it; with two blocks for each column, which it holds while
it writes: with fewer it gives up.  With the hundred columns of a dash logger's stream the process stays near 500 MB."""

ARROW_IO_THREADS: Final = 2
"""Arrow would have eight, each with buffers of its own; one reads a segment, one writes an answer."""

_DUCKDB_2: Final = int(duckdb.__version__.split(".")[0]) >= 2


def connect(
    file: Path | None, spill: Path, *, read_only: bool = False, columns: int = 0, spill_bytes: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection to `file`, or to memory.  spill: a folder for this connection alone, made when it is needed.

    columns: how many there are to be, where the file is to be built.  spill_bytes: what may be put aside at most, less
    than the memory's limit says; who opens first decides, where this process has the file open already.
    Raises duckdb.Error where the file is none of DuckDB's, is damaged, or is locked.
    """
    most = memory()
    _bound_arrow(most.threads)
    settings: dict[str, Any] = {
        "threads": most.threads,
        # what is more than this goes to the spill folder
        "memory_limit": f"{most.bytes}B"
        if read_only or file is None
        else f"{BUILD_MEMORY_MB + COLUMN_MEMORY_MB * columns:.0f}MB",
        "temp_directory": str(spill),
        # rows stand in a table in the order of the log, whichever thread wrote them
        "preserve_insertion_order": True,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        # else SQL could name any variable of the Python frame that asks
        "python_enable_replacements": False,
    }
    if _DUCKDB_2 and not read_only:
        # a build that dies is thrown away, and a finished one is synced as a whole: syncing on the way buys nothing
        settings["fsync_mode"] = "NONE"
    connection = duckdb.connect(":memory:" if file is None else str(file), read_only=read_only, config=settings)
    try:
        if not read_only:
            # who wants the file makes it whole before closing it; what is thrown away is let go of at once
            connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        _lock(connection, min(most.spill_bytes if spill_bytes is None else spill_bytes, most.spill_bytes))
    except BaseException:
        connection.close()
        raise
    return connection


def _bound_arrow(threads: int) -> None:
    if pa.cpu_count() != threads or pa.io_thread_count() != ARROW_IO_THREADS:
        pa.set_cpu_count(threads)
        pa.set_io_thread_count(ARROW_IO_THREADS)


def _lock(connection: duckdb.DuckDBPyConnection, spill_bytes: int) -> None:
    """Shuts the door, once a database: this process may have it open already."""
    # by SQL, not with the settings above: those are taken in any order, and this one forbids some of them
    locked = connection.execute("SELECT current_setting('lock_configuration')").fetchone()
    if locked != (True,):
        # not with the settings above either: two connections to a file must agree on those
        connection.execute(f"SET max_temp_directory_size = '{max(0, spill_bytes)}B'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")


def quoted(name: str) -> str:
    """`name` as an SQL identifier, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"
