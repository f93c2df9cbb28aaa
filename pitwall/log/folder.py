"""What lies in the folder of a session: its segments, by the offset of their first row.

    <logs>/<session>/00000000000000000000.arrow     sealed: an Arrow IPC file
    <logs>/<session>/00000000000000917504.arrow.enc sealed with a key: the same, encrypted (`pitwall.log.encryption`)
    <logs>/<session>/00000000000001843200.arrows    open, or not sealed yet: an Arrow IPC stream

Where both forms of a segment are there, the sealed one counts: it was read back and compared before it got its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pitwall.errors import LogError
from pitwall.log import opening as openings
from pitwall.log.bytefile import ENCRYPTED_SUFFIX
from pitwall.log.opening import Header, Opening
from pitwall.log.tag import Kind, Message, Tag
from pitwall.log.walk import Walk

SEALED_SUFFIX: Final = ".arrow"
OPEN_SUFFIX: Final = ".arrows"
TEMPORARY_SUFFIX: Final = ".tmp"
LATEST: Final = ("_live", "latest")
"""Names of the newest session."""

_NAME: Final = re.compile(r"(\d{20})(\.arrows|\.arrow(?:\.enc)?)")
_SESSION: Final = re.compile(r"(\d{8}T\d{6})Z-(.+?)(?:-\d+)?")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment: its first offset, its file, and whether it is sealed."""

    first: int
    sealed: bool
    path: Path

    @property
    def other(self) -> Path:
        """The path of its other form: sealed of an open one, open of a sealed one."""
        folder = self.path.parent
        if self.sealed:
            return segment_path(folder, self.first, sealed=False)
        encrypted = segment_path(folder, self.first, sealed=True, encrypted=True)
        return encrypted if encrypted.exists() else segment_path(folder, self.first, sealed=True)


def segment_path(folder: Path, first: int, *, sealed: bool, encrypted: bool = False) -> Path:
    """Where the segment that begins at the offset `first` lies."""
    suffix = SEALED_SUFFIX if sealed else OPEN_SUFFIX
    return folder / f"{first:020d}{suffix}{ENCRYPTED_SUFFIX if encrypted else ''}"


def segments(folder: Path) -> list[Segment]:
    """The segments of a session in the order of their offsets.  Raises LogError where the folder can't be read."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise LogError(f"the session can't be read: {error.strerror}", where=folder) from error
    found: dict[int, Segment] = {}
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if match:
            segment = Segment(int(match[1]), match[2] != OPEN_SUFFIX, folder / name)
            if segment.sealed or segment.first not in found:
                found[segment.first] = segment
    return sorted(found.values())


def open_segments(folder: Path) -> list[Segment]:
    """The segments of which an open form is there, sealed form or not."""
    return [
        Segment(int(path.stem), False, path)
        for path in sorted(folder.glob(f"*{OPEN_SUFFIX}"))
        if _NAME.fullmatch(path.name)
    ]


def opening(segment: Segment) -> Opening | None:
    """What a segment's schema message says, or None where it is missing or damaged.

    Raises LogError where it was written by a newer pitwall.
    """
    try:
        with Walk(segment.path, sealed=segment.sealed, seed=0) as walk:
            found = walk.next()
    except OSError:
        return None
    return read_opening(found, segment.path) if isinstance(found, Message) else None


def read_opening(message: Message, path: Path) -> Opening | None:
    """What a verified first message of the file `path` says; None where it is no schema."""
    if message.tag.kind is not Kind.SCHEMA:
        return None
    check_version(message.tag, path)
    return openings.decode(message)


def check_version(tag: Tag, path: Path) -> None:
    """Raises LogError where the message was written by a newer pitwall."""
    if tag.version > openings.VERSION:
        raise LogError(
            f"the log is of format {tag.version}, this pitwall reads up to {openings.VERSION}",
            where=path,
            hint="upgrade pitwall",
        )


def header(folder: Path, listed: Sequence[Segment] | None = None) -> Header | None:
    """The session's header: of the first segment whose own is readable and names this folder, or of any other.

    None where no segment's is.
    """
    first: Header | None = None
    for segment in segments(folder) if listed is None else listed:
        found = opening(segment)
        if found is None:
            continue
        if found.header.session == folder.name:
            return found.header
        first = first or found.header
    return first


def header_by_name(folder: Path) -> Header:
    """What the folder's name alone tells of a session none of whose segments has a readable beginning."""
    match = _SESSION.fullmatch(folder.name)
    started_at_ns, car = 0, ""
    if match:
        with suppress(ValueError):
            started = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            started_at_ns, car = int(started.timestamp()) * 10**9, match[2]
    return Header(openings.VERSION, folder.name, car, started_at_ns, (), "")
