"""Recovery: the ordinary start of a writer.  Whatever a dead one left behind becomes an ended session again.

The longest verified part of a session is kept; what stands torn behind it is named in a RECOVERED control row, which
with the session's end makes a new small segment.  Nothing is truncated or rewritten in place, and to recover twice
changes nothing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from pitwall.errors import LogError
from pitwall.frames import Control, concat, control
from pitwall.log import lock, sealing
from pitwall.log.disk import DISK, Disk
from pitwall.log.folder import Segment, header, header_by_name, segment_path, segments
from pitwall.log.folder import opening as opening_of
from pitwall.log.follow import follow
from pitwall.log.opening import End, Opening
from pitwall.log.place import Damage, Place
from pitwall.log.rows import tag
from pitwall.log.session import reached
from pitwall.log.tag import Kind, Tag

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A session that was found without an end.

    rows: kept.  cut: bytes left out behind them.  damages: found on the way.
    """

    session: str
    rows: int
    cut: int
    damages: tuple[Damage, ...]


def recover(logs: Path, disk: Disk = DISK) -> list[Recovered]:
    """Recover and seal every session in `logs`.  Raises LogError while another process writes there."""
    held = lock.Lock(logs)
    try:
        found, unsealed = end_interrupted(logs, disk)
        for segment in unsealed:
            sealing.seal(segment, disk)
        return found
    finally:
        held.release()


def end_interrupted(logs: Path, disk: Disk) -> tuple[list[Recovered], list[Segment]]:
    """Give every session without an end its end; the sessions, and the open segments that are left to be sealed.

    Quick: nothing is compressed.  The caller holds the lock.  A session that can't be recovered stays as it is, with
    a warning.
    """
    found: list[Recovered] = []
    unsealed: list[Segment] = []
    for folder in sorted(path for path in logs.iterdir() if path.is_dir() and not path.name.startswith(".")):
        try:
            remaining = sealing.sweep(folder, disk)
            recovered = _end(folder, disk)
            if recovered:
                found.append(recovered)
            unsealed += [segment for segment in remaining if segment.path.exists()]
        except (OSError, LogError) as error:
            logger.warning("the session %s could not be recovered: %s", folder.name, error)
    return found, unsealed


def _end(folder: Path, disk: Disk) -> Recovered | None:
    listed = segments(folder)
    if not listed:
        return None
    about = header(folder, listed) or header_by_name(folder)
    last = listed[-1]
    tail = [segment for segment in listed if not segment.sealed] or [last]
    end = reached([segment for segment in listed if segment.first < tail[0].first], about.session)
    damages: list[Damage] = []
    place = Place(tail[0].first)
    for found in follow(folder, place, damages.append):
        if found is None:
            break
        end = found.message.tag
    if end is not None and end.ends:
        return None
    opening = Opening(
        about,
        place.at,
        _end_of(last, place, end),
        controls=end.controls if end else 0,
        last_t=end.last_t if end else 0,
    )
    if Segment(place.at, False, segment_path(folder, place.at, sealed=False)).other.exists():
        raise LogError("nothing of the segment is readable", where=last.path, hint="pitwall verify tells what is wrong")
    torn = place.torn
    size = torn.size if torn else 0
    fact = {
        "rows": place.at,
        "bytes_cut": size,
        "file": last.path.name,
        "position": torn.position if torn else last.path.stat().st_size,
        "what": torn.what if torn else "the writer ended without a word",
    }
    rows = concat(
        [
            control(Control.RECOVERED, opening.last_t, json.dumps(fact).encode(), start=place.at),
            control(Control.SESSION_END, opening.last_t, b'{"reason": "interrupted"}', start=place.at + 1),
        ]
    )
    sealing.write(disk, folder, opening, tag(rows, place.at, opening.tag), lambda: [rows])
    if last.first == place.at and not last.sealed:
        disk.unlink(last.path)  # it holds no row; its name is the new segment's
    return Recovered(folder.name, place.at, size, tuple(damages))


def _end_of(last: Segment, place: Place, end: Tag | None) -> End | None:
    """Where the session's last segment that holds rows ended, for the segment that follows it to name."""
    if place.end is not None:
        return place.end  # a sealed one: it says so itself
    if end is not None and end.kind is Kind.ROWS and not last.sealed and end.stop > last.first:
        return End(end.stop, end.crc)
    begun = opening_of(last)
    return begun.previous if begun else None
