"""How long after a frame is its cue heard of?  From the arrival of the frame that goes out of its limit to the event.

A real `pitwall run` on a source that stamps its frames (`stamped.py`), a car with an alarm on each of 16 signals that
says so at once, and a real HTTP client in this process.  Every two seconds, as soon as the coach may speak again,
another signal goes out of its limit.  When the first frame that does arrived is told by the stamped frame before it in
the log, 1.5 ms earlier at most: what is measured is no less than the truth.

Of that the coach's own steps are what the session's clock tells: from the frame to the tick at which it is said.  The
rest is the way there and on: into the log, out of it, through the pipeline, to the client.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pitwall.frames import Frames
from pitwall.log.reader import read
from pitwall.log.session import sessions
from tests.bench.bench_latency import RATE, ROOT, address, bodies, running
from tests.bench.result import Result
from tests.bench.stamped import IDS, LOUD, LOUD_RAW, since_ns

SECONDS = float(os.environ.get("CUES_S", "60"))
EVERY_S = 2.107
"""The coach is silent for 2 s before what is urgent, and for 30 s of what it has said: 16 signals take longer.  Not a
multiple of any step on the way, so that each cue meets another part of them."""
GOAL_MS = 100.0
WARM_S = 5.0
"""Cues of the beginning are left out: a server that starts catches up first."""
WHEELS = ("fl", "fr", "rl", "rr")
LIMITS = {"tyre_pressure": "300 bar", "tyre_temp": "1000 degC", "tpms_battery": "30 V", "tyre_alarm": "30000"}


def bench() -> Iterator[Result]:
    """What it comes to for as many cues as fit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cars = _cars(folder / "cars")
        with running(folder, f"{RATE}/{EVERY_S}", "--cars", str(cars)) as run:
            heard = _heard(address(run)[1])
        (session,) = sessions(folder / "logs")
        batches = list(read(session.path))
    warm = [(received, t_ns) for received, t_ns in heard if t_ns > WARM_S * 1e9]
    waits, steps = latencies(warm, *_loud(batches)) / 1e6
    note = f"{RATE:,} frames/s, {len(waits)} cues"
    for share, goal in ((50, None), (99, GOAL_MS), (100, None)):
        said = "slowest" if share == 100 else f"p{share}"
        figure = float(np.percentile(waits, share))
        yield Result(f"arrival to cue, {said}", figure, "ms", goal=goal, less_is_better=True, note=note)
        note = ""
    for stage, took in (("the coach's steps", steps), ("the way there and on", waits - steps)):
        for share in (50, 99):
            figure = float(np.percentile(took, share))
            yield Result(f"of that {stage}, p{share}", figure, "ms", less_is_better=True)


def latencies(heard: list[tuple[int, int]], onsets_ns: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Of each cue: how long from the frame to its event, and of that to its `t`; float64 (2, n) ns.

    heard: when its event came, on the machine's clock, and its `t` on the session's.
    onsets_ns: when signals went out of their limits, on the session's clock, int64 ascending; stamps: of the frame
    before each.  A cue is of the newest onset before it.
    """
    found = []
    for received, t_ns in heard:
        at = int(np.searchsorted(onsets_ns, t_ns, side="right")) - 1
        assert at >= 0, "a cue of nothing"
        assert t_ns - onsets_ns[at] < EVERY_S * 1e9, "a cue of something else"
        found.append((since_ns(float(stamps[at]), received), t_ns - onsets_ns[at]))
    return np.array(found, np.float64).T


def _cars(folder: Path) -> Path:
    """The car, with one alarm a loud signal and no others."""
    shutil.copytree(ROOT / "cars" / "bmw-e46-m3", folder / "bmw-e46-m3")
    file = folder / "bmw-e46-m3" / "car.yaml"
    text, _, _ = file.read_text().partition("\nalarms:")
    places = [f"{name}_{wheel}: {{above: {limit}, for: 1 ms}}" for name, limit in LIMITS.items() for wheel in WHEELS]
    file.write_text("\n".join([text, "alarms:", *(f"  {place}" for place in places), ""]))
    return folder


def _heard(port: int) -> list[tuple[int, int]]:
    end = time.monotonic() + SECONDS
    found = []
    for received, body in bodies(port):
        if "cue" in body:
            found.append((received, int(body["cue"]["t"])))
        if time.monotonic() > end:
            break
    assert found, "no cue was said"
    return found


def _loud(batches: list[Frames]) -> tuple[np.ndarray, np.ndarray]:
    """When each signal went out of its limit, on the session's clock, and the stamp of the last frame that has one."""
    onsets, stamps = [], []
    stamp, loud = 0, dict.fromkeys(LOUD, -1)
    for batch in batches:
        order = np.argsort(batch.offsets, kind="stable")
        signals = batch.data[order].view("<u2")
        for t, id, values in zip(batch.t[order].tolist(), batch.id[order].tolist(), signals.tolist(), strict=True):
            if id == IDS[0]:
                stamp = values[0]
            elif id in loud:
                now = values.index(LOUD_RAW) if LOUD_RAW in values else -1
                if now >= 0 and now != loud[id]:
                    onsets.append(t)
                    stamps.append(stamp)
                loud[id] = now
    return np.array(onsets, np.int64), np.array(stamps, np.float64)
