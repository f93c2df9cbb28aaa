"""Sessions to project: logs written by the real writer, of the simulator's frames or of a few made up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import duckdb

from pitwall.bus.simulator import simulate
from pitwall.car import load
from pitwall.frames import Frames, cut, in_log_order
from pitwall.log.opening import Header
from pitwall.log.session import Session, find
from pitwall.log.writer import Writer
from pitwall.project import content
from pitwall.project.database import connect
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline

CARS = Path(__file__).parents[2] / "cars"
E46 = load(CARS, "bmw-e46-m3")
STARTED_NS = 1_790_000_000_000_000_000
HEADER = Header(1, "a-session", "bmw-e46-m3", STARTED_NS, ("dash",), "pitwall of the tests")


@cache
def driven(rows: int = 20_000, seed: int = 1) -> Frames:
    """The first frames of a simulated drive."""
    return cut(in_log_order(next(iter(simulate(seed=seed, laps=1).frames()))), 0, rows)


def written(logs: Path, frames: Frames, name: str = "a-session", *, end: bool = True) -> Session:
    """A session of `frames` on disk."""
    writer = Writer.create(logs, car="bmw-e46-m3", buses=["dash"], started_at_ns=STARTED_NS, session_id=name)
    for first in range(0, len(frames), 4096):
        writer.append(cut(frames, first, first + 4096))
    if end:
        writer.end(int(frames.t[-1]))
    else:
        writer.close()
    return find(logs, name)


def digests(folder: Path, batches: Iterable[Frames | None]) -> dict[str, str]:
    """What the loop makes of `batches`."""
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(folder)) as projector:
        project(batches, projector)
        projector.store.wait()
        with contextlib.closing(projector.store.cursor()) as cursor:
            return content.digests(cursor)


@contextlib.contextmanager
def opened(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A finished generation, read-only."""
    with contextlib.closing(connect(file, file.with_suffix(".spill"), read_only=True)) as connection:
        yield connection
