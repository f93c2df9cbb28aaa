"""What is done on a disk that fails: sessions begun, written, rotated, ended, recovered, gone on with, archived.

Each workload goes on as a recorder does: what was refused is tried again, what was taken is not given twice.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from unittest import mock

import pitwall.record
from pitwall.errors import LogError, PitwallError
from pitwall.frames import Frames, cut
from pitwall.log import Writer, recover
from pitwall.log.archive import archive
from pitwall.log.disk import DISK, Disk
from pitwall.log.hold import Hold
from pitwall.log.removal import REMOVING
from pitwall.log.restore import restore
from pitwall.log.writer import Pace
from pitwall.record import recording
from tests.log.drives import START_NS, NoSealing, readable, traffic
from tests.record.drives import Script, recorded
from tests.torture.crash_states_disk import Memory, Promised, State

TRIES: Final = 12
"""A disk that fails a few times works again by then."""
NEVER_S: Final = 3600.0
Result = TypeVar("Result")


@dataclass
class Stage:
    """Where it happens.  root: the logs folder, or what holds it and the archive.  began: what was there then.

    done: all was done.  refused: by what errors.  kept: the rows of each session that is there before, and must stay.
    """

    root: Path
    trace: Memory
    disk: Disk = DISK
    began: State = field(default_factory=lambda: State({}))
    done: bool = False
    refused: list[PitwallError] = field(default_factory=list)
    kept: dict[str, list[tuple]] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def there(self) -> Path:
        return self.root / "there"

    def insist(self, work: Callable[[], Result]) -> Result:
        """Raises LogError where it was refused every time."""
        for last in range(TRIES, 0, -1):
            try:
                return work()
            except LogError as error:
                self.refused.append(error)
                if last == 1:
                    raise
        raise AssertionError("unreachable")

    def promise(self, writer: Writer) -> None:
        """What the writer says of its session."""
        durable = writer.durable
        self.trace.note(Promised(writer.session, writer.written, durable))

    def put(self, writer: Writer, rows: Frames) -> None:
        """Rows, each once, however often some of them are refused."""
        rest = [rows]

        def append() -> None:
            before = writer.written
            try:
                writer.append(rest[0])
            finally:
                rest[0] = cut(rest[0], writer.written - before, len(rest[0]))
                self.promise(writer)

        self.insist(append)


def _pace(segment_bytes: int) -> Pace:
    return Pace(sync_interval_s=NEVER_S, segment_bytes=segment_bytes)


def nothing_before(stage: Stage) -> None:
    """An empty logs folder."""


def write(stage: Stage, *, segment_bytes: int) -> None:
    """A session from its beginning to its end."""
    with closing(Hold(stage.root, disk=stage.disk)) as hold:
        begin = partial(
            Writer.begin, hold, car="test", buses=["a", "b"], started_at_ns=START_NS, session_id="s",
            pace=_pace(segment_bytes),
        )  # fmt: skip
        _drive(stage, stage.insist(begin))


def _drive(stage: Stage, writer: Writer) -> None:
    stage.promise(writer)
    try:
        for number in range(6):
            stage.put(writer, traffic(3, seed=number, start_ns=(number + 10) * 10**9))
            if number % 2:
                stage.insist(writer.sync)
                stage.promise(writer)
        stage.insist(lambda: writer.end(0))
        stage.promise(writer)
        stage.done = True
    finally:
        with suppress(LogError):
            writer.close()


def killed_before(stage: Stage) -> None:
    """What killed writers left: an open segment torn at its end, rotated ones that were never sealed."""
    for number, (segment_bytes, torn) in enumerate(((1, 0), (1 << 20, 40))):
        with closing(Hold(stage.root, disk=NoSealing())) as hold:
            writer = Writer.begin(
                hold, car="test", buses=["a", "b"], started_at_ns=START_NS + number, zero_ns=0,
                session_id=f"s{number}", pace=_pace(segment_bytes),
            )  # fmt: skip
            for seed in range(3):
                writer.append(traffic(4, seed=seed, start_ns=(seed + 1) * 10**9))
            writer.close()
        if torn:
            last = max(writer.path.iterdir())
            with last.open("ab") as file:
                file.write(last.read_bytes()[-torn:])


def recover_all(stage: Stage) -> None:
    """Recovery of them, again until there is nothing to recover."""

    def settle() -> None:
        try:
            recover(stage.root, stage.disk)
        except OSError as error:
            raise LogError(str(error)) from error
        left = [path.name for path in stage.root.glob("*/*") if path.suffix in (".arrows", ".tmp")]
        if left:
            raise LogError(f"{left} are left")

    stage.insist(settle)
    stage.done = True


def go_on(stage: Stage) -> None:
    """The newer of them gone on with, to its end."""
    with closing(Hold(stage.root, disk=stage.disk)) as hold:
        stump = hold.take_up(lambda _stump: True)
        assert stump is not None
        _drive(stage, stage.insist(lambda: Writer.go_on(hold, stump, pace=_pace(3_000))))


def record(stage: Stage) -> None:
    """The whole recorder, fed as fast as it takes it."""
    seen: list[pitwall.record.Status] = []
    parts = [traffic(5, seed=number, start_ns=(number + 1) * 10**9) for number in range(5)]
    taken, stop = threading.Event(), threading.Event()

    def tell(status: pitwall.record.Status) -> None:
        seen.append(status)
        if status.session:
            stage.trace.note(Promised(status.session, status.written, status.durable))
        if status.frames or status.problem:
            taken.set()
        if len(seen) > 3 * TRIES and all(one.problem for one in seen[-3 * TRIES :]):
            stop.set()  # it holds on for as long as the disk takes nothing

    def settled() -> bool:
        taken.clear()
        return taken.wait(0.05)

    steps = [step for part in parts for step in (part, settled)]
    with (
        mock.patch.object(pitwall.record, "AGAIN_S", 0.001),
        mock.patch.object(pitwall.record, "REPORT_S", 0),
        mock.patch.object(recording, "AGAIN_S", 0.001),
        mock.patch.object(recording, "LAST_TRIES", TRIES),
        mock.patch.object(recording, "TEND_S", 0),
    ):
        done = recorded(
            [Script("one", *steps)], stage.root, disk=stage.disk, session_id="s", report=tell, stop=stop,
            pace=Pace(sync_interval_s=0.001, segment_bytes=1_500),
        )  # fmt: skip
    given = sum(len(part) for part in parts)
    assert done.frames + done.lost == given, f"{given} were given: {done}"
    stage.done = done.frames == given and not done.problems


def sessions_before(stage: Stage) -> None:
    """A logs folder and an archive beside it: an ended session of two segments there, and one that was killed."""
    stage.logs.mkdir()
    inner = Stage(stage.logs, stage.trace)
    killed_before(inner)
    recover(stage.logs)
    with closing(Hold(stage.logs, disk=NoSealing())) as hold:
        writer = Writer.begin(hold, car="test", buses=["a"], started_at_ns=START_NS + 9, session_id="s2")
        writer.append(traffic(4))
        writer.close()
    stage.kept = {name: _rows(stage.logs / name) for name in ("s0", "s1", "s2")}


def archive_and_restore(stage: Stage) -> None:
    """Each of them archived, then restored."""
    for name in stage.kept:
        stage.insist(partial(archive, stage.logs, name, str(stage.there), forget=_forget, disk=stage.disk))
    assert not [path for path in stage.logs.iterdir() if not path.name.startswith(".")]
    for name in stage.kept:
        stage.insist(partial(restore, stage.logs, name, forget=_forget, disk=stage.disk))
    stage.done = True


def check_copies(stage: Stage) -> None:
    """Of each session there is a whole copy: in the log, on its way out, or in the archive; and all can be done then.

    Raises AssertionError.
    """
    for name, rows in stage.kept.items():
        here = [stage.logs / name, stage.logs / f"{REMOVING}{name}"]
        if not any(path.is_dir() and _begins(path, rows) for path in here):
            with tempfile.TemporaryDirectory() as place:
                restore(Path(place) / "logs", name, str(stage.there), forget=_forget)
                assert _begins(Path(place) / "logs" / name, rows), f"{name} is whole nowhere"
    again = Stage(stage.root, stage.trace, kept=stage.kept)
    archive_and_restore(again)
    assert not again.refused, again.refused
    for name, rows in stage.kept.items():
        assert _begins(stage.logs / name, rows), f"{name} did not come back"


def _begins(path: Path, rows: list[tuple]) -> bool:
    found, damages = readable(path)
    return not damages and [found[offset] for offset in sorted(found)][: len(rows)] == rows


def _rows(path: Path) -> list[tuple]:
    return list(readable(path)[0].values())


def _forget(_session: str) -> None:
    """Nothing was built from it."""


WORK: Final[dict[str, tuple[Callable[[Stage], None], Callable[[Stage], None]]]] = {
    "one segment": (partial(write, segment_bytes=1 << 20), nothing_before),
    "a segment a batch": (partial(write, segment_bytes=1), nothing_before),
    "recovering": (recover_all, killed_before),
    "going on": (go_on, killed_before),
    "recording": (record, nothing_before),
    "archiving": (archive_and_restore, sessions_before),
}
"""What is done, and what is there before."""
