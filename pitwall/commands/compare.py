"""`pitwall compare`: two laps in, where the one loses time to the other out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.asking import asking
from pitwall.commands.laps import clock
from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import print_json, print_table
from pitwall.commands.referring import named, reference_option
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.log.session import Session
    from pitwall.project.lap_answers import Traced


@click.command
@click.argument("session")
@click.argument("lap")
@click.argument("other", nargs=-1, metavar="[[SESSION] LAP]")
@reference_option
@places("logs", "projections", "cars")
@json_option
def compare(
    places: Places, session: str, lap: str, other: tuple[str, ...], reference: str | None, as_json: bool
) -> None:
    """Show where LAP of SESSION loses time to another lap, by distance.

    LAP is a number, or `best`.  The other lap is of the same session, where no other
    one is named; without one it is the session's best.  A lap of another session on
    the same track is placed on this one's path: a distance is one place for both.

    \b
    Examples:
      pitwall compare latest 3
      pitwall compare latest 3 2
      pitwall compare latest 3 20261123T14 best
      pitwall compare latest best --reference ever
    """
    from pitwall.project.lap_answers import compared

    if len(other) > 2:
        raise UsageError("two laps are compared", hint=f"pitwall compare {session} {lap} {' '.join(other[:2])}")
    if other and reference:
        raise UsageError("two laps to compare with", hint="name one, or say --reference")
    if other:
        of, against = other if len(other) == 2 else (session, *other)
    else:
        of, against = _referred(places, session, reference or "best")
    mine, theirs = _pair(places, (session, lap), (of, against))
    found = compared(mine, theirs)
    if as_json:
        print_json(found)
        return
    _print(found)


def _referred(places: Places, session: str, which: str) -> tuple[str, str]:
    from pitwall.log.session import find

    found = find(places.logs, session)
    with asking(found, places) as connection:
        return named(connection, found, places, which)


def _pair(places: Places, mine: tuple[str, str], theirs: tuple[str, str]) -> tuple[Traced, Traced]:
    """The two laps, by their sessions and names, on the path of the first one's session."""
    from pitwall.log.session import find
    from pitwall.project.lap_answers import traced
    from pitwall.project.lap_paths import fixes_of, ground, grounded

    here, there = find(places.logs, mine[0]), find(places.logs, theirs[0])
    with asking(here, places) as connection:
        lap = traced(connection, here.id, mine[1])
        if here.id == there.id:
            other = traced(connection, here.id, theirs[1])
            if lap.facts["number"] == other.facts["number"]:
                where = f"lap {lap.facts['number']}"
                raise UsageError("a lap can't be compared with itself", where=where, hint="name another")
            return lap, other
        path = ground(connection, here.id, _roles(places, here))
    with asking(there, places) as connection:
        other = traced(connection, there.id, theirs[1])
        return lap, grounded(other, fixes_of(connection, other, _roles(places, there)), path)


def _roles(places: Places, session: Session) -> Mapping[str, str]:
    """The channel of each role that the session's car has one for."""
    from pitwall.car import load
    from pitwall.car.heard import heard

    return dict(heard(load(places.cars, session.header.car), session.header.buses).roles)


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
    """Without a sign where it rounds to nothing."""
    return f"{rounded:+.3f}" if (rounded := round(seconds, 3)) else "0.000"
