"""`pitwall restore`: archived sessions in, sessions of the log out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.errand import errand as run_for_another
from pitwall.commands.keeping import forgetting
from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import number, print_json, print_table, size
from pitwall.commands.progress import Bar
from pitwall.commands.reporting import end_with_losses, tell

if TYPE_CHECKING:
    from pitwall.log.restore import Restored


@click.command
@click.argument("sessions", metavar="SESSION...", nargs=-1, required=True)
@option("--from", "source", metavar="DEST", help="Where they were archived to, if the log doesn't know.")
@places("logs", "projections")
@json_option
@option("--errand", is_flag=True, hidden=True, help="For a server, which reads how far it is: of one session.")
def restore(places: Places, sessions: tuple[str, ...], source: str | None, as_json: bool, errand: bool) -> None:
    """Bring archived sessions back into the log: all of each, proven, or nothing.

    `pitwall sessions --archived` lists what was archived from here.  With --from it
    need not have been from here; SESSION is its whole name then.  The archive keeps
    its copy.  A session that is in the log is left as it is.

    Exit code 3 where the archive is damaged: each file that is missing, or not as it
    was put there, is named.
    """
    from pitwall.log import restore as restores

    forget = forgetting(places.projections)
    if errand:
        with run_for_another() as told:
            back = restores.restore(places.logs, sessions[0], source, forget=forget, told=told.part(0.0, 1.0))
            told.say({"session": back.session, "problems": list(back.problems)})
        return
    done: list[Restored] = []
    with Bar("restoring") as bar:
        for i, name in enumerate(sessions):
            bar(i, len(sessions))
            try:
                done.append(restores.restore(places.logs, name, source, forget=forget))
            except restores.ArchiveDamagedError as error:
                tell(error.problems)
                raise
    if as_json:
        print_json([facts(one) for one in done])
    else:
        print_table(("SESSION", "ROWS", "SIZE", "FROM"), [line(one) for one in done], right=("ROWS", "SIZE"))
    problems = [problem for one in done for problem in one.problems]
    end_with_losses(problems, "the sessions are back and whole, but their archive is not")


def facts(one: Restored) -> dict[str, Any]:
    """A restored session as `--json` has it."""
    return {"session": one.session, "from": one.at, "rows": one.rows, "bytes": one.bytes, "was_here": one.here}


def line(one: Restored) -> tuple[str, ...]:
    """A restored session as the table has it."""
    return one.session, number(one.rows), size(one.bytes), "was here already" if one.here else one.at
