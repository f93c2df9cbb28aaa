"""A logs folder in, its sessions out: what was recorded, when, how much, and how it ended."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pitwall.errors import LogError, UsageError
from pitwall.log import lock, records
from pitwall.log import tag as tags
from pitwall.log.folder import LATEST, Segment, header, header_by_name, segments
from pitwall.log.opening import Header
from pitwall.log.published import Recorder
from pitwall.log.tag import Tag
from pitwall.log.walk import Walk


@dataclass(frozen=True, slots=True)
class Session:
    """A session, as it is on disk now.

    state: "recording" while a process writes it, "ended" once it has its end, "interrupted" where its writer died.
    rows: offset behind its last row: so far it is written.  durable: so far a loss of power takes nothing; None where
    nobody can tell any more.  frames: its rows without control rows.  duration_s: `t` of its last row.  bytes: on disk.
    """

    id: str
    path: Path
    header: Header
    state: str
    rows: int
    durable: int | None
    frames: int
    duration_s: float
    bytes: int


def sessions(logs: Path) -> list[Session]:
    """The sessions in `logs`, oldest first.  A folder that holds no segment is none; a damaged one is listed still."""
    if not logs.is_dir():
        return []
    recorder = lock.recorder(logs)
    found = [_session(path, recorder) for path in logs.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(
        (session for session in found if session), key=lambda session: (session.header.started_at_ns, session.id)
    )


def find(logs: Path, name: str) -> Session:
    """The session `name`: its id, the beginning of one id only, or "latest".

    Raises UsageError, with what comes close.
    """
    known = sessions(logs)
    if name not in LATEST and not any(session.id.startswith(name) for session in known):
        _check_away(logs, name)
    if not known:
        raise UsageError(
            "there is no session yet", where=logs, hint="record one with `pitwall run`, or `pitwall import` a capture"
        )
    if name in LATEST:
        return known[-1]
    fits = [session for session in known if session.id == name]
    if not fits and name:
        fits = [session for session in known if session.id.startswith(name)]
    if len(fits) == 1:
        return fits[0]
    ids = [session.id for session in fits] or difflib.get_close_matches(name, [session.id for session in known], 3, 0.5)
    if fits:
        hint = ", ".join(ids[:5]) + ", …" * (len(ids) > 5)
        raise UsageError(f"{name!r} is the beginning of {len(fits)} sessions", where=logs, hint=hint)
    hint = f"did you mean {' or '.join(ids)}?" if ids else "`pitwall sessions` lists them"
    raise UsageError(f"there is no session {name!r}", where=logs, hint=hint)


def _check_away(logs: Path, name: str) -> None:
    """UsageError where `name` is of a session that was archived from here, and isn't here."""
    away = next((one for one in records.archived(logs) if name and one.session.startswith(name)), None)
    if away is not None:
        what = f"{away.session} is archived in {away.at}"
        raise UsageError(what, where=logs, hint=f"pitwall restore {away.session}")


def reached(listed: Sequence[Segment], session: str) -> Tag | None:
    """What the last message of these segments of `session` that verifies says; None where none does.

    Quick, whatever their size: only their ends are read.
    """
    for segment in reversed(listed):
        try:
            walk = Walk(segment.path, sealed=segment.sealed, seed=tags.seed(session, segment.first))
        except FileNotFoundError:  # sealed since it was listed
            walk = Walk(segment.other, sealed=True, seed=tags.seed(session, segment.first))
        with walk:
            last = walk.last()
        if last is not None:
            return last.tag
    return None


def _session(folder: Path, recorder: Recorder | None) -> Session | None:
    try:
        listed = segments(folder)
        if not listed:
            return None
        about = header(folder, listed) or header_by_name(folder)
        last = reached(listed, about.session)
        size = sum(_size(segment) for segment in listed)
    except (LogError, OSError):  # unreadable, or from a newer pitwall: it is there, and that is all that can be said
        about, last, size = header_by_name(folder), None, 0
    ends = last is not None and last.ends
    recording = recorder is not None and recorder.state.session == folder.name
    rows = last.stop if last else 0
    return Session(
        id=folder.name,
        path=folder,
        header=about,
        state="ended" if ends else "recording" if recording else "interrupted",
        rows=rows,
        durable=recorder.state.durable if recorder and recording else rows if ends else None,
        frames=last.stop - last.controls if last else 0,
        duration_s=last.last_t / 1e9 if last else 0.0,
        bytes=size,
    )


def _size(segment: Segment) -> int:
    try:
        return segment.path.stat().st_size
    except FileNotFoundError:  # sealed since it was listed
        return segment.other.stat().st_size
