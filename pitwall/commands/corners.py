"""`pitwall corners`: a session in, how each corner was driven on each lap out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import print_json, print_table
from pitwall.errors import UsageError

if TYPE_CHECKING:
    import duckdb

COLUMNS: Final = (
    ("BRAKE m", "brake_m", 1.0, 0),
    ("PEAK g", "brake_g", 1.0, 2),
    ("MIN km/h", "min_mps", 3.6, 1),
    ("POWER m", "throttle_m", 1.0, 0),
    ("EXIT km/h", "exit_mps", 3.6, 1),
    ("COAST s", "coast_s", 1.0, 2),
    ("LOST s", "lost_s", 1.0, 3),
)
"""What fits a terminal: head, column, factor, digits.  `--json` has all of the table."""


@click.command
@click.argument("session")
@option("--lap", type=int, help="This lap alone.")
@option("--corner", help="This corner alone.")
@places("logs", "projections", "cars")
@json_option
def corners(places: Places, session: str, lap: int | None, corner: str | None, as_json: bool) -> None:
    """Show how each corner of SESSION was driven, lap by lap.

    Without a lap or a corner named, each corner has one line: the best lap's there.
    Brake point and power are metres before and behind the apex; what was lost is
    against the best lap up to then.  docs/coaching.md tells what is measured.

    \b
    Examples:
      pitwall corners latest
      pitwall corners latest --corner T3
      pitwall corners latest --lap 4 --json
    """
    from pitwall.log.session import find

    with asking(find(places.logs, session), places) as connection:
        rows = corner_facts(connection)
    _known("lap", lap, [row["lap"] for row in rows])
    _known("corner", corner, [row["corner"] for row in rows])
    chosen = [row for row in rows if lap in (None, row["lap"]) and corner in (None, row["corner"])]
    if as_json:
        print_json(chosen)
        return
    if not rows:
        click.echo("pitwall: no corners: no flying lap has ended that can be trusted", err=True)
        return
    if lap is None and corner is None:
        best = {name: min((r for r in rows if r["corner"] == name), key=lambda r: r["time_s"]) for name in _names(rows)}
        chosen = list(best.values())
    heads = ("CORNER", "LAP", *(head for head, *_ in COLUMNS))
    print_table(heads, [_cells(row) for row in chosen], right=heads[1:])


def corner_facts(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every row of the table `corners`, as `--json` has it, in the order that it was driven."""
    result = connection.execute("FROM corners ORDER BY rowid")
    names = [column[0] for column in result.description]
    return [
        {name: round(value, 6) if isinstance(value, float) else value for name, value in zip(names, row, strict=True)}
        for row in result.fetchall()
    ]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    cells = ["" if row[name] is None else f"{row[name] * factor:.{digits}f}" for _, name, factor, digits in COLUMNS]
    return row["corner"], str(row["lap"]), *cells


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["corner"] for row in rows))


def _known(what: str, given: object, there: list[Any]) -> None:
    if given is not None and there and given not in there:
        every = ", ".join(str(each) for each in dict.fromkeys(there))
        raise UsageError(f"there is no {what} {given}", hint=f"there are {every}")
