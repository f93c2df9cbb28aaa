"""Rows of a session in, in the log's order; out, at any moment, a picture of the newest value of every channel.

Law: what is missing does not wipe out what was heard before it: a value stays, with the time at which it was true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pitwall.frames import Flag, Frames, Int64
from pitwall.serve.newest import NEVER, Cast, LiveChannel, Picture, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pitwall.derive import Rows, Table

RATE_NS: Final = 2_000_000_000
"""How far back frames are counted for their rate."""


class Gauges:
    """The newest value of every channel of `tables`.  newest_t: ns, of the log's newest row; -1 before the first."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.channels = tuple(
            LiveChannel(channel.name, channel.unit, table.name, channel.source, channel.hold_s)
            for table in tables
            for channel in table.channels
        )
        self.newest_t = NEVER
        self._first: dict[str, int] = {}
        for table in tables:
            self._first[table.name] = sum(len(before.channels) for before in tables[: len(self._first)])
        self._t = np.full(len(self.channels), NEVER, np.int64)
        self._v = np.full(len(self.channels), np.nan)
        self._heard = np.empty(0, np.int64)  # t of the frames of the last RATE_NS

    def take(self, frames: Frames, rows: Sequence[Rows]) -> None:
        """The next batch of the log, and the rows that it gave."""
        if not len(frames):
            return
        self.newest_t = max(self.newest_t, int(frames.t.max()))
        since = self.newest_t - RATE_NS
        heard = frames.t[(frames.flags & np.uint8(Flag.CONTROL)) == 0]
        self._heard = np.concatenate([self._heard[self._heard > since], heard[heard > since]])
        for part in rows:
            first = self._first[part.table.name]
            for i, column in enumerate(part.values, first):
                self._see(i, part.t, column)

    def picture(self, number: int, cast: Cast, status: Status) -> Picture:
        """The newest values as of now."""
        return Picture(number, cast, self._t.copy(), self._v.copy(), status)

    def frames_per_s(self) -> float:
        """Over the last RATE_NS before the newest frame, or since the session began."""
        span_ns = min(RATE_NS, self.newest_t)
        return round(len(self._heard) / span_ns * 1e9, 1) if span_ns > 0 else 0.0

    def set(self, name: str, t: int, v: float) -> None:
        """The newest value of one channel, known from elsewhere."""
        i = next(i for i, channel in enumerate(self.channels) if channel.name == name)
        self._t[i], self._v[i] = t, v
        self.newest_t = max(self.newest_t, t)

    def _see(self, i: int, t: Int64, column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        last = len(column) - 1
        if last >= 0 and np.isnan(column[last]):
            there = np.flatnonzero(~np.isnan(column))
            last = int(there[-1]) if len(there) else -1
        if last >= 0:
            self._t[i], self._v[i] = t[last], column[last]
