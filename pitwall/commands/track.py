"""`pitwall tracks` and `pitwall track`: the tracks that laps are found on, and one more out of a session."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands import options
from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, option, places, tracks_option
from pitwall.commands.output import print_json, print_table
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.track.definition import Track


@click.command
@tracks_option
@json_option
def tracks(as_json: bool) -> None:
    """List the tracks that laps are found on: your own, and those that came with pitwall.

    Of two that bear one name, yours counts.  docs/laps.md tells what a track's file
    holds.

    \b
    Example:
      pitwall tracks --tracks ~/tracks
    """
    from pitwall.project.tracks import facts, known, own

    mine = {track.fingerprint for track in own()}
    found = [facts(track, mine=track.fingerprint in mine) for track in known()]
    if as_json:
        print_json(found)
        return
    rows = [
        (one["name"], "yours" if one["own"] else "shipped", one["kind"], str(one["sectors"]), str(one["corners"]))
        for one in found
    ]
    print_table(("TRACK", "WHOSE", "KIND", "SECTORS", "CORNERS"), rows, right=("SECTORS", "CORNERS"))


@click.group
def track() -> None:
    """Save a track under a name."""


@track.command
@click.argument("session")
@option("--name", required=True, metavar="NAME", help="What it is called from now on.")
@option(
    "--start-line",
    type=options.start_line,
    metavar="LAT,LON,LAT,LON",
    help="Where laps begin, if not where the session's do.",
)
@option(
    "--finish-line",
    type=options.start_line,
    metavar="LAT,LON,LAT,LON",
    help="Where laps end: makes it a point-to-point course.",
)
@tracks_option
@places("logs", "projections", "cars")
def save(places: Places, session: str, name: str, start_line: Any, finish_line: Any) -> None:
    """Save the track of SESSION, learned or set by hand, so that it is found by itself.

    It is written to your tracks folder: --tracks, or ./tracks.  Sessions are replayed
    when they are asked for next, as laps may be found on it now.  A running server
    reads the folder when it starts.

    \b
    Examples:
      pitwall track save latest --name "Home, long"
      pitwall track save latest --name "The hill" \\
        --start-line 46.1,7.2,46.1001,7.2001 --finish-line 46.2,7.3,46.2001,7.3001
    """
    from pitwall.log.session import find
    from pitwall.project import tracks as known_tracks
    from pitwall.track.definition import Line, Track, line_problem

    found = find(places.logs, session)
    for line in (start_line, finish_line):
        wrong = line and line_problem(*line)
        if wrong:
            raise UsageError(wrong, hint="two points across the track")
    if start_line is not None:
        made = Track(name, Line(*start_line), source=f"set by hand, for session {found.id}")
    else:
        made = _driven(found, places)
        said = "learned by pitwall in" if made.learned else f"{made.source}; of"
        made = replace(made, name=name, source=f"{said} session {found.id}", learned=False)
    if finish_line is not None:
        made = replace(made, finish=Line(*finish_line), sectors=())
    file = known_tracks.save(made)
    click.echo(f"{name} is saved as {file}")


def _driven(session: Any, places: Places) -> Track:
    from pitwall.track.definition import given

    with asking(session, places) as connection:
        row = connection.execute("SELECT definition FROM track").fetchone()
    if row is None:
        raise UsageError("it has no track: no loop was closed", where=session.id, hint="--start-line says where")
    return given(json.loads(row[0]))
