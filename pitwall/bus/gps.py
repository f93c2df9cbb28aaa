"""A logger's values in, frames of the bus `gps` out: each value a frame of its own, a little-endian 64-bit float.

Laws: nothing is rounded away: the frame holds the very float64; a value that is missing gives no frame; the values of
one row have one time, and stand in the order of their columns.  A value that the shipped DBC
(cars/gps-logger/gps-logger.dbc) names has its id; any other has an extended id that its name alone decides, so that a
DBC written for one file of a logger fits them all.  Pure: no clock, no files.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.frames import Control, Flag, Frames, Int64, control, frames

IDS: Final[Mapping[str, int]] = {
    "unix_time": 0x100,
    "time_of_day": 0x101,
    "elapsed_time": 0x102,
    "lat": 0x110,
    "lon": 0x111,
    "altitude": 0x112,
    "geoid_separation": 0x113,
    "fix": 0x114,
    "fix_type": 0x115,
    "satellites": 0x116,
    "hdop": 0x117,
    "vdop": 0x118,
    "pdop": 0x119,
    "position_accuracy": 0x11A,
    "altitude_accuracy": 0x11B,
    "ellipsoid_altitude": 0x11C,
    "speed": 0x120,
    "heading": 0x121,
    "vertical_speed": 0x122,
    "speed_accuracy": 0x123,
    "slope": 0x124,
    "turn_radius": 0x125,
    "distance": 0x126,
    "heading_accuracy": 0x127,
    "lap_number": 0x130,
    "beacon": 0x131,
    "fragment": 0x132,
    "g_long": 0x140,
    "g_lat": 0x141,
    "g_vert": 0x142,
    "g_combined": 0x143,
    "accel_x": 0x144,
    "accel_y": 0x145,
    "accel_z": 0x146,
    "gyro_x": 0x147,
    "gyro_y": 0x148,
    "gyro_z": 0x149,
    "yaw_rate": 0x14A,
    "lean_angle": 0x14B,
    "calc_speed": 0x150,
    "calc_g_long": 0x151,
    "calc_g_lat": 0x152,
    "rpm": 0x160,
    "throttle": 0x161,
    "accelerator": 0x162,
    "engine_load": 0x163,
    "obd_speed": 0x164,
    "water_temp": 0x165,
    "exhaust_temp": 0x166,
    "oil_temp": 0x167,
    "oil_pressure": 0x168,
    "gear": 0x169,
    "brake": 0x16A,
    "steering": 0x16B,
    "update_rate_gps": 0x170,
    "update_rate_calc": 0x171,
    "update_rate_accel": 0x172,
    "update_rate_gyro": 0x173,
    "update_rate_obd": 0x174,
    "logger_charge": 0x175,
    "logger_voltage": 0x176,
    "phone_accel_x": 0x180,
    "phone_accel_y": 0x181,
    "phone_accel_z": 0x182,
    "phone_linear_accel_x": 0x184,
    "phone_linear_accel_y": 0x185,
    "phone_linear_accel_z": 0x186,
    "phone_gyro_x": 0x188,
    "phone_gyro_y": 0x189,
    "phone_gyro_z": 0x18A,
    "phone_rotation_x": 0x18C,
    "phone_rotation_y": 0x18D,
    "phone_rotation_z": 0x18E,
    "phone_rotation_w": 0x18F,
    "phone_pressure": 0x190,
}
"""The signals of the shipped DBC, and the ids of their messages.  Here, because who records reads no DBC."""

_OF_UNIT: Final[Mapping[str, str]] = {
    "s": ("unix_time time_of_day elapsed_time"),
    "deg": ("lat lon heading heading_accuracy slope lean_angle steering"),
    "m": ("altitude ellipsoid_altitude geoid_separation position_accuracy altitude_accuracy turn_radius distance"),
    "": (
        "fix fix_type satellites hdop vdop pdop lap_number beacon fragment gear "
        "phone_rotation_x phone_rotation_y phone_rotation_z phone_rotation_w"
    ),
    "m/s": ("speed vertical_speed speed_accuracy calc_speed obd_speed"),
    "m/s^2": (
        "phone_accel_x phone_accel_y phone_accel_z phone_linear_accel_x phone_linear_accel_y phone_linear_accel_z"
    ),
    "g": ("g_long g_lat g_vert g_combined accel_x accel_y accel_z calc_g_long calc_g_lat"),
    "deg/s": ("gyro_x gyro_y gyro_z yaw_rate"),
    "rad/s": ("phone_gyro_x phone_gyro_y phone_gyro_z"),
    "rpm": ("rpm"),
    "%": ("throttle accelerator engine_load logger_charge"),
    "degC": ("water_temp exhaust_temp oil_temp"),
    "bar": ("oil_pressure brake"),
    "hPa": ("phone_pressure"),
    "Hz": ("update_rate_gps update_rate_calc update_rate_accel update_rate_gyro update_rate_obd"),
    "V": ("logger_voltage"),
}
UNITS: Final[Mapping[str, str]] = {name: unit for unit, names in _OF_UNIT.items() for name in names.split()}
"""The unit of each signal, as the shipped DBC has it."""

OTHER: Final = 0x1000_0000
"""Where the extended ids begin of what the DBC does not name: this, and the low 28 bits of the name's CRC-32."""

KNOTS_MPS: Final = 1852 / 3600
"""Metres per second of a knot, exactly 1852 m an hour."""


def id_of(name: str) -> int:
    """The id of the value called `name`: the DBC's, or one made of its name."""
    return IDS[name] if name in IDS else made_id(name)


def made_id(name: str, taken: Collection[int] = ()) -> int:
    """An id made of the name of what the DBC does not know; the next where that is `taken`."""
    id = OTHER | zlib.crc32(name.encode()) & (OTHER - 1)
    while id in taken:
        id = OTHER | (id + 1) & (OTHER - 1)
    return id


def value_frames(t: npt.ArrayLike, ids: Sequence[int], values: npt.ArrayLike, *, bus: int = 0) -> Frames:
    """The frames of `n` rows of values.

    t: (n,) ns.  ids: (k,), as `id_of` gives them.  values: float64 (n, k); NaN is a value that is missing.
    """
    table = np.asarray(values, "<f8").reshape(-1, len(ids))
    there = ~np.isnan(table)
    row, column = np.nonzero(there)
    id = np.array(ids, np.uint32)
    flags = np.where(id >= OTHER, np.uint8(Flag.EXTENDED), np.uint8(0))
    return frames(
        0,
        t=np.asarray(t, np.int64)[row],
        id=id[column],
        flags=flags[column],
        bus=bus,
        data=np.frombuffer(table[there].tobytes(), np.uint8),
    )


def named_frames(rows: Sequence[tuple[int, Mapping[str, float]]], *, bus: int = 0) -> Frames:
    """The frames of rows (t in ns, values by their names), as a live source has them."""
    cells = [(t, id_of(name), value) for t, row in rows for name, value in row.items()]
    t: Int64 = np.array([cell[0] for cell in cells], np.int64)
    id = np.array([cell[1] for cell in cells], np.uint32)
    data = np.frombuffer(np.array([cell[2] for cell in cells], "<f8").tobytes(), np.uint8)
    flags = np.where(id >= OTHER, np.uint8(Flag.EXTENDED), np.uint8(0))
    return frames(0, t=t, id=id, flags=flags, bus=bus, data=data)


def fact_row(kind: Control, t_ns: int, fact: Mapping[str, Any], *, bus: int = 0) -> Frames:
    """A control row with a fact that a logger's file states beside its values."""
    return control(kind, t_ns, json.dumps(fact, ensure_ascii=False).encode(), bus=bus)
