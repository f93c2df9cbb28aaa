"""SLCAN on a pty: what is heard and what of a core it takes, beside python-can's on the same one; the recorder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import can

from pitwall.bus.address import Settings, parse, plug
from pitwall.bus.bytestream import READ_BYTES
from pitwall.bus.slcan import Decoder
from pitwall.log.session import find
from tests.adapters.slcan import line
from tests.bench.result import Result
from tests.soak.processes import cost

ROOT = Path(__file__).parents[2]
MODULE = "tests.adapters.slcan"
RATE = 8_000  # a saturated bus of 1 Mbit/s
BURST = 8  # a millisecond's: what USB full speed brings at once
OFFERED_S = 4
FLAT_OUT = 200_000
FEW = 20_000  # enough for a peer
BUSES = 4


def bench() -> Iterator[Result]:
    """Every figure of SLCAN."""
    block = b"".join(map(line, range(FLAT_OUT)))
    pieces = [block[at : at + READ_BYTES] for at in range(0, len(block), READ_BYTES)]
    decoder, begun = Decoder(), time.perf_counter()
    assert sum(len(decoder.feed(piece).rows) for piece in pieces) == FLAT_OUT
    yield Result("decode SLCAN, in memory", FLAT_OUT / (time.perf_counter() - begun), "frames/s")
    ours, ours_us = heard(ours_on, FLAT_OUT, rate=None)
    peer, peer_us = heard(peer_on, FEW, rate=None)
    yield Result("SLCAN on a pty, flat out", ours, "frames/s", "python-can 4.6", peer, 20, True)
    yield Result("the same, CPU a frame", ours_us, "us", "python-can 4.6", peer_us, less_is_better=True)
    ours, ours_us = heard(ours_on, RATE * OFFERED_S, rate=RATE)
    peer, peer_us = heard(peer_on, RATE * OFFERED_S, rate=RATE)
    note = "8,000 a second offered, 8 at once; a pty waits, an adapter would drop"
    yield Result("SLCAN, 8,000 frames/s", ours, "frames/s", "python-can 4.6", peer, 0.98 * RATE, note=note)
    yield Result("the same, CPU a frame", ours_us, "us", "python-can 4.6", peer_us, 31, less_is_better=True)
    single, _ = heard(ours_on, RATE * OFFERED_S, rate=RATE, burst=1, cpu=True)
    yield Result("the same, one at a time", single, "cores", goal=0.25, less_is_better=True)
    for buses, goal in ((1, 0.5), (BUSES, 1.0)):
        cores, lost = recorded(buses)
        name = f"the recorder, {buses * RATE:,} frames/s"
        yield Result(name, cores, "cores", goal=goal, less_is_better=True, note=f"{buses} SLCAN; {lost:,} frames lost")


@contextlib.contextmanager
def adapter(link: Path, frames: int, rate: float | None, burst: int) -> Iterator[subprocess.Popen[str]]:
    """A fake one in a process of its own, at `link`."""
    words = ["--link", str(link), "--frames", str(frames), "--burst", str(burst if rate else 50)]
    words += ["--rate", str(rate)] if rate else []
    command = [sys.executable, "-m", MODULE, *words]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def heard(
    on: Callable[[Path], Reader], frames: int, *, rate: float | None, burst: int = BURST, cpu: bool = False
) -> tuple[float, float]:
    """Frames a second (or, with `cpu`, cores), and CPU us a frame, of whoever hears all of them."""
    with tempfile.TemporaryDirectory() as folder, adapter(Path(folder) / "tty", frames, rate, burst):
        read = on(Path(folder) / "tty")
        spent, begun = time.process_time(), time.perf_counter()
        read(frames)
        spent, passed = time.process_time() - spent, time.perf_counter() - begun
    return spent / passed if cpu else frames / passed, 1e6 * spent / frames


Reader = Callable[[int], None]
"""Takes so many frames, and lets go."""


def ours_on(link: Path) -> Reader:
    source = plug(parse(f"slcan:{link}?firmware=canable"), Settings(500_000), 0).open()

    def read(frames: int) -> None:
        while frames:
            rows = source.read(1)
            assert rows is not None
            frames -= len(rows)
        source.close()

    return read


def peer_on(link: Path) -> Reader:
    bus = can.Bus(str(link), "slcan", bitrate=500_000, sleep_after_open=0, ignore_config=True)

    def read(frames: int) -> None:
        for _ in range(frames):
            assert bus.recv(10) is not None
        bus.shutdown()

    return read


def recorded(buses: int) -> tuple[float, int]:
    """Cores that `pitwall record` takes while it hears so many buses, and the frames that are not in its log."""
    frames = RATE * OFFERED_S
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as plugged:
        folder = Path(name)
        (folder / "cars/four").mkdir(parents=True)
        wired = ", ".join(f"b{n}: {{source: 'slcan:{folder}/tty{n}', bitrate: 500000}}" for n in range(buses))
        (folder / "cars/four/car.yaml").write_text(f"car: {{name: Four}}\nbuses: {{{wired}}}\n")
        ends = [plugged.enter_context(adapter(folder / f"tty{n}", frames, RATE, BURST)) for n in range(buses)]
        words = ["record", "--car", "four", "--cars", str(folder / "cars"), "--logs", str(folder / "logs")]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PITWALL_")}
        recorder = subprocess.Popen(
            [sys.executable, "-m", "pitwall", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert recorder.stdout is not None
        recorder.stdout.readline()  # it records: what it took to start is none of this
        before, begun = cost(recorder.pid), time.perf_counter()
        sent = [json.loads(end.stdout.readline())["sent"] for end in ends if end.stdout is not None]
        after, took = cost(recorder.pid), time.perf_counter() - begun
        assert before is not None, "the recorder died"
        assert after is not None, "the recorder died"
        cores = (after.cpu_s - before.cpu_s) / took
        time.sleep(0.2)  # a pty still holds some
        recorder.send_signal(signal.SIGTERM)
        recorder.wait()
        recorder.stdout.close()
        session = find(folder / "logs", "latest")
        return cores, sum(sent) - session.frames
