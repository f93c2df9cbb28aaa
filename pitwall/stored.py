"""Frames that are there already, in capture files or made by the simulator, in; one ended session of the log out.

    <logs>/.importing-<random>/<session>    on its way, in a logs folder of its own

Laws:

1. All of it is in the log, or nothing, however this process ends: a session is renamed into its place once it is whole.
   What a process that was killed has left is swept by the next.
2. It waits for nobody who records there, and keeps nobody from recording.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pitwall.bus.capture import Progress, Timeline, read_captures
from pitwall.bus.gps import fact_row
from pitwall.errors import LogError, UsageError
from pitwall.frames import Control, Flag, Frames, concat, cut, in_log_order, take, without_control
from pitwall.log import durable
from pitwall.log.disk import DISK
from pitwall.log.writer import Writer, session_name
from pitwall.project.private import passing, sweep

PREFIX = ".importing-"
"""Of the folders that sessions are written in."""

Line = tuple[tuple[float, float], tuple[float, float]]
"""Two points, lat and lon in degrees."""

APPEND_FRAMES = 65_536
"""Frames go into the log in batches of so many: one batch of a sealed segment."""


@dataclass(frozen=True)
class Stored:
    """A session that was stored, and how many frames it has."""

    session: str
    frames: int


@dataclass(frozen=True)
class ImportReport:
    """A session that was imported.  problems: what of the captures could not be read.  notes: what was assumed."""

    session: str
    frames: int
    problems: list[str]
    notes: list[str]


def import_captures(
    paths: Sequence[Path],
    *,
    logs: Path,
    car: str,
    session_id: str | None = None,
    progress: Progress = lambda _done, _all: None,
    arrange: Callable[[Timeline], Timeline] = lambda timeline: timeline,
    start_line: Line | None = None,
) -> ImportReport:
    """Capture files as one ended session, which starts when its first frame was heard.

    arrange: puts the captures' buses as the car's definition will look for them, before anything is written.
    start_line: where laps begin, whatever the captures say.

    All is read before anything is written, so that a file that is no capture (UsageError) leaves nothing behind.
    """
    _check_free(logs, session_id)
    timeline = arrange(read_captures(paths, progress))
    if start_line is not None:
        timeline = replace(timeline, frames=_with_start_line(timeline.frames, start_line))
    with _stored(logs, car, timeline.buses, timeline.started_at_ns, session_id) as (writer, ends):
        for rows, fact in _with_imports(timeline):
            if fact is None:
                writer.append(rows)
            else:
                writer.control(Control.IMPORTED, int(rows.t[0]), fact)
        ends.append(int(timeline.frames.t[-1]))
    notes = list(timeline.notes)
    usual = session_name(timeline.started_at_ns, car)
    if session_id is None and writer.session != usual:
        notes.append(f"{usual} began in the same second, with this car: was this imported before?")
    return ImportReport(writer.session, len(without_control(timeline.frames)), timeline.problems, notes)


def store_frames(
    batches: Iterable[Frames],
    *,
    logs: Path,
    car: str,
    buses: Sequence[str],
    started_at_ns: int,
    session_id: str | None = None,
    progress: Callable[[int], None] = lambda _frames: None,
) -> Stored:
    """Frames that are there already, as one ended session.

    batches: in the order of their times, `t` ns since the session's start.  progress: told the frames so far.
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
    return Stored(writer.session, count)


@contextlib.contextmanager
def _stored(
    logs: Path, car: str, buses: Sequence[str], started_at_ns: int, session_id: str | None
) -> Iterator[tuple[Writer, list[int]]]:
    """A session to be written at once, which is in the log when the `with` ends: ended at the last time in the list."""
    try:
        durable.make_folder(logs)
    except OSError as error:
        raise LogError(f"the logs folder can't be made: {error.strerror}", where=logs) from error
    sweep(logs, PREFIX)
    with passing(logs, PREFIX, option="--logs") as aside:
        name = session_id or _free_name(logs, session_name(started_at_ns, car))
        writer = Writer.create(aside, car=car, buses=buses, started_at_ns=started_at_ns, session_id=name)
        ends = [0]
        try:
            yield writer, ends
            writer.end(ends[-1])
        except BaseException:
            writer.close()
            raise
        try:
            writer.path.rename(logs / name)
            DISK.sync_folder(logs)
        except OSError as error:
            raise LogError(f"the session can't be put there: {error.strerror}", where=logs / name) from error


def _with_imports(timeline: Timeline) -> Iterator[tuple[Frames, Mapping[str, object] | None]]:
    """The rows of a time line piece by piece; with a fact, the file whose first frame is the first of the rows."""
    rows = timeline.frames
    starts = np.searchsorted(rows.t, timeline.begins, side="left").tolist()
    at = 0
    for capture, start in zip(timeline.captures, starts, strict=True):
        for piece in _pieces(cut(rows, at, start)):
            yield piece, None
        at = start
        fact: dict[str, object] = {
            "file": capture.path.name,
            "frames": len(without_control(capture.frames)),
            "dated": capture.dated,
        }
        yield cut(rows, start, start + 1), fact | {"problems": capture.problems} if capture.problems else fact
    for piece in _pieces(cut(rows, at, len(rows))):
        yield piece, None


def _with_start_line(rows: Frames, line: Line) -> Frames:
    """The rows, with this start line before them and no other."""
    said = (rows.flags & np.uint8(Flag.CONTROL) != 0) & (rows.id == np.uint32(Control.START_LINE))
    own = fact_row(Control.START_LINE, int(rows.t[0]), {"line": line})
    return concat([own, take(rows, np.flatnonzero(~said))])


def _pieces(rows: Frames) -> Iterator[Frames]:
    for first in range(0, len(rows), APPEND_FRAMES):
        yield cut(rows, first, first + APPEND_FRAMES)


def _free_name(logs: Path, name: str) -> str:
    """That name, or where it is taken the first with a number behind it that is not."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    return next(one for one in names if not (logs / one).exists())


def _check_free(logs: Path, session_id: str | None) -> None:
    if session_id is not None and (logs / session_id).exists():
        what = f"there is a session {session_id!r} already"
        raise UsageError(what, where=logs, hint="choose another name, or leave it to pitwall")
