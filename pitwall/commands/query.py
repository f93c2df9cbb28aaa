"""`pitwall query`: a question in SQL, its answer on stdout or in a file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pitwall.commands.asking import asking
from pitwall.commands.options import Places, option, places
from pitwall.commands.output import replacing
from pitwall.errors import UsageError

BINARY = ("arrow", "parquet")
"""Formats that a terminal can't show."""


@click.command
@click.argument("session")
@click.argument("sql", metavar='"SQL"')
@option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "csv", "arrow", "parquet")),
    default="table",
    help="How the answer is written.",
)
@option("--json", "as_json", is_flag=True, help="The same as --format json: a list of objects, one a row.")
@option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A file, not stdout.")
@places("logs", "projections", "cars")
def query(places: Places, session: str, sql: str, form: str, as_json: bool, output: Path | None) -> None:
    """Ask SESSION's projection in SQL.  Nothing can be written, and no file be read.

    \b
    There are
      signals   t (ns), channel, value: every channel in the tall form
      channels  name, unit, source, table_name, column_name, rows, rate_hz
      ids       every arbitration id that was seen, known or not
      control   what happened besides frames: start, end, losses
    and a table per CAN message and per derived channel; SHOW TABLES lists them.

    \b
    Examples:
      pitwall query latest "SELECT max(value) FROM signals WHERE channel = 'rpm'"
      pitwall query latest "FROM signals" --format parquet -o signals.parquet
      pitwall query latest "FROM ids WHERE name IS NULL" --json
    """
    from pitwall.commands.answers import WRITERS
    from pitwall.log.session import find
    from pitwall.project.query import ask

    form = "json" if as_json else form
    if output is None and form in BINARY and sys.stdout.isatty():
        raise UsageError(f"{form} is nothing for a terminal", hint=f"-o FILE, or a pipe: … --format {form} > FILE")
    with asking(find(places.logs, session), places) as connection, ask(connection, sql) as answer:
        if output is None:
            WRITERS[form](answer.schema, answer, sys.stdout.buffer)
            return
        with replacing(output) as part, part.open("wb") as file:
            WRITERS[form](answer.schema, answer, file)
