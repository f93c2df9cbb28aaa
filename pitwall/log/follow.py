"""The folder of a session in, its verified batches in offset order out: the one way through a log.

`read`, `Tail`, `verify` and sealing all go it.  Laws:

1. What comes out was verified, byte by byte; offsets ascend, and no row comes out twice.
2. A row that is missing is reported, by the file and position of the damage and the offsets lost.
3. A segment ends where the next begins: rows that it holds beyond (its writer moved on from a failed disk) are the
   next one's.
4. Bytes at the end of an open segment that do not verify are no damage until something verified stands behind them:
   they may be a write under way, or torn by a crash before anybody was told of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

from pitwall.errors import LogError
from pitwall.log.folder import Segment, segments
from pitwall.log.place import Damage, Found, Place
from pitwall.log.segment import SegmentReader
from pitwall.log.walk import Walk


def follow(folder: Path, place: Place, report: Callable[[Damage], None]) -> Generator[Found | None, None, None]:
    """Batch after batch from `place.at` on; None whenever there is nothing more for now.  Ask again later, for ever.

    Raises LogError where the folder can't be read, or the log was written by a newer pitwall; and where the session was
    archived or removed meanwhile, unless all of it had come.
    """
    try:
        yield from _follow(folder, place, report)
    except LogError as error:
        if folder.exists() or place.session is None:
            raise
        if not place.ended:
            what = f"the session was archived or removed while it was read; what follows row {place.at - 1} was not"
            raise LogError(what, where=folder, hint="`pitwall restore` brings an archived one back") from error
    while True:
        yield None


def _follow(folder: Path, place: Place, report: Callable[[Damage], None]) -> Generator[Found | None, None, None]:
    last: Segment | None = None
    while True:
        segment = _next(folder, last, place.at)
        if segment is None:
            yield None
            continue
        if segment.first > place.at:
            if _next(folder, last, place.at) != segment:
                continue  # a segment was sealed while the folder was listed: neither of its names was seen
            file, position, what = place.stopped or (segment.path, 0, "the rows before this segment are missing")
            report(Damage(file, position, what, place.at, segment.first))
            place.at = segment.first
        try:
            walk = Walk(segment.path, sealed=segment.sealed, seed=0)
        except FileNotFoundError:
            continue  # sealed since it was listed
        with walk:
            done = yield from SegmentReader(segment, walk, place, report).batches()
        if done:
            last = segment


def _next(folder: Path, last: Segment | None, at: int) -> Segment | None:
    """The segment behind `last`; without one, or where it was removed, the segment that holds the offset `at`."""
    listed = segments(folder)
    if last is not None and any(segment.first == last.first for segment in listed):
        return next((segment for segment in listed if segment.first > last.first), None)
    before = [segment for segment in listed if segment.first <= at]
    return before[-1] if before else next(iter(listed), None)
