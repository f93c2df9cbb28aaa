"""Binary captures in, frames out, and back: Vector's .blf, ASAM's .mf4, python-can's table in SQLite (.db).

python-can reads and writes them, but for the table, which is written here: its writer gathers all that it is given in
a queue without limit, and can't say that the disk is full.
"""

from __future__ import annotations

import gc
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from pitwall.bus import blf, pythoncan
from pitwall.bus.losses import Losses, reason
from pitwall.bus.message import numbers, to_messages, unix_seconds
from pitwall.bus.pythoncan import can
from pitwall.bus.reading import Reading, Stamps, batches, until_broken
from pitwall.frames import Frames

# ---------------------------------------------------------------------------------------------------------------------
# .blf: Vector's binary log


def read_blf(reading: Reading) -> Iterator[Frames]:
    reader = can.BLFReader(blf.mended(reading.path, reading.losses))
    # The date apart from the times, which are ns: together in a float64 they would be no better than us.
    base_ns = round(reader.start_timestamp * 1000) * 1_000_000
    reader.start_timestamp = 0.0
    with reader:
        yield from batches(until_broken(reader, reading.losses), reading, Stamps(base_ns))


def write_blf(path: Path, rows: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    base_ns = started_at_ns // 1_000_000 * 1_000_000  # the header holds ms
    with can.BLFWriter(path) as writer:
        writer.start_timestamp = 0.0  # as above: times apart from the date
        for batch in rows:
            # the writer cuts off what is below a ns: half a ns more makes that rounding
            seconds = unix_seconds(batch, started_at_ns - base_ns) + 0.5e-9
            for message in to_messages(batch, seconds, numbers(buses)):
                writer(message)
        writer.start_timestamp = base_ns / 1e9
        writer.stop_timestamp = base_ns / 1e9 + (writer.stop_timestamp or 0.0)


# ---------------------------------------------------------------------------------------------------------------------
# .mf4: ASAM MDF 4 with bus logging; data, remote and error frames lie apart, so that the order of equal times is lost


def read_mf4(reading: Reading) -> Iterator[Frames]:
    module = pythoncan.mf4()
    with _no_last_words():
        try:
            reader = module.MF4Reader(str(reading.path))
        except Exception as error:  # noqa: BLE001  # asammdf, fed with garbage, raises anything there is
            reading.losses.add(f"asammdf can't open it: {reason(error)}")
            return
        with reader:
            yield from batches(until_broken(reader, reading.losses), reading, Stamps())


@contextmanager
def _no_last_words() -> Iterator[None]:
    """Silence for objects that fail once more when they are cleared away, as asammdf's do that never came to be."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook = hook


def write_mf4(path: Path, rows: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    with pythoncan.mf4().MF4Writer(str(path)) as writer:
        for batch in rows:
            for message in to_messages(batch, unix_seconds(batch, started_at_ns), numbers(buses)):
                writer(message)


# ---------------------------------------------------------------------------------------------------------------------
# .db: python-can's table in SQLite, in the order of its rows

DB_TABLE = """CREATE TABLE messages (
    ts REAL, arbitration_id INTEGER, extended INTEGER, remote INTEGER, error INTEGER, dlc INTEGER, data BLOB
)"""


def read_db(reading: Reading) -> Iterator[Frames]:
    with tempfile.TemporaryDirectory(prefix="pitwall-") as folder:
        path = _with_whole_pages(reading.path, Path(folder, "whole.db"), reading.losses)
        with can.SqliteReader(path) as reader:
            yield from batches(until_broken(reader, reading.losses), reading, Stamps())


def _with_whole_pages(path: Path, mended: Path, losses: Losses) -> Path:
    """The database, or `mended` made of its whole pages where it is cut short.

    SQLite takes what is missing of a page for zeros, and so for values; a page all of zeros it knows for damage.
    Source: sqlite.org/fileformat.html, 1.3: page size at byte 16, number of pages at byte 28 of the header.
    """
    with path.open("rb") as file:
        head = file.read(100)
    page = int.from_bytes(head[16:18], "big")
    page = 65_536 if page == 1 else page
    whole, size = page * int.from_bytes(head[28:32], "big"), path.stat().st_size
    if not head.startswith(b"SQLite format 3\0") or size >= whole or page < 512:
        return path
    losses.add(f"cut short: {size:,} bytes of {whole:,}")
    with path.open("rb") as file, mended.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.truncate(size // page * page)
        copy.truncate(whole)
    return mended


def write_db(path: Path, rows: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    try:
        with closing(sqlite3.connect(path)) as file, file:
            file.execute(DB_TABLE)
            for batch in rows:
                file.executemany(
                    "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        (
                            m.timestamp,
                            m.arbitration_id,
                            m.is_extended_id,
                            m.is_remote_frame,
                            m.is_error_frame,
                            m.dlc,
                            m.data,
                        )
                        for m in to_messages(batch, unix_seconds(batch, started_at_ns), buses)
                    ),
                )
    except sqlite3.Error as error:  # a full disk, above all
        raise OSError(str(error)) from error
