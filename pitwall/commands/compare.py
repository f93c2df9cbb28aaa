"""`pitwall compare`: two laps in, where the one loses time to the other out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from pitwall.commands.asking import asking
from pitwall.commands.laps import clock, lap_facts
from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import print_json, print_table
from pitwall.commands.referring import chosen, named, reference_option
from pitwall.errors import UsageError

if TYPE_CHECKING:
    import duckdb

    from pitwall.derive.channel import Float64

ROWS: Final = 20
"""Of the table, about: a screen."""


@dataclass(frozen=True)
class _Lap:
    session: str
    facts: dict[str, Any]
    length_m: float
    trace: Float64


@click.command
@click.argument("session")
@click.argument("lap")
@click.argument("other", nargs=-1, metavar="[SESSION LAP]")
@reference_option
@places("logs", "projections", "cars")
@json_option
def compare(
    places: Places, session: str, lap: str, other: tuple[str, ...], reference: str | None, as_json: bool
) -> None:
    """Show where LAP of SESSION loses time to another lap, by distance.

    LAP is a number, or `best`.  Without another one it is compared with the best lap
    of its session.  A lap of another session on the same track is stretched to the
    same length.

    \b
    Examples:
      pitwall compare latest 3
      pitwall compare latest 3 20261123T14 best
      pitwall compare latest best --reference ever
    """
    if len(other) not in (0, 2):
        raise UsageError("the other lap is a session and a lap", hint="pitwall compare latest 3 latest best")
    if other and reference:
        raise UsageError("two laps to compare with", hint="name one, or say --reference")
    mine = _found(places, session, lap)
    theirs = _found(places, *(other or _referred(places, session, reference or "best")))
    if mine.session == theirs.session and mine.facts["number"] == theirs.facts["number"]:
        raise UsageError(
            "a lap can't be compared with itself", where=f"lap {mine.facts['number']}", hint="name another"
        )
    compared = _compared(mine, theirs)
    if as_json:
        print_json(compared)
        return
    _print(compared)


def _referred(places: Places, session: str, which: str) -> tuple[str, str]:
    from pitwall.log.session import find

    found = find(places.logs, session)
    with asking(found, places) as connection:
        return named(connection, found, places, which)


def _found(places: Places, session: str, lap: str) -> _Lap:
    from pitwall.log.session import find

    found = find(places.logs, session)
    with asking(found, places) as connection:
        return _lap(connection, found.id, lap)


def _lap(connection: duckdb.DuckDBPyConnection, session: str, lap: str) -> _Lap:
    from pitwall.track.comparing import trace_at

    facts = chosen(lap_facts(connection), session, lap)
    length = connection.execute("SELECT length_m FROM track").fetchone()
    if length is None or length[0] is None:
        raise UsageError("it has no good lap", where=session, hint=f"pitwall laps {session}")
    columns = connection.execute(
        "SELECT lap_distance AS s, (t - ?) / 1e9 AS t FROM laptime WHERE lap = ? ORDER BY rowid",
        [facts["t_start"], facts["number"]],
    ).fetchnumpy()
    return _Lap(session, facts, length[0], trace_at(columns["s"], columns["t"], facts["time_s"], length[0]))


def _compared(mine: _Lap, theirs: _Lap) -> dict[str, Any]:
    import numpy as np

    from pitwall.track.comparing import lost

    delta = lost(mine.trace, theirs.trace)
    way = np.linspace(0.0, mine.length_m, len(delta))
    step = next(
        step
        for step in (10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000)
        if mine.length_m / step <= ROWS or step == 2000
    )
    at = np.append(np.arange(step, mine.length_m, step), mine.length_m)
    by = np.interp(at, way, delta)
    sectors = [
        None if a is None or b is None else round(a - b, 6)
        for a, b in zip(mine.facts["sectors_s"], theirs.facts["sectors_s"], strict=False)
    ]
    return {
        "lap": _said(mine),
        "reference": _said(theirs),
        "delta_s": round(mine.facts["time_s"] - theirs.facts["time_s"], 9),
        "sectors_delta_s": sectors,
        "length_m": round(mine.length_m, 3),
        "by_distance": [
            {"distance_m": round(float(s), 3), "time_s": round(float(t), 6), "delta_s": round(float(d), 6)}
            for s, t, d in zip(at, np.interp(at, way, mine.trace), by, strict=True)
        ],
    }


def _said(lap: _Lap) -> dict[str, Any]:
    return {"session": lap.session, "number": lap.facts["number"], "time_s": lap.facts["time_s"]}


def _print(compared: dict[str, Any]) -> None:
    lap, reference = compared["lap"], compared["reference"]
    click.echo(f"lap        {lap['number']:>3}  {clock(lap['time_s'])}  {lap['session']}")
    click.echo(f"reference  {reference['number']:>3}  {clock(reference['time_s'])}  {reference['session']}")
    sectors = "  ".join(f"S{i} {_signed(d)}" for i, d in enumerate(compared["sectors_delta_s"], 1) if d is not None)
    click.echo(f"lost       {_signed(compared['delta_s'])} s   {sectors}".rstrip())
    click.echo("")
    rows, before = [], 0.0
    most = max(abs(b["delta_s"] - a) for a, b in _pairs(compared["by_distance"]))
    for row in compared["by_distance"]:
        here = row["delta_s"] - before
        before = row["delta_s"]
        bar = ("+" if here > 0 else "-") * round(20 * abs(here) / most) if most else ""
        rows.append((f"{row['distance_m']:.0f} m", clock(row["time_s"]), _signed(row["delta_s"]), _signed(here), bar))
    print_table(("BY", "TIME", "DELTA", "HERE", "LOST +, GAINED -"), rows, right=("BY", "TIME", "DELTA", "HERE"))


def _pairs(rows: list[dict[str, Any]]) -> list[tuple[float, dict[str, Any]]]:
    return list(zip([0.0, *(row["delta_s"] for row in rows[:-1])], rows, strict=True))


def _signed(seconds: float) -> str:
    return f"{seconds:+.3f}"
