"""Real power cuts: a recorder, and who projects, on an ext4 that is shut down under them; then mounted again.

FS_IOC_SHUTDOWN without a flush of the journal is the kernel's own way to lose power: nothing more reaches the disk, and
what was never synced is gone.  Laws, behind each cut:

1. No row is missing that was called durable before the cut was begun; sessions that had one are there.
2. The log opens and goes on without a human: the next recorder takes its session up, with a RECOVERED row.  Every row
   is the one that was heard; what is missing (between two rows that were never durable) is told, by its offsets.
3. A projection that was being built, or was built, opens or is built again, equal to the reference.
"""

from __future__ import annotations

import fcntl
import io
import itertools
import multiprocessing
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from pitwall.frames import Control, Flag, Frames, concat, in_log_order
from pitwall.log import Damage, Session, read, recover, sessions
from pitwall.log.session import find
from pitwall.project import content
from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.project.query import open_projection
from tests.project.sessions import E46, driven, written
from tests.torture.killer import PATIENCE_S, Recorders
from tests.torture.mounts import MEMORY, inside, mounted, why_not
from tests.torture.recorder import PAYLOAD, Order, Report

FS_IOC_SHUTDOWN: Final = 0x8004587D  # _IOR('X', 125, __u32), of linux/fs.h
NO_LOG_FLUSH: Final = struct.pack("=I", 2)

DISK_BYTES: Final = 128 << 20
DISK_CUTS: Final = 20
"""Cuts of one disk; then a new one is made, so that looking at all of it stays quick."""
LATEST_S: Final = 0.7
"""A cut comes within this of a recorder's first frame: seven of its syncs."""

_FORK: Final = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["pitwall.project.query", "tests.project.sessions"])


@dataclass
class Result:
    """cuts, kills: done.  frames: in the logs.  gone: rows that were written and not durable, and are not there.

    opened, rebuilt: projections, behind cuts.
    """

    cuts: int = 0
    kills: int = 0
    frames: int = 0
    gone: int = 0
    opened: int = 0
    rebuilt: int = 0


def cut_power(times: int, seed: int, folder: Path, recorder: str = "recorder") -> Result:
    """Cut the power `times` times.  recorder: the module that is recorded by.  Raises AssertionError."""
    chance, result = random.Random(seed), Result()
    with Recorders(recorder) as recorders:
        while result.cuts < times:
            image = folder / "image"
            image.unlink(missing_ok=True)
            with image.open("wb") as file:
                file.truncate(DISK_BYTES)
            subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
            _one_disk(recorders, min(DISK_CUTS, times - result.cuts), chance, _Disk(image, folder / "disk"), result)
    return result


class _Disk:
    """The image of a disk, and where it is mounted."""

    def __init__(self, image: Path, at: Path) -> None:
        self.at = at
        self._image = image

    def on(self) -> ExitStack:
        """Mounted until the stack is closed.  Everything that has a file open on it must have ended by then."""
        stack = ExitStack()
        stack.enter_context(mounted("ext4", self.at, "loop", self._image))
        return stack

    def cut(self) -> int:
        """The power is lost; ns, monotonic, just before that."""
        fd = os.open(self.at, os.O_RDONLY)
        try:
            before = time.monotonic_ns()
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(fd)
        return before


def _one_disk(recorders: Recorders, times: int, chance: random.Random, disk: _Disk, result: Result) -> None:
    logs = disk.at / "logs"
    log = Survivors(logs)
    with disk.on():
        written(disk.at / "drives", driven(6_000))
        reference = _child(_look, disk.at, disk.at / "reference")[1]
        subprocess.run(["sync", "--file-system", disk.at], check=True)
    runs = itertools.count()

    def order() -> Order:
        return Order(
            str(logs),
            next(runs),
            rate=chance.choice([2_000, 8_000, 30_000]),
            segment_bytes=chance.choice([20_000, 200_000, 64 << 20]),
        )

    for _ in range(times):
        cut_ns: list[int] = []
        with disk.on():
            projecting = _FORK.Process(target=_project, args=(disk.at,))
            projecting.start()
            for _ in range(chance.choice([0, 0, 1, 2])):  # what these leave unsynced, the last one is answerable for
                killed = recorders.run(order(), chance.uniform(0, LATEST_S / 4), heard_first=chance.random() < 0.8)
                log.promise(killed.reports)
                result.kills += 1
            death = recorders.run(
                order(), chance.uniform(0, LATEST_S), heard_first=True, before=lambda at=cut_ns: at.append(disk.cut())
            )
            projecting.kill()
            projecting.join()
        before = [report for report in death.reports if report.at_ns <= cut_ns[0]]
        with disk.on():
            log.promise(before)
            log.look()
            if before:
                result.gone += max(0, before[-1].written - log.rows.get(before[-1].session, 0))
            rebuilt, found = _child(_look, disk.at, disk.at / "projections")
            assert found == reference, "the projection is another behind the cut"
        result.cuts += 1
        result.opened += not rebuilt
        result.rebuilt += bool(rebuilt)
    with disk.on():
        recover(logs)
        assert all(session.state == "ended" for session in log.look()), "a session did not get its end"
        assert len(log.rows) == 1, f"sessions were begun that could have been gone on with: {log.rows}"
        result.frames += log.frames


@dataclass
class Survivors:
    """The sessions of a logs folder behind cuts.

    durable: so many rows of each were promised.  rows: were there.  gone: offsets that went in earlier cuts.
    """

    logs: Path
    durable: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    gone: dict[str, np.ndarray] = field(default_factory=dict)
    frames: int = 0

    def promise(self, reports: Sequence[Report]) -> None:
        """What was reported before the cut."""
        for report in reports:
            self.durable[report.session] = max(report.durable, self.durable.get(report.session, 0))

    def look(self) -> list[Session]:
        """Look at all of it.  Raises AssertionError."""
        found = sessions(self.logs)
        gone = {session for session, rows in self.durable.items() if rows} - {session.id for session in found}
        assert not gone, f"sessions with durable rows are gone: {gone}"
        self.frames = sum(self._look(session) for session in found)
        self.rows = {session.id: session.rows for session in found}
        return found

    def _look(self, session: Session) -> int:
        damages: list[Damage] = []
        parts = [in_log_order(batch) for batch in read(session.path, damaged=damages.append)]
        if not parts:
            assert not self.durable.get(session.id, 0), f"all durable rows of {session.id} are gone"
            return 0
        offsets = np.concatenate([part.offsets for part in parts])
        durable = self.durable.get(session.id, 0)
        assert session.rows >= durable, f"{durable} rows of {session.id} were durable, {session.rows} are there"
        assert np.all(np.diff(offsets) > 0), "rows are twice, or out of their place"
        missing = np.setdiff1d(np.arange(session.rows), offsets)
        # the session went on behind all that it ever held, as far as names tell: what is between went in the last cut
        before = self.rows.get(session.id, 0)
        again = offsets[np.searchsorted(offsets, before)] if before < session.rows else before
        known = np.concatenate([self.gone.get(session.id, []), np.arange(before, again)])
        fresh = np.setdiff1d(missing, known)
        assert not len(fresh) or fresh[0] >= durable, f"row {fresh[0]} of {durable} durable ones is gone"
        assert before == again or _is_recovered(parts, again), f"row {before} of {durable} durable ones is gone"
        self.gone[session.id] = missing
        told = [np.arange(damage.first, damage.last) for damage in damages if damage.first is not None and damage.last]
        assert np.isin(missing, np.concatenate([[], *told])).all(), f"what is missing is not told of: {damages}"
        return _check(concat(parts), offsets, session)


def _is_recovered(parts: list[Frames], offset: int) -> bool:
    rows = next(part for part in parts if part.start <= offset < part.stop)
    at = offset - rows.start
    return bool(rows.flags[at] & Flag.CONTROL) and rows.id[at] == Control.RECOVERED


def _check(rows: Frames, offsets: np.ndarray, session: Session) -> int:
    """How many frames there are, all of them as they were heard.  Raises AssertionError."""
    is_control = rows.flags & np.uint8(Flag.CONTROL) != 0
    assert np.all(np.diff(rows.t) >= 0), "t runs backwards"
    heard = np.ascontiguousarray(rows.data[~is_control]).view(PAYLOAD).reshape(-1)
    at, run = offsets[~is_control], heard["run"].astype(np.int64)
    number, same = heard["number"].astype(np.int64), np.diff(run) == 0
    assert np.all(np.diff(run) >= 0), "an earlier run's frames stand behind a later one's"
    assert np.all(np.diff(number)[same] > 0), "frames are twice, or out of their place"
    assert np.all(np.diff(number)[same] <= np.diff(at)[same]), "frames are missing, and no rows"
    recovered = np.cumsum(is_control & (rows.id == Control.RECOVERED))[~is_control]
    assert np.all(np.diff(recovered)[~same] > 0), "a recorder went on without a word"
    assert session.header.zero_ns is not None
    late = (rows.t[~is_control] + session.header.zero_ns) // 10**6 & 0xFFFF != heard["ms"]
    assert np.all(np.diff(rows.t, prepend=0)[~is_control][late] == 0), "a frame has another time than it was heard at"
    return len(heard)


def _project(at: Path) -> None:
    """Projects a session again and again; nobody waits for it."""
    sys.stderr = io.StringIO()  # a disk that is cut off fails as it likes
    session = find(at / "drives", "a-session")
    while True:
        build(session, E46, Generations(at / "projections"))


def _look(at: Path, projections: Path, answer: object) -> None:
    """Opens the session's projection; why it was rebuilt, and its digest."""
    with open_projection(find(at / "drives", "a-session"), E46, Generations(projections)) as projection:
        answer.send((projection.rebuilt, content.digest(projection.connection)))  # type: ignore[attr-defined]


def _child(target: object, *arguments: object) -> tuple[str, str]:
    """What a process of its own answers: DuckDB's crash is no crash of ours, and no file of it stays open."""
    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=target, args=(*arguments, there))  # type: ignore[arg-type]
    process.start()
    there.close()
    try:
        assert here.poll(PATIENCE_S), "opening a projection hangs"
        why, digest = here.recv()
    except EOFError as error:
        raise AssertionError("opening a projection failed, see stderr") from error
    finally:
        process.kill()
        process.join()
    return why, digest


def torture(scale: float, seed: int) -> Iterator[str]:
    """1,000 cuts."""
    if why := why_not("ext4"):
        yield f"not tried: {why}"
        return
    yield from inside("power", max(1, round(1_000 * scale)), seed, "recorder")


def main(times: str, seed: str, recorder: str) -> None:
    """In a namespace of its own: cut, and print the figures."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        done = cut_power(int(times), int(seed), Path(folder), recorder)
    each_s = (time.monotonic() - began) / done.cuts
    print(
        f"{done.cuts:,} cuts and {done.kills:,} kills between them, {each_s:.1f} s a cut:"
        f" {done.frames:,} frames, no durable row is missing; {done.gone:,} rows went that were not durable yet"
    )
    print(f"projections: {done.opened:,} opened, {done.rebuilt:,} rebuilt, all equal to the reference", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
