"""The N-th call of the disk fails, for every N, in every way: what was acknowledged is there all the same.

A workload (`failing_io_work`) is lived once on a disk that works: that is what it gives, row for row, and how many
calls it makes.  Then once for every call, with that call failing in each way, once, a few times, or from then on.

Laws:

1. What was called written reads back; what was called durable is there, too, when the power goes, whatever was not
   synced being lost then.  No row is there that nobody gave, none twice.  (`crash_states_examine`)
2. The process lives, or gives up with a PitwallError; where the disk works again, all is done in the end.
3. The log can be opened, read, and recovered, and to recover it again changes nothing.
4. A file whose sync failed is neither synced nor written to again.
5. Of a session that is being archived or restored, there is a whole copy at any instant.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from pitwall.errors import PitwallError
from pitwall.frames import to_arrow
from pitwall.log import read
from tests.log.drives import joined
from tests.torture.crash_states_disk import Memory, Promised, Recorder, State, Trace, Volume
from tests.torture.crash_states_examine import Examiner
from tests.torture.failing_io_work import WORK, Stage, check_copies

MEMORY: Final = Path("/dev/shm")
ERRORS: Final = ("EIO", "ENOSPC", "EROFS", "EDQUOT", "EINTR")
WAYS: Final = (*ERRORS, "short", "full")
"""How a call fails: with that errno; `short`: a write takes half of it; `full`: half of it, and then nothing."""
LASTS: Final = (1, 4, math.inf)
"""So many calls fail, one after the other."""


class Fault(NamedTuple):
    """nth: the first call that fails, from 1; 0: none does."""

    nth: int = 0
    way: str = "EIO"
    lasts: float = 1


class FailingDisk(Recorder):
    """A disk that notes what is done to it, and fails.

    fault: how.  calls: those that may fail.  failed: those that did.  wrong: what nobody should have asked of it.
    """

    def __init__(self, root: Path, trace: Memory | Trace, fault: Fault) -> None:
        super().__init__(root, trace)
        self.open_gate()
        self.calls = self.failed = 0
        self.wrong: list[str] = []
        self.fault = fault
        self._counting = threading.Lock()
        self._distrusted: set[int] = set()  # files whose sync has failed

    @property
    def healed(self) -> bool:
        """Whether it works again."""
        return self.failed >= self.fault.lasts or not self.fault.nth

    def create(self, path: Path) -> int:
        self._check()
        fd = super().create(path)
        self._distrusted.discard(fd)
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        if fd in self._distrusted:
            self.wrong.append("a file was written to behind a sync of it that failed")
        return super().write(fd, data[: max(1, len(data) // 2)] if self._check(short=True) else data)

    def sync(self, fd: int) -> None:
        if fd in self._distrusted:
            self.wrong.append("a file was synced again behind a sync of it that failed")
        try:
            self._check()
        except OSError:
            self._distrusted.add(fd)
            raise
        super().sync(fd)

    def sync_file(self, path: Path) -> None:
        self._check()
        super().sync_file(path)

    def rename(self, path: Path, to: Path) -> None:
        self._check()
        super().rename(path, to)

    def unlink(self, path: Path) -> None:
        self._check()
        super().unlink(path)

    def make_folder(self, path: Path) -> None:
        self._check()
        super().make_folder(path)

    def sync_folder(self, path: Path) -> None:
        self._check()
        super().sync_folder(path)

    def _check(self, *, short: bool = False) -> bool:
        """Raises OSError where this call is to fail.  short: it may do so by taking half; then whether it does."""
        nth, way, lasts = self.fault
        with self._counting:
            self.calls += 1
            if not nth or self.calls < nth or self.failed >= lasts:
                return False
            self.failed += 1
            first = self.failed == 1
        if way == "short" or (way == "full" and first and short):
            return short
        number = getattr(errno, "ENOSPC" if way == "full" else way)
        raise OSError(number, os.strerror(number))


@dataclass
class Figures:
    """runs: of a workload, with a fault that was met.  done: all was done in the end.  states: examined, distinct."""

    runs: int = 0
    done: int = 0
    refused: int = 0
    states: int = 0


class Bench:
    """One workload, in the folder `place`.  calls: of the disk, that it makes where none fails."""

    def __init__(self, work: str, place: Path, seed: int) -> None:
        self.work = work
        self._place = place
        self._random = random.Random(seed)
        self.figures = Figures()
        stage, disk = self._live(Fault())
        assert stage.done, "it is not done on a disk that works"
        self.calls = disk.calls
        self._examiner = Examiner(place / "examined", self._rows(stage.root)) if not stage.kept else None
        shutil.rmtree(stage.root)

    def run(self, fault: Fault) -> None:
        """Live it with this fault.  Raises AssertionError."""
        try:
            self._run(fault)
        except Exception as error:
            raise AssertionError(f"{self.work}, {fault}: {type(error).__name__}: {error}") from error

    def _run(self, fault: Fault) -> None:
        stage, disk = self._live(fault)
        assert not disk.wrong, disk.wrong[0]
        assert stage.done or not disk.healed, "the disk works again, and it was not done"
        if disk.failed:
            self.figures.runs += 1
            self.figures.done += stage.done
            self.figures.refused += len(stage.refused)
        if self._examiner is None:
            check_copies(stage)
        else:
            self._examine(self._examiner, stage)
            self.figures.states = self._examiner.examined
        shutil.rmtree(stage.root)

    def _live(self, fault: Fault) -> tuple[Stage, FailingDisk]:
        root = Path(tempfile.mkdtemp(dir=self._place))
        stage = Stage(root, Memory())
        work, prepare = WORK[self.work]
        prepare(stage)
        stage.began = on_disk(root)
        disk = FailingDisk(root, stage.trace, fault)
        stage.disk = disk
        try:
            work(stage)
        except PitwallError as error:
            if disk.healed:
                raise
            stage.refused.append(error)
        return stage, disk

    def _rows(self, root: Path) -> dict[str, pa.RecordBatch]:
        """Every row of each session, as it was when all went well."""
        return {
            folder.name: to_arrow(joined(read(folder)))
            for folder in root.iterdir()
            if folder.is_dir() and not folder.name.startswith(".")
        }

    def _examine(self, examiner: Examiner, stage: Stage) -> None:
        """What is there, with the power on; what may be there where it goes then, or went at any instant before."""
        volume = Volume(stage.began)
        written: dict[str, int] = {}
        durable: dict[str, int] = {}
        events = stage.trace.noted
        instants = {self._random.randrange(len(events) + 1) for _ in range(2)}
        for number, event in enumerate(events):
            if number in instants:
                self._cut(examiner, volume, durable)
            volume.apply(event)
            if isinstance(event, Promised):
                written[event.session] = max(event.written, written.get(event.session, 0))
                durable[event.session] = max(event.durable, durable.get(event.session, 0))
        whole = on_disk(stage.root)
        assert volume.whole().files == whole.files, "what was noted is not what was done"
        examiner.examine(whole, written)
        self._cut(examiner, volume, durable)

    def _cut(self, examiner: Examiner, volume: Volume, durable: dict[str, int]) -> None:
        examiner.examine(volume.least(), durable)
        examiner.examine(volume.some(self._random), durable)


def on_disk(root: Path) -> State:
    """All that is there, but for hidden files: nothing of the log is in those."""
    files: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        if not path.name.startswith(".") or path.is_dir():
            files[str(path.relative_to(root))] = None if path.is_dir() else path.read_bytes()
    return State(files)


def faults(calls: int) -> list[Fault]:
    """Every one, of a workload that makes so many calls; one that met an error makes a few more."""
    return [Fault(nth, way, lasts) for nth in range(1, calls + 1) for way in WAYS for lasts in LASTS]


logging.getLogger("pitwall").addHandler(logging.NullHandler())  # what it warns of is what is done to it here


def run(work: str, seed: int, share: float) -> tuple[Bench, list[Fault]]:
    """A workload with a share of all its faults, drawn by the seed.  Raises AssertionError."""
    place = Path(tempfile.mkdtemp(prefix="pitwall-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        bench = Bench(work, place, seed)
        every = faults(bench.calls)
        drawn = every if share >= 1 else random.Random(seed).sample(every, math.ceil(len(every) * share))
        for fault in drawn:
            bench.run(fault)
        return bench, drawn
    finally:
        shutil.rmtree(place)


def torture(scale: float, seed: int) -> Iterator[str]:
    """Every call of every workload, failing in every way; below scale 1, a share of them."""
    for work in WORK:
        bench, drawn = run(work, seed, scale)
        done = bench.figures
        yield (
            f"{work}: {bench.calls} calls, {len(drawn):,} faults, {done.runs:,} of them met: {done.done:,} times"
            f" all was done in the end, {done.refused:,} refusals; {done.states:,} distinct states examined"
        )
