"""`pitwall import`: capture files in, one session and its projection out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.asking import asking
from pitwall.commands.errand import errand as run_for_another
from pitwall.commands.options import Places, json_option, option, places, start_line
from pitwall.commands.output import plural, print_json
from pitwall.commands.progress import Bar
from pitwall.commands.projecting import facts, project, speed
from pitwall.commands.reporting import end_with_losses
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.bus.capture import Timeline
    from pitwall.commands.errand import Progress
    from pitwall.replay import ReplayReport
    from pitwall.stored import ImportReport, Line


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--car", metavar="CAR", help="The car that was recorded: a folder's name in --cars.")
@option(
    "--start-line",
    type=start_line,
    metavar="LAT,LON,LAT,LON",
    help="Where laps begin: the two ends of a line across the track, in degrees.",
)
@option("--session", "session_id", metavar="ID", help="The session's id, instead of one made of time and car.")
@places("logs", "projections", "cars")
@json_option
@option("--errand", is_flag=True, hidden=True, help="For a server, which reads how far it is; implies --json.")
def import_(
    places: Places,
    files: tuple[Path, ...],
    car: str | None,
    start_line: Line | None,
    session_id: str | None,
    as_json: bool,
    errand: bool,
) -> None:
    """Bring recorded captures into one session, project it, and print its id.

    Files in the formats candump (.log), Vector .asc and .blf, PEAK .trc, ASAM .mf4, and
    python-can's .csv and .db; and of GPS loggers in .vbo (RaceLogic, RaceBox,
    RaceChrono), NMEA (.nmea, .txt, .log), RaceChrono's CSV v3, Race Studio's CSV and
    .dovex, whose values become frames of the bus gps.  Each also gzipped (.gz); several
    are put on one time line.  Which bus of a capture is which of the car's is told by
    name, else by the ids on it.  What a damaged file still holds is imported, and what
    was lost is said (exit code 3).

    A session is as old as its frames: `latest` is the one that was driven last, not the
    one that was imported last.

    \b
    Examples:
      pitwall import drive.blf --car bmw-e46-m3
      pitwall import drive.blf drive.vbo --car bmw-e46-m3
      pitwall import kart.vbo --car gps-logger
      pitwall import k.nmea --car gps-logger --start-line 45.73,13.07,45.74,13.08
      pitwall import front.log.gz rear.log.gz --car bmw-e46-m3 --session practice
    """
    if car is None:
        raise UsageError("no car is named", hint="--car CAR: which car was recorded")
    capture = _Captures(files, car, start_line, session_id)
    if errand:
        with run_for_another() as told:
            done, report = _brought_in(capture, places, told.part(0.0, 0.5), told.part(0.5, 1.0))
            told.say(_facts(done, report))
    else:
        with Bar("reading") as bar:
            done, report = _brought_in(capture, places, bar)
        for note in done.notes:
            click.echo(f"pitwall: {note}", err=True)
        if as_json:
            print_json(_facts(done, report))
        else:
            _tell(done, report, places)
    end_with_losses(done.problems, "imported what could be read; what is above was lost")


@dataclass(frozen=True, slots=True)
class _Captures:
    """What is to be imported, as it was said."""

    files: tuple[Path, ...]
    car: str
    start_line: Line | None
    session_id: str | None


def _brought_in(
    captures: _Captures, places: Places, reading: Progress, projecting: Progress | None = None
) -> tuple[ImportReport, ReplayReport | None]:
    """Imports and projects them.  projecting: None: a bar shows it."""
    from pitwall.car import heard, load
    from pitwall.commands.arranging import arranged, remarked
    from pitwall.log.session import find
    from pitwall.project.start_line import why_no_lap
    from pitwall.stored import import_captures

    definition = load(places.cars, captures.car)  # what is wrong with the car is said before anything is written

    def arrange(timeline: Timeline) -> Timeline:
        whole = heard(definition, timeline.buses)
        return remarked(whole, arranged(whole, timeline))

    done = import_captures(
        captures.files,
        logs=places.logs,
        car=captures.car,
        session_id=captures.session_id,
        progress=reading,
        arrange=arrange,
        start_line=captures.start_line,
    )
    session = find(places.logs, done.session)
    report = project(session, places, progress=projecting)
    if captures.start_line is not None and report is not None:
        with asking(session, places) as connection:
            why = why_no_lap(connection, dict(heard(definition, session.header.buses).roles))
        done = replace(done, notes=[*done.notes, *([why] if why else [])])
    return done, report


def _facts(done: ImportReport, report: ReplayReport | None) -> dict[str, Any]:
    said = {"session": done.session, "frames": done.frames, "problems": done.problems, "notes": done.notes}
    return {**said, "projection": facts(report) if report else None}


def _tell(done: ImportReport, report: ReplayReport | None, places: Places) -> None:
    from pitwall.log.session import find

    click.echo(done.session)
    projected = f", projected {speed(report)}" if report else ", projected by the server that follows it"
    click.echo(f"pitwall: imported {plural(done.frames, 'frame')}{projected}", err=True)
    if (latest := find(places.logs, "latest").id) != done.session:
        click.echo(f"pitwall: `latest` is {latest}, driven later: ask for {done.session}", err=True)
