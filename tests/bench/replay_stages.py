"""A sealed session in, the CPU time of each stage of its replay out, beside the floor of each: its bare work alone.

Batch by batch, as a replay goes; Arrow on one core, so that what it does is counted where it is asked for.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pitwall import decode
from pitwall.car import Car
from pitwall.derive import Deriver, Rows
from pitwall.log import clustered
from pitwall.log import tag as tags
from pitwall.log.bytefile import ByteFile, open_bytes
from pitwall.log.folder import Segment, segments
from pitwall.log.session import Session
from pitwall.log.tag import Kind, Message
from pitwall.log.walk import Walk
from pitwall.project import columns, layout
from pitwall.project.database import connect, quoted
from pitwall.project.pipeline import origin
from pitwall.project.store import INSERT_ROWS, Store

FLOORS = {
    "read": "the bytes of the files",
    "checksum": "CRC-32 of the bytes",
    "unpack": "zstd, as Arrow has it",
    "decode": "a copy of its columns",
    "derive": "a copy of its columns",
    "gather": "a copy of all columns",
    "insert": "DuckDB, given Arrow tables of the same columns",
}
"""Each stage, in the order that a frame goes through them, and what of its work can't be left out."""


@dataclass(frozen=True, slots=True)
class Stage:
    """cpu_s, floor_s: of the whole session."""

    name: str
    floor: str
    cpu_s: float
    floor_s: float


def stages(session: Session, car: Car, folder: Path) -> list[Stage]:
    """What each stage takes, and its floor.  folder: for two files."""
    folder.mkdir()
    spent: Counter[str] = Counter()
    floor: Counter[str] = Counter()
    cores = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        rows = _computed(session, car, spent, floor)
    finally:
        pa.set_cpu_count(cores)
    _stored(session, car, rows, folder, spent)
    _stored_bare(rows, folder, floor)
    return [Stage(name, about, spent[name], floor[name]) for name, about in FLOORS.items()]


def _computed(session: Session, car: Car, spent: Counter[str], floor: Counter[str]) -> list[list[Rows]]:
    plan, deriver = decode.plan(car, session.header.buses), Deriver(car)
    given = []
    for segment in segments(session.path):
        for message in _walked(session, segment, spent, floor):
            with _Spending(floor, "unpack"):
                pa.ipc.read_record_batch(pa.py_buffer(message.data), clustered.SCHEMA)
            with _Spending(spent, "unpack"):
                frames = clustered.decode(message)
            with _Spending(spent, "decode"):
                decoding = plan.decode(frames)
            with _Spending(spent, "derive"):
                rows = deriver.fold(decoding)
            values = [column for one in decoding.messages for column in one.values.values()]
            with _Spending(floor, "decode"):
                _copied(values)
            of_messages = {id(column) for column in values}
            made = [column for part in rows for column in part.values if id(column) not in of_messages]
            with _Spending(floor, "derive"):
                _copied(made)
            everything = [column for part in rows for column in (part.t, *part.values)]
            with _Spending(floor, "gather"):
                _copied(everything)
            given.append(rows)
    return given


def _walked(session: Session, segment: Segment, spent: Counter[str], floor: Counter[str]) -> Iterator[Message]:
    """The batches of a segment, verified.  What verifying takes beside reading is the checksum's."""
    bare = open_bytes(segment.path)
    with _Spending(floor, "read"):
        bare.pread(bare.size, 0)
    file = _Metered(bare, spent)
    with Walk(segment.path, sealed=True, seed=tags.seed(session.id, segment.first), file=file) as walk:
        while walk.position < walk.size:
            before = spent["read"]
            with _Spending(spent, "checksum"):
                message = walk.next()
            spent["checksum"] -= spent["read"] - before
            assert isinstance(message, Message), message
            with _Spending(floor, "checksum"):
                zlib.crc32(message.data)
            if message.tag.kind is Kind.ROWS:
                yield message


def _stored(session: Session, car: Car, given: list[list[Rows]], folder: Path, spent: Counter[str]) -> None:
    """Through the store.  What its caller's thread does is gathering, what the others do is inserting."""
    tables = Deriver(car).tables
    with closing(Store(folder / "stored.duckdb", folder / "spill", tables, origin(car, session.header))) as store:
        began, began_here = time.process_time(), time.thread_time()
        for rows in given:
            store.append(rows)
        gathered = time.thread_time() - began_here
        store.commit(store.built, {})
        store.finish()
        spent["gather"] += gathered
        spent["insert"] += time.process_time() - began - gathered


def _stored_bare(given: list[list[Rows]], folder: Path, floor: Counter[str]) -> None:
    """Each table at once, from Arrow batches as long as a row group."""
    parts: dict[str, list[Rows]] = {}
    for rows in given:
        for part in rows:
            parts.setdefault(part.table.name, []).append(part)
    tables = [found[0].table for found in parts.values()]
    connection = connect(folder / "bare.duckdb", folder / "spill", columns=1_000)
    with closing(connection):
        for statement in layout.statements(tables):
            connection.execute(statement)
        for name, found in parts.items():
            connection.register(f"rows of {name}", _as_arrow(found))
        with _Spending(floor, "insert"):
            connection.execute("BEGIN")
            for name in parts:
                connection.execute(f"INSERT INTO {quoted(name)} SELECT * FROM {quoted(f'rows of {name}')}")
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")


def _as_arrow(parts: list[Rows]) -> pa.Table:
    t = np.concatenate([part.t for part in parts])
    values = [np.concatenate(column) for column in zip(*(part.values for part in parts), strict=True)]
    names = ["t", *(channel.name for channel in parts[0].table.channels)]
    whole = pa.table([columns.int64(t), *map(columns.float64, values)], names=names)
    return pa.Table.from_batches(whole.to_batches(max_chunksize=INSERT_ROWS))


def _copied(arrays: list[np.ndarray]) -> None:
    for array in arrays:
        array.copy()


class _Spending:
    """Adds the CPU time of its block to the `name` of `spent`."""

    def __init__(self, spent: Counter[str], name: str) -> None:
        self._spent, self._name = spent, name

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self._spent[self._name] += time.process_time() - self._began


class _Metered:
    """A file whose reading is counted."""

    def __init__(self, file: ByteFile, spent: Counter[str]) -> None:
        self._file, self._spent = file, spent

    @property
    def size(self) -> int:
        return self._file.size

    @property
    def inode(self) -> int:
        return self._file.inode

    def pread(self, size: int, position: int) -> bytes:
        with _Spending(self._spent, "read"):
            return self._file.pread(size, position)

    def close(self) -> None:
        self._file.close()
