"""Sealing: an open segment that nobody writes any more becomes a sealed one.

The sealed file is written beside the open one, read back and compared with it row for row, made durable, renamed, and
only then is the open one removed.  A crash between any two steps leaves a valid copy under a valid name; `sweep`
takes up what it left.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Final

from pitwall.errors import LogError
from pitwall.frames import Frames, cut, same
from pitwall.log import clustered, keys, rows, sealed
from pitwall.log.disk import Disk, write_all
from pitwall.log.folder import (
    TEMPORARY_SUFFIX,
    Segment,
    header,
    header_by_name,
    open_segments,
    opening,
    segment_path,
)
from pitwall.log.keys import Key
from pitwall.log.opening import End, Opening
from pitwall.log.place import Damage, Found, Place
from pitwall.log.segment import LOST_BEFORE, SegmentReader
from pitwall.log.tag import Tag
from pitwall.log.walk import Walk

ASIDE_SUFFIX: Final = ".damaged"
"""Put behind the name of an open segment that was damaged within: what can't be read now is kept for whoever can."""


def seal(segment: Segment, disk: Disk) -> Path | None:
    """Seal an open segment; the sealed file, or None where it holds no row and was left alone.

    Raises OSError where the disk fails, LogError where what was written does not read back; the open segment is still
    there then.
    """
    folder = segment.path.parent
    damages: list[Damage] = []
    end: Tag | None = None
    for found in _batches(segment, damages):
        end = found.message.tag._replace(rows=found.stop - found.message.tag.offset)
    if end is None:
        return None
    begun = opening(segment) or Opening(header(folder) or header_by_name(folder), segment.first, None)
    path = write(disk, folder, begun, end, lambda: sealed.large(_rows(segment)))
    _lay_down(segment, disk, lossy=any(damage.first is not None for damage in damages))
    return path


def write(disk: Disk, folder: Path, opening: Opening, end: Tag, batches: Callable[[], Iterable[Frames]]) -> Path:
    """Write, compare, make durable and name a sealed segment that ends with the message `end`.

    batches: called twice, to write and to compare.
    """
    key = keys.current()
    path = segment_path(folder, opening.first, sealed=True, encrypted=key is not None)
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    opening = replace(opening, ended=End(end.stop, end.crc))
    try:
        fd = disk.create(temporary)
        try:
            for piece in _at_rest(sealed.encode(opening, end, batches()), key):
                write_all(disk, fd, piece)
            disk.sync(fd)
        finally:
            os.close(fd)
        for written, read in zip_longest(batches(), _read_back(Segment(opening.first, True, temporary))):
            if written is None or read is None or not same(written, read):
                what = "what was sealed does not read back as it was written"
                raise LogError(what, where=path, hint="check the disk")
        disk.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            disk.unlink(temporary)
        raise
    disk.sync_folder(folder)
    return path


def _at_rest(messages: Iterable[bytearray], key: Key | None) -> Iterable[bytes | bytearray]:
    """The messages as they are to lie on the disk."""
    if key is None:
        return messages
    from pitwall.log.encryption import encrypt  # late: who has no key does without its library

    return encrypt(messages, key)


def sweep(folder: Path, disk: Disk) -> list[Segment]:
    """Clear what a crash while sealing left in the folder of a session, and return the open segments that remain.

    Nobody may write there.  Unfinished files are removed; an open segment is removed where its sealed form is whole,
    and kept where it isn't.
    """
    for path in folder.glob(f"*{TEMPORARY_SUFFIX}"):
        disk.unlink(path)
    return [segment for segment in open_segments(folder) if not drop_if_sealed(segment, disk)]


def drop_if_sealed(segment: Segment, disk: Disk) -> bool:
    """Do away with an open segment whose sealed form is there and whole; whether that was so."""
    if not segment.other.exists():
        return False
    damages = _damages(Segment(segment.first, True, segment.other))
    if any(damage.what != LOST_BEFORE for damage in damages):
        return False
    disk.sync_folder(segment.path.parent)  # who gave it its name may have been killed before that was durable
    _lay_down(segment, disk, lossy=bool(damages))
    return True


def _lay_down(segment: Segment, disk: Disk, *, lossy: bool) -> None:
    """Do away with an open segment that is sealed; lossy: it held what could not be read."""
    if lossy:
        disk.rename(segment.path, segment.path.with_name(segment.path.name + ASIDE_SUFFIX))
    else:
        disk.unlink(segment.path)


def _damages(segment: Segment) -> list[Damage]:
    damages: list[Damage] = []
    for _ in _batches(segment, damages):
        pass
    return damages


def _batches(segment: Segment, damages: list[Damage]) -> Iterator[Found]:
    with Walk(segment.path, sealed=segment.sealed, seed=0) as walk:
        for found in SegmentReader(segment, walk, Place(segment.first), damages.append).batches():
            if found is None:
                return
            yield found


def _rows(segment: Segment) -> Iterator[Frames]:
    for found in _batches(segment, []):
        batch = rows.decode(found.message)
        yield cut(batch, found.first - batch.start, found.stop - batch.start)


def _read_back(segment: Segment) -> Iterator[Frames]:
    damages: list[Damage] = []
    for found in _batches(segment, damages):
        yield clustered.decode(found.message)
    damages = [damage for damage in damages if damage.what != LOST_BEFORE]
    if damages:
        raise LogError(f"what was sealed is damaged: {damages[0]}", where=segment.path, hint="check the disk")
