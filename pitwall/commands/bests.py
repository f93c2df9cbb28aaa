"""`pitwall bests`: all sessions in, the best lap of each car on each track out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from pitwall.commands.laps import clock
from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import number, print_json, print_table
from pitwall.commands.referring import spanning, told_missing


@click.command
@places("logs", "projections", "cars")
@json_option
def bests(places: Places, as_json: bool) -> None:
    """List the best lap of each car on each track, of all sessions.

    Laps count on tracks that have a name (`pitwall track save` gives one), and of
    sessions whose projection is current: `pitwall replay` makes them so.

    \b
    Examples:
      pitwall bests
      pitwall compare latest best --reference ever
    """
    found = spanning(places)
    best = found.bests()
    if as_json:
        print_json([asdict(one) for one in best])
    elif not best:
        click.echo("pitwall: no good lap on a track that has a name (pitwall track save names one)", err=True)
    else:
        columns = ("BEST", "LAP", "DAY", "LAPS", "SESSIONS", "CAR", "TRACK")
        rows = [
            (clock(one.time_s), str(one.number), day(one.started_at_ns), number(one.laps), number(one.sessions),
             one.car, one.track) for one in best
        ]  # fmt: skip
        print_table(columns, rows, right=("BEST", "LAP", "LAPS", "SESSIONS"))
    told_missing(found)


def day(unix_ns: int) -> str:
    """The day of a session, in UTC."""
    return datetime.fromtimestamp(unix_ns / 1e9, UTC).strftime("%Y-%m-%d")
