"""`pitwall simulate`: a seed and the mistakes asked for in; a sealed and projected session, or a capture file, out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import plural, print_json, replacing
from pitwall.commands.progress import Bar
from pitwall.commands.projecting import facts, project, speed
from pitwall.commands.sources import SIMULATED_CAR

if TYPE_CHECKING:
    from pitwall.bus.simulator.drive import Drive
    from pitwall.frames import Frames

BUS: Final = "dash"
"""The bus that the simulator speaks on, as the simulated car's definition calls it."""

LAPS: Final = 3
"""Flying laps of a drive whose length nobody says."""


@click.command
@option("--laps", type=click.IntRange(1), metavar="N", help=f"Flying laps, behind an out lap.  [default: {LAPS}]")
@option("--hours", type=click.FloatRange(0, min_open=True), metavar="H", help="Instead of --laps: hours of driving.")
@option("--seed", type=click.IntRange(0), default=1, metavar="S", help="The same seed is the same drive, to the bit.")
@option("--mistake", "mistakes", multiple=True, metavar="KIND@CORNER", help="A mistake to make; may be repeated.")
@option("--car", default=SIMULATED_CAR, metavar="CAR", help="The car that the session is said to be of.")
@option("--session", "session_id", metavar="ID", help="The session's id, instead of one made of time and car.")
@option("--truth", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write what really happened.")
@option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="CAPTURE", help="No session: a file."
)
@places("logs", "projections", "cars")
@json_option
def simulate(
    places: Places,
    laps: int | None,
    hours: float | None,
    seed: int,
    mistakes: tuple[str, ...],
    car: str,
    session_id: str | None,
    truth: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Drive a simulated car round a track, as fast as the computer can.

    The drive becomes a session, sealed and projected, and its id is printed; or, with
    -o, a capture file in the format that its name ends in.  --truth writes as JSON the
    laps, sectors and corners as they were really driven, and what each mistake cost.

    A mistake is made on every flying lap, or on the one named behind a colon; give an
    unknown kind or corner to see which there are.

    \b
    Examples:
      pitwall simulate --laps 5
      pitwall simulate --laps 5 --mistake brake-early@T3:2 --truth truth.json
      pitwall simulate --hours 1 --seed 7 -o drive.blf
    """
    from pitwall.bus.simulator.drive import simulate as drive_of
    from pitwall.bus.simulator.mistakes import parse_mistake

    planted = [parse_mistake(text) for text in mistakes]
    length = LAPS if laps is None and hours is None else laps
    drive = drive_of(seed=seed, laps=length, hours=hours, mistakes=planted)
    if output is not None:
        said = _into_capture(drive, output)
        words = f"{output} holds {plural(said['frames'], 'frame')}"
    else:
        said = _into_session(drive, places, car, session_id)
        words = f"{plural(said['frames'], 'frame')}{said.pop('words')}"
    if truth is not None:
        with replacing(truth) as part:
            part.write_text(json.dumps(drive.truth(), indent=2) + "\n")
    if as_json:
        print_json(said)
        return
    if "session" in said:
        click.echo(said["session"])
    click.echo(f"pitwall: {words}", err=True)


def _into_capture(drive: Drive, output: Path) -> dict[str, Any]:
    from pitwall.bus.capture import form_of, write_capture

    form = form_of(output).name
    with Bar("driving") as bar:
        count = write_capture(output, form, _told(drive, bar), started_at_ns=time.time_ns(), buses=(BUS,))
    return {"file": str(output), "format": form, "frames": count}


def _into_session(drive: Drive, places: Places, car: str, session_id: str | None) -> dict[str, Any]:
    from pitwall.car import load
    from pitwall.log.session import find
    from pitwall.stored import store_frames

    load(places.cars, car)  # what is wrong with the car is said before anything is written
    with Bar("driving") as bar:
        done = store_frames(
            _told(drive, bar),
            logs=places.logs,
            car=car,
            buses=(BUS,),
            started_at_ns=time.time_ns(),
            session_id=session_id,
        )
    report = project(find(places.logs, done.session), places)
    words = f", projected {speed(report)}" if report else ", projected by the server that follows it"
    projection = facts(report) if report else None
    return {"session": done.session, "frames": done.frames, "projection": projection, "words": words}


def _told(drive: Drive, bar: Bar) -> Iterator[Frames]:
    """The drive's frames; nobody knows how many there will be."""
    for batch in drive.frames():
        yield batch
        bar(batch.stop)
