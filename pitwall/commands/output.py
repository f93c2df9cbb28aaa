"""What commands print: rows in, lines on stdout out.  Human units in tables, plain numbers in JSON, never both."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from pitwall.errors import PitwallError

WIDTH: Final = 80
"""Columns that a table keeps to: what a terminal has when nobody has touched it."""


def print_json(value: Any) -> None:
    """`value` as indented JSON."""
    import json  # late: `--help` does without it

    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def announce(line: str) -> None:
    """A line on stdout of what runs until it is stopped; on a terminal over the line that tells how it goes."""
    over = "\r\x1b[K" if sys.stdout.isatty() else ""
    click.echo(f"{over}{line}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Rows under a head, in as many columns as the longest cell needs; the last column gives way beyond 80.

    right: the columns that hold numbers, set flush right.
    """
    widths = [max(len(head), *(len(row[i]) for row in rows), 0) for i, head in enumerate(columns)]
    spare = WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1)
    widths[-1] = min(widths[-1], max(spare, len(columns[-1])))
    for row in (columns, *rows):
        cells = [
            fit(cell, width).rjust(width) if head in right else fit(cell, width).ljust(width)
            for head, cell, width in zip(columns, row, widths, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def fit(cell: str, width: int) -> str:
    """The cell, cut to `width` with an ellipsis where it is longer."""
    return cell if len(cell) <= width else cell[: max(0, width - 1)] + "…"


def duration(seconds: float) -> str:
    """`0.8 s`, `12.3 s`, `4:05`, `1:04:05`: a drive's length as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: float) -> str:
    """Bytes in decimal units: `812 B`, `4.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(count: float) -> str:
    """A count with its thousands set apart: `82,558`."""
    return f"{count:,.0f}"


def plural(count: int, noun: str) -> str:
    """`1 frame`, `2 frames`."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside `path`, which takes its name once all of it is written: never half a file under `path`.

    Raises PitwallError where the disk won't have it.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise PitwallError(
            f"can't be written: {reason}", where=path, hint="what was there before is untouched"
        ) from error
