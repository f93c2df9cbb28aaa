"""Adapters that are pulled out and put in again, at random, while frames flow, under a recorder that goes on.

Over a pty and over TCP the recorder is the real process, `pitwall record`, and the adapter a firmware's words in SLCAN;
at USB's transfer boundary, which nothing here can put a device behind, it is `pitwall.record.record` on adapters that
stand for libusb's objects, of both kinds: a serial device (CDC-ACM) that speaks SLCAN, and a candleLight (gs_usb).

Between two pulls an adapter sends frames one by one and in bursts, stops for a while, sends half a line, a line that no
CAN bus can carry, and garbage; it is often pulled out in the middle of one.  Laws:

1. Every frame that it sent whole while it was plugged in is in the log, once, and in order.
2. All else is counted in the log, by its cause, and nothing else is.
3. Each loss and each return that could be noticed is in the log.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

import pitwall.record
from pitwall.bus import address, usb
from pitwall.bus.address import Settings
from pitwall.bus.source import Cause
from pitwall.frames import Control, Flag, Frames, concat, in_log_order
from pitwall.log import read, sessions
from pitwall.log.hold import RESERVE_BYTES, Hold
from pitwall.record import Patience
from tests.adapters.slcan import Adapter, line
from tests.adapters.usb import Frame, GsUsbAdapter, Hub, SlcanAdapter
from tests.bus.slcan_lines import slowly

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 60.0
RUBBISH: Final = (b"t12", b"T0123456", b"\xff\0\x80", b"t1239AABB\r", b"nonsense\r", b"t123\a", b"0" * 400, b"B")
SPAWNED: Final = ("pty", "tcp")


@dataclass
class Result:
    """pulls: of the plug.  frames: sent whole, all of them in the log.  lost: told by the log, by cause."""

    pulls: int = 0
    frames: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)


def pull(over: str, times: int, seed: int, folder: Path) -> Result:
    """Pull an adapter out `times` times.  over: pty, tcp, serial (USB) or gs_usb.  AssertionError: a law is broken."""
    chance = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _car(folder / "cars" / "bare")
    played = _line(over, times, chance, folder) if over in SPAWNED else _usb(over, times, chance, folder)
    return _check(folder / "logs", played, times)


@dataclass
class Played:
    """numbers: of the frames that were sent whole, in their order.  malformed: what else came, None: unknown."""

    numbers: list[int]
    malformed: int | None


def _line(over: str, times: int, chance: random.Random, folder: Path) -> Played:
    count = iter(range(1 << 40))
    with Adapter(link=folder / "adapter" if over == "pty" else None) as adapter:
        malformed = 0
        with _recorder(adapter.address, folder):
            for k in range(times + 1):
                adapter.wait_open(PATIENCE_S)
                for _ in range(chance.randint(1, 6)):
                    lines = [line(next(count)) for _ in range(chance.choice([1, 3, 40, 700]))]
                    adapter.frames(lines, rate=chance.choice([None, 8_000]), burst=chance.choice([1, 7, 100]))
                    if chance.random() < 0.5:
                        adapter.bytes(chance.choice(RUBBISH))
                    if chance.random() < 0.3:
                        time.sleep(chance.uniform(0, 0.1))
                malformed += _malformed(bytes(adapter.said), pulled=k < times)
                if k == times:
                    break
                adapter.unplug()
                time.sleep(chance.choice([0.0, 0.01, 0.3]))
                adapter.plug()
            numbers = [int(sent[5:21], 16) for sent in adapter.sent]
            _until_heard(folder / "logs", len(numbers))
        assert not adapter.in_doubt
    return Played(numbers, malformed)


def _malformed(said: bytes, *, pulled: bool) -> int:
    """Lines of what an adapter said that are no frames; half a line is one, where it was pulled out behind it."""
    return slowly(said, 0, False)[2] + (pulled and said[-1:] not in (b"\r", b"\a", b""))


@contextmanager
def _recorder(source: str, folder: Path) -> Iterator[None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}
    environment["PYTHONPATH"] = str(ROOT)
    with (folder / "stderr").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pitwall", "record", "--car", "bare", "--source", f"can={source}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
    try:
        yield
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
        heard = (folder / "stderr").read_text()
        assert code in (0, 3), heard  # 3: something was lost, which is what it should say
        assert "Traceback" not in heard, heard
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _usb(over: str, times: int, chance: random.Random, folder: Path) -> Played:
    hub, stop = Hub(), threading.Event()
    adapter = (SlcanAdapter if over == "serial" else GsUsbAdapter)(hub)
    zero = time.monotonic_ns()
    plug = usb.plug(address.parse("usb:"), Settings(bitrate=500_000), zero, usb1=lambda: hub.usb1)
    errors: list[BaseException] = []

    def record() -> None:
        try:
            with closing(Hold(folder / "logs", reserve_bytes=RESERVE_BYTES)) as hold:
                # there is no node to watch, so that a person's pauses would be most of the time
                patience = Patience(pauses_s=(0.05, 0.1))
                pitwall.record.record(
                    [plug], hold=hold, car="bare", buses=["can"], zero=zero, stop=stop, patience=patience
                )
        except BaseException as error:
            errors.append(error)

    recorder = threading.Thread(target=record)
    adapter.plug_in()
    recorder.start()
    try:
        first = 0
        for k in range(times + 1):
            _until(lambda: adapter.listens_only, "the channel is opened")
            for _ in range(chance.randint(1, 6)):
                n = chance.choice([1, 3, 40, 400])
                adapter.hear(Frame(0x100 + i % 7, struct.pack(">Q", i)) for i in range(first, first + n))
                first += n
                if chance.random() < 0.3:
                    adapter.raw(chance.choice([b"\0" * 7, b"\xff" * 31, b"nonsense\r"]))
                if chance.random() < 0.2:
                    adapter.halt()
                if chance.random() < 0.2:
                    adapter.hold()
                    time.sleep(chance.uniform(0, 0.1))
                    adapter.resume()
                if chance.random() < 0.5:
                    time.sleep(chance.uniform(0, 0.05))
            if k < times:
                adapter.unplug()
                time.sleep(chance.choice([0.0, 0.01, 0.2]))
                adapter.plug_in()
        adapter.drained(PATIENCE_S)
        numbers = [struct.unpack(">Q", frame.data)[0] for frame in adapter.delivered]
        _until_heard(folder / "logs", len(numbers))
    finally:
        stop.set()
        recorder.join(PATIENCE_S)
        adapter.end()
    assert not errors, errors
    assert hub.contexts == 0, "a device was opened and not closed"
    return Played(numbers, None)


def _car(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "car.yaml").write_text("car: {make: Bare}\nbuses: {can: {bitrate: 500000}}\n")


def _until(true, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.005)


def _until_heard(logs: Path, frames: int) -> None:
    """Until so many frames are in the log; whether they are the right ones is another question."""

    def there() -> bool:
        return sum(int(np.count_nonzero(rows.flags & Flag.CONTROL == 0)) for rows in _rows(logs)) >= frames

    _until(there, f"{frames:,} frames are in the log")


def _rows(logs: Path) -> list[Frames]:
    return [in_log_order(rows) for session in sessions(logs) for rows in read(session.path)] if logs.exists() else []


def _check(logs: Path, played: Played, times: int) -> Result:
    rows = concat(_rows(logs))
    control = rows.flags & Flag.CONTROL > 0
    numbers = rows.data[~control].copy().view(">u8").ravel().tolist()
    assert numbers == played.numbers, _difference(numbers, played.numbers)
    facts = _facts(rows, control)
    lost: Counter[str] = Counter()
    for kind, fact in facts:
        if kind == Control.LOST:
            lost[fact["cause"]] += fact["count"]
    states = Counter(fact["state"] for kind, fact in facts if kind == Control.SOURCE)
    if played.malformed is not None:
        expected = Counter({Cause.MALFORMED: played.malformed} if played.malformed else {})
        assert lost == expected, f"{lost} was counted, {expected} there was"
    # one that was pulled out again before anybody knew that it was back has not been lost once more
    assert times / 2 <= states["lost"] <= times, states
    assert states["lost"] - states["reconnected"] in (0, 1), states  # the session may begin with the first return
    return Result(times, len(numbers), lost, states)


def _facts(rows: Frames, control: np.ndarray) -> list[tuple[int, dict]]:
    assert rows.more is not None
    found = np.flatnonzero(control)
    return [(int(rows.id[i]), json.loads(rows.more[int(i)].as_py())) for i in found]


def _difference(got: Sequence[int], wanted: Sequence[int]) -> str:
    at = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), min(len(got), len(wanted)))
    return (
        f"{len(got):,} in the log, {len(wanted):,} sent; from {at:,} on {got[at : at + 5]}, not {wanted[at : at + 5]}"
    )


def torture(scale: float, seed: int) -> Iterator[str]:
    """100 pulls each."""
    for over in ("pty", "tcp", "serial", "gs_usb"):
        with tempfile.TemporaryDirectory() as folder:
            done = pull(over, max(2, round(100 * scale)), seed, Path(folder) / over)
        lost = ", ".join(f"{n:,} {cause}" for cause, n in sorted(done.lost.items())) or "nothing"
        yield (
            f"{over}: pulled out {done.pulls} times; {done.frames:,} frames sent whole, all in the log, once and in "
            f"order; counted as lost: {lost}"
        )
