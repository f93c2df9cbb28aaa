"""What laps, corners, findings and cues cost a replay: one session, with them and without."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from pitwall.bus.simulator import simulate
from pitwall.car import Car, load
from pitwall.frames import cut, in_log_order
from pitwall.log.session import Session, find
from pitwall.log.writer import Writer
from pitwall.project.build import build
from pitwall.project.generations import Generations
from tests.bench.result import Result

CARS = Path(__file__).parents[2] / "cars"
LAPS = 32
"""An hour of them.  After 20 a lap is held against no more of the others: what it costs grows no further."""
TURNS = 7
RATE_LEFT = 0.8
"""Of replay's rate: laps and the coach take a fifth at most."""


def bench() -> Iterator[Result]:
    """CPU time of all cores, by medians of both in turn: what other load changes least."""
    with tempfile.TemporaryDirectory() as folder:
        session = _driven(Path(folder))
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as apart:
            coached_s, bare_s = apart.submit(_measure, Path(folder)).result()
    yield Result(
        "replay with laps and the coach",
        coached_s / session.frames * 1e9,
        "ns/frame",
        peer_name="the same replay of a car without roles and alarms, which has neither",
        peer=bare_s / session.frames * 1e9,
        goal=RATE_LEFT,
        goal_is_ratio=True,
        less_is_better=True,
        note=f"{session.frames:,} frames, {LAPS} laps: {(coached_s - bare_s) / LAPS * 1e3:.1f} ms of CPU time a lap",
    )


def _driven(logs: Path) -> Session:
    writer = Writer.create(logs, car="bmw-e46-m3", buses=["dash"], started_at_ns=1_790_000_000_000_000_000)
    end = 0
    for lap in map(in_log_order, simulate(seed=1, laps=LAPS).frames()):
        for first in range(0, len(lap), 8_192):
            writer.append(cut(lap, first, first + 8_192))
        end = int(lap.t[-1])
    writer.end(end + 2_000_000)
    return find(logs, "latest")


def _measure(logs: Path) -> tuple[float, float]:
    """CPU seconds with laps and the coach, and without; the first turn, which warms up, is left out."""
    session = find(logs, "latest")
    car = load(CARS, session.header.car)
    bare = replace(car, roles=(), alarms=())  # the projection's own tables stay the same
    spent = [(_spent(session, car), _spent(session, bare)) for _ in range(1 + TURNS)]
    coached_s, bare_s = np.median(spent[1:], axis=0).tolist()
    return coached_s, bare_s


def _spent(session: Session, car: Car) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        build(session, car, Generations(Path(folder)))
        return time.process_time() - began
