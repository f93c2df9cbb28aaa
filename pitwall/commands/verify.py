"""`pitwall verify`: the log in, what is wrong with it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import number, plural, print_json, print_table, size
from pitwall.commands.progress import Bar
from pitwall.commands.reporting import end_with_losses

if TYPE_CHECKING:
    from pitwall.log.verify import Report


@click.command
@click.argument("sessions", metavar="[SESSION]...", nargs=-1)
@places("logs")
@json_option
def verify(places: Places, sessions: tuple[str, ...], as_json: bool) -> None:
    """Read every batch of every segment, and check every checksum and offset.

    Of the sessions named, or of all.  Nothing is changed.  Exit code 3 where something
    is damaged: each damage is named with its file, its position in bytes and the
    rows that it cost.
    """
    from pitwall.log.session import find
    from pitwall.log.session import sessions as all_sessions
    from pitwall.log.verify import verify as check

    wanted = [find(places.logs, name) for name in sessions] or all_sessions(places.logs)
    reports = []
    with Bar("verifying") as bar:
        for i, session in enumerate(wanted):
            bar(i, len(wanted))
            reports.append(check(session))
    if as_json:
        print_json([facts(report) for report in reports])
    elif reports:
        columns = ("SESSION", "SEGMENTS", "BATCHES", "ROWS", "SIZE", "FOUND")
        print_table(columns, [line(report) for report in reports], right=columns[1:5])
    else:
        click.echo(f"no sessions in {places.logs} yet", err=True)
    damages = [str(damage) for report in reports for damage in report.damages]
    end_with_losses(damages, f"{plural(len(damages), 'damage')} found; all that is not named is whole")


def facts(report: Report) -> dict[str, Any]:
    """A report as `--json` has it."""
    torn = report.torn
    return {
        "session": report.session,
        "segments": report.segments,
        "batches": report.batches,
        "rows": report.rows,
        "bytes": report.bytes,
        "lost_rows": report.lost,
        "damages": [
            {"file": str(one.file), "position": one.position, "what": one.what, "first": one.first, "last": one.last}
            for one in report.damages
        ],
        "torn": {"file": str(torn.file), "position": torn.position, "bytes": torn.size} if torn else None,
    }


def line(report: Report) -> tuple[str, ...]:
    """A report as the table has it."""
    counts = number(report.segments), number(report.batches), number(report.rows), size(report.bytes)
    found = plural(len(report.damages), "damage") if report.damages else "a torn end" if report.torn else "whole"
    return report.session, *counts, found
