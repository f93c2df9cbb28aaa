"""`pitwall debrief`: a session in, what to change next out: three things at most, worth most first."""

from __future__ import annotations

import contextlib
from textwrap import fill
from typing import TYPE_CHECKING

import click

from pitwall.commands.asking import asking
from pitwall.commands.laps import clock
from pitwall.commands.options import Places, json_option, level_option, option, places
from pitwall.commands.output import WIDTH, plural, print_json

if TYPE_CHECKING:
    from pitwall.coach.advice import Debrief, Point


@click.command
@click.argument("session")
@level_option
@option("--against", metavar="SESSION", help="What changed since that session, not since the beginning.")
@places("logs", "projections", "cars")
@json_option
def debrief(places: Places, session: str, level: str, against: str | None, as_json: bool) -> None:
    """Say what to change next in SESSION: three things at most, worth the most time.

    Each has the laps that it was seen on, what it costs in one of them, and the
    numbers that it stands on.  No model is asked: docs/coaching.md has the rules.

    \b
    Examples:
      pitwall debrief latest
      pitwall debrief latest --level novice
      pitwall debrief latest --against 20261123T14 --json
    """
    from pitwall.coach.advice import as_facts
    from pitwall.coach.finding import Level
    from pitwall.log.session import find
    from pitwall.project.coached import debrief_of

    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(asking(find(places.logs, session), places))
        before = None if against is None else stack.enter_context(asking(find(places.logs, against), places))
        said = debrief_of(connection, Level(level), before=before)
    if as_json:
        print_json(as_facts(said))
        return
    _print(said)


def _print(said: Debrief) -> None:
    if said.best_lap is None:
        click.echo("pitwall: nothing to say: no flying lap has ended that can be trusted", err=True)
        return
    click.echo(f"{plural(said.laps, 'lap')}, best {clock(said.best_s)} (lap {said.best_lap})")
    for number, point in enumerate(said.points, start=1):
        click.echo()
        click.echo(fill(f"{number}. {point.words}", WIDTH, subsequent_indent="   "))
        click.echo(f"   {_where(point)}")
    if not said.points:
        click.echo(fill(said.words, WIDTH))
    if said.changes:
        click.echo()
        click.echo("Since the beginning:" if said.against == "beginning" else f"Since {said.against}:")
        for change in said.changes:
            click.echo(fill(f"  {change.words}", WIDTH, subsequent_indent="  "))


def _where(point: Point) -> str:
    worth = f"worth {point.worth_s:.2f} s, " if point.worth_s else ""
    laps = ", ".join(str(lap) for lap in point.laps[:8]) + (", …" if len(point.laps) > 8 else "")
    at = f", at {point.links[0].distance_m:.0f} m" if len(point.links) == 1 else ""
    return f"{worth}{len(point.laps)} of {plural(point.of, 'lap')}{f' ({laps})' if laps else ''}{at}"
