"""The samples of a window out of the newest rows of a projection that is being built, in memory: without DuckDB.

Law: what it gives is what the projection's tables would have given, or NotHeldError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pitwall.serve.window import Float64, Place
from pitwall.serve.window_samples import Samples

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

    def cut(self, places: Sequence[Place], t_from: int, t_to: int) -> Samples:
        """Raises NotHeldError."""
        parts = {place.table: self._parts[place.table] for place in places}
        if any(part.since > t_from for part in parts.values()):
            raise NotHeldError
        spans = {table: slice(*np.searchsorted(part.t, (t_from, t_to + 1))) for table, part in parts.items()}
        found = {place.name: _present(parts[place.table], spans[place.table], place.column) for place in places}
        return Samples(found, t_from, t_to)


def _present(part: Part, span: slice, column: str) -> tuple[Int64, Float64]:
    """t and v of the samples of one channel among those rows."""
    i = next(i for i, channel in enumerate(part.table.channels) if channel.name == column)
    t, v = part.t[span], part.values[i, span]
    missing = np.isnan(v)
    return (t[~missing], v[~missing]) if missing.any() else (t, v)
