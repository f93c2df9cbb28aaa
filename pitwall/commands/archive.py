"""`pitwall archive`: sessions of the log in, verified copies elsewhere out, and room on the disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.amounts import span
from pitwall.commands.errand import errand as run_for_another
from pitwall.commands.keeping import forgetting, held
from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import number, plural, print_json, print_table, size
from pitwall.commands.progress import Bar
from pitwall.commands.reporting import end_with_losses, tell
from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from pitwall.log.archive import Archived


@click.command
@click.argument("sessions", metavar="[SESSION]...", nargs=-1)
@option("--to", "dest", metavar="DEST", required=True, help="A folder, or a URI: file://, s3://bucket/folder.")
@option("--older-than", type=span, metavar="TIME", help="Whatever is older, but for pins and the newest: 30d.")
@places("logs", "projections")
@json_option
@option("--errand", is_flag=True, hidden=True, help="For a server, which reads how far it is: of one session.")
def archive(
    places: Places, sessions: tuple[str, ...], dest: str, older_than: float | None, as_json: bool, errand: bool
) -> None:
    """Copy sessions elsewhere, and remove them here once the copy is proven.

    Every byte of the copy is read back and compared first.  Whatever interrupts it,
    there is a whole copy: run it again, and it goes on.  `pitwall restore` is the way
    back.  With PITWALL_KEY_FILE set, the copy is encrypted.

    \b
    A URI takes what the store needs behind a `?`; credentials belong in the
    environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), or the store's files.

    \b
    Examples:
      pitwall archive latest --to /mnt/archive
      pitwall archive --older-than 30d --to s3://bucket/races?region=eu-west-1
    """
    if bool(sessions) == (older_than is not None):
        raise UsageError("say which sessions: by name, or --older-than", hint="`pitwall sessions` lists them")
    from pitwall.log import archive as archives
    from pitwall.log.retention import Policy, due

    names = list(sessions)
    if older_than is not None:
        names = [one.session for one in due(held(places), Policy(older_than), free=0, now_ns=time.time_ns())]
    forget = forgetting(places.projections)
    if errand:
        with run_for_another() as told:
            moved = archives.archive(places.logs, names[0], dest, forget=forget, told=told.part(0.0, 1.0))
            told.say({"session": moved.session, "problems": [str(damage) for damage in moved.damages]})
        return
    done: list[Archived] = []
    failures: list[str] = []
    with Bar("archiving") as bar:
        for i, name in enumerate(names):
            bar(i, len(names))
            try:
                done.append(archives.archive(places.logs, name, dest, forget=forget))
            except PitwallError as error:
                if len(names) == 1:
                    raise
                failures.append(str(error))
    if as_json:
        print_json([facts(one) for one in done])
    elif done:
        print_table(("SESSION", "ROWS", "SIZE", "AT"), [line(one) for one in done], right=("ROWS", "SIZE"))
    elif not names:
        click.echo("pitwall: nothing is that old", err=True)
    if failures:
        tell(failures)
        raise PitwallError(f"{plural(len(failures), 'session')} could not be archived", hint="still here, and whole")
    damages = [str(damage) for one in done for damage in one.damages]
    end_with_losses(damages, "archived as they were, damage and all")


def facts(one: Archived) -> dict[str, Any]:
    """An archived session as `--json` has it."""
    return {
        "session": one.session,
        "at": one.at,
        "rows": one.rows,
        "bytes": one.bytes,
        "files_sent": one.sent,
        "damages": len(one.damages),
    }


def line(one: Archived) -> tuple[str, ...]:
    """An archived session as the table has it."""
    return one.session, number(one.rows), size(one.bytes), one.at
