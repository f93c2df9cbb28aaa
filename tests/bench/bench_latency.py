"""How old is what a client of `/live` sees?  From a frame's arrival to the event that shows it, or a newer one.

A real `pitwall run` on a source that stamps its frames (`stamped.py`), a real HTTP client in this process; the clock is
the machine's monotonic one, which all processes share.  Every moment of the drive counts, not only those at which an
event came: what a client sees ages between two events, too.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.result import Result
from tests.bench.stamped import INTERFACE, plugin, since_ns
from tests.soak.processes import cost, family
from tests.torture.killer import environment

RATE = 8_000
SECONDS = float(os.environ.get("LATENCY_S", "20"))
WARM_S = 3.0
"""Left out at the beginning: the first imports, the first batches."""
ROOT = Path(__file__).parents[2]


def bench() -> Iterator[Result]:
    """The age, and what each process took for it."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), str(RATE)) as run:
        _, port = address(run)
        events = _events(port)
        _until(events, WARM_S)
        pids = {name: pid for pid, name in family(run.pid).items() if name in ("record", "serve")}
        before, began = {name: cost(pid) for name, pid in pids.items()}, time.monotonic()
        stamps, received = _until(events, SECONDS)
        took = time.monotonic() - began
        after = {name: cost(pid) for name, pid in pids.items()}
    assert all(before.values()), "a process died"
    assert all(after.values()), "a process died"
    waits = ages(stamps, received)
    note = f"{RATE:,} frames/s, {len(received) / took:.0f} events a second, {took:.0f} s"
    for share, goal in ((50, None), (99, 50.0), (99.9, None)):
        figure = float(np.percentile(waits, share)) / 1e6
        yield Result(f"arrival to client, p{share:g}", figure, "ms", goal=goal, less_is_better=True, note=note)
        note = ""
    for name, half in (("recorder", "record"), ("server", "serve")):
        note = f"{after[half].rss_bytes / 1e6:.0f} MB resident"
        cores = (after[half].cpu_s - before[half].cpu_s) / took
        yield Result(f"cores that the {name} took", cores, "cores", less_is_better=True, note=note)


def ages(stamps: np.ndarray, received: np.ndarray) -> np.ndarray:
    """How long a frame that arrived at each millisecond had to wait for an event as new as it.  All int64 ns.

    stamps: of the newest frame shown by each event, ascending.  received: when each event came.
    """
    arrivals = np.arange(stamps[0] + 1, stamps[-1], 1_000_000)
    return received[np.searchsorted(stamps, arrivals)] - arrivals


def running(folder: Path, channel: str, *more: str) -> subprocess.Popen[str]:
    """`pitwall run` on that channel of the source, all of it in `folder`, which ends where the `with` does."""
    path = [str(plugin(folder / "driver")), str(ROOT)]
    return Run(
        [
            *(sys.executable, "-m", "pitwall", "run", "--port", "0", "--car", "bmw-e46-m3", *more),
            *("--interface", INTERFACE, "--channel", channel),
            *("--logs", str(folder / "logs"), "--projections", str(folder / "projections")),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment() | {"PYTHONPATH": os.pathsep.join(path)},
        text=True,
    )


class Run(subprocess.Popen[str]):
    """Asked to end where the `with` does."""

    def __exit__(self, *raised: object) -> None:
        self.terminate()
        self.wait(60)
        super().__exit__(None, None, None)


def address(run: subprocess.Popen[str]) -> tuple[str, int]:
    """Where its page is."""
    assert run.stdout is not None
    match = re.search(r"http://([\d.]+):(\d+)/", run.stdout.readline())
    assert match, "it serves no page"
    return match[1], int(match[2])


def _events(port: int) -> Iterator[tuple[int, int]]:
    """When the newest frame shown arrived, and when the event that shows it came, both ns."""
    for now, body in bodies(port):
        shown = body.get("values", {}).get("rpm")
        if shown is not None:
            yield now - since_ns(shown[1], now), now


def bodies(port: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """When each event of `/live` came, in ns, and what it says."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        for line in connection.makefile("rb"):
            if line.startswith(b"data: "):
                yield time.monotonic_ns(), json.loads(line[6:])


def _until(events: Iterator[tuple[int, int]], seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """The events of so many seconds: stamps and times, int64 ns."""
    end = time.monotonic() + seconds
    taken = []
    for event in events:
        taken.append(event)
        if time.monotonic() > end:
            break
    stamps, received = np.array(taken, np.int64).T
    return np.maximum.accumulate(stamps), received
