"""The tables of laps of two pipelines over one log in, the laps that differ out, and the bests that move.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pitwall.project.laps import Small
from pitwall.project.layout import FIXED

TABLES: Final = ("laps", "sectors")
"""What is compared."""

SAID: Final = ("kind", "t_start", "t_end", "time_s", "valid", "why", "best", "delta_s")
"""Of a lap; and its sectors' times, as `sectors_s`."""

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LapChange:
    """before, after: SAID and `sectors_s` of the lap of this number; None: there is none."""

    number: int
    before: Facts | None
    after: Facts | None


@dataclass(frozen=True, slots=True)
class BestChange:
    """before, after: the number and the time in s of the best lap; None: there is none."""

    before: tuple[int, float] | None
    after: tuple[int, float] | None


def lap_changes(before: Small, after: Small) -> list[LapChange]:
    """Laps that came, went or differ, by their numbers."""
    old, new = _laps(before), _laps(after)
    numbers = sorted(old.keys() | new.keys())
    return [LapChange(n, old.get(n), new.get(n)) for n in numbers if old.get(n) != new.get(n)]


def best_change(before: Small, after: Small) -> BestChange | None:
    """How the session's best lap moves; None: it doesn't."""
    pair = BestChange(_best(_laps(before)), _best(_laps(after)))
    return None if pair.before == pair.after else pair


def _laps(small: Small) -> dict[int, Facts]:
    sectors: dict[object, list[object]] = {}
    for row in _rows("sectors", small.get("sectors", ())):
        sectors.setdefault(row["lap"], []).append(row["time_s"])
    return {
        int(row["number"]): {name: row[name] for name in SAID} | {"sectors_s": sectors.get(row["number"], [])}
        for row in _rows("laps", small.get("laps", ()))
    }


def _rows(table: str, rows: Sequence[tuple[object, ...]]) -> list[dict[str, Any]]:
    names = [name for name, _ in FIXED[table]]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _best(laps: Mapping[int, Facts]) -> tuple[int, float] | None:
    good = [(facts["time_s"], n) for n, facts in laps.items() if facts["valid"] and facts["kind"] == "flying"]
    return None if not good else (min(good)[1], min(good)[0])
