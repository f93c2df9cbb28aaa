"""AiM Race Studio 3's CSV in, frames of the bus `gps` out.

    Format,AiM CSV File
    Date,"Sunday, December 15, 2024"
    Time,1:34 PM
    Beacon Markers,62.774,117.713,…,535.996       seconds since the start: the ends of the segments
    …
    Time,GPS Speed,GPS Nsat,…
    s,km/h, ,…

Each marker ends a segment: the last is where the recording ends, and so no passing of the start line (that segment is
the in-lap).  All others become the channel `beacon`, and the times between them the logger's own laps.
Date and time are the logger's local ones, of no known zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from pitwall.bus.gps import IDS, value_frames
from pitwall.bus.loggers.columns import Wish, assigned
from pitwall.bus.loggers.delimited import Rows
from pitwall.bus.loggers.sheet import NS, Sheet, ns_of
from pitwall.bus.reading import Reading
from pitwall.errors import UsageError
from pitwall.frames import LOGGER_BUS, Frames, concat, take

DATES: Final = ("%A, %B %d, %Y", "%d/%m/%Y", "%Y-%m-%d")
TIMES: Final = ("%I:%M %p", "%I:%M:%S %p", "%H:%M", "%H:%M:%S")

SIGNALS: Final[Mapping[str, str]] = {
    "time": "elapsed_time",
    "distance on gps speed": "distance",
    "gps speed": "speed",
    "gps nsat": "satellites",
    "gps latacc": "g_lat",
    "gps lonacc": "g_long",
    "gps slope": "slope",
    "gps heading": "heading",
    "gps gyro": "yaw_rate",
    "gps altitude": "altitude",
    "gps posaccuracy": "position_accuracy",
    "gps spdaccuracy": "speed_accuracy",
    "gps radius": "turn_radius",
    "gps latitude": "lat",
    "gps longitude": "lon",
    "gps g sum": "g_combined",
    "engine rpm": "rpm",
    "rpm": "rpm",
    "water temp": "water_temp",
    "exhaust temp": "exhaust_temp",
    "oil temp": "oil_temp",
    "oil press": "oil_pressure",
    "oil pressure": "oil_pressure",
    "gear": "gear",
    "external voltage": "logger_voltage",
}
"""Race Studio's names of columns, in small letters; what people call their own sensors stays theirs."""


def read(reading: Reading) -> Iterator[Frames]:
    """The values of a Race Studio CSV; a row that is none is a loss."""
    with closing(Rows(reading)) as rows:
        head: dict[str, list[str]] = {}
        names: list[str] = []
        for cells in rows.head():
            stripped = [cell.strip() for cell in cells]
            # the first row of that name says when it was: nothing but the time of day stands behind it
            if stripped[0] == "Time" and ("Time" in head or len([cell for cell in stripped if cell]) > 2):
                names = stripped
                rows.named(cells)
                break
            head[stripped[0]] = [cell for cell in stripped[1:] if cell]
        units = next(rows.head(), [])
        if not names or len(units) != len(names):
            raise UsageError(
                "has no row of columns that begins with Time, and their units below", where=reading.losses.path
            )
        wishes = zip(names, (unit.strip() for unit in units), strict=True)
        sheet = Sheet(reading, assigned(Wish(name, unit, SIGNALS.get(name.lower()), name) for name, unit in wishes))
        start_ns = _start_ns(head, reading)
        rows.into(sheet, lambda cells: start_ns + ns_of(cells[0]))
    ends_ns = _markers(head, reading)
    about: dict[str, Any] = {"format": "aim", "header": {key: ", ".join(cells) for key, cells in head.items()}}
    if ends_ns:
        about["laps_s"] = [(b - a) / NS for a, b in zip([0, *ends_ns], ends_ns, strict=False)]
    parts = list(sheet.frames(about))
    passings = [start_ns + end for end in ends_ns[:-1]]
    if passings and parts:
        parts.append(value_frames(passings, [IDS["beacon"]], [1.0] * len(passings), bus=reading.buses[LOGGER_BUS]))
    if parts:
        values = concat(parts)
        yield take(values, np.argsort(values.t, kind="stable"))


def _markers(head: Mapping[str, list[str]], reading: Reading) -> list[int]:
    """ns since the start at which the segments end."""
    found = []
    for cell in head.get("Beacon Markers", []):
        try:
            found.append(ns_of(cell))
        except ValueError as error:
            reading.losses.add(f"Beacon Markers: {error}")
    return found


def _start_ns(head: Mapping[str, list[str]], reading: Reading) -> int:
    """Unix time of the recording's start, its local time taken as UTC; 0 where it can't be read."""
    date, time = ", ".join(head.get("Date", [])), " ".join(head.get("Time", []))
    moments = [_moment(f"{date}|{time}", f"{day}|{hour}") for day in DATES for hour in TIMES]
    moment = next((one for one in moments if one is not None), None)
    if moment is None:
        return 0
    what = f"its start, {date}, {time}, is in the logger's local time: taken as UTC"
    reading.notes.append(f"{reading.losses.path}: {what}")
    return int(moment.replace(tzinfo=UTC).timestamp()) * NS


def _moment(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # no zone is known
    except ValueError:
        return None
