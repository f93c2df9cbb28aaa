"""Frames in, from live sources, capture files or a simulated drive; a session of the log out.

Laws: a frame is in the log, or counted there as lost; `t` never runs backwards, whatever the sources' threads do;
a session begins with its first frame, and ends where it was stopped or its last source ended.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pitwall.bus.capture import Progress, Timeline, read_captures
from pitwall.bus.inbox import QUEUE_FRAMES, Ended, Gathered, Inbox
from pitwall.bus.source import Source
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Control, Flag, Frames, concat, cut, in_log_order, take
from pitwall.log.writer import Writer

READ_S = 0.1
"""A source is asked for so long at once: so soon it hears that recording stops."""
REPORT_S = 0.25
"""The status is told this often."""
JUMP_NS = 500_000_000
"""The wall clock has jumped when it moved by more than this against the monotonic one; NTP slews by less."""
APPEND_FRAMES = 65_536
"""Frames stored go into the log in batches of so many: one batch of a sealed segment."""


@dataclass(frozen=True)
class Status:
    """How a recording goes: rows written and durable (offsets), frames of all buses, frames lost, frames/s of late."""

    session: str
    path: Path
    frames: int
    lost: int
    written: int
    durable: int
    frames_per_s: float


@dataclass(frozen=True)
class Recorded:
    """A session that was recorded; `session` is empty where no frame came.  problems: what went wrong on the way."""

    session: str
    frames: int
    lost: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ImportReport:
    """A session that was imported.  problems: what of the captures could not be read.  notes: what was assumed."""

    session: str
    frames: int
    problems: list[str]
    notes: list[str]


def record(
    sources: Sequence[Source],
    *,
    logs: Path,
    car: str,
    buses: Sequence[str],
    zero: int,
    stop: threading.Event,
    session_id: str | None = None,
    sync_interval_s: float = 0.1,
    queue_frames: int = QUEUE_FRAMES,
    report: Callable[[Status], None] = lambda _status: None,
    wall: Callable[[], int] = time.time_ns,
    clock: Callable[[], int] = time.monotonic_ns,
) -> Recorded:
    """Record the sources into one session until `stop` is set, or the last of them has ended.

    sources: each hears one bus, the one that `buses` names at its place; they are closed in the end.
    zero: what `clock` was at the sources' t = 0.
    Raises LogError where the log can't be written; then what was written is kept, and recovered by the next writer.
    A source that is lost is a problem in what is returned, unless nothing was heard at all: then its error is raised.
    """
    assert len(sources) == len(buses), "a name for each source's bus"

    def begin(started_at_ns: int) -> Writer:
        return Writer.create(
            logs,
            car=car,
            buses=buses,
            started_at_ns=started_at_ns,
            session_id=session_id,
            sync_interval_s=sync_interval_s,
        )

    inbox = Inbox(queue_frames)
    halt = threading.Event()
    readers = [
        threading.Thread(target=_read, args=(source, bus, inbox, halt), name=f"read {source.name}", daemon=True)
        for bus, source in enumerate(sources)
    ]
    session = _Recording([source.name for source in sources], buses, begin, zero=zero, wall=wall, clock=clock)
    with contextlib.ExitStack() as closing:  # each of them, whatever another does
        for source in sources:
            closing.callback(source.close)
        closing.callback(session.close)
        closing.callback(halt.set)
        for reader in readers:
            reader.start()
        with contextlib.suppress(KeyboardInterrupt):  # as good a way to stop as any: what was heard is kept
            while not stop.is_set() and session.listening:
                session.write(inbox.take(READ_S))
                session.tell(report, REPORT_S)
        halt.set()
        for reader in readers:
            reader.join(10 * READ_S)
        session.write(inbox.rest())
        session.end()
        session.tell(report, 0)
    return session.result()


def import_captures(
    paths: Sequence[Path],
    *,
    logs: Path,
    car: str,
    session_id: str | None = None,
    progress: Progress = lambda _done, _all: None,
    arrange: Callable[[Timeline], Timeline] = lambda timeline: timeline,
) -> ImportReport:
    """Capture files as one ended session, which starts when its first frame was heard.

    arrange: puts the captures' buses as the car's definition will look for them, before anything is written.

    All is read before anything is written, so that a file that is no capture (UsageError) leaves nothing behind; and
    where writing fails, the session is removed again.
    """
    _check_free(logs, session_id)
    timeline = arrange(read_captures(paths, progress))
    with _stored(logs, car, timeline.buses, timeline.started_at_ns, session_id) as (writer, ends):
        for rows, fact in _with_imports(timeline):
            if fact is None:
                writer.append(rows)
            else:
                writer.control(Control.IMPORTED, int(rows.t[0]), fact)
        ends.append(int(timeline.frames.t[-1]))
    return ImportReport(writer.session, len(timeline.frames), timeline.problems, list(timeline.notes))


def store_frames(
    batches: Iterable[Frames],
    *,
    logs: Path,
    car: str,
    buses: Sequence[str],
    started_at_ns: int,
    session_id: str | None = None,
    progress: Callable[[int], None] = lambda _frames: None,
) -> Recorded:
    """Frames that are there already, as one ended session.

    batches: in the order of their times, `t` ns since the session's start.  progress: told the frames so far.
    Where making or writing them fails, the session is removed again.
    """
    _check_free(logs, session_id)
    count = 0
    with _stored(logs, car, buses, started_at_ns, session_id) as (writer, ends):
        for batch in batches:
            for rows in _pieces(in_log_order(batch)):
                writer.append(rows)
                count += len(rows)
                ends.append(int(rows.t[-1]))
            progress(count)
    return Recorded(writer.session, count)


def _read(source: Source, bus: int, inbox: Inbox, halt: threading.Event) -> None:
    """A reader's thread: from the source into the inbox, until either has had enough."""
    try:
        while not halt.is_set():
            rows = source.read(READ_S)
            if rows is None:
                break
            # a source counts its own bus as 0: here is where the same id on two of them stays apart
            inbox.put(bus, replace(rows, bus=np.full(len(rows), bus, np.uint8)))
        if not halt.is_set():
            inbox.end(bus, None)
    except Exception as error:  # noqa: BLE001  # a thread's failure must reach the recorder, whatever it is
        inbox.end(bus, error)


class _Recording:
    """The session being recorded: from what was gathered into the log.

    sources, buses: the name of each source, and of the bus that it hears.  begin: makes the session's writer, given the
    unix time of its first frame.
    """

    def __init__(
        self,
        sources: Sequence[str],
        buses: Sequence[str],
        begin: Callable[[int], Writer],
        *,
        zero: int,
        wall: Callable[[], int],
        clock: Callable[[], int],
    ) -> None:
        self._sources, self._buses, self._create = sources, buses, begin
        self._zero, self._wall, self._clock = zero, wall, clock
        self._writer: Writer | None = None
        self._first = self._last = 0  # t of the first and the last row, in the sources' time
        self._ahead = 0  # wall clock minus monotonic clock, ns
        self._frames = self._lost = 0
        self._problems: list[str] = []
        self._errors: list[Exception] = []
        self._told = (-math.inf, 0)  # when the status was told last, and the frames there were
        self.listening = set(range(len(sources)))

    def write(self, gathered: Gathered) -> None:
        """Everything gathered into the log, in the order of its times."""
        if gathered.batches:
            rows = self._merged(gathered.batches)
            writer = self._writer or self._begin(int(rows.t[0]))
            writer.append(replace(rows, t=rows.t - self._first))
            self._last = int(rows.t[-1])
            self._frames += int(np.count_nonzero(rows.flags & np.uint8(Flag.CONTROL) == 0))
        for lost in gathered.lost:
            self._lost += lost.frames
            self._problems.append(f"{self._sources[lost.bus]}: {lost.frames:,} frames lost: too many waited")
            fact = {
                "bus": self._buses[lost.bus],
                "frames": lost.frames,
                "first_t": lost.first_t - self._first,
                "last_t": lost.last_t - self._first,
                "why": "the log could not be written as fast as frames came",
            }
            self._control(Control.LOST, fact)
        for ended in gathered.ended:
            self._end_of(ended)
        self._check_clock()

    def tell(self, report: Callable[[Status], None], interval_s: float) -> None:
        """The status to `report`, where `interval_s` have passed since the last time."""
        now = self._clock() / 1e9
        since, frames = self._told
        if self._writer is None or now - since < interval_s:
            return
        rate = (self._frames - frames) / (now - since) if frames and now > since else 0.0
        self._told = (now, self._frames)
        writer = self._writer
        report(Status(writer.session, writer.path, self._frames, self._lost, writer.written, writer.durable, rate))

    def end(self) -> None:
        """The end of the session: synced and sealed."""
        if self._writer is not None:
            self._writer.end(max(self._last, self._clock() - self._zero) - self._first)

    def close(self) -> None:
        """Let go of the log, ended or not."""
        if self._writer is not None:
            self._writer.close()

    def result(self) -> Recorded:
        """What was recorded.  Raises a source's error where that is all there was, or where it is none of pitwall's."""
        for error in self._errors:
            if self._writer is None or not isinstance(error, PitwallError):
                raise error
        return Recorded(self._writer.session if self._writer else "", self._frames, self._lost, self._problems)

    def _begin(self, first: int) -> Writer:
        self._first = self._last = first
        self._ahead = self._wall() - self._clock()
        self._writer = self._create(self._ahead + self._zero + first)
        for bus, source in zip(self._buses, self._sources, strict=True):
            self._control(Control.SOURCE, {"bus": bus, "source": source, "state": "connected"})
        return self._writer

    def _merged(self, batches: list[Frames]) -> Frames:
        """Batches of several sources as one, in the order of their times; a late one waits for nobody's past."""
        rows = concat(batches)
        if np.any(np.diff(rows.t) < 0):
            rows = take(rows, np.argsort(rows.t, kind="stable"))
        if self._writer is not None and rows.t[0] < self._last:
            rows = replace(rows, t=np.maximum(rows.t, self._last))
        return rows

    def _end_of(self, ended: Ended) -> None:
        self.listening.discard(ended.bus)
        name = self._sources[ended.bus]
        fact = {"bus": self._buses[ended.bus], "source": name, "state": "ended" if ended.error is None else "lost"}
        if ended.error is not None:
            self._errors.append(ended.error)
            self._problems.append(str(ended.error))
            fact["why"] = str(ended.error)
        self._control(Control.SOURCE, fact)

    def _check_clock(self) -> None:
        ahead = self._wall() - self._clock()
        if self._writer is not None and abs(ahead - self._ahead) > JUMP_NS:
            self._control(Control.CLOCK_JUMP, {"by_ns": ahead - self._ahead, "wall_ns": ahead + self._clock()})
            self._ahead = ahead

    def _control(self, kind: Control, fact: Mapping[str, object]) -> None:
        if self._writer is not None:
            self._writer.control(kind, self._last - self._first, fact)


@contextlib.contextmanager
def _stored(
    logs: Path, car: str, buses: Sequence[str], started_at_ns: int, session_id: str | None
) -> Iterator[tuple[Writer, list[int]]]:
    """A session to be written at once: ended at the last time put into the list, or removed where anything fails."""
    writer = Writer.create(logs, car=car, buses=buses, started_at_ns=started_at_ns, session_id=session_id)
    ends = [0]
    try:
        yield writer, ends
        writer.end(ends[-1])
    except BaseException:
        writer.close()
        shutil.rmtree(writer.path, ignore_errors=True)
        raise


def _with_imports(timeline: Timeline) -> Iterator[tuple[Frames, Mapping[str, object] | None]]:
    """The rows of a time line piece by piece; with a fact, the file whose first frame is the first of the rows."""
    rows = timeline.frames
    starts = np.searchsorted(rows.t, timeline.begins, side="left").tolist()
    at = 0
    for capture, start in zip(timeline.captures, starts, strict=True):
        for piece in _pieces(cut(rows, at, start)):
            yield piece, None
        at = start
        fact: dict[str, object] = {"file": capture.path.name, "frames": len(capture.frames), "dated": capture.dated}
        yield cut(rows, start, start + 1), fact | {"problems": capture.problems} if capture.problems else fact
    for piece in _pieces(cut(rows, at, len(rows))):
        yield piece, None


def _pieces(rows: Frames) -> Iterator[Frames]:
    for first in range(0, len(rows), APPEND_FRAMES):
        yield cut(rows, first, first + APPEND_FRAMES)


def _check_free(logs: Path, session_id: str | None) -> None:
    if session_id is not None and (logs / session_id).exists():
        what = f"there is a session {session_id!r} already"
        raise UsageError(what, where=logs, hint="choose another name, or leave it to pitwall")
