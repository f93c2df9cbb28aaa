"""A car driven for long: `pitwall run` on slcan adapters, loaded by clients, its memory, its CPU and its log watched.

Everything is the real thing but the adapters, which are ptys (`tests.soak.buses`).  Laws, in the end:

1. Of every bus, every frame that its adapter could give is in the log, once and in order; none is counted as lost.
2. No process died, or grew without an end; nobody printed an error.
3. What was stopped by one SIGTERM ended with 0, and left nothing to recover.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from pitwall.frames import Control, Flag, in_log_order
from pitwall.log import read, recover, sessions, verify
from tests.soak.load import Load, Met, Where, ask, until
from tests.soak.processes import Cost, cost, family

ROOT: Final = Path(__file__).parents[2]
CAR: Final = "soak"
SETTLED: Final = 0.5
"""What grows within this share of the time is a start, not a leak: DuckDB keeps the blocks that it wrote until its
buffers are full, which takes some 12 million rows of a car's hundred columns, half an hour at 8,000 frames a second."""
PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """buses: as many adapters.  rate: frames a second of each.  loaded: whether there are clients, and edits.

    arguments: of `pitwall run`; by default what a phone is given.
    """

    seconds: float
    buses: int = 1
    rate: float = 8000.0
    loaded: bool = True
    sample_s: float = 10.0
    arguments: tuple[str, ...] = ("--memory", "256MB")


@dataclass(frozen=True, slots=True)
class Sample:
    """at_s: since the first.  costs: of `run`, `record` and `serve`.  workers_bytes: resident, of all that rebuild."""

    at_s: float
    costs: dict[str, Cost]
    workers_bytes: int
    health: dict[str, Any]


@dataclass
class Outcome:
    """sent: frames of all buses, as adapters gave them; refused: that found no reader in time.  kept: in the log."""

    seconds: float = 0.0
    sent: int = 0
    refused: int = 0
    kept: int = 0
    sessions: int = 0
    stop_s: float = 0.0
    met: Met = field(default_factory=Met)
    samples: list[Sample] = field(default_factory=list)

    def cores(self, name: str) -> float:
        """CPU seconds a second of the process `name`, from the first sample to the last."""
        first, last = self.samples[0], self.samples[-1]
        if name not in first.costs or name not in last.costs or last.at_s == first.at_s:
            return float("nan")
        return (last.costs[name].cpu_s - first.costs[name].cpu_s) / (last.at_s - first.at_s)

    def rss(self, name: str) -> list[tuple[float, int]]:
        """When (s), and how many bytes were resident, once it had settled."""
        settled = SETTLED * self.samples[-1].at_s
        return [(s.at_s, s.costs[name].rss_bytes) for s in self.samples if name in s.costs and s.at_s >= settled]

    def growth(self, name: str) -> float:
        """Bytes a minute that the process `name` grew by, once it had settled: the slope of a straight line."""
        seen = np.array(self.rss(name), float)
        return float(np.polyfit(seen[:, 0], seen[:, 1], 1)[0] * 60) if len(seen) > 2 else 0.0


def soak(
    plan: Plan,
    folder: Path,
    tell: Callable[[Sample], None] = lambda _sample: None,
    begun: Callable[[Where], None] = lambda _where: None,
) -> Outcome:
    """Drive for so long, in the new folder `folder`.  begun: called once frames come in, with where the server is.

    Raises AssertionError where a law is broken.
    """
    outcome = Outcome()
    car = folder / "cars" / CAR
    car.mkdir(parents=True)
    shutil.copy(ROOT / "cars/bmw-e46-m3/aim-mxp.dbc", car)
    (car / "car.yaml").write_text(definition(plan.buses, 0))
    adapters, run, load = _adapters(folder, plan), None, None
    try:
        run, where = _run(folder, plan)
        until(lambda: ask(where, "/health")[1]["live"]["state"] == "recording", "frames come in")
        load = Load(where, car / "car.yaml", lambda k: definition(plan.buses, k))
        if plan.loaded:
            load.start()
        begun(where)
        for sample in _samples(plan, run, where):
            outcome.samples.append(sample)
            tell(sample)
        sent, refused = _rest(adapters)
        outcome.seconds, outcome.met = outcome.samples[-1].at_s, load.met
        outcome.sent, outcome.refused = sum(sent), sum(refused)
        load.stop()
        asked = time.monotonic()
        run.send_signal(signal.SIGTERM)
        assert run.wait(PATIENCE_S) == 0, _heard(folder)
        outcome.stop_s = time.monotonic() - asked
    finally:
        _end(adapters, run, load)
    _check(folder, sent, outcome)
    return outcome


def definition(buses: int, k: int) -> str:
    """The car's file after the edit `k`, which shifts one channel by `k`."""
    every = "\n".join(f"  can{i}: {{dbc: aim-mxp.dbc}}" for i in range(buses))
    return f"""car: {{make: Soak}}
buses:
{every}
channels:
  revs: {{from: can0.SmartyCam01.rpm, unit: rpm}}
derived:
  more: {{expr: "revs + {k}", unit: rpm}}
"""


def _adapters(folder: Path, plan: Plan) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.buses", folder, str(plan.buses), str(plan.rate)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _rest(adapters: subprocess.Popen[str]) -> tuple[list[int], list[int]]:
    """Has the adapters send no more: how many frames each has sent, and refused."""
    assert adapters.stdin is not None
    assert adapters.stdout is not None
    adapters.stdin.write("enough\n")
    adapters.stdin.flush()
    said = json.loads(adapters.stdout.readline())
    return said["sent"], said["refused"]


def _run(folder: Path, plan: Plan) -> tuple[subprocess.Popen[str], tuple[str, int]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}
    environment["PYTHONPATH"] = str(ROOT)
    sources = [word for i in range(plan.buses) for word in ("--source", f"can{i}=slcan:{folder}/can{i}")]
    with (folder / "stderr").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pitwall", "run", "--car", CAR, *sources, "--port", "0", *plan.arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    assert process.stdout is not None
    match = re.search(r"http://([\d.]+):(\d+)/", process.stdout.readline())
    assert match, _heard(folder)
    return process, (match[1], int(match[2]))


def _samples(plan: Plan, run: subprocess.Popen[str], where: tuple[str, int]) -> Iterator[Sample]:
    begun = time.monotonic()
    processes = {name: pid for pid, name in family(run.pid).items() if name in ("run", "record", "serve")}
    for k in range(round(plan.seconds / plan.sample_s) + 1):
        time.sleep(max(0.0, begun + k * plan.sample_s - time.monotonic()))
        costs = {name: cost(pid) for name, pid in processes.items()}
        dead = [name for name, one in costs.items() if one is None]
        assert not dead, f"{dead} died"
        workers = [one for pid, name in family(run.pid).items() if name not in processes and (one := cost(pid))]
        health = ask(where, "/health")[1]
        assert health["status"] in ("ok", "quiet"), health
        assert health["live"]["log_damages"] == 0, health["live"]
        yield Sample(
            time.monotonic() - begun,
            {name: one for name, one in costs.items() if one is not None},
            sum(worker.rss_bytes for worker in workers),
            health,
        )


def _end(adapters: subprocess.Popen[str], run: subprocess.Popen[str] | None, load: Load | None) -> None:
    """Whatever is still there ends."""
    if load is not None:
        load.stop()
    if run is not None and run.poll() is None:
        run.terminate()
        try:
            run.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
    adapters.communicate()


def _heard(folder: Path) -> str:
    return (folder / "stderr").read_text()


def _check(folder: Path, sent: list[int], outcome: Outcome) -> None:
    heard, logs = _heard(folder), folder / "logs"
    assert not outcome.met.problems, outcome.met.problems
    assert not re.search(r"Traceback|ERROR|CRITICAL", heard), heard
    found = sessions(logs)
    assert [one.state for one in found] == ["ended"] * len(found), found
    assert recover(logs) == []
    next_number = [0] * len(sent)
    for session in found:
        report = verify(session)
        assert not report.damages, report
        for rows in read(session.path):
            rows = in_log_order(rows)
            lost = (rows.flags & Flag.CONTROL > 0) & (rows.id == Control.LOST)
            assert not lost.any(), [more.as_py() for more in rows.more.take(np.flatnonzero(lost))]
            for bus in range(len(sent)):
                mine = (rows.bus == bus) & (rows.flags & Flag.CONTROL == 0)
                numbers = rows.data[mine, :4].copy().view("<u4").ravel()
                expected = np.arange(next_number[bus], next_number[bus] + len(numbers))
                assert np.array_equal(numbers, expected), f"can{bus}: behind {next_number[bus]:,} came another"
                next_number[bus] += len(numbers)
    assert next_number == sent, f"{sent} were sent, {next_number} are in the log"
    outcome.kept, outcome.sessions = sum(next_number), len(found)
