"""A real recorder that is made to be killed: numbered frames in at a given rate, what it reports written out by a pipe.

`python -m tests.torture.recorder FD` forks one recorder after the other, so that Python's start and the imports are
paid for once: an order as a line of JSON comes in, the process's id goes out; `reap` comes in, its exit status goes
out.  Each is `pitwall.record.record` as `pitwall record` calls it, signals and all.

Law: frame `i` of the run `r` says so in its payload, and at which ms of the monotonic clock it was heard.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import pitwall.record
from pitwall.bus.source import Cause, Plug
from pitwall.commands.record import stop_on_signals
from pitwall.frames import Frames, empty, frames
from pitwall.log import disk
from pitwall.log.hold import RESERVE_BYTES, Hold
from pitwall.log.writer import Pace

PAYLOAD: Final = np.dtype([("number", "<u4"), ("run", "<u2"), ("ms", "<u2")])
REPORT: Final = struct.Struct("<IqIqqq48s")
CAR: Final = "test"
BUS: Final = "can0"
ID: Final = 0x123
LATEST_S: Final = 0.5
"""A recorder that is to die at a call of the disk is dead by then."""


@dataclass(frozen=True)
class Order:
    """One recorder.  run: its number, below 65,536.  rate: frames/s.  die_at: kill itself at that call of the disk."""

    logs: str
    run: int
    rate: float = 8000
    segment_bytes: int = 64 << 20
    die_at: int = 0

    @property
    def pace(self) -> Pace:
        return Pace(segment_bytes=self.segment_bytes)


@dataclass(frozen=True, slots=True)
class Report:
    """What a recorder said of itself, when (ns, monotonic): rows written and durable, frames in the log and lost."""

    run: int
    at_ns: int
    lost: int
    frames: int
    written: int
    durable: int
    session: str

    def pack(self) -> bytes:
        return REPORT.pack(
            self.run, self.at_ns, self.lost, self.frames, self.written, self.durable, self.session.encode()
        )

    @classmethod
    def unpack(cls, data: bytes) -> Report:
        *figures, session = REPORT.unpack(data)
        return cls(*figures, session=session.rstrip(b"\0").decode())


class Numbered:
    """A source of frames that count: `rate` a second, of the monotonic clock that was `zero` at t = 0."""

    name = "numbered"

    def __init__(self, run: int, rate: float, zero: int) -> None:
        self._run, self._rate, self._zero = run, rate, zero
        self._begun = self._last = time.monotonic_ns()
        self._closed = threading.Event()
        self.given = 0

    def read(self, timeout_s: float) -> Frames | None:
        if self._closed.is_set():
            return None
        now = time.monotonic_ns()
        due = 1 + int((now - self._begun) * self._rate / 1e9) - self.given
        if due <= 0:
            time.sleep(min(timeout_s, 0.001))
            return empty()
        stamps = np.linspace(self._last, now, due, dtype=np.int64)
        numbers = np.arange(self.given, self.given + due)
        self.given += due
        self._last = now
        return frames(0, t=stamps - self._zero, id=np.full(due, ID), data=payloads(self._run, numbers, stamps))

    def counted(self) -> Mapping[Cause, int]:
        return {}

    def close(self) -> None:
        self._closed.set()


def payloads(run: int, numbers: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """uint8 (n, 8): the numbers and stamps (ns) as frames carry them."""
    rows = np.zeros(len(numbers), PAYLOAD)
    rows["number"], rows["run"], rows["ms"] = numbers, run, stamps // 10**6 & 0xFFFF
    return rows.view(np.uint8).reshape(-1, 8)


def record(order: Order, pipe: int) -> None:
    """Record until killed or stopped, telling the pipe what is written after every batch."""
    zero = time.monotonic_ns()
    source = Numbered(order.run, order.rate, zero)

    def tell(status: pitwall.record.Status) -> None:
        told = (order.run, time.monotonic_ns(), status.lost, status.frames, status.written, status.durable)
        os.write(pipe, Report(*told, session=status.session).pack())

    with stop_on_signals() as stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        with closing(Hold(Path(order.logs), reserve_bytes=RESERVE_BYTES)) as hold:
            done = pitwall.record.record(
                [Plug(source.name, lambda: source)],
                hold=hold,
                car=CAR,
                buses=[BUS],
                zero=zero,
                stop=stop,
                report=tell,
                pace=order.pace,
            )
    assert source.given == done.frames + done.lost, f"{source.given} heard, {done}"
    assert not done.problems or done.lost, done.problems


def die_at(nth: int) -> None:
    """This process is killed at its `nth` call of the disk: some before it, some behind it, a write half-way through.

    Where it does not get so far, SIGALRM ends it as suddenly.
    """
    count = itertools.count(1)

    def deadly(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def doing(self: disk.Disk, *arguments: Any) -> Any:
            if next(count) != nth:
                return real(self, *arguments)
            if name == "write":
                fd, data = arguments
                os.write(fd, data[: len(data) * (nth % 5) // 4])
            elif nth % 2:
                real(self, *arguments)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("killed")

        return doing

    signal.setitimer(signal.ITIMER_REAL, LATEST_S)
    for name, call in list(vars(disk.Disk).items()):
        if not name.startswith("_"):
            setattr(disk.Disk, name, deadly(name, call))


def child(order: Order, pipe: int) -> int:
    """The forked process; its exit code."""
    try:
        if order.die_at:
            die_at(order.die_at)
        record(order, pipe)
    except BaseException:
        traceback.print_exc()
        return 70
    return 0


def main() -> None:
    pipe = int(sys.argv[1])
    pitwall.record.REPORT_S = 0
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until a recorder is ready for it
    for line in sys.stdin:
        order = Order(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            os._exit(child(order, pipe))
        print(pid, flush=True)
        sys.stdin.readline()  # only now: until then the id is nobody else's
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def line(order: Order) -> str:
    """An order as it is given."""
    return json.dumps(asdict(order)) + "\n"


if __name__ == "__main__":
    main()
