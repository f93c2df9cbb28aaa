"""`pitwall retain`: lets sessions go that are due, once, or whenever no frame has come for a while."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from pitwall.commands.keeping import Gone, Keeping, keep_options, keep_round
from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import print_json
from pitwall.commands.reporting import tell
from pitwall.errors import PitwallError, UsageError
from pitwall.logger import begin, notice

logger = logging.getLogger(__name__)

QUIET_S: Final = 60.0
"""No frame for so long is a pause: the car stands."""
LOOK_S: Final = 5.0
ROUND_S: Final = 600.0
"""So long between two rounds, and before a place that could not be reached is tried again."""


@click.command
@places("logs", "projections")
@keep_options
@option("--watch", is_flag=True, hidden=True, help="Whenever no frame has come for a while, until stopped.")
@option("--supervised", is_flag=True, hidden=True, help="End when stdin is closed: for `pitwall run`.")
@json_option
def retain(places: Places, keeping: Keeping, watch: bool, supervised: bool, as_json: bool) -> None:
    """Let the sessions go that are old, or in the way of free space, oldest first.

    With --archive-to they are archived, and `pitwall restore` brings them back.
    WITHOUT IT THEY ARE REMOVED FOR GOOD: the frames are gone.  A session that is
    being recorded, was interrupted, is pinned (`pitwall pin`), or is the newest one,
    stays.  A session's age counts from when it was recorded, imported or restored.

    `pitwall run` and `pitwall record` take the same options, and do this by
    themselves whenever no frame has come for a minute.

    \b
    Examples:
      pitwall retain --keep 30d --archive-to /mnt/archive
      pitwall retain --keep-free 5GB --archive-to s3://bucket/races
    """
    if not keeping:
        raise UsageError("nothing says what is to be kept", hint="give --keep 30d, --keep-free 5GB, or both")
    if watch:
        _watch(places, keeping, supervised=supervised)
        return
    gone: list[Gone] = []

    def told(one: Gone) -> None:
        gone.append(one)
        if not as_json:
            click.echo(one)

    problems = keep_round(places, keeping, tell=told)
    if as_json:
        print_json([asdict(one) for one in gone])
    elif not gone and not problems:
        click.echo(f"nothing of {places.logs} is due", err=True)
    if problems:
        tell(problems)
        raise PitwallError("not all that was due could go", hint="what could not is still here, and whole")


def _watch(places: Places, keeping: Keeping, *, supervised: bool) -> None:
    from pitwall.commands.record import stop_on_signals

    begin(places.said.level or "info", as_json=places.said.as_json, process="keeper")
    if supervised:
        from pitwall.commands.children import end_with_supervisor

        end_with_supervisor()
    if keeping.archive_to:
        from pitwall.log.destination import Destination

        Destination(keeping.archive_to)  # a place that can't be opened at all is bad usage, now rather than tonight
    os.nice(10)
    quiet = Quiet(places.logs)
    next_at = time.monotonic()
    with stop_on_signals() as stop:
        while not stop.wait(LOOK_S):
            if not quiet() or time.monotonic() < next_at:
                continue
            try:
                problems = keep_round(
                    places,
                    keeping,
                    tell=lambda one: notice(str(one)),
                    go_on=lambda: quiet() and not stop.is_set(),
                )
            except (PitwallError, OSError) as error:
                problems = [str(error)]
            next_at = time.monotonic() + ROUND_S
            for problem in problems:
                logger.warning("%s; it is tried again in %g minutes", problem, ROUND_S / 60)


class Quiet:
    """Whether nothing has been written into the session that is being recorded for `QUIET_S`, or none is."""

    def __init__(self, logs: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._logs = logs
        self._clock = clock
        self._seen: tuple[str, int] | None = None
        self._since = clock()

    def __call__(self) -> bool:
        from pitwall.log.lock import recording

        session = recording(self._logs)
        if not session:
            self._seen = None
            return True
        seen = session, _bytes(self._logs / session)
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        return self._clock() - self._since >= QUIET_S


def _bytes(folder: Path) -> int:
    """Bytes of the open segments: what a recorder writes into."""
    total = 0
    for path in folder.glob("*.arrows"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
