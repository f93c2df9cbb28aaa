"""`pitwall export`: a session's frames into a capture file, or its channels into a table of values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, option, places, seconds
from pitwall.commands.output import plural, print_json, replacing
from pitwall.commands.progress import Bar
from pitwall.commands.reporting import end_with_losses
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import duckdb
    import pyarrow as pa

    from pitwall.log.session import Session

FRAMES: Final = ("candump", "asc", "blf", "trc", "csv", "db", "mf4")
"""Formats of raw frames, as python-can and the world read them."""

CHANNELS: Final = {"parquet": "parquet", "arrow": "arrow", "channels-csv": "csv"}
"""Formats of channels (t, channel, value), and how an answer is written so."""

MCAP: Final = "mcap"
"""The session as Foxglove's tools read it: channels by table, position, laps, cues and incidents."""


@click.command
@click.argument("session")
@option("--format", "form", type=click.Choice((*FRAMES, *CHANNELS, MCAP)), help="Else the one that FILE ends in.")
@option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to write it.")
@option("--only", "channels", multiple=True, metavar="NAME", help="Only this channel; may be repeated.")
@option("--from", "start", type=seconds, default=0.0, metavar="T", help="Begin there: 90.5 (s), or 1:30.")
@option("--to", "end", type=seconds, metavar="T", help="End there.")
@places("logs", "projections", "cars")
@json_option
def export(
    places: Places,
    session: str,
    form: str | None,
    output: Path | None,
    channels: tuple[str, ...],
    start: float,
    end: float | None,
    as_json: bool,
) -> None:
    """Write SESSION's frames, or its channels, to a file.

    \b
    Frames, as they were recorded, for any other CAN tool:
      candump, asc, blf, trc, csv, db, mf4; .gz behind the name gzips
    Channels, in the car's own units, as rows (t in ns, channel, value):
      parquet, arrow, channels-csv
    For Foxglove, Lichtblick and PlotJuggler, with position, laps and cues:
      mcap

    \b
    Examples:
      pitwall export latest -o drive.blf
      pitwall export latest -o speed.parquet --only speed --from 1:30 --to 2:00
    """
    from pitwall.log.session import find

    if output is None:
        raise UsageError("nobody says where to", hint="-o drive.log, -o drive.parquet, …: the ending says the format")
    if end is not None and end <= start:
        raise UsageError(
            f"--to {end:g} s is not after --from {start:g} s", hint="both count from the session's beginning"
        )
    form = form or _form_of(output)
    found = find(places.logs, session)
    span = round(start * 1e9), None if end is None else round(end * 1e9)
    if form in FRAMES:
        if channels:
            raise UsageError(f"{form} holds frames, not channels", hint=f"--only goes with {', '.join(CHANNELS)}, mcap")
        count, noun = _export_frames(found, form, output, span), "frame"
    elif form == MCAP:
        count, noun = _export_mcap(found, places, output, channels, span), "message"
    else:
        count, noun = _export_channels(found, places, CHANNELS[form], output, channels, span), "value"
    if as_json:
        print_json({"session": found.id, "file": str(output), "format": form, f"{noun}s": count})
    else:
        click.echo(f"pitwall: {output} holds {plural(count, noun)} of {found.id}", err=True)


def _form_of(output: Path) -> str:
    suffix = output.suffixes[-1].lower() if output.suffixes else ""
    if suffix in (".parquet", ".arrow", ".mcap"):
        return suffix[1:]
    from pitwall.bus.capture import form_of
    from pitwall.bus.formats import SUFFIXES

    last = output.with_suffix("").suffix.lower() if suffix == ".gz" else suffix
    if last not in SUFFIXES:
        written = [name for name, forms in SUFFIXES.items() if any(form.write for form in forms)]
        hint = f"{', '.join(written)}, each also with .gz behind it, or .parquet, .arrow, .mcap; else --format"
        raise UsageError("its name ends in no format that is written", where=output, hint=hint)
    return form_of(output).name


def _export_frames(session: Session, form: str, output: Path, span: tuple[int, int | None]) -> int:
    """The frames within `span` (ns, half open) as a capture file; how many there are."""
    import numpy as np

    from pitwall.bus.capture import write_capture
    from pitwall.frames import Frames, cut, in_log_order
    from pitwall.log.reader import read

    def within(batches: Iterable[Frames]) -> Iterator[Frames]:
        for batch in batches:
            rows = in_log_order(batch)
            stop = len(rows) if span[1] is None else int(np.searchsorted(rows.t, span[1]))
            yield cut(rows, int(np.searchsorted(rows.t, span[0])), stop)

    problems: list[str] = []
    header = session.header
    with Bar(f"writing {output.name}") as bar:
        batches = bar.over(read(session.path, damaged=lambda damage: problems.append(str(damage))), session.rows)
        count = write_capture(output, form, within(batches), started_at_ns=header.started_at_ns, buses=header.buses)
    end_with_losses(problems, f"{output} holds what could be read; what is above was lost")
    return count


def _export_channels(
    session: Session,
    places: Places,
    form: str,
    output: Path,
    channels: tuple[str, ...],
    span: tuple[int, int | None],
) -> int:
    """The channels' values within `span` (ns, half open), in the order of time; how many there are."""
    from pitwall.commands.answers import WRITERS
    from pitwall.project.query import ask

    where = {"t >= $start": span[0], "t < $stop": span[1], "channel IN (SELECT unnest($channels))": list(channels)}
    conditions = [text for text, value in where.items() if value not in (None, [])]
    sql = f"SELECT t, channel, value FROM signals WHERE {' AND '.join(conditions)} ORDER BY t, channel"  # noqa: S608
    values = {"start": span[0], "stop": span[1], "channels": list(channels)}
    said = {name: value for name, value in values.items() if value not in (None, [])}
    counted = 0

    def counting(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal counted
        with Bar(f"writing {output.name}") as bar:
            for batch in batches:
                counted += batch.num_rows
                bar(counted)
                yield batch

    with asking(session, places) as connection:
        _check_channels(connection, channels)
        with ask(connection, sql, said) as answer, replacing(output) as part, part.open("wb") as file:
            WRITERS[form](answer.schema, counting(answer), file)
    return counted


def _export_mcap(
    session: Session,
    places: Places,
    output: Path,
    channels: tuple[str, ...],
    span: tuple[int, int | None],
) -> int:
    """The session's messages within `span` (ns, half open) as MCAP; how many there are."""
    from pitwall.car import load
    from pitwall.car.heard import heard
    from pitwall.serve.foxglove import messages
    from pitwall.serve.foxglove.mcap import McapFile, check
    from pitwall.serve.foxglove.topics import topics

    check()
    about = session.header
    roles = dict(heard(load(places.cars, about.car), about.buses).roles)
    count = 0
    with asking(session, places) as connection:
        _check_channels(connection, channels)
        known = [one for one in messages.channels(connection) if not channels or one.name in channels]
        ends = messages.span(connection, known)
        first, stop = max(span[0], ends.first), min(ends.last + 1, ends.last + 1 if span[1] is None else span[1])
        found = topics(known, roles)
        with replacing(output) as part, part.open("wb") as file, Bar(f"writing {output.name}") as bar:
            out = McapFile(file, found, session=session.id, car=about.car, started_at_ns=about.started_at_ns)
            for begin, end in messages.windows(first, stop):
                count += out.write(messages.between(connection, found, about.started_at_ns, begin, end))
                bar(count)
            out.finish()
    return count


def _check_channels(connection: duckdb.DuckDBPyConnection, channels: tuple[str, ...]) -> None:
    """UsageError for the first that is no channel, with what comes close."""
    import difflib

    from pitwall.project.query import ask

    with ask(connection, "SELECT name FROM channels") as answer:
        known = [str(name) for name in answer.read_all().column(0).to_pylist()]
    for name in channels:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3)
            hint = f"did you mean {' or '.join(close)}?" if close else "`pitwall channels` lists them"
            raise UsageError(f"there is no channel {name!r}", hint=hint)
