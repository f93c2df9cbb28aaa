"""Recovery: the ordinary start of a writer.  What a dead one left becomes an ended session again, or is gone on with.

The longest verified part of a session is kept; what stands torn behind it is named in a RECOVERED control row, which
with the session's end makes a new small segment, or is the first row of the one in which the session goes on.  Nothing
is truncated or rewritten in place, and to recover twice changes nothing.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pitwall.errors import LogError
from pitwall.frames import Control, Frames, concat, control
from pitwall.log import lock, sealing
from pitwall.log import tag as tags
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import (
    OPEN_SUFFIX,
    TEMPORARY_SUFFIX,
    Segment,
    header,
    header_by_name,
    open_segments,
    segment_path,
    segments,
)
from pitwall.log.folder import opening as opening_of
from pitwall.log.follow import follow
from pitwall.log.opening import End, Opening
from pitwall.log.place import Damage, Place, Torn
from pitwall.log.rows import tag
from pitwall.log.segment import stranger
from pitwall.log.session import reached
from pitwall.log.tag import Kind, Message, Tag
from pitwall.log.walk import Walk

logger = logging.getLogger(__name__)

CHAIN_BYTES = 1 << 20
"""So much of an open segment's end is checked, message by message, when its session is to go on at once."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A session that was found without an end.

    rows: kept.  cut: bytes left out behind them.  damages: found on the way.
    """

    session: str
    rows: int
    cut: int
    damages: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class Stump:
    """A session without an end, as its writer left it.

    opening: of the segment that comes behind what is kept.  last: the last segment that is there, sealed or not.
    torn: what stands behind what is kept.  damages: found on the way.
    """

    folder: Path
    opening: Opening
    last: Segment
    torn: Torn | None
    damages: tuple[Damage, ...] = ()

    @property
    def cut(self) -> int:
        """Bytes that are left out."""
        return self.torn.size if self.torn else 0

    @property
    def can_go_on(self) -> bool:
        """Whether the name of the segment that comes next is free, or that of an open one without a row."""
        at = self.opening.first
        mine = segment_path(self.folder, at, sealed=False)
        if Segment(at, False, mine).other.exists():
            return False
        return not mine.exists() or not stranger(Segment(at, False, mine), self.opening.header.session)

    def recovered(self) -> Frames:
        """The RECOVERED row that comes behind what is kept."""
        torn, file = self.torn, self.last.path
        fact = {
            "rows": self.opening.first,
            "bytes_cut": self.cut,
            "file": file.name,
            "position": torn.position if torn else file.stat().st_size,
            "what": torn.what if torn else "the writer ended without a word",
        }
        return control(Control.RECOVERED, self.opening.last_t, json.dumps(fact).encode(), start=self.opening.first)


def recover(logs: Path, disk: Disk = DISK) -> list[Recovered]:
    """Recover and seal every session in `logs`.  Raises LogError while another process writes there."""
    held = lock.Lock(logs, disk)
    try:
        found = []
        for folder in session_folders(logs):
            recovered, unsealed = end_session(folder, disk)
            found += [recovered] if recovered else []
            for segment in unsealed:
                sealing.seal(segment, disk)
        return found
    finally:
        held.release()


def session_folders(logs: Path) -> list[Path]:
    """The folders of sessions, by their names."""
    with os.scandir(logs) as entries:
        return sorted(Path(entry.path) for entry in entries if not entry.name.startswith(".") and entry.is_dir())


def unsettled(logs: Path) -> list[Path]:
    """The folders of sessions in which something is open or unfinished: what a dead writer left, by their names."""
    return [folder for folder in session_folders(logs) if not _is_settled(folder)]


def _is_settled(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return not any(entry.name.endswith((OPEN_SUFFIX, TEMPORARY_SUFFIX)) for entry in entries)


def end_session(folder: Path, disk: Disk) -> tuple[Recovered | None, list[Segment]]:
    """Give a session its end, if it has none; also the open segments that are left to be sealed.

    Quick: nothing is compressed.  The caller holds the lock, and nobody writes the session.  One that can't be
    recovered stays as it is, with a warning.
    """
    try:
        remaining = sealing.sweep(folder, disk)
        _secure(folder, remaining, disk)
        stump = stump_of(folder)
        if stump is not None:
            end(stump, disk)
        recovered = Recovered(folder.name, stump.opening.first, stump.cut, stump.damages) if stump else None
        return recovered, [segment for segment in remaining if segment.path.exists()]
    except (OSError, LogError) as error:
        logger.warning("the session %s could not be recovered: %s", folder.name, error)
        return None, []


def end(stump: Stump, disk: Disk) -> None:
    """Give the session its end, in a new sealed segment.  Raises OSError or LogError."""
    opening, last = stump.opening, stump.last
    at = opening.first
    if Segment(at, False, segment_path(stump.folder, at, sealed=False)).other.exists():
        raise LogError("nothing of the segment is readable", where=last.path, hint="pitwall verify tells what is wrong")
    rows = concat(
        [
            stump.recovered(),
            control(Control.SESSION_END, opening.last_t, b'{"reason": "interrupted"}', start=at + 1),
        ]
    )
    sealing.write(disk, stump.folder, opening, tag(rows, at, opening.tag), lambda: [rows])
    if last.first == at and not last.sealed:  # it holds no row; its name is the new segment's
        if stranger(last, opening.header.session):
            disk.rename(last.path, last.path.with_name(last.path.name + sealing.ASIDE_SUFFIX))
        else:
            disk.unlink(last.path)


def add(folder: Path, kind: Control, fact: Mapping[str, object], disk: Disk) -> None:
    """Put a control row behind the end of a session, in a new sealed segment.

    The caller holds the lock, and nobody writes the session.  Raises OSError, or LogError where it has no end.
    """
    listed = segments(folder)
    about = header(folder, listed) if listed else None
    last = reached(listed[-1:], about.session) if about else None
    if about is None or last is None or (listed[-1].sealed and last.kind is not Kind.FOOTER):
        raise LogError("the session's end is damaged", where=folder, hint="pitwall verify tells what is wrong")
    if not last.ends:
        raise LogError("the session has no end yet", where=folder, hint="try again when it has")
    begun = opening_of(listed[-1])
    before = _end_of(listed[-1], begun.ended if begun else None, last)
    opening = Opening(about, last.stop, before, controls=last.controls, ends=True, last_t=last.last_t)
    row = control(kind, last.last_t, json.dumps(fact).encode(), start=last.stop)
    sealing.write(disk, folder, opening, tag(row, last.stop, opening.tag), lambda: [row])


def stump_of(folder: Path) -> Stump | None:
    """The session as its writer left it; None where it has its end, or there is none.  Verifies all that is open."""
    listed = segments(folder)
    if not listed:
        return None
    about = header(folder, listed) or header_by_name(folder)
    last = listed[-1]
    newest = reached([last], about.session)
    if newest is not None and newest.ends:
        return None  # a message that verifies says so: the rest of the tail is no matter here
    tail = [segment for segment in listed if not segment.sealed] or [last]
    found = reached([segment for segment in listed if segment.first < tail[0].first], about.session)
    damages: list[Damage] = []
    place = Place(tail[0].first)
    for batch in follow(folder, place, damages.append):
        if batch is None:
            break
        found = batch.message.tag
    if found is not None and found.ends:
        return None
    opening = Opening(
        about,
        place.at,
        _end_of(last, place.end, found),
        controls=found.controls if found else 0,
        last_t=found.last_t if found else 0,
    )
    return Stump(folder, opening, last, place.torn, tuple(damages))


def quick_stump_of(folder: Path) -> Stump | None:
    """The same, at once: of the open segment that the session ends with, the last megabyte is checked.

    Whatever is out of the ordinary there has all of it verified.
    """
    listed = segments(folder)
    about = header(folder, listed) if listed else None
    if about is None or listed[-1].sealed or stranger(listed[-1], about.session):
        return stump_of(folder)
    last = listed[-1]
    with Walk(last.path, sealed=False, seed=tags.seed(about.session, last.first)) as walk:
        found = _last_in_order(walk)
        if found is None or found.stop < last.first:
            return stump_of(folder)
        torn = None
        if walk.position < walk.size:
            flaw = walk.at(walk.position)
            assert not isinstance(flaw, Message)
            torn = Torn(last.path, walk.position, walk.size - walk.position, flaw.what, flaw.cut)
    if found.ends:
        return None
    opening = Opening(about, found.stop, _end_of(last, None, found), controls=found.controls, last_t=found.last_t)
    return Stump(folder, opening, last, torn)


def leftovers(folder: Path, disk: Disk) -> list[Segment]:
    """Clear away what a dead writer did not finish; the open segments that are there, sealed or not, durable now."""
    for path in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        disk.unlink(path)
    left = open_segments(folder)
    _secure(folder, left, disk)
    return left


def _secure(folder: Path, left: list[Segment], disk: Disk) -> None:
    """Make open segments durable: their writer may have been killed before it could, and what comes behind them counts
    on it."""
    for segment in left:
        disk.sync_file(segment.path)
    if left:
        disk.sync_folder(folder)


def _last_in_order(walk: Walk) -> Tag | None:
    """The last message of an open segment, `walk.position` behind it; None where anything in front or behind is odd."""
    walk.position = max(0, walk.size - CHAIN_BYTES)
    found = walk.resync() if walk.position else walk.next()
    last: Tag | None = None
    while isinstance(found, Message):
        if last is not None and (found.tag.prev != last.crc or found.tag.offset != last.stop):
            return None
        last = found.tag
        found = walk.next()
    position = walk.position
    if last is None or (position < walk.size and walk.resync() is not None):
        return None
    walk.position = position
    return last


def _end_of(last: Segment, sealed: End | None, end: Tag | None) -> End | None:
    """Where the session's last segment that holds rows ended, for the segment that follows it to name.

    sealed: what that says of itself, where it is sealed and was read to its end.
    """
    if sealed is not None:
        return sealed
    if end is not None and end.kind is Kind.ROWS and not last.sealed and end.stop > last.first:
        return End(end.stop, end.crc)
    begun = opening_of(last)
    return begun.previous if begun else None
