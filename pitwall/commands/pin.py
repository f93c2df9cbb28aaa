"""`pitwall pin` and `pitwall unpin`: whether a session stays on this machine, whatever its age."""

from __future__ import annotations

import click

from pitwall.commands.options import Places, places


@click.command
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True)
@places("logs")
def pin(places: Places, sessions: tuple[str, ...]) -> None:
    """Keep sessions on this machine: neither retention nor `archive` lets them go."""
    from pitwall.log import pins
    from pitwall.log.session import find

    for session in [find(places.logs, name) for name in sessions]:
        pins.pin(session.path)
        click.echo(f"{session.id} is pinned")


@click.command
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True)
@places("logs")
def unpin(places: Places, sessions: tuple[str, ...]) -> None:
    """Take the pin out of sessions: they may go again, once they are due."""
    from pitwall.log import pins
    from pitwall.log.session import find

    for session in [find(places.logs, name) for name in sessions]:
        pins.unpin(session.path)
        click.echo(f"{session.id} is not pinned")
