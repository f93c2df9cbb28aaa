"""Replay: sealed segments in, a finished DuckDB file out, all channels of the E46; its stages; a live commit."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
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
from tests.bench.replay_stages import stages
from tests.bench.result import Result

CARS = Path(__file__).parents[2] / "cars"
FRAMES = 2_000_000
"""A good hour and a half of the stream.  And ten times as much: sixteen hours."""


def bench() -> Iterator[Result]:
    """Every figure of replay."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        short, long = sealed(base / "short", FRAMES), sealed(base / "long", 10 * FRAMES)
        once, ten_times = measured(short, base), measured(long, base)
        yield from whole(long, once, ten_times)
        yield from spending(short, base / "stages")
        replay(short, base / "projections", CARS)
        yield from asking(short, base / "projections")
        yield from committing(short, base / "live")


@dataclass(frozen=True, slots=True)
class Measured:
    """The best of a few replays, in a process of their own.  seconds; cpu_s: of all cores.  memory_bytes: the most."""

    frames: int
    seconds: float
    cpu_s: float
    projected_bytes: int
    memory_bytes: int


def measured(session: Session, base: Path, times: int = 3) -> Measured:
    """Replays the session, each time where there is nothing yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
        return apart.submit(_measure, session.path.parent, base, times).result()


def _measure(logs: Path, base: Path, times: int) -> Measured:
    session = find(logs, "latest")
    runs = []
    for _ in range(times):
        with tempfile.TemporaryDirectory(dir=base) as folder:
            began = time.process_time()
            report = replay(session, Path(folder), CARS)
            runs.append((report.seconds, time.process_time() - began))
            size = _size(Path(folder))
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Measured(
        session.frames, min(seconds for seconds, _ in runs), min(cpu for _, cpu in runs), size, int(kilobytes * 1024)
    )


def whole(session: Session, once: Measured, ten_times: Measured) -> Iterator[Result]:
    """How fast, and how it grows."""
    yield Result(
        "replay, all channels",
        ten_times.frames / ten_times.seconds,
        "frames/s",
        goal=5_000_000,
        note=f"{ten_times.frames:,} frames, {session.bytes / ten_times.frames:.1f} B/frame sealed, "
        f"{ten_times.projected_bytes / ten_times.frames:.1f} B/frame projected, best of 3",
    )
    yield Result(
        "the same on two idle cores, at most",
        2 * ten_times.frames / ten_times.cpu_s,
        "frames/s",
        note=f"by its CPU time, {ten_times.cpu_s / ten_times.frames * 1e9:.0f} ns a frame, were nothing waited for: "
        "what a machine that others load as well can tell",
    )
    yield Result(
        "10 times the log takes",
        ten_times.seconds / once.seconds,
        "times",
        goal=11,
        less_is_better=True,
        note=f"as long; by CPU time {ten_times.cpu_s / once.cpu_s:.1f} times",
    )
    yield Result(
        "memory of replay, whole process",
        ten_times.memory_bytes / 1e6,
        "MB",
        goal=500,
        less_is_better=True,
        note=f"a tenth of the log: {once.memory_bytes / 1e6:.0f} MB",
    )


def spending(session: Session, folder: Path) -> Iterator[Result]:
    """CPU time a frame of each stage, beside the least that its work takes."""
    for stage in stages(session, load(CARS, session.header.car), folder):
        yield Result(
            f"  {stage.name}",
            stage.cpu_s / session.frames * 1e9,
            "ns/frame",
            peer_name=f"the floor, {stage.floor}",
            peer=stage.floor_s / session.frames * 1e9,
            less_is_better=True,
        )


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
