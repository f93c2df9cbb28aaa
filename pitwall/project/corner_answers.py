"""A session's open projection in, how alike its laps are out: for commands and the API.

Law: nothing is measured anew here: what is read is what a replay made.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pitwall.coach.consistency import Cornered, fastest, in_common, spreads
from pitwall.coach.metrics import FIGURES
from pitwall.derive.channel import Float64

if TYPE_CHECKING:
    import duckdb


def consistency_facts(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """How much each figure of each corner differs from lap to lap, and what the fastest laps alone have in common.

    laps: that are looked at.  fastest: those of them; none where they are too few.  spreads, in_common: as of
    `coach.consistency`, in the units that they name.
    """
    numbers, times_s, cornered = _cornered(connection)
    return {
        "laps": numbers,
        "fastest": [numbers[i] for i in fastest(times_s)],
        "spreads": [asdict(each) for each in spreads(cornered)],
        "in_common": [asdict(each) for each in in_common(cornered, times_s)],
    }


def _cornered(connection: duckdb.DuckDBPyConnection) -> tuple[list[int], Float64, Cornered]:
    """The numbers and times of the laps whose corners are known, float64 (n,), and how those were driven."""
    laps = connection.execute(
        "SELECT number, time_s FROM laps WHERE flying AND valid AND number IN (SELECT lap FROM corners) ORDER BY number"
    ).fetchall()
    numbers = [int(number) for number, _ in laps]
    places = {number: i for i, number in enumerate(numbers)}
    found: dict[str, dict[str, Float64]] = {}
    asked = f"SELECT lap, corner, {', '.join(FIGURES)} FROM corners ORDER BY rowid"  # noqa: S608
    for lap, corner, *values in connection.execute(asked).fetchall():
        figures = found.setdefault(corner, {name: np.full(len(numbers), np.nan) for name in FIGURES})
        for name, value in zip(FIGURES, values, strict=True):
            if value is not None and lap in places:
                figures[name][places[lap]] = value
    return numbers, np.array([time_s for _, time_s in laps], np.float64), found
