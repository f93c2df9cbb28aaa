"""The killer's side of a recorder: started, killed or stopped at a given moment, heard."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from pitwall.log import sessions
from tests.torture.plugged import INTERFACE
from tests.torture.recorder import REPORT, Order, Report, line

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""A recorder that takes longer hangs."""


@dataclass(frozen=True)
class Death:
    """How a recorder ended.  status: as `subprocess` says it.  end_s, first_s: from the signal to the process's end,
    and from its start to its first frame written (None: there was none).
    """

    status: int
    reports: list[Report]
    end_s: float
    first_s: float | None


class Recorders:
    """Recorders in forked processes, one at a time.  module: of tests.torture, that forks them."""

    def __init__(self, module: str = "recorder") -> None:
        self._pipe, pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        self._said: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed on the way out
        self._server = subprocess.Popen(
            [sys.executable, "-m", f"tests.torture.{module}", str(pipe)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            pass_fds=[pipe],
            cwd=ROOT,
            env=environment(),
            text=True,
        )
        os.close(pipe)

    def __enter__(self) -> Recorders:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.communicate()
        os.close(self._pipe)
        if error is not None:
            print(self.said())
        self._said.close()

    def run(
        self,
        order: Order,
        after_s: float,
        by: signal.Signals = signal.SIGKILL,
        *,
        heard_first: bool = False,
        before: Callable[[], object] = lambda: None,
    ) -> Death:
        """Start one, give it the signal `after_s` later (`heard_first`: after its first frame was written), and wait
        for its end; one that is to kill itself is left to do so.  before: done just before the signal.
        """
        began = time.monotonic_ns()
        pid = self._start(order)
        if heard_first:
            select.select([self._pipe], [], [], PATIENCE_S)
        signalled = began / 1e9
        if not order.die_at:
            time.sleep(after_s)
            before()
            signalled = time.monotonic()
            os.kill(pid, by)
        status = self._reap(pid)
        end_s = time.monotonic() - signalled
        reports = self._reports()
        first = next((report.at_ns for report in reports if report.frames), None)
        return Death(status, reports, end_s, None if first is None else (first - began) / 1e9)

    def said(self) -> str:
        """What the recorders wrote to stderr."""
        self._said.seek(0)
        return self._said.read()

    def _start(self, order: Order) -> int:
        assert self._server.stdin is not None
        self._server.stdin.write(line(order))
        self._server.stdin.flush()
        return self._answer()

    def _reap(self, pid: int) -> int:
        """Only now is the process gone for good: until then nobody else has its id."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write("reap\n")
        self._server.stdin.flush()
        ended, _, _ = select.select([self._server.stdout], [], [], PATIENCE_S)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"the recorder {pid} hangs: {self._answer()}")
        return self._answer()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        said = self._server.stdout.readline()
        assert said, "the recorders' server has died"
        return int(said)

    def _reports(self) -> list[Report]:
        data = b""
        while True:
            try:
                more = os.read(self._pipe, 1 << 16)
            except BlockingIOError:
                break
            data += more
        return [Report.unpack(data[at : at + REPORT.size]) for at in range(0, len(data), REPORT.size)]


class Command:
    """A real `pitwall record` of numbered frames, from exec.  folder: where it finds its driver."""

    def __init__(self, logs: Path, run: int, rate: float, folder: Path) -> None:
        self._logs = logs
        self._before = _frames(logs)
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pitwall", "record", "--logs", str(logs), "--car", "bmw-e46-m3"),
                *("--interface", INTERFACE, "--channel", f"{run}@{rate:g}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment() | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
            text=True,
        )

    def first_s(self) -> float:
        """From exec to the first frame in the log; waits for it."""
        while _frames(self._logs) == self._before:
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() - self._began < PATIENCE_S, "it records nothing"
            time.sleep(0.003)
        return time.monotonic() - self._began

    def end(self, by: signal.Signals) -> tuple[int, float, str]:
        """Give it the signal; its exit status, the seconds until it had ended, and all that it said."""
        signalled = time.monotonic()
        self._process.send_signal(by)
        said, _ = self._process.communicate(timeout=PATIENCE_S)
        return self._process.returncode, time.monotonic() - signalled, said


def _frames(logs: Path) -> int:
    return sum(session.frames for session in sessions(logs))


def environment() -> dict[str, str]:
    """This process's, without its settings of pitwall."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}
