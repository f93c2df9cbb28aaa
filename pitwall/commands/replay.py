"""`pitwall replay`: the log in, projections out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import duration, number, plural, print_json, print_table
from pitwall.commands.projecting import facts, project, project_all
from pitwall.commands.reporting import end_with_losses, tell
from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from pitwall.replay import ReplayReport


@click.command
@click.argument("sessions", metavar="[SESSION]...", nargs=-1)
@option("--all", "every", is_flag=True, help="Every session: what no SESSION means, said aloud.")
@option("--force", is_flag=True, help="Rebuild what is current, too.")
@option("--strict", is_flag=True, help="Stop at the first frame that can't be taken as it is, and swap nothing in.")
@option("--diff", is_flag=True, help="Rebuild nothing: say what would change.")
@option(
    "--car", "draft", type=click.Path(path_type=Path), metavar="FILE", help="The draft of the car.yaml, for --diff."
)
@places("logs", "projections", "cars")
@json_option
@click.pass_context
def replay(
    context: click.Context,
    places: Places,
    sessions: tuple[str, ...],
    every: bool,
    force: bool,
    strict: bool,
    diff: bool,
    draft: Path | None,
    as_json: bool,
) -> None:
    """Rebuild the projections that are stale: of the sessions named, or of every one.

    A projection is stale when the car's definition, a DBC or pitwall's own code has
    changed since it was built, or when the log has grown.  It is built beside the old
    one and swapped in at once: whoever reads goes on reading.  Several sessions are
    rebuilt on all cores, a process each, the newest first.

    Frames that can't be taken as they are (too short, a wrong checksum, …) stop
    nothing: `pitwall query SESSION "FROM rejected"` lists them.  --strict stops there.

    --diff replays ONE session with its car's definition and with a draft of it at once,
    and says which channels would come, go and change: how many of their values, by how
    much, and the frame behind the first.  A draft's DBCs may lie beside it.  Without a
    draft, the definition as it is now is compared with the projection that there is.

    \b
    Examples:
      pitwall replay                   whatever is stale
      pitwall replay latest --force    the newest session, anew
      pitwall replay latest --diff --car draft.yaml
    """
    from pitwall.log.session import find
    from pitwall.log.session import sessions as all_sessions

    # the variable of --car is that of other commands too, which take a car's name by it: that is no draft
    if draft and not draft.is_file():
        if context.get_parameter_source("draft") is ParameterSource.COMMANDLINE:
            raise UsageError("is no file", where=draft, hint="--car takes a car.yaml here: a draft to compare with")
        draft = None
    if diff:
        from pitwall.commands.differing import show_changes

        if len(sessions) != 1 or every or force or strict:
            what = "--diff compares one session, and rebuilds nothing"
            raise UsageError(what, hint="pitwall replay SESSION --diff --car draft.yaml")
        show_changes(find(places.logs, sessions[0]), places, draft, as_json=as_json)
        return
    if context.get_parameter_source("draft") is ParameterSource.COMMANDLINE:
        raise UsageError("--car is a draft to compare with", hint="say --diff too; nothing is rebuilt with a draft")
    named = bool(sessions) and not every
    wanted = [find(places.logs, name) for name in sessions] if named else all_sessions(places.logs)
    if len(wanted) == 1:
        report = project(wanted[0], places, force=force, strict=strict)
        reports, busy, failures = ([report], list[str](), list[str]()) if report else ([], [wanted[0].id], [])
    else:
        reports, busy, failures = project_all(wanted, places, force=force, strict=strict)
    for name in busy:
        click.echo(f"pitwall: {name}: another process is building its projection", err=True)
    problems = [damage for report in reports for damage in report.damages]
    if as_json:
        print_json([facts(report) for report in reports])
    elif reports:
        print_table(("SESSION", "FRAMES", "TIME", "FRAMES/S", "WHY"), [line(one) for one in reports], right=_NUMBERS)
    elif not wanted:
        click.echo(f"no sessions in {places.logs} yet", err=True)
    tell([f"{report.session}: {problem} (a bug in pitwall)" for report in reports for problem in report.problems])
    if failures:
        tell(failures)
        raise PitwallError(f"{plural(len(failures), 'session')} could not be replayed")
    end_with_losses(problems, "replayed, but the log is damaged: what it still holds is projected")


_NUMBERS = ("FRAMES", "TIME", "FRAMES/S")


def line(report: ReplayReport) -> tuple[str, ...]:
    """What was done, as the table has it."""
    if not report.reason:
        return report.session, number(report.frames), "", "", "current"
    return report.session, number(report.frames), duration(report.seconds), number(report.frames_per_s), report.reason
