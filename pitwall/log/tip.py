"""Rows in, the growing end of a session on disk: the open segment, and those before it that are not durable yet.

Laws: offsets are dense and in the order of `append`; `t` never runs backwards; nothing counts as written that a `write`
did not take whole, nor as durable that a sync did not confirm.  After a failed write the log goes on in a new segment
behind the last good batch.  After a failed sync no byte that was not durable is trusted: those rows, kept in memory
until then, are written again into a new segment behind the last durable batch.  A file that was removed under its
writer is one whose sync failed.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from pitwall.errors import LogError
from pitwall.frames import Frames, cut, in_log_order
from pitwall.log import opening as openings
from pitwall.log import rows as plain
from pitwall.log.active import Active
from pitwall.log.disk import Disk
from pitwall.log.folder import Segment, segment_path, segments
from pitwall.log.opening import Opening
from pitwall.log.tag import Tag

MAX_UNSYNCED_BYTES: Final = 64 << 20
"""Messages kept in memory until they are durable; beyond this `append` waits for the disk."""

_HINTS: Final = {errno.ENOSPC: "free some space", errno.EDQUOT: "free some space", errno.EROFS: "it can't be written"}


class _Unsynced(NamedTuple):
    message: bytearray
    end: Tag


class Tip:
    """The end of the session in `folder`, which begins with the segment `origin`; all rows before that are durable.

    settled: is told each segment that takes no more rows and is durable, once.
    stand: has the session's folder, and those above it, there again; raises OSError or LogError.
    """

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        origin: Opening,
        settled: Callable[[Segment], None],
        stand: Callable[[], None],
        *,
        segment_bytes: int,
        segment_age_s: float,
    ) -> None:
        self._disk = disk
        self._folder = folder
        self._origin = origin
        self._settled = settled
        self._stand = stand
        self._segment_bytes = segment_bytes
        self._segment_age_s = segment_age_s
        self._mutex = threading.RLock()  # guards what follows; never held while a sync waits for the disk
        self._syncing = threading.Lock()  # one sync at a time; taken before the mutex
        self._active: Active | None = None
        self._retired: list[Active] = []  # take no more rows, and may not be durable yet
        self._written: Tag | None = None
        self._durable: Tag | None = None
        self._unsynced: deque[_Unsynced] = deque()
        self._unsynced_bytes = 0
        self._distrusted = False  # a sync failed, or a file is gone
        # first offsets of segments that were given up, perhaps without a row; so may be what a dead writer left
        self._spoilt: set[int] = {origin.first}

    @property
    def written(self) -> int:
        """Offset behind the last row that is safe from the death of this process."""
        return self._written.stop if self._written else self._origin.first

    @property
    def durable(self) -> int:
        """Offset behind the last row that is safe from a loss of power."""
        return self._durable.stop if self._durable else self._origin.first

    @property
    def frames(self) -> int:
        """Rows that are no control rows."""
        written = self._written
        return written.stop - written.controls if written else self._origin.first - self._origin.controls

    @property
    def last_t(self) -> int:
        """ns, of the last row."""
        return self._written.last_t if self._written else self._origin.last_t

    @property
    def ends(self) -> bool:
        """Whether one of the rows is the session's end."""
        return self._written.ends if self._written else self._origin.ends

    @property
    def crowded(self) -> bool:
        """Whether too much waits to become durable."""
        return self._unsynced_bytes > MAX_UNSYNCED_BYTES

    def append(self, rows: Frames) -> None:
        """Write `rows`, at least one, behind the last.  Raises ValueError or LogError as `Writer.append` says."""
        rows = in_log_order(rows)
        with self._mutex:
            self._check(rows)
            if len(rows) <= plain.MAX_ROWS:
                self._append(rows)
            else:
                for first in range(0, len(rows), plain.MAX_ROWS):
                    self._append(cut(rows, first, first + plain.MAX_ROWS))

    def begin(self, rows: Frames) -> None:
        """Begin the first segment, with `rows` in it from the first moment, durable on return.  Raises LogError."""
        with self._mutex:
            active = self._begin([rows])
            try:
                active.sync()
            except OSError as error:
                self._active = None
                active.close()
                with suppress(OSError):
                    self._disk.unlink(active.path)
                raise failed("can't be made durable", active.path, error) from error
            self._written = self._durable = active.end

    def look(self) -> None:
        """Raises LogError where what is being written was removed or moved away; the next sync writes it again."""
        with self._mutex:
            active = self._active
            if active is None or self._distrusted:
                return
            try:
                active.look()
            except OSError as error:
                self._give_up()
                self._distrusted = True
                raise failed("can't be written", active.path, error) from error

    def sync(self) -> None:
        """Make durable all that is written.  Raises LogError where the disk fails."""
        with self._syncing:
            with self._mutex:
                if self._distrusted:
                    self._begin()
                target, active = self._written, self._active
                retired, self._retired = self._retired, []
            try:
                for file in [*retired, *([active] if active else [])]:
                    file.sync()
                    if file.end.stop > file.first:  # without a row, it may have been replaced meanwhile
                        file.look()
            except OSError as error:
                with self._mutex:
                    self._retired = retired + self._retired
                    self._give_up()
                    self._spoilt.update(file.first for file in self._retired)  # one may begin where the next will
                    self._distrusted = True
                raise failed("can't be made durable", active.path if active else self._folder, error) from error
            with self._mutex:
                self._settle(target)
            for file in retired:
                self._lay_down(file)

    def retire(self) -> None:
        """The open segment takes no more rows: with the next sync it is settled."""
        with self._mutex:
            if self._active:
                self._retired.append(self._active)
                self._active = None

    def close(self) -> None:
        """Let go of every file."""
        with self._mutex:
            self.retire()
            for file in self._retired:
                file.close()

    def _append(self, rows: Frames) -> None:
        active = self._ready()
        try:
            message = active.append(rows)
        except OSError as error:
            self._give_up()
            raise failed("can't be written", active.path, error) from error
        self._written = active.end
        self._unsynced.append(_Unsynced(message, active.end))
        self._unsynced_bytes += len(message)

    def _ready(self) -> Active:
        """The segment to write to: a new one where the old is full, old or given up."""
        active = self._active
        if active is None:
            return self._begin()
        full = active.size >= self._segment_bytes or time.monotonic() - active.born_s >= self._segment_age_s
        if full and active.end.stop > active.first:
            self.retire()
            return self._begin()
        return active

    def _begin(self, rows: Sequence[Frames] = ()) -> Active:
        """A new segment behind what is written; after a failed sync behind what is durable, and with the rest in it.

        rows: what it holds when it comes into being, for the first one.
        """
        before = self._durable if self._distrusted else self._written
        again = (plain.decode_bytes(one.message) for one in list(self._unsynced)) if self._distrusted else rows
        opening = openings.behind(self._origin.header, before) if before else self._origin
        path = segment_path(self._folder, opening.first, sealed=False)
        try:
            self._stand()
            if path.exists() and opening.first not in self._spoilt:
                hint = "does something else write in this folder?"
                raise LogError("the segment is there already", where=path, hint=hint)
            self._spoilt.add(opening.first)
            active = Active(self._disk, self._folder, opening, again)
            if self._distrusted:
                self._trust_again(active)
        except OSError as error:
            raise failed("can't be begun", path, error) from error
        self._spoilt.discard(opening.first)
        self._active = active
        return active

    def _trust_again(self, active: Active) -> None:
        """What was not durable stands in `active`: make it so, and go on there."""
        try:
            active.sync()
            self._drop_behind(active.first)
        except OSError:
            active.close()
            raise
        self._distrusted = False
        self._written = active.end
        self._settle(active.end)

    def _drop_behind(self, first: int) -> None:
        """Remove the segments whose rows, none of them durable, were just written again: for good, or a loss of power
        may bring back an empty one that stands before rows that are durable then."""
        behind = [segment for segment in segments(self._folder) if segment.first > first]
        for segment in behind:
            self._disk.unlink(segment.path)
        if behind:
            self._disk.sync_folder(self._folder)
        for file in self._retired:
            self._lay_down(file)
        self._retired = []

    def _lay_down(self, file: Active) -> None:
        """Let go of a segment whose rows are durable up to where the next one begins."""
        file.close()
        if file.first < min(file.end.stop, self.durable):
            self._settled(Segment(file.first, False, file.path))

    def _give_up(self) -> None:
        """Trust the open segment with no more rows: the next append begins a new one."""
        if self._active:
            self._spoilt.add(self._active.first)
            self.retire()

    def _settle(self, target: Tag | None) -> None:
        """All up to the message `target` is durable."""
        if target is None or target.stop < self.durable:
            return
        self._durable = target
        while self._unsynced and self._unsynced[0].end.stop <= target.stop:
            self._unsynced_bytes -= len(self._unsynced.popleft().message)

    def _check(self, rows: Frames) -> None:
        n = len(rows)
        lengths = {len(rows.bus), len(rows.id), len(rows.flags), len(rows.len), len(rows.data)}
        if lengths != {n} or (rows.more is not None and len(rows.more) != n):
            raise ValueError("the columns of the rows differ in length")
        if int(rows.t[0]) < self.last_t:
            raise ValueError(f"t runs backwards: {rows.t[0]} ns behind {self.last_t} ns")
        backwards = rows.t[1:] < rows.t[:-1]
        if backwards.any():
            at = int(np.flatnonzero(backwards)[0])
            raise ValueError(f"t runs backwards: {rows.t[at + 1]} ns behind {rows.t[at]} ns")


def failed(what: str, path: Path, error: OSError) -> LogError:
    """The error of a disk as one line: what could not be done, where, why, and what to do."""
    number = error.errno or 0
    name = errno.errorcode.get(number, "")
    return LogError(f"the log {what}: {error.strerror} [{name}]", where=path, hint=_HINTS.get(number, ""))
