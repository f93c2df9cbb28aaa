"""`pitwall serve`: the projector and the page, in one process that only reads the log."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from pitwall.commands.options import Places, level_option, memory_option, option, places
from pitwall.resident import lean, watched

if TYPE_CHECKING:
    from pitwall.serve.access import Access

Function = TypeVar("Function", bound=Callable[..., Any])

LAST_S: Final = 3.0
"""The recorder is asked to end when we are: its session's end is on its way, and makes the projection whole."""

PORT: Final = 8080
"""Where the page is, unless somebody says otherwise."""


def address_options(function: Function) -> Function:
    """Where the page is to be had: `--host`, `--port`."""
    port = option(
        "--port", type=click.IntRange(0, 65535), default=PORT, metavar="PORT", help="0 takes any that is free."
    )
    text = "An address of this machine; others than its own need PITWALL_TOKEN."
    return option("--host", default="127.0.0.1", metavar="ADDRESS", help=text)(port(function))


def tokens_option(function: Function) -> Function:
    """`--tokens`: where further tokens are kept."""
    kind = click.Path(dir_okay=False, path_type=Path)
    text = "Where tokens are kept, hashed: ~/.config/pitwall/tokens.json."
    return option("--tokens", type=kind, metavar="FILE", help=text)(function)


@dataclass(frozen=True, slots=True)
class Door:
    """Who may ask a server, as it was said."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    tokens: Path | None

    def arguments(self) -> list[str]:
        """The same, for another process of ours."""
        return [
            *(part for host in self.hosts for part in ("--allow-host", host)),
            *(part for origin in self.origins for part in ("--allow-origin", origin)),
            *(["--tokens", str(self.tokens)] if self.tokens is not None else []),
        ]

    def access(self, host: str) -> Access:
        """What a server on `host` demands, with the environment's token.  UsageError: that is too little."""
        from pitwall.serve.access import access
        from pitwall.serve.tokens import Tokens, default_file

        tokens = Tokens(self.tokens or default_file())
        token = os.environ.get("PITWALL_TOKEN", "")
        return access(host, token, hosts=self.hosts, origins=self.origins, tokens=tokens)


def door_options(function: Function) -> Function:
    """Who may ask, as a `Door` called `door`: `--allow-host`, `--allow-origin`, `--tokens`."""

    @functools.wraps(function)
    def call(*, allow_host: tuple[str, ...], allow_origin: tuple[str, ...], tokens: Path | None, **rest: Any) -> Any:
        return function(door=Door(allow_host, allow_origin, tokens), **rest)

    text = "A page from elsewhere that may ask, as https://app.foxglove.dev; several."
    origin = option("--allow-origin", multiple=True, metavar="ORIGIN", help=text)
    name = option("--allow-host", multiple=True, metavar="NAME", help="A name that the server is known by; several.")
    return name(origin(tokens_option(call)))  # type: ignore[return-value]


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
@address_options
@door_options
@speak_options
@memory_option
@option(
    "--archive-to", metavar="DEST", help="Where the page may archive sessions to: a folder or URI; else it may not."
)
@option("--supervised", is_flag=True, hidden=True, help="End when stdin is closed: for `pitwall run`.")
def serve(
    places: Places,
    host: str,
    port: int,
    door: Door,
    speak: str | None,
    level: str,
    archive_to: str | None,
    supervised: bool,
) -> None:
    """Project the log and serve the page, until stopped (Ctrl-C).

    Follows the newest session while it is recorded, by whatever process, and keeps its
    projection up to date.  Prints the page's address.  The log is only read.  A car that is
    edited meanwhile is shown by its new definition as soon as it is saved, if that is valid.

    \b
    Example:
      pitwall serve --logs /mnt/car/logs --port 8081
    """
    access = door.access(host)
    lean()
    from pitwall import live
    from pitwall.coach.finding import Level
    from pitwall.commands.doctor import examined
    from pitwall.serve.model.settings import settings
    from pitwall.serve.speaker import Speaking, program

    model = settings(os.environ)
    if supervised:
        from pitwall.commands.children import end_with_supervisor

        end_with_supervisor()

    def ready(url: str) -> None:
        if not supervised:
            click.echo(f"pitwall: the page is at {url} (Ctrl-C stops)")
            if access.token and access.tokens is not None:
                from pitwall.commands.inviting import invite

                invite(access.tokens, host, urlsplit(url).port or port)

    with nullcontext() if supervised else watched("server"):
        live.run(
            logs=places.logs,
            projections=places.projections,
            cars=places.cars,
            host=host,
            port=port,
            model=model,
            access=access,
            ready=ready,
            last_s=LAST_S if supervised else 0.0,
            speaks=Speaking(Level(level), program(speak)) if speak else None,
            archive_to=archive_to or "",
            examine=functools.partial(examined, places),
        )
