"""Rows of a session in, in the log's order; out, at any moment, a picture of the newest value of every channel.

Laws: what is missing does not wipe out what was heard before it: a value stays, with the time at which it was true.
What came from a bus is forgotten where its source returns: until it speaks, nothing is known of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from pitwall.frames import Control, Flag, Frames, Int64
from pitwall.serve.newest import NEVER, Cast, LiveChannel, Picture, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pitwall.derive import Rows, Table

RATE_NS: Final = 2_000_000_000
"""How far back frames are counted for their rate."""


class Gauges:
    """The newest value of every channel of `tables`.  newest_t: ns, of the log's newest row; -1 before the first."""

    def __init__(self, tables: Sequence[Table], of_buses: Mapping[str, frozenset[str]] | None = None) -> None:
        """of_buses: the channels that stem from each bus."""
        self.channels = tuple(
            LiveChannel(channel.name, channel.unit, table.name, channel.source, channel.hold_s)
            for table in tables
            for channel in table.channels
        )
        self.newest_t = NEVER
        self._first: dict[str, int] = {}
        for table in tables:
            self._first[table.name] = sum(len(before.channels) for before in tables[: len(self._first)])
        self._of_buses = {
            bus: np.array([channel.name in names for channel in self.channels], np.bool_)
            for bus, names in (of_buses or {}).items()
        }
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
        known_since = self._forget(frames)
        for part in rows:
            first = self._first[part.table.name]
            for i, column in enumerate(part.values, first):
                skip = int(np.searchsorted(part.at, known_since[i])) if known_since is not None else 0
                self._see(i, part.t[skip:], column[skip:])

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

    def _forget(self, frames: Frames) -> Int64 | None:
        """Forgets what stems from buses whose source returns in these frames.

        int64 (c,): the log offset from which each channel is known again; None: no bus returns.
        """
        since: Int64 | None = None
        told = (frames.flags & np.uint8(Flag.CONTROL) != 0) & (frames.id == np.uint32(Control.SOURCE))
        for i in np.flatnonzero(told).tolist():
            channels = self._of_buses.get(_returned(frames, i))
            if channels is not None:
                since = np.zeros(len(self.channels), np.int64) if since is None else since
                since[channels] = np.maximum(since[channels], frames.offsets[i])
                self._t[channels], self._v[channels] = NEVER, np.nan
        return since

    def _see(self, i: int, t: Int64, column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
        last = len(column) - 1
        if last >= 0 and np.isnan(column[last]):
            there = np.flatnonzero(~np.isnan(column))
            last = int(there[-1]) if len(there) else -1
        if last >= 0:
            self._t[i], self._v[i] = t[last], column[last]


def _returned(frames: Frames, i: int) -> str:
    """The bus whose source is back, by the SOURCE row `i`; "" where it says something else."""
    try:
        fact = json.loads(frames.more[i].as_py()) if frames.more is not None else {}
        return str(fact["bus"]) if fact["state"] == "reconnected" else ""
    except (ValueError, LookupError, TypeError):  # whoever wrote it
        return ""
