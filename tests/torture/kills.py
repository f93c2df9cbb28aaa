"""kill -9 of the recorder at random instants, again and again on the same logs folder: nothing written is ever missing.

Three ways to die: by the clock, at any instant between its start and full load; at a call of the disk, before it,
behind it or half-way through a write; and the real command line, from exec, by the clock.
"""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pitwall.log import recover
from tests.torture.killer import Command, Recorders
from tests.torture.ledger import Ledger
from tests.torture.plugged import plugin
from tests.torture.recorder import Order

SESSION_KILLS = 25
"""After so many kills, on the average, a recorder is stopped as it should be, and the next one begins a session."""
FOLDER_KILLS = 250
"""So many on one logs folder; then another is begun, so that looking at all of it stays quick."""

EARLY = 0.3
"""So many are killed as they start, recover and begin; the others once they have written a frame, at full load."""
INSTANTS_S = 0.1
"""Within this, instants are picked."""
MOST_CALLS = 60
"""At one of so many calls of the disk a recorder dies: one that does not get so far dies in half a second."""


@dataclass
class Result:
    """kills, stops: done.  frames: in the logs.  again_s: from a kill to the next recorder's first frame written."""

    kills: int = 0
    stops: int = 0
    sessions: int = 0
    frames: int = 0
    lost: int = 0
    again_s: list[float] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.kills += other.kills
        self.stops += other.stops
        self.sessions += other.sessions
        self.frames += other.frames
        self.lost += other.lost
        self.again_s += other.again_s


def kill(times: int, seed: int, folder: Path, *, at_calls: bool = False) -> Result:
    """Kill `times` recorders on logs folders in `folder`.  at_calls: at a call of the disk instead of by the clock.

    Raises AssertionError as `Ledger.check` does, and where a killed session was not gone on with.
    """
    chance = random.Random(seed)
    result = Result()
    with Recorders() as recorders:
        for first in range(0, times, FOLDER_KILLS):
            logs = folder / f"logs-{first}"
            result.add(_kill(recorders, min(FOLDER_KILLS, times - first), chance, logs, at_calls=at_calls))
            shutil.rmtree(logs)
    return result


def _kill(recorders: Recorders, times: int, chance: random.Random, logs: Path, *, at_calls: bool) -> Result:
    ledger, result = Ledger(logs), Result()
    killed_s: float | None = None  # how long the last kill took; None behind a stop
    while result.kills < times:
        stopping, early = chance.random() < 1 / SESSION_KILLS, chance.random() < EARLY
        dies = at_calls and not stopping
        order = Order(
            str(logs),
            run=result.kills + result.stops,
            rate=chance.choice([2_000, 8_000, 30_000]),
            segment_bytes=chance.choice([20_000, 200_000, 64 << 20]),
            die_at=round(MOST_CALLS ** chance.random()) if dies else 0,
        )
        death = recorders.run(
            order,
            chance.uniform(0, INSTANTS_S),
            signal.SIGTERM if stopping else signal.SIGKILL,
            heard_first=not (early or dies),
        )
        ways = [0] if stopping else [-signal.SIGALRM, -signal.SIGKILL] if dies else [-signal.SIGKILL]
        assert death.status in ways, f"the run {order.run} ended with {death.status}"
        ledger.hear(death.reports)
        ledger.check(ended=stopping)
        if not (early or dies) and killed_s is not None and death.first_s is not None:
            result.again_s.append(killed_s + death.first_s)
        killed_s = None if stopping else death.end_s
        result.stops += stopping
        result.kills += not stopping
    result.add(_recovered(ledger))
    return result


def kill_commands(times: int, seed: int, folder: Path) -> Result:
    """Kill the real command line `times` times on one logs folder.  Raises as `kill` does."""
    chance = random.Random(seed)
    ledger, result = Ledger(folder / "commands", stamped=False), Result()
    driver = plugin(folder / "driver")
    killed_s: float | None = None
    for run in range(times):
        command = Command(ledger.logs, run, chance.choice([2_000, 8_000]), driver)
        if chance.random() < EARLY:
            time.sleep(chance.uniform(0, 0.5))
        else:
            first_s = command.first_s()
            if killed_s is not None:
                result.again_s.append(killed_s + first_s)
            time.sleep(chance.uniform(0, INSTANTS_S))
        status, killed_s, said = command.end(signal.SIGKILL)
        assert status == -signal.SIGKILL, said
        ledger.hear([])
        ledger.check()
    result.kills = times
    result.add(_recovered(ledger))
    return result


def _recovered(ledger: Ledger) -> Result:
    """What has come together in a logs folder, once its last session was recovered."""
    recover(ledger.logs)
    found = ledger.check_all()
    assert all(session.state == "ended" for session in found)
    assert all(file.suffix == ".arrow" for session in found for file in session.path.iterdir())
    return Result(sessions=len(found), frames=sum(ledger.frames.values()), lost=sum(ledger.lost.values()))


def torture(scale: float, seed: int) -> Iterator[str]:
    """10,000 kills by the clock, 2,500 at calls of the disk, 200 of the command line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, times, at_calls in (("by the clock", 10_000, False), ("at a call of the disk", 2_500, True)):
            done = kill(max(1, round(times * scale)), seed, Path(folder), at_calls=at_calls)
            yield f"{done.kills:,} kills {name}, {_kept(done)}"
            if done.again_s:
                yield f"from a kill to the next frame written: {spread(done.again_s)}"
        done = kill_commands(max(2, round(200 * scale)), seed, Path(folder))
        yield f"{done.kills:,} kills of the command line, {_kept(done)}"
        if done.again_s:
            yield f"from a kill, through exec, to the next frame written: {spread(done.again_s)}"


def _kept(done: Result) -> str:
    lost = f"; {done.lost:,} counted as lost" if done.lost else ""
    return (
        f"{done.stops:,} stops, {done.sessions:,} sessions: {done.frames:,} frames, "
        f"none reported written is missing, none is twice{lost}"
    )


def spread(times_s: list[float]) -> str:
    """The usual, the worst of a hundred and the worst of all, in ms."""
    p50, p99 = np.percentile(times_s, [50, 99]) * 1e3
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(times_s) * 1e3:.0f} ms of {len(times_s):,}"
