"""`pitwall end`: the session that is being recorded ends; the next frame begins another."""

from __future__ import annotations

import click

from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import print_json
from pitwall.errors import LogError


@click.command
@places("logs")
@json_option
def end(places: Places, as_json: bool) -> None:
    """End the session that is being recorded, without stopping the recorder.

    The next frame begins a new session.  The ended one is sealed, and its id is printed.

    \b
    Examples:
      pitwall end
    """
    from pitwall.log import lock, requests

    session = lock.recording(places.logs)
    if not session:
        what = "no session is being recorded" if session is not None else "nobody records here"
        raise LogError(what, where=places.logs, hint="`pitwall sessions` lists what there is")
    requests.ask(places.logs, {"end": session})
    if as_json:
        print_json({"session": session})
    else:
        click.echo(session)
