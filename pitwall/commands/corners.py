"""`pitwall corners`: a session in, how each corner was driven on each lap out, or how alike the laps are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import plural, print_json, print_table
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
SPREADS: Final = (
    ("BRAKE m", "brake_point", 0),
    ("PEAK g", "brake_g", 2),
    ("MIN km/h", "minimum_speed", 1),
    ("POWER m", "power_point", 0),
    ("EXIT km/h", "exit_speed", 1),
    ("COAST s", "coasting", 2),
    ("TIME s", "time", 2),
)
"""The same of laps together: head, figure, digits."""
MOST_IN_COMMON: Final = 10
"""Lines of what the fastest laps have in common: a screen holds them and the corners'.  `--json` has all."""


@click.command
@click.argument("session")
@option("--lap", type=int, help="This lap alone.")
@option("--corner", help="This corner alone.")
@option("--spread", is_flag=True, help="How much the laps differ, and what the fastest have in common.")
@places("logs", "projections", "cars")
@json_option
def corners(places: Places, session: str, lap: int | None, corner: str | None, spread: bool, as_json: bool) -> None:
    """Show how each corner of SESSION was driven, lap by lap.

    Without a lap or a corner named, each corner has one line: the best lap's there.
    Brake point and power are metres before and behind the apex; what was lost is
    against the best lap up to then.  docs/coaching.md tells what is measured.

    A spread is the deviation from the median, lap to lap: one bad lap does not move it.
    Four laps are needed for it, six for what the fastest three have in common.

    \b
    Examples:
      pitwall corners latest
      pitwall corners latest --corner T3
      pitwall corners latest --lap 4 --json
      pitwall corners latest --spread
      pitwall corners latest --spread --corner T3
    """
    from pitwall.log.session import find

    if spread:
        if lap is not None:
            raise UsageError("one lap has no spread", where="--lap", hint="leave --lap or --spread out")
        _spread(places, session, corner, as_json)
        return
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


def _spread(places: Places, session: str, corner: str | None, as_json: bool) -> None:
    from pitwall.log.session import find
    from pitwall.project.corner_answers import consistency_facts

    with asking(find(places.logs, session), places) as connection:
        found = consistency_facts(connection)
    _known("corner", corner, [row["corner"] for row in found["spreads"]])
    for part in ("spreads", "in_common"):
        found[part] = [row for row in found[part] if corner in (None, row["corner"])]
    if as_json:
        print_json(found)
        return
    if not found["spreads"]:
        few = f"pitwall: no spread: {plural(len(found['laps']), 'flying lap')} can be trusted, and four are needed"
        click.echo(few, err=True)
        return
    if corner is None:
        heads = ("CORNER", "LAPS", *(head for head, *_ in SPREADS))
        print_table(
            heads, [_spread_cells(found["spreads"], name) for name in _names(found["spreads"])], right=heads[1:]
        )
    else:
        heads = ("FIGURE", "MEDIAN", "SPREAD", "UNIT", "LAPS")
        rows = [
            (r["figure"].replace("_", " "), f"{r['median']:g}", f"{r['deviation']:g}", r["unit"], str(r["laps"]))
            for r in found["spreads"]
        ]
        print_table(heads, rows, right=("MEDIAN", "SPREAD", "LAPS"))
    click.echo()
    _print_in_common(found)


def _print_in_common(found: dict[str, Any]) -> None:
    if not found["fastest"]:
        click.echo("What the fastest laps have in common: six laps are needed to tell.")
        return
    laps = ", ".join(str(lap) for lap in found["fastest"])
    if not found["in_common"]:
        click.echo(f"The fastest laps ({laps}) have nothing in common that the others have not.")
        return
    click.echo(f"The fastest laps ({laps}) have in common, against the others:")
    for row in found["in_common"][:MOST_IN_COMMON]:
        fast, rest = f"{row['fast']:g}", f"{row['rest']:g} {row['unit']}".rstrip()
        click.echo(f"  {row['corner']}  {row['figure'].replace('_', ' ')} {fast}, not {rest}")
    more = len(found["in_common"]) - MOST_IN_COMMON
    if more > 0:
        click.echo(f"  and {plural(more, 'figure')} more: --json has all, --corner those of one corner")


def _spread_cells(rows: list[dict[str, Any]], corner: str) -> tuple[str, ...]:
    here = {row["figure"]: row for row in rows if row["corner"] == corner}
    cells = [f"{here[name]['deviation']:.{digits}f}" if name in here else "" for _, name, digits in SPREADS]
    return corner, str(max(row["laps"] for row in here.values())), *cells


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    cells = ["" if row[name] is None else f"{row[name] * factor:.{digits}f}" for _, name, factor, digits in COLUMNS]
    return row["corner"], str(row["lap"]), *cells


def _names(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["corner"] for row in rows))


def _known(what: str, given: object, there: list[Any]) -> None:
    if given is not None and there and given not in there:
        every = ", ".join(str(each) for each in dict.fromkeys(there))
        raise UsageError(f"there is no {what} {given}", hint=f"there are {every}")
