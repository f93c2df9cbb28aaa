"""A .dovex file in, frames of the bus `gps` out: a CSV behind a head of what the logger makes of it.

    datetime,driver,course,short_name,best_lap_ms,optimal_ms
    2026-04-04 16:29:30,CrimsonDoveKarting,Normal,OKC,55604,55433
    laps_ms
    58648,57320,56479,…
                            (empty lines: room that the head may grow into)
    timestamp,sats,hdop,lat,lng,speed_mph,altitude_m,heading_deg,h_acc_m,rpm,accel_x,accel_y,accel_z
    1775319260240,7,2.9,28.41084020,-81.37934280,…

`timestamp` is unix time in ms.  The logger's own laps go into a control row, to be compared with.
Source: the head and the columns of such files, as DovesDataLogger writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from pitwall.bus.loggers.columns import Wish, assigned
from pitwall.bus.loggers.delimited import Rows
from pitwall.bus.loggers.sheet import Sheet
from pitwall.bus.reading import Reading
from pitwall.errors import UsageError
from pitwall.frames import Frames

SIGNALS: Final[Mapping[str, tuple[str, str]]] = {
    "timestamp": ("unix_time", "ms"),
    "sats": ("satellites", ""),
    "hdop": ("hdop", ""),
    "lat": ("lat", "deg"),
    "lng": ("lon", "deg"),
    "speed_mph": ("speed", "mph"),
    "altitude_m": ("altitude", "m"),
    "heading_deg": ("heading", "deg"),
    "h_acc_m": ("position_accuracy", "m"),
    "rpm": ("rpm", "rpm"),
    "accel_x": ("accel_x", "g"),
    "accel_y": ("accel_y", "g"),
    "accel_z": ("accel_z", "g"),
}
"""The signal of each column, and its unit."""

MILLISECONDS: Final = re.compile(r"\d{1,13}")


def read(reading: Reading) -> Iterator[Frames]:
    """The values of a .dovex file; a row that is none is a loss."""
    with closing(Rows(reading)) as rows:
        before, names = rows.titles("timestamp")
        head = [[cell.strip() for cell in cells] for cells in before if any(cells)]
        if not names:
            raise UsageError("has no row of columns that begins with timestamp", where=reading.losses.path)
        wishes = ((name, *SIGNALS.get(name, (None, ""))) for name in names)
        sheet = Sheet(reading, assigned(Wish(name, unit, signal, name) for name, signal, unit in wishes))
        rows.into(sheet, lambda cells: _ns(cells[0]))
    yield from sheet.frames(_about(head))


def _about(head: list[list[str]]) -> dict[str, Any]:
    """Names and what stands under them; the laps, in seconds."""
    header: dict[str, str] = {}
    laps: list[str] = []
    for names, values in zip(head[::2], head[1::2], strict=False):
        if names == ["laps_ms"]:
            laps = values
        else:
            header |= dict(zip(names, values, strict=False))
    about: dict[str, Any] = {"format": "dovex", "header": header}
    return about | ({"laps_s": [int(lap) / 1000 for lap in laps if MILLISECONDS.fullmatch(lap)]} if laps else {})


def _ns(text: str) -> int:
    if not MILLISECONDS.fullmatch(text.strip()):
        raise ValueError(f"{text.strip()!r} is no time in ms")
    return int(text) * 1_000_000
