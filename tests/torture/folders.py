"""Logs folders that are odd, taken, read-only, or go away and come back under a running recorder.

Laws: what can't be is one line that says where and what, with exit code 1 or 2, and leaves no file; what can be is
recorded in, whatever its name.  One recorder a folder: the second is told the first one's pid, and a killed one's lock
is gone with it.  A folder that goes away and comes back costs nothing that was written behind its return.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pitwall.log import lock, sessions, verify
from pitwall.log.reserve import NAME as RESERVE
from tests.torture.killer import PATIENCE_S, ROOT, Recorders, environment
from tests.torture.ledger import Ledger
from tests.torture.mounts import inside, mounted, why_not
from tests.torture.recorder import Order

ODD: Final = (
    *("a space", "ünï-код-🏁", "two\nlines", "--logs", "-", "%s{0}$HOME;'\"", "...", "x" * 255),
    "/".join("y" * 40),
)
"""Names of folders that are recorded in."""


def _file(folder: Path) -> Path:
    (folder / "logs").write_text("mine")
    return folder / "logs"


def _within_a_file(folder: Path) -> Path:
    return _file(folder) / "sub"


def _too_long(folder: Path) -> Path:
    return folder / ("z" * 256)


def _dangling(folder: Path) -> Path:
    (folder / "logs").symlink_to(folder / "nowhere" / "logs")
    return folder / "logs"


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "logs")
    return folder / "logs"


def _lock_is_a_folder(folder: Path) -> Path:
    (folder / "logs" / lock.NAME).mkdir(parents=True)
    return folder / "logs"


REFUSED: Final[dict[Callable[[Path], Path], str]] = {
    _file: "is a file",
    _within_a_file: "the logs folder can't be made: Not a directory",
    _too_long: "the logs folder can't be made: File name too long",
    _dangling: "No such file or directory",
    _fifo: "Not a directory",
    _lock_is_a_folder: "the logs folder can't be written: Is a directory",
}
"""Places where nothing can be recorded -> what is said."""


class Command:
    """A `pitwall record --simulate`."""

    def __init__(self, logs: Path | str, cwd: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pitwall", "record", "--simulate", f"--logs={logs}", f"--cars={ROOT / 'cars'}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment() | {"PYTHONPATH": str(ROOT)},
            text=True,
        )

    def begun(self) -> None:
        """Waits until it records."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.startswith("recording "), self.process.communicate()

    def end(self, by: signal.Signals | None = None) -> tuple[int, str]:
        """Its exit code, and what it said on stderr."""
        if by is not None:
            self.process.send_signal(by)
        try:
            _, said = self.process.communicate(timeout=PATIENCE_S)
        except BaseException:
            self.process.kill()
            raise
        assert "Traceback" not in said, said
        return self.process.returncode, said


def refused(logs: Path, says: str) -> None:
    """Raises AssertionError where a recorder of that folder does more than say so in a line."""
    before = _names(logs.parent)
    code, said = Command(logs).end()
    assert code in (1, 2), (code, said)
    assert len(said.splitlines()) == 1, said
    assert said.startswith("pitwall: "), said
    assert says in said, said
    assert _names(logs.parent) == before, "something was left behind"


def _names(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*")) if folder.is_dir() else []


def refusals(folder: Path) -> int:
    """Every place where nothing can be recorded; how many."""
    for number, (make, says) in enumerate(REFUSED.items()):
        place = folder / f"refused-{number}"
        place.mkdir()
        refused(make(place), says)
    return len(REFUSED)


def odd_ones(folder: Path, names: tuple[str, ...] = ODD) -> int:
    """Every odd name, relative to where the recorder runs, and a link to a folder; how many."""
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    for name in (*names, "link"):
        command = Command(name, folder)
        command.begun()
        code, said = command.end(signal.SIGTERM)
        assert code == 0, said
        (session,) = sessions(folder / name)
        assert session.state == "ended"
        assert session.frames > 0
        assert not verify(session).damages
    return len(names) + 1


def two(folder: Path) -> None:
    """The second is refused and names the first; kill -9 of that one lets another in, at once."""
    logs = folder / "logs"
    first = Command(logs)
    first.begun()
    code, said = Command(logs).end()
    assert code == 1, said
    line = f"{logs}: the process {first.process.pid} is recording here already (stop it, or use another --logs)"
    assert said == f"pitwall: {line}\n", said
    assert lock.recorder(logs) is not None
    first.end(signal.SIGKILL)
    assert lock.recorder(logs) is None, "the lock outlives its process"
    third = Command(logs)
    third.begun()
    code, said = third.end(signal.SIGTERM)
    assert code == 0, said


def _removed(logs: Path, _aside: Path) -> None:
    shutil.rmtree(logs, ignore_errors=True)


def _renamed(logs: Path, aside: Path) -> None:
    logs.rename(aside)


def _replaced(logs: Path, aside: Path) -> None:
    logs.rename(aside)
    logs.mkdir(exist_ok=True)


def _gone_for_a_while(logs: Path, aside: Path) -> None:
    logs.rename(aside)
    logs.write_text("a file is in its way")
    time.sleep(1.5)
    logs.unlink()
    aside.rename(logs)


def _lock_removed(logs: Path, _aside: Path) -> None:
    (logs / lock.NAME).unlink()


def _reserve_removed(logs: Path, _aside: Path) -> None:
    (logs / RESERVE).unlink(missing_ok=True)


GOINGS: Final = (_removed, _renamed, _replaced, _gone_for_a_while, _lock_removed, _reserve_removed)


@dataclass
class Gone:
    """frames: kept where the logs folder is in the end.  lost: counted there."""

    frames: int = 0
    lost: int = 0


def disappears(folder: Path, how: Callable[[Path, Path], None], seed: int) -> Gone:
    """The folder goes away under a recorder at full rate, which goes on by itself where it was told to."""
    logs, aside = folder / "logs", folder / "aside"
    chance = random.Random(seed)

    def go() -> None:
        how(logs, aside)
        came = time.monotonic()
        there = -1
        while time.monotonic() - came < PATIENCE_S:  # until it is written again, where it is to be
            found = lock.recorder(logs) if logs.is_dir() else None
            state = found.state if found else None
            if state and state.session and not state.problem and (logs / state.session).is_dir():
                if 0 <= there < state.written:
                    return
                there = there if there >= 0 else state.written
            time.sleep(0.05)
        raise AssertionError(f"{how.__name__}: it is not written again")

    with Recorders() as recorders:
        order = Order(str(logs), 0, rate=8_000, segment_bytes=chance.choice([200_000, 64 << 20]))
        death = recorders.run(order, chance.uniform(0.1, 0.5), signal.SIGTERM, heard_first=True, before=go)
        assert death.status == 0, recorders.said()
        last = death.reports[-1]
        found = [session for session in sessions(logs) if session.frames]
        assert found[-1].state == "ended"
        kept = sum(session.frames for session in found)
        if how in (_gone_for_a_while, _lock_removed, _reserve_removed):  # nothing was taken away for good
            ledger = Ledger(logs)
            ledger.hear(death.reports)
            ledger.check(ended=True)
            assert kept == last.frames, f"{how.__name__}: {kept} of {last.frames} are there"
        assert kept > 0
        return Gone(kept, last.lost)


def read_only(folder: Path) -> None:
    """A file system that can't be written, with a log on it and without."""
    disk = folder / "disk"
    with mounted("tmpfs", disk, "size=8m"):
        command = Command(disk / "logs")
        command.begun()
        command.end(signal.SIGTERM)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused(disk / "logs", "the logs folder can't be written: Read-only file system")
        refused(disk / "others", "the logs folder can't be made: Read-only file system")
        assert [session.state for session in sessions(disk / "logs")] == ["ended"]


def torture(scale: float, seed: int) -> Iterator[str]:
    """Each, and a folder that goes away 50 times each way."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        yield f"{refusals(folder)} places refused, {odd_ones(folder)} odd ones recorded in"
        two(folder)
        for number in range(max(1, round(50 * scale))):
            for how in GOINGS:
                gone = folder / f"{how.__name__}-{number}"
                gone.mkdir()
                disappears(gone, how, seed + number)
        yield f"{len(GOINGS)} ways for a folder to go away, {number + 1} times each: written again each time"
    if why := why_not("tmpfs"):
        yield f"read-only not tried: {why}"
    else:
        yield from inside("folders")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        read_only(Path(place))
    print("a read-only disk is refused in a line", flush=True)
