"""A window's samples in memory, cut into buckets by numpy: a `Cut`, whichever source they are from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pitwall.serve.window import Float64, Found, Place, both, width

if TYPE_CHECKING:
    from pitwall.frames import Int64


class Samples:
    """found: the samples of each channel, t ascending."""

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
