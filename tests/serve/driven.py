"""A session for the coach: a projection in memory with laps, sectors and channels, and what the rules found in it."""

from __future__ import annotations

import duckdb

from pitwall.coach.finding import Figure, Finding, Link, Priority
from tests.serve.stand import projection

TIMES = {1: 103.402, 2: 102.871, 3: 102.318, 4: 104.9, 5: 102.744}
"""Of the flying laps."""

FINDINGS = (
    Finding(
        "brakes-early",
        Priority.TIME,
        "T5",
        "entry",
        0.31,
        (1, 2, 4),
        5,
        (Figure("brake_point", 112.0, "m", 98.0), Figure("brake_g", 0.82, "g", 1.04), Figure("brake_share", 71.0, "%")),
        (Link(1, "T5", 812.0), Link(2, "T5", 812.0), Link(4, "T5", 812.0)),
    ),
    Finding(
        "coasts",
        Priority.TIME,
        "T3",
        "entry",
        0.18,
        (2, 5),
        5,
        (Figure("coasting", 0.62, "s", 0.11), Figure("lift_point", 140.0, "m"), Figure("brake_point", 75.0, "m")),
        (Link(2, "T3", 431.0), Link(5, "T3", 431.0)),
    ),
)


def driven() -> duckdb.DuckDBPyConnection:
    """The projection."""
    seconds = [int(i * 1e8) for i in range(100)]
    con = projection(
        {
            ("engine", "oil_temp"): (seconds, [80.0 + i / 10 for i in range(100)]),
            ("water", "coolant_temp"): (seconds, [70.0 + i / 5 for i in range(100)]),
            ("oil", "oil_pressure"): (seconds, [4.0 - i / 100 for i in range(100)]),
            ("dash", "rpm"): (seconds, [1000.0 + 50 * i for i in range(100)]),
        }
    )
    con.execute(
        "UPDATE channels SET unit = CASE WHEN name LIKE '%temp' THEN 'degC' WHEN name = 'rpm' THEN 'rpm' ELSE 'bar' END"
    )
    con.execute(
        "CREATE TABLE laps (number BIGINT, kind VARCHAR, t_start BIGINT, t_end BIGINT, time_s DOUBLE, flying BOOLEAN, "
        "valid BOOLEAN, why VARCHAR, best BOOLEAN, best_so_far_s DOUBLE, delta_s DOUBLE, distance_m DOUBLE, "
        "top_speed_mps DOUBLE, min_speed_mps DOUBLE, fuel_used DOUBLE)"
    )
    con.execute(
        "INSERT INTO laps VALUES (0, 'out', 0, 1, NULL, false, true, NULL, false, NULL, NULL, 900, 40, 3, NULL)"
    )
    con.execute(
        "CREATE TABLE sectors (lap BIGINT, number BIGINT, t_start BIGINT, t_end BIGINT, time_s DOUBLE, best BOOLEAN)"
    )
    for lap, time_s in TIMES.items():
        con.execute(
            "INSERT INTO laps VALUES (?, 'flying', ?, ?, ?, true, true, NULL, false, NULL, NULL, 3000, ?, 12, NULL)",
            [lap, lap * 10**9, (lap + 1) * 10**9, time_s, 55.0 + lap / 10],
        )
        for sector, share in ((1, 0.31), (2, 0.36 + lap / 1000), (3, 0.33 - lap / 1000)):
            con.execute("INSERT INTO sectors VALUES (?, ?, 0, 0, ?, false)", [lap, sector, round(time_s * share, 3)])
    con.execute("CREATE TABLE track AS SELECT 'Larkholm' AS name")
    con.execute("CREATE TABLE bests (lap BIGINT, time_s DOUBLE, theoretical_s DOUBLE, rolling_s DOUBLE)")
    con.execute("INSERT INTO bests VALUES (3, 102.318, 102.004, 102.2)")
    return con
