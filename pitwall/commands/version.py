"""`pitwall version`."""

from __future__ import annotations

import platform

import click

from pitwall import __version__
from pitwall.commands.options import json_option
from pitwall.commands.output import print_json


@click.command
@json_option
def version(as_json: bool) -> None:
    """Say which pitwall this is, and which Python runs it."""
    if as_json:
        print_json({"pitwall": __version__, "python": platform.python_version()})
    else:
        click.echo(f"pitwall {__version__} (Python {platform.python_version()})")
