"""Capture formats: for each, what reads it, what writes it, and what it can't hold.

A new format is an entry in `FORMATS`.  Where several have one suffix, the beginning of the file tells which it is in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pitwall.bus import binary, candump, textual
from pitwall.bus.loggers import aim, dovex, racechrono, receiver, vbo
from pitwall.bus.reading import Reading
from pitwall.frames import Flag, Frames

NOTHING = Flag(0)
FD_ONLY = Flag.FD | Flag.BRS | Flag.ESI


@dataclass(frozen=True)
class Format:
    """suffixes: what names of its files end in.
    read: frames with `t` in ns since 1970, or since the file's zero (`reading.py`).
    write: (path, batches without control rows, started_at_ns, names of the buses); None: it is only read.
    begins: is found in the beginning of its files, and of no others with its suffix; None: it is what no other is.
    holds: what a file of it holds.
    refuses: flags of frames that it has no room for.  forgets: flags that it does not keep of those that it has.
    one_bus: it doesn't say which bus a frame was on.  bare_errors: it keeps nothing but the time of an error frame.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Reading], Iterator[Frames]]
    write: Callable[[Path, Iterable[Frames], int, Sequence[str]], None] | None = None
    begins: re.Pattern[bytes] | None = None
    holds: str = "CAN frame"
    refuses: Flag = NOTHING
    forgets: Flag = NOTHING
    one_bus: bool = False
    bare_errors: bool = False


VALUES = "row of values"
HEAD_BYTES = 4096
"""As much of a file is looked at to tell its format."""

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("candump", (".log",), candump.read, candump.write),
        Format("asc", (".asc",), textual.read_asc, textual.write_asc, bare_errors=True),
        Format("blf", (".blf",), binary.read_blf, binary.write_blf),
        Format("mf4", (".mf4",), binary.read_mf4, binary.write_mf4),
        Format("trc", (".trc",), textual.read_trc, textual.write_trc, refuses=Flag.REMOTE | Flag.ERROR | Flag.FD),
        Format("csv", (".csv",), textual.read_csv, textual.write_csv, forgets=FD_ONLY | Flag.TX, one_bus=True),
        Format("db", (".db",), binary.read_db, binary.write_db, forgets=FD_ONLY | Flag.TX, one_bus=True),
        Format("vbo", (".vbo",), vbo.read, holds=VALUES),
        Format("nmea", (".nmea", ".txt", ".log"), receiver.read, begins=re.compile(rb"\$[A-Z]{5},"), holds=VALUES),
        Format(
            "racechrono",
            (".csv",),
            racechrono.read,
            begins=re.compile(
                rb"^(\xef\xbb\xbf)?\W*This file is created using RaceChrono|^\W*timestamp\W+fragment_id", re.M
            ),
            holds=VALUES,
        ),
        Format("aim", (".csv",), aim.read, begins=re.compile(rb"^\W*Format\W+AiM CSV File"), holds=VALUES),
        Format("dovex", (".dovex",), dovex.read, holds=VALUES),
    )
}
"""Capture formats by name."""

SUFFIXES: dict[str, list[Format]] = {}
for _form in FORMATS.values():
    for _suffix in _form.suffixes:
        SUFFIXES.setdefault(_suffix, []).append(_form)
KNOWN = ", ".join(SUFFIXES) + ", each also gzipped (.gz)"
