"""`pitwall serve`: the projector and the page, in one process that only reads the log."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final, TypeVar

import click

from pitwall.commands.options import Places, level_option, memory_option, option, places
from pitwall.resident import lean, watched

Function = TypeVar("Function", bound=Callable[..., Any])

LAST_S: Final = 3.0
"""The recorder is asked to end when we are: its session's end is on its way, and makes the projection whole."""

PORT: Final = 8080
"""Where the page is, unless somebody says otherwise."""


def server_options(function: Function) -> Function:
    """Where the page is to be had: `--host`, `--port`."""
    port = option(
        "--port", type=click.IntRange(0, 65535), default=PORT, metavar="PORT", help="0 takes any that is free."
    )
    host = option("--host", default="127.0.0.1", metavar="ADDRESS", help="An address of this machine.")
    return host(port(function))


def speak_options(function: Function) -> Function:
    """What is spoken here: `--speak`, `--level`."""
    speak = option(
        "--speak",
        is_flag=False,
        flag_value="auto",
        metavar="[PROGRAM]",
        help="Speak cues here: termux-tts-speak, espeak-ng, or one that reads lines.",
    )
    return speak(level_option(function))


@click.command
@places("logs", "projections", "cars", process="server")
@server_options
@speak_options
@memory_option
@option("--supervised", is_flag=True, hidden=True, help="End when stdin is closed: for `pitwall run`.")
def serve(places: Places, host: str, port: int, speak: str | None, level: str, supervised: bool) -> None:
    """Project the log and serve the page, until stopped (Ctrl-C).

    Follows the newest session while it is recorded, by whatever process, and keeps its
    projection up to date.  Prints the page's address.  The log is only read.  A car that is
    edited meanwhile is shown by its new definition as soon as it is saved, if that is valid.

    \b
    Example:
      pitwall serve --logs /mnt/car/logs --port 8081
    """
    lean()
    from pitwall import live
    from pitwall.coach.finding import Level
    from pitwall.serve.model.settings import settings
    from pitwall.serve.speaker import Speaking, program

    model = settings(os.environ)
    if supervised:
        from pitwall.commands.children import end_with_supervisor

        end_with_supervisor()

    def ready(url: str) -> None:
        if not supervised:
            click.echo(f"pitwall: the page is at {url} (Ctrl-C stops)")

    with nullcontext() if supervised else watched("server"):
        live.run(
            logs=places.logs,
            projections=places.projections,
            cars=places.cars,
            host=host,
            port=port,
            model=model,
            ready=ready,
            last_s=LAST_S if supervised else 0.0,
            speaks=Speaking(Level(level), program(speak)) if speak else None,
        )
