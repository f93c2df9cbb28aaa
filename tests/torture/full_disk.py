"""A small real file system that is filled up under a recorder at full rate, and has room again later.

Two ways: `pitwall run` as a whole, with projections on the same file system or on another; and the recorder alone, that
knows how many frames it was given.  Laws:

1. The reserve goes first, and buys time.  Then the recorder says so, on stderr, in `/health` and in `pitwall sessions`,
   within `SAID_S` of the last row that was written.
2. Projections on the same file system are written no more before the log has trouble.
3. Nothing that was kept goes.  With room again it goes on by itself, in the same session.
4. Frames kept and frames counted as lost are the frames that came; a LOST row stands where they are missing, and its
   times are within the gap.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

import pitwall.record
from pitwall.frames import Control, Flag, concat, in_log_order
from pitwall.log import lock, read, sessions, verify
from pitwall.log.reserve import NAME as RESERVE
from tests.torture import recorder
from tests.torture.killer import PATIENCE_S, ROOT, Recorders, environment
from tests.torture.ledger import Ledger
from tests.torture.mounts import inside, mounted, why_not
from tests.torture.plugged import INTERFACE, plugin
from tests.torture.recorder import PAYLOAD, Order

DISK_BYTES: Final = 64 << 20
"""Its reserve is the 64th part: 1 MB."""
RATE: Final = 16_000
"""Two saturated 1 Mbit/s buses."""
SAID_S: Final = 1.0
QUEUE_FRAMES: Final = 8_192
"""That a recorder keeps in memory here: half a second, so that some are lost."""


class Filled:
    """A file that takes all the room that is left in a folder's file system, until it is removed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def fill(self) -> None:
        """Takes all that is free now."""
        with self._path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65_536))

    def empty(self) -> None:
        """Gives it back."""
        self._path.unlink()


def until(true: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> Any:
    """What `true` says once it says something.  Raises AssertionError where it has not by then."""
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, f"{what}: it did not happen"
        time.sleep(0.01)
    return found


def state(logs: Path) -> Any:
    """What the recorder says of itself."""
    found = lock.recorder(logs)
    return found.state if found else None


@dataclass
class Trouble:
    """bought_s: how long the reserve helped.  said_s: from the last row written until it was said, by where."""

    bought_s: float
    said_s: dict[str, float]


def trouble(logs: Path, filled: Filled, heard: dict[str, Callable[[], bool]], slack: float) -> Trouble:
    """Fill the disk up, and see who says so.  heard: whether it is said there, by where."""
    until(lambda: (logs / RESERVE).exists() and state(logs).written > RATE, "there is a reserve, and rows")
    filled.fill()
    until(lambda: not (logs / RESERVE).exists(), "the reserve is given up")
    began = time.monotonic()
    size, last = -1, began
    told: dict[str, float] = {}
    while len(told) < len(heard):
        now = time.monotonic()
        assert now - began < PATIENCE_S, f"only {list(told)} say so"
        segment = max(next(iter(sessions(logs))).path.glob("*.arrows"))
        if (segment.name, segment.stat().st_size) != size:
            size, last = (segment.name, segment.stat().st_size), now
        for where in heard.keys() - told.keys():
            if heard[where]():
                told[where] = time.monotonic()
        time.sleep(0.005)
    said = {where: max(0.0, at - last) for where, at in told.items()}
    late = {where: took for where, took in said.items() if took > SAID_S * slack}
    assert not late, f"said late: {late}"
    return Trouble(last - began, said)


def run_out(folder: Path, *, together: bool, slack: float) -> str:
    """`pitwall run` on a disk that fills up.  together: its projections are on the same.  A line that tells."""
    logs, filled = folder / "logs", Filled(folder)
    projections = folder / "projections" if together else Path(tempfile.mkdtemp())
    port = _free_port()
    command = [
        *(sys.executable, "-m", "pitwall", "run", "--logs", logs, "--projections", projections, "--car", "bmw-e46-m3"),
        *("--interface", INTERFACE, "--channel", f"1@{RATE}", "--port", str(port)),
    ]
    path = os.pathsep.join([str(plugin(Path(tempfile.mkdtemp()))), str(ROOT)])
    with _Said(command, path) as said:
        until(lambda: _health(port), "the page is there")
        asked = _Sessions(logs)
        heard = {
            "stderr": lambda: "what comes is kept in memory" in said.text,
            "health": lambda: bool((_health(port).get("recorder") or {}).get("problem")),
            "sessions": lambda: "NOT WRITTEN" in asked.text,
        }
        until(lambda: (_health(port)["projection"]["offset"] or 0) > RATE, "it is projected")
        happened = trouble(logs, filled, heard, slack)
        asked.stop()
        assert _health(port)["status"] == "failing"
        if together:
            assert _health(port)["projection"]["not_kept"], "projections did not give way"
            assert "not kept from here on" in said.text.partition("what comes is kept in memory")[0], said.text
        before = state(logs).written
        filled.empty()
        until(lambda: state(logs).written > before and not state(logs).problem, "it goes on by itself")
        until(lambda: "the log is written again" in said.text, "it says so")
        assert _health(port)["recorder"]["problem"] is None
    kept, lost = counted(logs)
    assert f"{kept:,} frames" in said.text or lost, said.text
    times = ", ".join(f"{where} {took:.2f} s" for where, took in happened.said_s.items())
    return (
        f"pitwall run, projections on {'the same disk' if together else 'another'}: the reserve bought"
        f" {happened.bought_s:.1f} s; said behind the last row: {times}; {kept:,} frames kept, {lost:,} counted as lost"
    )


def record_out(folder: Path, slack: float) -> str:
    """The recorder alone, with little memory; it proves itself that what it was given was kept or counted."""
    logs, filled = folder / "logs", Filled(folder)
    happened: list[Trouble] = []

    def out_and_in() -> None:
        happened.append(trouble(logs, filled, {"published": lambda: bool(state(logs).problem)}, slack))
        until(lambda: state(logs).lost > 0, "frames are lost")
        before = state(logs).written
        filled.empty()
        until(lambda: state(logs).written > before and not state(logs).problem, "it goes on by itself")

    with Recorders("full_disk") as recorders:
        death = recorders.run(Order(str(logs), 0, rate=RATE), 0.5, signal.SIGTERM, heard_first=True, before=out_and_in)
        assert death.status == 0, recorders.said()
    ledger = Ledger(logs)
    ledger.hear(death.reports)
    ledger.check(ended=True)
    kept, lost = counted(logs)
    assert lost > 0
    said_s = happened[0].said_s["published"]
    return (
        f"the recorder alone: the reserve bought {happened[0].bought_s:.1f} s, said {said_s:.2f} s behind the last row;"
        f" {kept:,} frames kept and {lost:,} counted as lost are all that came"
    )


def counted(logs: Path) -> tuple[int, int]:
    """Frames kept, and lost, of the one session there.  Raises AssertionError where a LOST row tells anything else."""
    (session,) = [session for session in sessions(logs) if session.frames]
    assert session.state == "ended"
    assert not verify(session).damages
    rows = concat([in_log_order(batch) for batch in read(session.path)])
    is_control = rows.flags & np.uint8(Flag.CONTROL) != 0
    at = np.flatnonzero(~is_control)
    number = np.ascontiguousarray(rows.data[at]).view(PAYLOAD).reshape(-1)["number"].astype(np.int64)
    assert number[0] == 0
    gaps = np.diff(number) - 1
    assert np.all(gaps >= 0), "frames are twice, or out of their place"
    assert rows.more is not None
    told = [(int(i), json.loads(rows.more[i].as_py())) for i in np.flatnonzero(is_control & (rows.id == Control.LOST))]
    missing = {int(at[i]): int(gaps[i]) for i in np.flatnonzero(gaps)}
    lost = 0
    for before, facts in itertools.groupby(told, key=lambda one: int(at[np.searchsorted(at, one[0]) - 1])):
        listed = [fact for _, fact in facts]
        frames = sum(fact["count"] for fact in listed)
        after = at[np.searchsorted(at, before) + 1 :]
        assert frames == missing.pop(before, frames if not len(after) else 0), f"{frames} frames are called lost"
        assert rows.t[before] <= min(fact["first_t"] for fact in listed)
        assert all(fact["first_t"] <= fact["last_t"] for fact in listed)
        assert not len(after) or max(fact["last_t"] for fact in listed) <= rows.t[after[0]]
        lost += frames
    assert not missing, f"frames are missing that nothing counts: {missing}"
    return len(number), lost


class _Said:
    """A command, what it has said so far, and its orderly end."""

    def __init__(self, command: list[Any], path: str) -> None:
        self.text = ""
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment() | {"PYTHONPATH": path},
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.text += line

    def __enter__(self) -> _Said:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._listener.join(PATIENCE_S)
        if kind is not None:
            print(self.text, file=sys.stderr)
        else:
            assert "Traceback" not in self.text, self.text


class _Sessions:
    """What `pitwall sessions` says, asked again and again."""

    def __init__(self, logs: Path) -> None:
        self.text = ""
        self._logs, self._over = logs, threading.Event()
        self._asking = threading.Thread(target=self._ask, daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        from click.testing import CliRunner

        from pitwall.commands.sessions import sessions as command

        while not self._over.wait(0.05):
            self.text = CliRunner().invoke(command, ["--logs", str(self._logs)]).output

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self._asking.join()


def _health(port: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())  # type: ignore[no-any-return]
    except OSError:
        return {}
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def torture(scale: float, seed: int) -> Iterator[str]:
    """Each way ten times."""
    if why := why_not("tmpfs"):
        yield f"not tried: {why}"
        return
    yield from inside("full_disk", "ways", max(1, round(10 * scale)), 1, 3)


def main(times: int, slack: float, ways: int) -> None:
    """In a namespace of its own: fill disks up, in the first so many ways, and print the figures."""
    for _ in range(times):
        for way in (
            lambda folder: record_out(folder, slack),
            lambda folder: run_out(folder, together=True, slack=slack),
            lambda folder: run_out(folder, together=False, slack=slack),
        )[:ways]:
            with (
                tempfile.TemporaryDirectory() as place,
                mounted("tmpfs", Path(place) / "disk", f"size={DISK_BYTES}") as folder,
            ):
                print(way(folder), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "ways":
        main(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    else:  # the forking recorder, with little memory
        assert pitwall.record.record.__kwdefaults__ is not None
        pitwall.record.record.__kwdefaults__["queue_frames"] = QUEUE_FRAMES
        recorder.main()
