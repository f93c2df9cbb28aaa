"""Work in processes of its own: each tells how far it is, in lines of JSON, and ends with who started it.

`Worker` starts `python -m pitwall.rebuild`, which reads `pause` and `go` as lines, and writes lines of JSON:
`{"done", "rows"}` now and then; last `{"report"}`, `{"busy"}` or `{"error"}`.

Laws:

1. No worker outlives who started it: its stdin ends then, whatever happened.
2. What it has not swapped in when it dies is swept by whoever builds next: there is the old projection, or the
   new.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CORES: Final = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

LOOK_S: Final = 0.02

TAIL_LINES: Final = 5
"""Of what a worker that died had printed."""


@dataclass(frozen=True, slots=True)
class Order:
    """A session to replay.  projections: the folder itself, private or not.  nice: 0 to 19."""

    session: str
    logs: Path
    projections: Path
    cars: Path
    force: bool = False
    strict: bool = False
    nice: int = 0
    leave_free: int | None = None

    def encoded(self) -> str:
        return json.dumps({name: _plain(getattr(self, name)) for name in self.__slots__})

    @classmethod
    def decoded(cls, text: str) -> Order:
        said = json.loads(text)
        for name in ("logs", "projections", "cars"):
            said[name] = Path(said[name])
        return cls(**said)


class Process:
    """`python -m ARGUMENTS`, from its making to `close`.  done, rows: how far it is, so far as it told."""

    def __init__(self, name: str, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """env: as of `Popen`."""
        self.done = self.rows = 0
        self._last: dict[str, Any] | None = None
        self._said: deque[str] = deque(maxlen=TAIL_LINES)
        self._process = subprocess.Popen(  # noqa: S603  our own command line, no shell
            [sys.executable, "-m", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            errors="replace",
            env=env,
        )
        self._threads = [
            threading.Thread(target=listen, name=f"pitwall-worker-{name}", daemon=True)
            for listen in (self._listen, self._listen_to_trouble)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def over(self) -> bool:
        """Whether it has ended, and all that it said was heard."""
        return self._process.poll() is not None and not any(thread.is_alive() for thread in self._threads)

    def ended(self) -> tuple[int, dict[str, Any] | None, list[str]]:
        """Its exit code, what it said last, and the end of what it had to say of trouble; once it is over."""
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        return code, self._last, list(self._said)

    def close(self) -> None:
        """Ends it, wherever it is."""
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def tell(self, order: str) -> None:
        """A line to it."""
        with suppress(OSError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                said = json.loads(line)
                if not isinstance(said, dict):
                    continue  # a library's remark
                if "rows" in said:
                    self.done, self.rows = said["done"], said["rows"]
                else:
                    self._last = said

    def _listen_to_trouble(self) -> None:
        assert self._process.stderr is not None
        self._said.extend(line.strip() for line in self._process.stderr if line.strip())


class Worker(Process):
    """One session's.  done, rows: of its log."""

    def __init__(self, order: Order) -> None:
        super().__init__(order.session, ["pitwall.rebuild", order.encoded()])
        self.order = order
        self._paused = False

    def pause(self, paused: bool) -> None:
        """Have it rest, or go on: after the batch that it is at."""
        if paused != self._paused:
            self._paused = paused
            self.tell("pause" if paused else "go")

    def outcome(self) -> dict[str, Any]:
        """What it said last, once it is over: `report`, `busy`, or `error` with a text."""
        code, last, said = self.ended()
        if last is not None:
            return last
        trouble = f": {said[-1]}" if said else ""
        return {"error": f"{self.order.session}: the process that replayed it {how(code)}{trouble}"}


def how(code: int) -> str:
    """How a process ended, in words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def together(
    orders: Sequence[Order], progress: Callable[[int, int], None], *, most: int = CORES
) -> Iterator[tuple[str, dict[str, Any]]]:
    """All of them, `most` at once, in their order: each one's session and outcome, as it comes.

    progress: told of rows done, and of rows in all, of those that have begun.
    """
    waiting = deque(orders)
    workers: list[Worker] = []
    done = 0
    try:
        while waiting or workers:
            while waiting and len(workers) < most:
                workers.append(Worker(waiting.popleft()))
            time.sleep(LOOK_S)
            for worker in [worker for worker in workers if worker.over]:
                workers.remove(worker)
                worker.close()
                done += worker.rows
                yield worker.order.session, worker.outcome()
            progress(done + sum(worker.done for worker in workers), done + sum(worker.rows for worker in workers))
    finally:
        for worker in workers:
            worker.close()


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
