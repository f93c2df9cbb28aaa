"""The log: appended, sealed, read back, verified and recovered; sizes beside other formats' of the same frames."""

from __future__ import annotations

import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import can
import numpy as np
import pyarrow as pa

from pitwall.frames import Frames, cut, frames
from pitwall.log import Writer, find, read, verify
from tests.bench.result import Result
from tests.captures import CAPTURES

START_NS = 1_700_000_000_000_000_000


def bench() -> Iterator[Result]:
    """Every figure of the log."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        drive = traffic(2_000_000)
        yield from appending(base, drive)
        yield from reading(base, drive)
        yield from recovering(base, drive)
        yield from sizes(base)


def traffic(n: int, *, ids: int = 60, seed: int = 1) -> Frames:
    """`n` frames at 5,200 a second, with counters, slow and noisy bytes, stamped in ns as a live adapter is."""
    random = np.random.default_rng(seed)
    t = np.cumsum(random.integers(50_000, 334_615, n))
    id = random.integers(0, ids, n)
    data = np.zeros((n, 8), np.uint8)
    data[:, 0] = np.arange(n) // ids
    data[:, 1] = id
    data[:, 2] = (128 + 100 * np.sin(t / 3e9 + id)).astype(np.uint8)
    data[:, 3] = random.integers(0, 256, n)
    data[:, 6] = (np.arange(n) >> 14) & 255
    return frames(0, t=t, id=0x100 + id, data=data)


def appending(base: Path, drive: Frames) -> Iterator[Result]:
    """Rows into an open segment."""
    for rows, name, goal in ((4096, "append, 4,096 frames a batch", 1e6), (100, "append, 100 frames a batch", None)):
        writer = _begin(base / f"append-{rows}")
        batches = [cut(drive, first, first + rows) for first in range(0, 400 * rows, rows)]
        began = time.perf_counter()
        for batch in batches:
            writer.append(batch)
        spent = time.perf_counter() - began
        writer.close()
        yield Result(name, sum(map(len, batches)) / spent, "frames/s", goal=goal)
    writer = _begin(base / "small")
    times = []
    for first in range(0, 40_000, 20):
        batch = cut(drive, first, first + 20)
        began = time.perf_counter()
        writer.append(batch)
        times.append(time.perf_counter() - began)
    writer.close()
    note = f"99 % under {np.percentile(times, 99) * 1e6:.0f} µs"
    yield Result(
        "append, a batch of 20", statistics.median(times) * 1e6, "µs", goal=100, less_is_better=True, note=note
    )
    writer = _begin(base / "durable")
    began = time.perf_counter()
    for first in range(0, 50_000, 100):
        writer.append(cut(drive, first, first + 100))
        writer.sync()
    ours = 50_000 / (time.perf_counter() - began)
    writer.close()
    peer = 100 / statistics.median(_write_and_sync(base / "bare") for _ in range(200))
    yield Result(
        "durable in groups of 100",
        ours,
        "frames/s",
        peer_name="the same bytes by a bare write and fdatasync",
        peer=peer,
        goal=200_000,
    )


def _write_and_sync(path: Path) -> float:
    """Seconds for what 100 frames take in an open segment."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        began = time.perf_counter()
        os.write(fd, bytes(3_100))
        os.fdatasync(fd)
        return time.perf_counter() - began
    finally:
        os.close(fd)


def reading(base: Path, drive: Frames) -> Iterator[Result]:
    """A log open and sealed, verified and read, on one core."""
    logs = base / "read"
    writer = _begin(logs, segment_bytes=64 << 20)
    for first in range(0, len(drive), 4096):
        writer.append(cut(drive, first, first + 4096))
    session = find(logs, "latest")
    rate = _rate(session.rows, lambda: verify(session))
    yield Result("verify, open segments", rate, "frames/s", goal=50e6)
    yield Result("read, open segments", _rate(session.rows, lambda: _drain(session.path)), "frames/s")
    began = time.perf_counter()
    writer.end(int(drive.t[-1]))
    yield Result("end a session and seal it", session.rows / (time.perf_counter() - began), "frames/s")
    session = find(logs, "latest")
    cpus = pa.cpu_count()
    pa.set_cpu_count(1)
    rate = _rate(session.rows, lambda: _drain(session.path))
    yield Result(
        "read, sealed, one core", rate, "frames/s", goal=20e6, note=f"{session.bytes / session.rows:.2f} bytes a row"
    )
    pa.set_cpu_count(cpus)
    yield Result("read, sealed", _rate(session.rows, lambda: _drain(session.path)), "frames/s")
    yield Result("verify, sealed", _rate(session.rows, lambda: verify(session)), "frames/s")


def recovering(base: Path, drive: Frames) -> Iterator[Result]:
    """A minute's tail that a dead writer left: until a new session takes frames."""
    times = []
    for turn in range(5):
        logs = base / f"recover-{turn}"
        writer = _begin(logs)
        for first in range(0, 60 * 5200, 104):
            writer.append(cut(drive, first, first + 104))
        writer.close()
        with next(writer.path.glob("*.arrows")).open("ab") as file:
            file.write(b"\xff\xff\xff\xff\x00\x02\x00\x00torn")
        began = time.perf_counter()
        again = _begin(logs)
        times.append(time.perf_counter() - began)
        again.close()
    note = "verified, ended, and a new session begun; sealed in the background"
    yield Result(
        "verify and end a 60 s tail", statistics.median(times) * 1e3, "ms", goal=50, less_is_better=True, note=note
    )


def sizes(base: Path) -> Iterator[Result]:
    """Bytes a frame of a real capture, sealed, and in the formats that others keep."""
    capture = CAPTURES / "wrx" / "wrx.log"
    if not capture.is_file():
        return
    messages = list(can.LogReader(str(capture)))
    rows = _rows(messages)
    logs = base / "sizes"
    writer = _begin(logs)
    writer.append(rows)
    writer.end(int(rows.t[-1]))
    session = find(logs, "latest")
    ours = session.bytes / len(rows)
    for name, suffix, suffix_is_gzip in (("MF4", ".mf4", False), ("BLF", ".blf", False), ("candump.gz", ".log", True)):
        path = base / f"wrx{suffix}"
        with can.Logger(str(path)) as logger:
            for message in messages:
                logger.on_message_received(message)
        size = len(gzip.compress(path.read_bytes())) if suffix_is_gzip else path.stat().st_size
        yield Result(
            "bytes a frame, WRX capture",
            ours,
            "bytes",
            peer_name=name,
            peer=size / len(messages),
            goal=4.0,
            less_is_better=True,
        )


def _rows(messages: list[can.Message]) -> Frames:
    payload = b"".join(bytes(message.data).ljust(8, b"\0") for message in messages)
    # candump stamps in µs: what a float of seconds adds beyond them is no information
    t = np.array([round(message.timestamp * 1e6) for message in messages]) * 1000
    return frames(
        0,
        t=t - t[0],
        id=[message.arbitration_id for message in messages],
        data=np.frombuffer(payload, np.uint8).reshape(-1, 8),
        len=[message.dlc for message in messages],
    )


def _begin(logs: Path, *, segment_bytes: int = 256 << 20) -> Writer:
    return Writer.create(logs, car="bench", buses=["can0"], started_at_ns=START_NS, segment_bytes=segment_bytes)


def _drain(path: Path) -> None:
    for _ in read(path):
        pass


def _rate(rows: int, work) -> float:
    best = 1e9
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return rows / best


def main() -> None:
    """Print them."""
    for result in bench():
        peer = f"  {result.peer_name} {result.peer:,.2f}" if result.peer is not None else ""
        goal = f"  goal {result.goal:,.0f}" if result.goal else ""
        print(f"{result.name:32} {result.ours:16,.2f} {result.unit}{peer}{goal}  {result.note}")


if __name__ == "__main__":
    main()
