"""Replay: sealed segments in, a finished DuckDB file out, all channels of the E46; and what a live commit costs."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from pitwall.bus.simulator import simulate
from pitwall.car import load
from pitwall.frames import Frames, cut, in_log_order
from pitwall.log.session import Session, find
from pitwall.log.writer import Writer
from pitwall.project.generations import Generations
from pitwall.project.loop import projecting
from pitwall.project.pipeline import Pipeline
from pitwall.project.query import ask, open_projection
from pitwall.replay import replay
from tests.bench.result import Result

CARS = Path(__file__).parents[2] / "cars"
FRAMES = 8_000_000
"""Six and a half hours of the stream."""


def bench() -> Iterator[Result]:
    """Every figure of replay."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        session = sealed(base / "logs", FRAMES)
        best = min((replay(session, base / "projections", CARS, force=True) for _ in range(3)), key=lambda r: r.seconds)
        yield Result(
            "replay, all channels",
            best.frames_per_s,
            "frames/s",
            goal=2_000_000,
            note=f"{best.frames:,} frames, {session.bytes / best.frames:.1f} B/frame sealed, "
            f"{_size(base / 'projections') / best.frames:.1f} B/frame projected, best of 3",
        )
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        yield Result("memory of replay, whole process", kilobytes / 1e3, "MB", goal=500, less_is_better=True)
        yield from asking(session, base / "projections")
        yield from committing(session, base / "live")


def asking(session: Session, projections: Path) -> Iterator[Result]:
    """Opening what is current, and one channel out of it."""
    car = load(CARS, session.header.car)
    began = time.perf_counter()
    with open_projection(session, car, Generations(projections)) as projection:
        yield Result("open a current projection", (time.perf_counter() - began) * 1e3, "ms", less_is_better=True)
        began = time.perf_counter()
        with ask(projection.connection, "SELECT avg(value) FROM signals WHERE channel = 'rpm'") as answer:
            answer.read_all()
        yield Result("mean of one channel", (time.perf_counter() - began) * 1e3, "ms", less_is_better=True)


def committing(session: Session, projections: Path) -> Iterator[Result]:
    """Live: a quarter of a second's frames, decoded and committed."""
    frames = next(iter(simulate(seed=1, laps=1).frames()))
    car = load(CARS, session.header.car)
    spent = []
    with projecting(Pipeline(car, session.header), Generations(projections)) as projector:
        for first in range(0, 86 * 100, 86):
            began = time.perf_counter()
            projector.apply(cut(frames, first, first + 86))
            projector.commit()
            projector.store.wait()
            spent.append(time.perf_counter() - began)
    yield Result("live commit of 250 ms, median", float(np.median(spent)) * 1e3, "ms", less_is_better=True)


def sealed(logs: Path, rows: int) -> Session:
    """A session of `rows` frames of the simulator's, driven again and again."""
    writer = Writer.create(logs, car="bmw-e46-m3", buses=["dash"], started_at_ns=1_790_000_000_000_000_000)
    laps = [in_log_order(lap) for lap in islice(simulate(seed=1).frames(), 6)]
    written, end = 0, 0
    while written < rows:
        for lap in laps:
            shifted = _later(lap, end - int(lap.t[0]))
            for first in range(0, len(lap), 8_192):
                writer.append(cut(shifted, first, first + 8_192))
            written += len(lap)
            end = int(shifted.t[-1]) + 2_000_000
    writer.end(end)
    return find(logs, "latest")


def _later(rows: Frames, by_ns: int) -> Frames:
    return Frames(rows.start, rows.t + by_ns, rows.bus, rows.id, rows.flags, rows.len, rows.data, rows.more)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.duckdb"))
