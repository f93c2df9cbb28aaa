"""`pitwall sessions`: the log's folder in, one line a session out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import duration, number, print_json, print_table

if TYPE_CHECKING:
    from pitwall.log.session import Session


@click.command
@places("logs")
@json_option
def sessions(places: Places, as_json: bool) -> None:
    """List the sessions of the log, oldest first.

    A session is `recording` while frames come in, `ended` once it was stopped, and
    `interrupted` when its recorder died: what it wrote is there, and is repaired when
    the next recording begins.

    \b
    Wherever a SESSION is asked for, the beginning of its name will do, and
    `latest` is the newest one.
    """
    from pitwall.log.session import sessions as all_sessions

    found = all_sessions(places.logs)
    if as_json:
        print_json([facts(session) for session in found])
    elif not found:
        click.echo(f"no sessions in {places.logs} yet: pitwall simulate --laps 3 makes one", err=True)
    else:
        columns = ("SESSION", "STARTED (UTC)", "DURATION", "FRAMES", "STATE")
        print_table(columns, [line(session) for session in found], right=("DURATION", "FRAMES"))


def facts(session: Session) -> dict[str, Any]:
    """A session as `--json` has it."""
    return {
        "id": session.id,
        "car": session.header.car,
        "started_at": started_at(session).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "frames": session.frames,
        "duration_s": round(session.duration_s, 6),
        "state": session.state,
        "rows": session.rows,
        "bytes": session.bytes,
        "buses": list(session.header.buses),
        "path": str(session.path),
    }


def line(session: Session) -> tuple[str, ...]:
    """A session as the table has it."""
    started = started_at(session).strftime("%Y-%m-%d %H:%M")
    return session.id, started, duration(session.duration_s), number(session.frames), session.state


def started_at(session: Session) -> datetime:
    """When the session began, by the clock on the wall, in UTC."""
    return datetime.fromtimestamp(session.header.started_at_ns / 1e9, UTC)
