"""Capture formats: for each, what reads it, what writes it, and what it can't hold.

A new format is an entry in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pitwall.bus import binary, candump, textual
from pitwall.bus.reading import Reading
from pitwall.frames import Flag, Frames

NOTHING = Flag(0)
FD_ONLY = Flag.FD | Flag.BRS | Flag.ESI


@dataclass(frozen=True)
class Format:
    """read: frames with `t` in ns since 1970, or since the file's zero (`reading.py`).
    write: (path, batches without control rows, started_at_ns, names of the buses).
    refuses: flags of frames that it has no room for.  forgets: flags that it does not keep of those that it has.
    one_bus: it doesn't say which bus a frame was on.  bare_errors: it keeps nothing but the time of an error frame.
    """

    name: str
    suffix: str
    read: Callable[[Reading], Iterator[Frames]]
    write: Callable[[Path, Iterable[Frames], int, Sequence[str]], None]
    refuses: Flag = NOTHING
    forgets: Flag = NOTHING
    one_bus: bool = False
    bare_errors: bool = False


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("candump", ".log", candump.read, candump.write),
        Format("asc", ".asc", textual.read_asc, textual.write_asc, bare_errors=True),
        Format("blf", ".blf", binary.read_blf, binary.write_blf),
        Format("mf4", ".mf4", binary.read_mf4, binary.write_mf4),
        Format("trc", ".trc", textual.read_trc, textual.write_trc, refuses=Flag.REMOTE | Flag.ERROR | Flag.FD),
        Format("csv", ".csv", textual.read_csv, textual.write_csv, forgets=FD_ONLY | Flag.TX, one_bus=True),
        Format("db", ".db", binary.read_db, binary.write_db, forgets=FD_ONLY | Flag.TX, one_bus=True),
    )
}
"""Capture formats by name."""

SUFFIXES: dict[str, Format] = {form.suffix: form for form in FORMATS.values()}
KNOWN = ", ".join(SUFFIXES) + ", each also gzipped (.gz)"
