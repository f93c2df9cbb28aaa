"""`pitwall tracks` and `pitwall track`: the tracks that laps are found on, and one more; a session's start line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands import options
from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, option, places, tracks_option
from pitwall.commands.output import plural, print_json, print_table
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.log.session import Session
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
    """Save a track under a name; say where a session's laps begin."""


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


@track.command("start-line", context_settings={"ignore_unknown_options": True})  # -33.8,… is no option
@click.argument("session")
@click.argument("line", metavar="LAT,LON,LAT,LON", type=options.start_line)
@option(
    "--sector",
    "sectors",
    multiple=True,
    type=options.start_line,
    metavar="LAT,LON,LAT,LON",
    help="A line between two sectors; once for each, in the order of a lap.",
)
@option("--name", metavar="NAME", help="What the track is called.")
@places("logs", "projections", "cars")
@json_option
def start_line(
    places: Places, session: str, line: options.Line, sectors: tuple[options.Line, ...], name: str | None, as_json: bool
) -> None:
    """Set where the laps of SESSION begin, by hand: the two ends of a line across the track.

    It counts for the whole session, also for what was driven before, and the newest
    one counts alone.  A session that is being recorded takes it at once.  The line is
    written into the log, and nothing there is changed.

    \b
    Examples:
      pitwall track start-line latest 45.73254,13.07324,45.73261,13.07311
      pitwall track start-line latest 45.73254,13.07324,45.73261,13.07311 \\
        --sector 45.7331,13.0719,45.7332,13.0721 --name "Home, long"
    """
    from pitwall.frames import Control
    from pitwall.log import adding, lock
    from pitwall.log.session import find
    from pitwall.track.definition import line_problem

    found = find(places.logs, session)
    for each in (line, *sectors):
        if wrong := line_problem(*each):
            raise UsageError(wrong, hint="two points across the track")
    fact: dict[str, Any] = {"line": line}
    fact |= {key: value for key, value in (("sectors", sectors), ("name", name)) if value}
    adding.add(places.logs, found.id, Control.START_LINE, fact)
    laps = why = None
    if lock.recording(places.logs) != found.id:  # else the server that follows it cuts its laps
        laps, why = _cut(find(places.logs, found.id), places)
    if as_json:
        print_json({"session": found.id, **fact, "laps": laps, "why": why})
        return
    click.echo(f"{found.id}: the start line is set" + ("" if laps is None else f"; {plural(laps, 'timed lap')}"))
    if why:
        click.echo(f"pitwall: {why}", err=True)


def _cut(session: Session, places: Places) -> tuple[int, str | None]:
    """How many timed laps it has, and why there can be none."""
    from pitwall.car import heard, load
    from pitwall.project.start_line import why_no_lap

    roles = dict(heard(load(places.cars, session.header.car), session.header.buses).roles)
    with asking(session, places) as connection:
        (count,) = connection.execute("SELECT count(*) FROM laps WHERE flying").fetchall()[0]
        return int(count), why_no_lap(connection, roles) or None


def _driven(session: Any, places: Places) -> Track:
    from pitwall.track.definition import given

    with asking(session, places) as connection:
        row = connection.execute("SELECT definition FROM track").fetchone()
    if row is None:
        raise UsageError("it has no track: no loop was closed", where=session.id, hint="--start-line says where")
    return given(json.loads(row[0]))
