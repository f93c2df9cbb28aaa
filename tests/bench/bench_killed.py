"""Killed with -9 while it writes: what is kept beside python-can's own loggers, and how soon recording goes on."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import can

from pitwall.frames import Frames, cut
from pitwall.log import Writer, find
from pitwall.log.hold import Hold
from tests.bench.bench_log import START_NS, traffic
from tests.bench.result import Result
from tests.log.drives import NoSealing

FRAMES = 20_000
ROOT = Path(__file__).parents[2]
MODULE = "tests.bench.bench_killed"
LOGGERS = ("asc", "log", "csv", "trc", "db", "blf", "mf4")
BUSES = ("can0",)
GIGABYTE_ROWS = 46_000_000

logging.getLogger("pitwall.log.hold").setLevel(logging.ERROR)  # nothing is sealed here, on purpose


def bench() -> Iterator[Result]:
    """Every figure of what is left after a kill."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        lost = FRAMES - kept("pitwall", base / "logs")
        for suffix in LOGGERS:
            yield Result(
                "lost of 20,000 frames, kill -9",
                lost,
                "frames",
                peer_name=f"python-can's {suffix} logger",
                peer=FRAMES - kept(suffix, base / f"capture.{suffix}"),
                goal=0,
                less_is_better=True,
            )
        tail = base / "tail"
        write(tail, 60 * 5_200, 104)
        note = "checked, gone on with and a row of it durable; the rest is sealed in the background"
        floor = statistics.median(_sync(base / "sync") for _ in range(20))
        yield Result(
            "go on after a 60 s tail",
            statistics.median(gone_on(tail) for _ in range(9)) * 1e3,
            "ms",
            goal=50,
            less_is_better=True,
            note=f"{note}; one sync of this disk alone takes {floor * 1e3:.1f} ms",
        )
        large = base / "large"
        subprocess.run([sys.executable, "-m", MODULE, "gigabyte", str(large)], cwd=ROOT, check=False)
        size = find(large, "latest").bytes
        assert size > 10**9, size
        yield Result("go on after 1 GB", gone_on(large), "s", goal=2, less_is_better=True, note="killed mid-write")


def kept(kind: str, path: Path) -> int:
    """Frames that are there after a process that wrote them one by one was killed, right behind the last."""
    done = subprocess.run([sys.executable, "-m", MODULE, kind, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL, done
    if kind == "pitwall":
        return find(path, "latest").frames
    count = 0
    try:
        for _ in can.LogReader(str(path)):
            count += 1
    except (OSError, ValueError, EOFError, sqlite3.Error, can.CanError, AttributeError, IndexError):
        pass  # read up to where it can't be read any more
    except Exception:  # asammdf's own, of a file without a beginning
        if kind != "mf4":
            raise
    return count


def write(logs: Path, rows: int, batch: int, *, killed: bool = False) -> None:
    """A session of this boot that is left without its end, none of it sealed."""
    hold = Hold(logs, disk=NoSealing())
    zero = time.monotonic_ns() - 60 * 10**9
    writer = Writer.begin(hold, car="bench", buses=BUSES, started_at_ns=START_NS, zero_ns=zero)
    drive = traffic(min(rows, 1_000_000))
    written, late = 0, 0
    while written < rows:
        later = Frames(0, drive.t + late, drive.bus, drive.id, drive.flags, drive.len, drive.data)
        for first in range(0, min(len(drive), rows - written), batch):
            writer.append(cut(later, first, first + batch))
        written, late = written + len(drive), int(later.t[-1])
    if killed:
        os.kill(os.getpid(), signal.SIGKILL)
    writer.close()
    hold.close(seal=False)


def gone_on(logs: Path) -> float:
    """Seconds until a new recorder has gone on with the session that was left, and has a row of it durable."""
    began = time.perf_counter()
    hold = Hold(logs, disk=NoSealing())
    stump = hold.take_up(lambda _stump: True)
    assert stump is not None
    writer = Writer.go_on(hold, stump)
    took = time.perf_counter() - began
    writer.close()
    hold.close(seal=False)
    return took


def _sync(path: Path) -> float:
    with path.open("ab") as file:
        file.write(bytes(4096))
        file.flush()
        began = time.perf_counter()
        os.fdatasync(file.fileno())
        return time.perf_counter() - began


def die(kind: str, path: Path) -> None:
    """In a process of its own: write as `kind` does, and be killed."""
    if kind == "gigabyte":
        write(path, GIGABYTE_ROWS, 4096, killed=True)
    drive = traffic(FRAMES)
    if kind == "pitwall":
        writer = Writer.create(path, car="bench", buses=BUSES, started_at_ns=START_NS)
        for first in range(FRAMES):
            writer.append(cut(drive, first, first + 1))
    else:
        logger = can.Logger(str(path))
        for t, id, data in zip(drive.t.tolist(), drive.id.tolist(), drive.data, strict=True):
            message = can.Message(timestamp=t / 1e9, arbitration_id=id, is_extended_id=False, data=bytes(data))
            logger.on_message_received(message)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die(sys.argv[1], Path(sys.argv[2]))
