"""`pitwall channels`: a session in, what its channels are out."""

from __future__ import annotations

import click

from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import number, print_json, print_table


@click.command
@click.argument("session")
@places("logs", "projections", "cars")
@json_option
def channels(places: Places, session: str, as_json: bool) -> None:
    """List the channels of SESSION: unit, how often it comes, and where it is from.

    Each channel is a column of a table of the projection (--json names both), and all
    of them are in the view `signals`.

    \b
    Example:
      pitwall query latest "SELECT t, value FROM signals WHERE channel = 'rpm'"
    """
    from pitwall.log.session import find
    from pitwall.project.query import ask

    with (
        asking(find(places.logs, session), places) as connection,
        ask(connection, "FROM channels ORDER BY name") as answer,
    ):
        rows = answer.read_all().to_pylist()
        if as_json:
            print_json(rows)
            return
        columns = ("CHANNEL", "UNIT", "ROWS", "HZ", "FROM")
        lines = [
            (row["name"], row["unit"] or "", number(row["rows"]), f"{row['rate_hz'] or 0:.4g}", row["source"])
            for row in rows
        ]
        print_table(columns, lines, right=("ROWS", "HZ"))
