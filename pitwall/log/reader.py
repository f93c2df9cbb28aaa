"""A session's folder in, its rows out: all that there are (`read`), of a time (`between`), or as they come (`Tail`).

Readers hold no lock, and cope with a segment that grows, is rotated or sealed under them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pitwall.errors import LossError
from pitwall.frames import Frames, cut, empty, in_log_order, take
from pitwall.log import clustered, rows
from pitwall.log.folder import opening, segments
from pitwall.log.follow import follow
from pitwall.log.place import Damage, Found, Place

POLL_ROWS: Final = 1 << 18
"""Rows that one poll gives at most, so that a reader far behind catches up in bounded memory."""


def read(
    path: Path, start: int = 0, stop: int | None = None, *, damaged: Callable[[Damage], None] | None = None
) -> Iterator[Frames]:
    """The rows of the session in the folder `path` with start <= offset < stop, in batches in offset order.

    Rows from sealed segments are clustered (`order` is set), up to 65,536 a batch.  Every byte is verified.  What is
    damaged is left out and told to `damaged`; without one, LossError names the first damage once all that is readable
    was given.  A torn end of the newest segment is no damage.  Raises LogError where the folder can't be read or is
    from a newer pitwall.
    """
    damages: list[Damage] = []
    place = Place(start)
    for found in follow(path, place, damaged or damages.append):
        if found is None or (stop is not None and found.first >= stop):
            break
        yield decode(found, stop)
    torn = place.torn
    if torn is not None and not torn.cut and (stop is None or place.at < stop):
        (damaged or damages.append)(Damage(torn.file, torn.position, torn.what, place.at))
    if damages:
        more = f", and {len(damages) - 1} more" if len(damages) > 1 else ""
        raise LossError(f"the log is damaged: {damages[0]}{more}", where=path, hint="pitwall verify tells all of it")


def between(path: Path, t_from: int, t_to: int, *, damaged: Callable[[Damage], None]) -> Iterator[Frames]:
    """The rows of the session in the folder `path` with t_from <= t <= t_to, in log order, in batches; some are empty.

    Of what is before them no more is read than of one segment.  damaged: told of what of that can't be read.
    """
    for found in follow(path, Place(_before(path, t_from)), damaged):
        if found is None or found.message.tag.first_t > t_to:
            return
        if found.message.tag.last_t < t_from:
            yield empty(found.first)
            continue
        rows = in_log_order(decode(found))
        yield cut(rows, *np.searchsorted(rows.t, [t_from, t_to + 1]).tolist())


class Tail:
    """Follows a session while it is written.

    offset: behind the last row given.  ended: the end of the session was given.
    damages: what was wrong so far.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.damages: list[Damage] = []
        self.ended = False
        self._place = Place(start)
        self._batches = follow(path, self._place, self.damages.append)

    @property
    def offset(self) -> int:
        """Offset of the row that comes next."""
        return self._place.at

    def poll(self, rows: int = POLL_ROWS) -> list[Frames]:
        """What has come since the last poll, in batches in offset order, about `rows` at most; empty: nothing."""
        given: list[Frames] = []
        count = 0
        while count < rows and (found := next(self._batches, None)) is not None:
            self.ended = self.ended or found.message.tag.ends
            batch = decode(found)
            given.append(batch)
            count += len(batch)
        return given

    def close(self) -> None:
        """Let go of the log's files."""
        self._batches.close()


def _before(path: Path, t: int) -> int:
    """The first offset of a segment before which there is no row from `t` on."""
    listed = segments(path)
    low, high = 0, len(listed)  # segments before `low` begin early enough; that at `high` and behind may not
    while high - low > 1:
        middle = (low + high) // 2
        said = opening(listed[middle])
        low, high = (middle, high) if said is not None and said.last_t < t else (low, middle)
    return listed[low].first if listed else 0


def decode(found: Found, stop: int | None = None) -> Frames:
    """The rows of a verified batch that are new, up to the offset `stop`."""
    batch = clustered.decode(found.message) if found.segment.sealed else rows.decode(found.message)
    last = found.stop if stop is None else min(found.stop, stop)
    if found.first == batch.start and last == batch.stop:
        return batch
    return _between(batch, found.first, last)


def _between(batch: Frames, first: int, last: int) -> Frames:
    """The rows of `batch` with first <= offset < last, clustered if it is."""
    if batch.order is None:
        return cut(batch, first - batch.start, last - batch.start)
    offsets = batch.offsets
    kept = np.flatnonzero((offsets >= first) & (offsets < last))
    return replace(take(batch, kept), start=first, order=offsets[kept] - first)
