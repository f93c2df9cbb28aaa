"""A pipeline's tables in, the SQL that makes a projection's file out.  Pure.

One table for each table of the pipeline (`t` and a column a channel), and beside them `channels`, `ids`, `control`,
`rejected`, `problems`, `built_from`, those of the laps (`track`, `laps`, `sectors`, `crossings`) and of the coach
(`corners`, `findings`, `incidents`, `cues`), and the views `signals` and `bests`.  docs/projections.md tells every
column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pitwall.coach.metrics import FIGURES
from pitwall.project.database import literal, quoted

if TYPE_CHECKING:
    from pitwall.derive import Table

FIXED: Final = {
    "channels": (
        ("name", "VARCHAR"),
        ("unit", "VARCHAR"),
        ("source", "VARCHAR"),
        ("table_name", "VARCHAR"),
        ("column_name", "VARCHAR"),
        ("rows", "BIGINT"),
        ("rate_hz", "DOUBLE"),
    ),
    "ids": (
        ("bus", "VARCHAR"),
        ("id", "BIGINT"),
        ("extended", "BOOLEAN"),
        ("kind", "VARCHAR"),
        ("sent", "BOOLEAN"),
        ("name", "VARCHAR"),
        ("decoded", "BOOLEAN"),
        ("frames", "BIGINT"),
        ("short", "BIGINT"),
        ("rejected", "BIGINT"),
        ("missed", "BIGINT"),
        ("first_t", "BIGINT"),
        ("last_t", "BIGINT"),
        ("rate_hz", "DOUBLE"),
        ("payload", "VARCHAR"),
    ),
    "control": (
        ("log_offset", "BIGINT"),
        ("t", "BIGINT"),
        ("kind", "VARCHAR"),
        ("fact", "VARCHAR"),
    ),
    "rejected": (
        ("log_offset", "BIGINT"),
        ("t", "BIGINT"),
        ("bus", "VARCHAR"),
        ("id", "BIGINT"),
        ("reason", "VARCHAR"),
        ("payload", "VARCHAR"),
    ),
    "problems": (
        ("part", "VARCHAR"),
        ("reason", "VARCHAR"),
    ),
    "track": (
        ("name", "VARCHAR"),
        ("source", "VARCHAR"),
        ("learned", "BOOLEAN"),
        ("length_m", "DOUBLE"),
        ("definition", "VARCHAR"),
    ),
    "laps": (
        ("number", "BIGINT"),
        ("kind", "VARCHAR"),
        ("t_start", "BIGINT"),
        ("t_end", "BIGINT"),
        ("time_s", "DOUBLE"),
        ("flying", "BOOLEAN"),
        ("valid", "BOOLEAN"),
        ("why", "VARCHAR"),
        ("best", "BOOLEAN"),
        ("best_so_far_s", "DOUBLE"),
        ("delta_s", "DOUBLE"),
        ("distance_m", "DOUBLE"),
        ("top_speed_mps", "DOUBLE"),
        ("min_speed_mps", "DOUBLE"),
        ("fuel_used", "DOUBLE"),
    ),
    "sectors": (
        ("lap", "BIGINT"),
        ("number", "BIGINT"),
        ("t_start", "BIGINT"),
        ("t_end", "BIGINT"),
        ("time_s", "DOUBLE"),
        ("best", "BOOLEAN"),
    ),
    "crossings": (
        ("t", "BIGINT"),
        ("line", "VARCHAR"),
        ("lap", "BIGINT"),
        ("counted", "BOOLEAN"),
        ("why", "VARCHAR"),
        ("lat", "DOUBLE"),
        ("lon", "DOUBLE"),
    ),
    "corners": (
        ("lap", "BIGINT"),
        ("corner", "VARCHAR"),
        *((name, "DOUBLE") for name in FIGURES),
    ),
    "findings": (
        ("rule", "VARCHAR"),
        ("priority", "VARCHAR"),
        ("corner", "VARCHAR"),
        ("section", "VARCHAR"),
        ("worth_s", "DOUBLE"),
        ("laps", "VARCHAR"),
        ("of_laps", "BIGINT"),
        ("distance_m", "DOUBLE"),
        ("figures", "VARCHAR"),
        ("links", "VARCHAR"),
    ),
    "incidents": (
        ("t", "BIGINT"),
        ("told_t", "BIGINT"),
        ("kind", "VARCHAR"),
        ("what", "VARCHAR"),
        ("priority", "VARCHAR"),
        ("lap", "BIGINT"),
        ("distance_m", "DOUBLE"),
        ("figures", "VARCHAR"),
    ),
    "cues": (
        ("t", "BIGINT"),
        ("lap", "BIGINT"),
        ("distance_m", "DOUBLE"),
        ("priority", "VARCHAR"),
        ("what", "VARCHAR"),
        ("corner", "VARCHAR"),
        ("ahead_m", "DOUBLE"),
        ("worth_s", "DOUBLE"),
        ("novice", "VARCHAR"),
        ("intermediate", "VARCHAR"),
        ("advanced", "VARCHAR"),
    ),
    "built_from": (
        ("session", "VARCHAR"),
        ("fingerprint", "VARCHAR"),
        ("code", "VARCHAR"),
        ("log_offset", "BIGINT"),
        ("lost", "BIGINT"),
        ("complete", "BOOLEAN"),
        ("place", "VARCHAR"),
        ("tracks", "VARCHAR"),
    ),
}
"""The tables that every projection has, whatever the car: (column, type)."""

SIGNALS: Final = "signals"
"""The view of every channel in the tall form: t, channel, value."""

BESTS: Final = "bests"
"""The view of what the session's laps come to: the best lap, the theoretical best, the best rolling one."""

_BESTS: Final = """
WITH good AS (SELECT number, time_s FROM laps WHERE valid AND flying),
     part AS (SELECT sectors.* FROM sectors JOIN good ON sectors.lap = good.number),
     count AS (SELECT max(number) AS n FROM part),
     single AS (SELECT number, min(time_s) AS time_s FROM part GROUP BY number),
     round AS (SELECT t_start, lap * n + number AS place, lead(t_end, (n - 1)::BIGINT) OVER ways AS t_end,
                      lead(lap * n + number, (n - 1)::BIGINT) OVER ways AS last, n
               FROM part, count WINDOW ways AS (ORDER BY lap, number))
SELECT (SELECT arg_min(number, time_s) FROM good) AS lap,
       (SELECT min(time_s) FROM good) AS time_s,
       (SELECT sum(time_s) FROM single) AS theoretical_s,
       (SELECT min(t_end - t_start) / 1e9 FROM round WHERE last = place + n - 1) AS rolling_s
"""

RESERVED: Final = frozenset({*FIXED, SIGNALS, BESTS, "laptime"})
"""No table of a pipeline may be called so."""


def statements(tables: Sequence[Table]) -> Iterator[str]:
    """What makes an empty projection of `tables`."""
    for name, columns in FIXED.items():
        yield f"CREATE TABLE {name} ({', '.join(f'{quoted(column)} {type}' for column, type in columns)})"
    for table in tables:
        values = "".join(f", {quoted(channel.name)} DOUBLE" for channel in table.channels)
        yield f"CREATE TABLE {quoted(table.name)} (t BIGINT NOT NULL{values})"
    yield f"CREATE VIEW {BESTS} AS {_BESTS}"
    yield f"CREATE VIEW {SIGNALS} AS {_tall(tables)}"


def _tall(tables: Sequence[Table]) -> str:
    # each branch names its channel as a constant, so that a question for one channel reads that column alone
    branches = [
        f"SELECT t, {literal(channel.name)} AS channel, {quoted(channel.name)} AS value "  # noqa: S608
        f"FROM {quoted(table.name)} WHERE {quoted(channel.name)} IS NOT NULL"
        for table in tables
        for channel in table.channels
    ]
    nothing = "SELECT NULL::BIGINT AS t, NULL::VARCHAR AS channel, NULL::DOUBLE AS value WHERE false"
    return " UNION ALL ".join(branches or [nothing])
