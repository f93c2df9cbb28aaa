"""`pitwall sessions`: the log's folder in, one line a session out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import duration, number, print_json, print_table

if TYPE_CHECKING:
    from pitwall.log.records import Record
    from pitwall.log.session import Session


@click.command
@places("logs")
@option("--archived", is_flag=True, help="Those that were archived, and where they are.")
@json_option
def sessions(places: Places, archived: bool, as_json: bool) -> None:
    """List the sessions of the log, oldest first.

    A session is `recording` while frames come in, `ended` once it was stopped, and
    `interrupted` when its recorder died: what it wrote is there, and is repaired when
    the next recording begins.

    \b
    Wherever a SESSION is asked for, the beginning of its name will do, and
    `latest` is the newest one.
    """
    if archived:
        _archived(places, as_json=as_json)
        return
    from pitwall.log.session import sessions as all_sessions

    found = all_sessions(places.logs)
    if as_json:
        print_json([facts(session) for session in found])
    elif not found:
        click.echo(f"no sessions in {places.logs} yet: pitwall simulate --laps 3 makes one", err=True)
    else:
        columns = ("SESSION", "STARTED (UTC)", "DURATION", "FRAMES", "STATE")
        print_table(columns, [line(session) for session in found], right=("DURATION", "FRAMES"))
        for session in found:
            if session.state == "recording":
                _recording(session, places)


def _recording(session: Session, places: Places) -> None:
    """How far the one that is being recorded is safe from a crash, and from a loss of power; and what is not kept."""
    from pitwall.log.lock import recorder

    written, durable = number(session.rows), number(session.durable or 0)
    click.echo(f"{session.id}: {written} rows written, {durable} durable")
    by = recorder(places.logs)
    if by is not None and by.state.problem:
        waiting, lost = number(by.state.waiting), number(by.state.lost)
        click.echo(f"NOT WRITTEN: {by.state.problem}; {waiting} frames wait, {lost} are lost", err=True)


def _archived(places: Places, *, as_json: bool) -> None:
    from pitwall.log.records import archived

    records = archived(places.logs)
    if as_json:
        print_json([archived_facts(record) for record in records])
    elif not records:
        click.echo(f"no session of {places.logs} was archived", err=True)
    else:
        columns = ("SESSION", "STARTED (UTC)", "FRAMES", "HERE", "AT")
        print_table(columns, [archived_line(record) for record in records], right=("FRAMES",))


def archived_facts(record: Record) -> dict[str, Any]:
    """An archived session as `--json` has it."""
    manifest = record.manifest
    return {
        "id": record.session,
        "car": manifest.car,
        "started_at": _iso(manifest.started_at_ns),
        "frames": manifest.frames,
        "duration_s": round(manifest.duration_s, 6),
        "rows": manifest.rows,
        "bytes": manifest.bytes,
        "archived_at": _iso(manifest.archived_at_ns),
        "at": record.at,
        "here": record.here,
    }


def archived_line(record: Record) -> tuple[str, ...]:
    """An archived session as the table has it."""
    manifest = record.manifest
    started = datetime.fromtimestamp(manifest.started_at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
    return record.session, started, number(manifest.frames), "yes" if record.here else "no", record.at


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def facts(session: Session) -> dict[str, Any]:
    """A session as `--json` has it."""
    return {
        "id": session.id,
        "car": session.header.car,
        "started_at": _iso(session.header.started_at_ns),
        "frames": session.frames,
        "duration_s": round(session.duration_s, 6),
        "state": session.state,
        "rows": session.rows,
        "written": session.rows,
        "durable": session.durable,
        "bytes": session.bytes,
        "buses": list(session.header.buses),
        "path": str(session.path),
    }


def line(session: Session) -> tuple[str, ...]:
    """A session as the table has it."""
    started = started_at(session).strftime("%Y-%m-%d %H:%M")
    return session.id, started, duration(session.duration_s), number(session.frames), session.state


def started_at(session: Session) -> datetime:
    """When the session began, by the clock on the wall, in UTC."""
    return datetime.fromtimestamp(session.header.started_at_ns / 1e9, UTC)
