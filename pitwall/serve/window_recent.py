"""The samples of a window out of the newest rows of a projection that is being built, in memory: without DuckDB.

Law: what it gives is what the projection's tables would have given, or NotHeldError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pitwall.serve.window import Float64, Found, Place, both, width

if TYPE_CHECKING:
    from pitwall.frames import Int64
    from pitwall.project.recent import Part, Parts


class NotHeldError(Exception):
    """The window begins before the rows that are held do."""


class Remembered:
    """The newest rows of each table: a `Source`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def places(self) -> Mapping[str, Place]:
        return {
            channel.name: Place(channel.name, channel.unit, part.table.name, channel.name)
            for part in self._parts.values()
            for channel in part.table.channels
        }

    def newest(self, places: Sequence[Place]) -> int:
        ends = (self._parts[place.table].t[-1:] for place in places)
        return max((int(end[0]) for end in ends if len(end)), default=0)

    def cut(self, places: Sequence[Place], t_from: int, t_to: int) -> _Cut:
        """Raises NotHeldError."""
        parts = {place.table: self._parts[place.table] for place in places}
        if any(part.since > t_from for part in parts.values()):
            raise NotHeldError
        spans = {table: slice(*np.searchsorted(part.t, (t_from, t_to + 1))) for table, part in parts.items()}
        found = {place.name: _present(parts[place.table], spans[place.table], place.column) for place in places}
        return _Cut(found, t_from, t_to)


class _Cut:
    """A `Cut` of them.  found: the samples of each channel."""

    def __init__(self, found: Found, t_from: int, t_to: int) -> None:
        self._found = found
        self._ends = t_from, t_to

    def counts(self) -> Mapping[str, int]:
        return {name: len(t) for name, (t, _) in self._found.items()}

    def samples(self, places: Sequence[Place]) -> Found:
        return {place.name: self._found[place.name] for place in places}

    def extremes(self, places: Sequence[Place], buckets: int) -> Found:
        if not places:
            return {}
        edges = self._ends[0] + width(*self._ends, buckets) * np.arange(buckets, dtype=np.int64)
        return {place.name: _extremes(*self._found[place.name], edges) for place in places}


def _present(part: Part, span: slice, column: str) -> tuple[Int64, Float64]:
    """t and v of the samples of one channel among those rows."""
    i = next(i for i, channel in enumerate(part.table.channels) if channel.name == column)
    t, v = part.t[span], part.values[i, span]
    missing = np.isnan(v)
    return (t[~missing], v[~missing]) if missing.any() else (t, v)


def _extremes(t: Int64, v: Float64, edges: Int64) -> tuple[Int64, Float64]:
    """As `both` has them.  t: (n,) ascending, n > 0.  edges: where each bucket begins, ascending, from t[0] at most."""
    begins = np.searchsorted(t, edges)
    counts = np.diff(begins, append=len(t))
    begins, counts = begins[counts > 0], counts[counts > 0]
    low, high = (
        _first(v == np.repeat(extreme.reduceat(v, begins), counts), begins) for extreme in (np.minimum, np.maximum)
    )
    return both(t[low], v[low], t[high], v[high])


def _first(true: np.ndarray[tuple[int], np.dtype[np.bool_]], begins: Int64) -> Int64:
    """Where `true` is so first, from each of `begins` on."""
    places = np.flatnonzero(true)
    return places[np.searchsorted(places, begins)]
