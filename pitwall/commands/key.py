"""`pitwall key`: keys for encryption at rest."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.argument("action", metavar="new|id", type=click.Choice(["new", "id"]))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def key(action: str, file: Path) -> None:
    """Make a key for encryption at rest, or tell which one a file holds.

    `pitwall key new FILE` makes one that you alone may read; with PITWALL_KEY_FILE=FILE
    in the environment, segments are encrypted when they are sealed, and so is what is
    archived.  KEEP A COPY ELSEWHERE: without the key, what it encrypted is lost.
    `pitwall key id FILE` prints the name by which encrypted files know their key.

    docs/security.md says what this protects from, and what not.
    """
    from pitwall.log import keys

    if action == "id":
        click.echo(keys.load(file).id.hex())
        return
    made = keys.new(file)
    click.echo(f"{file} holds the new key {made.id.hex()}")
    click.echo("pitwall: keep a copy of it elsewhere: without it, what it encrypts is lost", err=True)
