"""RaceChrono's CSV, version 3, in, frames of the bus `gps` out.

    Format,3
    …
    timestamp,fragment_id,lap_number,…,speed,…,speed,…,speed,…
    unix time,,,…,m/s,…,m/s,…,m/s,…
    ,,,…,100: gps,…,calc,…,200: obd,…

Names of columns come more than once; the third row, their sources, tells them apart.  Rows are irregular: there is one
for every sample of any sensor, at its own time.  `timestamp` is unix time in decimal seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Final

from pitwall.bus.loggers.columns import Wish, assigned
from pitwall.bus.loggers.delimited import Rows
from pitwall.bus.loggers.sheet import Sheet, ns_of
from pitwall.bus.reading import Reading
from pitwall.errors import UsageError
from pitwall.frames import Frames

VERSION: Final = "3"

SOURCES: Final = ("gps", "calc", "acc", "gyro", "obd")
"""Where a value is from, as RaceChrono calls it."""

SIGNALS: Final[Mapping[str, str]] = {
    "timestamp": "unix_time",
    "fragment_id": "fragment",
    "lap_number": "lap_number",
    "elapsed_time": "elapsed_time",
    "distance_traveled": "distance",
    "altitude": "altitude",
    "bearing": "heading",
    "device_battery_level": "logger_charge",
    "fix_type": "fix_type",
    "latitude": "lat",
    "longitude": "lon",
    "satellites": "satellites",
    "lean_angle": "lean_angle",
    "combined_acc": "g_combined",
    "x_acc": "accel_x",
    "y_acc": "accel_y",
    "z_acc": "accel_z",
    "x_rate_of_rotation": "gyro_x",
    "y_rate_of_rotation": "gyro_y",
    "z_rate_of_rotation": "gyro_z",
    "accelerator_pos": "accelerator",
    "engine_load": "engine_load",
    "rpm": "rpm",
    "throttle_pos": "throttle",
    "coolant_temp": "water_temp",
    "engine_oil_temp": "oil_temp",
    "accuracy": "position_accuracy",
}
"""What the columns are that mean one thing whatever their source."""

BY_SOURCE: Final[Mapping[tuple[str, str], str]] = {
    ("speed", "gps"): "speed",
    ("speed", "calc"): "calc_speed",
    ("speed", "obd"): "obd_speed",
    ("velocity", "calc"): "calc_speed",
    ("velocity", "obd"): "obd_speed",
    ("lateral_acc", "calc"): "calc_g_lat",
    ("longitudinal_acc", "calc"): "calc_g_long",
    ("latacc", "calc"): "calc_g_lat",
    ("longacc", "calc"): "calc_g_long",
    ("lateral_acc", ""): "g_lat",
    ("longitudinal_acc", ""): "g_long",
    ("device_update_rate", "gps"): "update_rate_gps",
    ("device_update_rate", ""): "update_rate_gps",
    ("device_update_rate", "calc"): "update_rate_calc",
    ("device_update_rate", "acc"): "update_rate_accel",
    ("device_update_rate", "gyro"): "update_rate_gyro",
    ("device_update_rate", "obd"): "update_rate_obd",
}
"""And those whose meaning their source decides."""

PRECISION: Final[Mapping[tuple[str, str], str]] = {
    ("coordinate_precision", "dop"): "hdop",
    ("coordinate_precision", "m"): "position_accuracy",
    ("altitude_precision", "dop"): "vdop",
    ("altitude_precision", "m"): "altitude_accuracy",
}
"""And those whose unit does."""


def signal_of(name: str, source: str, unit: str = "") -> str:
    """The signal that a column of RaceChrono's is; "" where the DBC has none."""
    precision = PRECISION.get((name, unit.lower()), "")
    return BY_SOURCE.get((name, source)) or SIGNALS.get(name) or precision


def read(reading: Reading) -> Iterator[Frames]:
    """The values of a CSV of version 3; a row that is none is a loss."""
    with closing(Rows(reading)) as rows:
        before, names = rows.titles("timestamp")
        header = {cells[0].strip(): ",".join(cells[1:]).strip(" ,") for cells in before}
        version = header.get("Format", "").strip('"')
        if version != VERSION or not names:
            what = f"is RaceChrono's CSV of version {version or '?'}" if version != VERSION else "has no row of names"
            raise UsageError(what, where=reading.losses.path, hint=f"export it as CSV v{VERSION}")
        units, sources = [*islice(rows.head(), 2), [], []][:2]
        if not len(units) == len(sources) == len(names):
            what = "has no units and sources under the names of its columns"
            raise UsageError(what, where=reading.losses.path, hint=f"export it as CSV v{VERSION}")
        wishes = zip(names, (unit.strip() for unit in units), (source.strip() for source in sources), strict=True)
        sheet = Sheet(reading, assigned(_wish(*wish) for wish in wishes))
        rows.into(sheet, lambda cells: ns_of(cells[0]))
    yield from sheet.frames({"format": "racechrono", "header": header})


def _wish(name: str, unit: str, source: str) -> Wish:
    kind = re.sub(r"^\d+:\s*", "", source)
    own = f"{name} [{source}]" if source else name
    return Wish(own, unit, signal_of(name, kind, unit) or None, own)
