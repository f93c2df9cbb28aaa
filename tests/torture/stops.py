"""SIGTERM at random instants, of the recorder and of `pitwall run`: exit code 0, in time, and nothing left to mend.

The recorder ends its session, durable and sealed; the server's projection of it is whole, where it had caught up.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pitwall.car import load
from pitwall.log import recover, sessions
from pitwall.project.build import stale
from pitwall.project.generations import Generations
from tests.torture.killer import PATIENCE_S, ROOT, Command, Recorders, environment
from tests.torture.kills import spread
from tests.torture.ledger import Ledger
from tests.torture.plugged import INTERFACE, plugin
from tests.torture.recorder import Order

CARS = ROOT / "cars"

INSTANTS_S = 0.3
"""Within this of its start a recorder is stopped."""
RUN_S = 3.0
"""Within this of its start `pitwall run` is: while its halves start, record, catch up, and are at work."""
LOADED_S = 5.0
"""So long it may take to stop under load; idle, a second."""


@dataclass
class Result:
    """sessions, frames: in the log.  projected: sessions whose projections are whole.  end_s: from the signal to its
    end.
    """

    sessions: int = 0
    frames: int = 0
    projected: int = 0
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


def stop_runs(times: int, seed: int, folder: Path) -> Result:
    """Stop `pitwall run` `times` times on one logs folder, whatever its processes are at.  Raises as `stop` does."""
    chance = random.Random(seed)
    logs, projections, result = folder / "runs", folder / "projections", Result()
    driver = plugin(folder / "run-driver")
    ledger = Ledger(logs, stamped=False)
    generations = Generations(projections)
    for run in range(times):
        known = {one.id for one in sessions(logs)} if logs.is_dir() else set()
        words = ("run", "--port", "0", "--projections", str(projections))
        rate = chance.choice([500, 2_000, 8_000])
        with _Running(words, logs, run, rate, driver, folder) as running:
            time.sleep(chance.uniform(0, RUN_S))
            shown = running.shown() if chance.random() < 0.7 else None  # else in the middle of whatever it is at
            status, end_s, said = running.end(signal.SIGTERM)
        assert status == 0, said
        assert "Traceback" not in said, said
        assert "was killed" not in said, said
        result.end_s.append(end_s)
        if not logs.is_dir():
            continue  # it had not come to it yet
        _check_stopped(ledger)
        for session in sessions(logs):
            if session.id not in known and session.id == shown:
                car = load(CARS, session.header.car)
                assert not stale(session, car, generations), f"{stale(session, car, generations)}: {said}"
                result.projected += 1
    assert not [file for file in projections.iterdir() if file.suffix in (".building", ".wal")]
    found = sessions(logs)
    result.sessions, result.frames = len(found), sum(session.frames for session in found)
    return result


class _Running:
    """A `pitwall run` of numbered frames.  What it says goes to a file, as its children say it too."""

    def __init__(self, words: tuple[str, ...], logs: Path, run: int, rate: float, driver: Path, folder: Path) -> None:
        self._said = folder / f"run-{run}.txt"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pitwall", *words, "--logs", str(logs), "--car", "bmw-e46-m3"),
                    *("--interface", INTERFACE, "--channel", f"{run}@{rate:g}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment() | {"PYTHONPATH": os.pathsep.join([str(driver), str(ROOT)])},
            )

    def __enter__(self) -> _Running:
        # before this it has no handler yet, as no process has in its first moments: SIGTERM is its end then
        while "pitwall: " not in self._said.read_text():
            assert self._process.poll() is None, self._said.read_text()
            time.sleep(0.01)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def shown(self) -> str | None:
        """The session that its server follows, and has caught up with; None: none within a few seconds."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            address = re.search(r"http://([\d.:]+)/", self._said.read_text())
            if address is not None:
                with suppress(OSError, ValueError):
                    with urllib.request.urlopen(f"http://{address[1]}/health", timeout=5) as answer:
                        live = json.load(answer)["live"]
                    if live["state"] == "recording":
                        return str(live["session"])
            time.sleep(0.02)
        return None

    def end(self, by: signal.Signals) -> tuple[int, float, str]:
        """As `Command.end`."""
        signalled = time.monotonic()
        self._process.send_signal(by)
        status = self._process.wait(PATIENCE_S)
        return status, time.monotonic() - signalled, self._said.read_text()


def _check_stopped(ledger: Ledger) -> None:
    found = ledger.check(ended=True)
    assert all(session.state == "ended" for session in found), found
    assert all(file.suffix == ".arrow" for session in found for file in session.path.iterdir())
    assert recover(ledger.logs) == []


def torture(scale: float, seed: int) -> Iterator[str]:
    """1,000 recorders, 50 of the command line, and `pitwall run` 100 times."""
    with tempfile.TemporaryDirectory() as folder:
        kinds = (("recorders", stop, 1_000), ("command lines", stop_commands, 50), ("whole runs", stop_runs, 100))
        for name, stopping, times in kinds:
            count = max(2, round(times * scale))
            done = stopping(count, seed, Path(folder))
            yield (
                f"{count:,} {name} stopped by SIGTERM, {done.sessions:,} sessions: {done.frames:,} frames, every one "
                "that was heard; nothing to recover"
            )
            late = sum(end_s > LOADED_S for end_s in done.end_s)
            yield f"from SIGTERM to the end, all durable and sealed: {spread(done.end_s)}"
            yield f"later than {LOADED_S:g} s: {late}"
            if done.projected:
                yield f"{done.projected} sessions that the server had caught up with: the projection of each is whole"
