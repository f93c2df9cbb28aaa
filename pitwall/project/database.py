"""DuckDB, opened in one way for every projection: bounded, closed to the world, its settings locked.

Whoever's SQL runs on such a connection reaches nothing but the projection: no file, no extension, no Python variable,
no setting (locked from the first moment, and for all cursors).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import duckdb

MEMORY_LIMIT: Final = "256MB"
"""DuckDB's buffers for reading; the process needs about 100 MB beside them.  What is more goes to the spill folder."""

BUILD_MEMORY_MB: Final = 96
COLUMN_MEMORY_MB: Final = 0.5
"""And for building a file, where rows are gathered outside of it; with two blocks for each column, which it holds while
it writes: with fewer it gives up.  With the hundred columns of a dash logger's stream the process stays near 500 MB."""

SPILL_BYTES: Final = 4_000_000_000
"""What sorting and grouping may put aside on disk; then the query fails, and nothing else does."""

THREADS: Final = min(4, os.cpu_count() or 1)

_DUCKDB_2: Final = int(duckdb.__version__.split(".")[0]) >= 2


def connect(
    file: Path | None, spill: Path, *, read_only: bool = False, columns: int = 0, spill_bytes: int = SPILL_BYTES
) -> duckdb.DuckDBPyConnection:
    """A connection to `file`, or to memory.  spill: a folder for this connection alone, made when it is needed.

    columns: how many there are to be, where the file is to be built.  spill_bytes: what may be put aside at most; who
    opens first decides, where this process has the file open already.
    Raises duckdb.Error where the file is none of DuckDB's, is damaged, or is locked.
    """
    settings: dict[str, Any] = {
        "threads": THREADS,
        "memory_limit": MEMORY_LIMIT
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
        _lock(connection, min(spill_bytes, SPILL_BYTES))
    except BaseException:
        connection.close()
        raise
    return connection


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
