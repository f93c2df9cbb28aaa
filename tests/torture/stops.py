"""SIGTERM of the recorder at random instants: it ends its session, exits with 0, and nothing is left to recover."""

from __future__ import annotations

import random
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pitwall.log import recover
from tests.torture.killer import Command, Recorders
from tests.torture.kills import spread
from tests.torture.ledger import Ledger
from tests.torture.plugged import plugin
from tests.torture.recorder import Order

INSTANTS_S = 0.3
"""Within this of its start a recorder is stopped."""


@dataclass
class Result:
    """sessions, frames: in the log.  end_s: from the signal to the end of the process."""

    sessions: int = 0
    frames: int = 0
    end_s: list[float] = field(default_factory=list)


def stop(times: int, seed: int, folder: Path) -> Result:
    """Stop `times` recorders on one logs folder.  Raises AssertionError where one left anything to be desired."""
    chance = random.Random(seed)
    ledger, result = Ledger(folder / "logs"), Result()
    with Recorders() as recorders:
        for run in range(times):
            order = Order(
                str(ledger.logs),
                run,
                rate=chance.choice([2_000, 8_000, 30_000]),
                segment_bytes=chance.choice([20_000, 200_000, 64 << 20]),
            )
            death = recorders.run(order, chance.uniform(0, INSTANTS_S), signal.SIGTERM)
            assert death.status == 0, f"exit code {death.status}: {recorders.said()}"
            ledger.hear(death.reports)
            if death.reports:
                last = death.reports[-1]
                assert last.durable == last.written, last
            result.end_s.append(death.end_s)
            _check_stopped(ledger)
            frames = death.reports[-1].frames if death.reports else 0
            assert ledger.frames.get(run, 0) == frames, f"{frames} frames were heard: {ledger.frames}"
    result.sessions, result.frames = len(ledger.check_all()), sum(ledger.frames.values())
    return result


def stop_commands(times: int, seed: int, folder: Path) -> Result:
    """Stop the real command line `times` times on one logs folder.  Raises as `stop` does."""
    chance = random.Random(seed)
    ledger, result = Ledger(folder / "commands", stamped=False), Result()
    driver = plugin(folder / "driver")
    for run in range(times):
        command = Command(ledger.logs, run, chance.choice([2_000, 8_000]), driver)
        command.first_s()
        time.sleep(chance.uniform(0, INSTANTS_S))
        status, end_s, said = command.end(signal.SIGTERM)
        assert status == 0, said
        ledger.hear([])
        result.end_s.append(end_s)
        _check_stopped(ledger)
        assert f"{ledger.frames[run]:,} frames" in said, (ledger.frames[run], said)
    result.sessions, result.frames = len(ledger.check_all()), sum(ledger.frames.values())
    return result


def _check_stopped(ledger: Ledger) -> None:
    found = ledger.check(ended=True)
    assert all(session.state == "ended" for session in found), found
    assert all(file.suffix == ".arrow" for session in found for file in session.path.iterdir())
    assert recover(ledger.logs) == []


def torture(scale: float, seed: int) -> Iterator[str]:
    """1,000 recorders, and 50 of the command line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, stopping, times in (("recorders", stop, 1_000), ("command lines", stop_commands, 50)):
            count = max(2, round(times * scale))
            done = stopping(count, seed, Path(folder))
            yield (
                f"{count:,} {name} stopped by SIGTERM, {done.sessions:,} sessions: {done.frames:,} frames, every one "
                "that was heard; nothing to recover"
            )
            yield f"from SIGTERM to the end, all durable and sealed: {spread(done.end_s)}"
