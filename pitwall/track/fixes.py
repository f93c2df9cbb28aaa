"""Rows of channels in, fixes out: where the car was, and its speed and fuel there.

Laws:

1. A fix is a latitude and a longitude that came together, whether in one frame or in two.
2. A position that stays is no new fix: a slow receiver on a fast bus repeats itself, and so does one that stands still.
   Nor is 0, 0, which receivers send for none.
3. However rows are cut into batches, the fixes are the same to the bit.

Pure: what must be kept from batch to batch is rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.car import units
from pitwall.derive.channel import Float64, Rows, Table
from pitwall.frames import Int64

TOGETHER_NS: Final = 5_000_000
"""Two frames of one fix come within so long; the fastest receivers give 100 a second."""

ROLES: Final = ("lat", "lon", "speed", "fuel")

_LONG_AGO: Final = -(1 << 62)


@dataclass(frozen=True, slots=True, eq=False)
class Fixes:
    """`n` fixes in log order.  at: int64 (n,), the log offset that each is complete at.  t: int64 (n,), ns.

    lat, lon: float64 (n,), degrees.  speed: float64 (n,), the newest there, m/s.  fuel: the same, in the car's unit.
    """

    at: Int64
    t: Int64
    lat: Float64
    lon: Float64
    speed: Float64
    fuel: Float64

    def __len__(self) -> int:
        return len(self.t)

    def part(self, which: slice | npt.NDArray[np.bool_]) -> Fixes:
        """Some of them."""
        return Fixes(
            self.at[which], self.t[which], self.lat[which], self.lon[which], self.speed[which], self.fuel[which]
        )


def joined(parts: Sequence[Fixes]) -> Fixes:
    """Fixes one behind the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return NONE
    return Fixes(
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.t for part in parts]),
        np.concatenate([part.lat for part in parts]),
        np.concatenate([part.lon for part in parts]),
        np.concatenate([part.speed for part in parts]),
        np.concatenate([part.fuel for part in parts]),
    )


NONE: Final = Fixes(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0), np.empty(0), np.empty(0)
)  # fmt: skip


@dataclass(slots=True)
class _Column:
    """A channel's samples in this batch, behind the newest one before them.  at, t: int64 (m + 1,)."""

    table: str
    index: int
    at: Int64 = field(default_factory=lambda: np.array([-1], np.int64))
    t: Int64 = field(default_factory=lambda: np.array([_LONG_AGO], np.int64))
    values: Float64 = field(default_factory=lambda: np.array([np.nan]))

    def take(self, rows: Rows | None) -> None:
        """Forgets all but the newest sample, and takes the next ones; a row without a value is none."""
        self.at, self.t, self.values = self.at[-1:], self.t[-1:], self.values[-1:]
        if rows is None:
            return
        at, t, values = rows.at, rows.t, rows.values[self.index]
        there = ~np.isnan(values)
        if not there.all():
            at, t, values = at[there], t[there], values[there]
        self.at = np.concatenate((self.at, at))
        self.t = np.concatenate((self.t, t))
        self.values = np.concatenate((self.values, values))

    def newest(self, at: Int64) -> npt.NDArray[np.intp]:
        return np.searchsorted(self.at, at, side="right") - 1


class Fixing:
    """The fixes of a car, folded over a log from its first row on."""

    def __init__(self, tables: Sequence[Table], roles: Mapping[str, str]) -> None:
        """roles: the channel of each role that the car has one for."""
        places = {channel.name: (table.name, i) for table in tables for i, channel in enumerate(table.channels)}
        self._columns = {role: _Column(*places[roles[role]]) for role in ROLES if roles.get(role) in places}
        units_of = {channel.name: channel.unit for table in tables for channel in table.channels}
        self._mps = 1.0
        if "speed" in self._columns:
            try:
                self._mps = units.converted(1.0, units_of[roles["speed"]], "m/s")
            except units.UnitError:  # a speed in no unit of one says nothing
                del self._columns["speed"]
        self._lat, self._lon = np.nan, np.nan

    @property
    def finds(self) -> bool:
        """Whether the car says where it is."""
        return "lat" in self._columns and "lon" in self._columns

    def fold(self, rows: Sequence[Rows]) -> Fixes:
        """The fixes that the next rows of the log give."""
        by_table = {part.table.name: part for part in rows}
        for column in self._columns.values():
            column.take(by_table.get(column.table))
        lat, lon = self._columns["lat"], self._columns["lon"]
        if len(lat.at) == 1 and len(lon.at) == 1:
            return NONE
        at, t, north, east = _together(lat, lon)
        there = ((north != 0) | (east != 0)) & (np.abs(north) < 90)
        if not there.all():
            at, t, north, east = at[there], t[there], north[there], east[there]
        if not len(at):
            return NONE
        new = (north != np.concatenate(((self._lat,), north[:-1]))) | (
            east != np.concatenate(((self._lon,), east[:-1]))
        )
        self._lat, self._lon = float(north[-1]), float(east[-1])
        at = at[new]
        return Fixes(at, t[new], north[new], east[new], self._of("speed", at) * self._mps, self._of("fuel", at))

    def _of(self, role: str, at: Int64) -> Float64:
        column = self._columns.get(role)
        return np.full(len(at), np.nan) if column is None else column.values[column.newest(at)]


def _together(lat: _Column, lon: _Column) -> tuple[Int64, Int64, Float64, Float64]:
    """(at, t, latitudes, longitudes) of the samples that came together."""
    if lat.table == lon.table and np.array_equal(lat.at, lon.at):  # in one frame
        return lat.at[1:], lat.t[1:], lat.values[1:], lon.values[1:]
    at = np.unique(np.concatenate([lat.at[1:], lon.at[1:]]))
    newest_lat, newest_lon = lat.newest(at), lon.newest(at)
    together = np.abs(lat.t[newest_lat] - lon.t[newest_lon]) <= TOGETHER_NS
    at, newest_lat, newest_lon = at[together], newest_lat[together], newest_lon[together]
    return at, np.maximum(lat.t[newest_lat], lon.t[newest_lon]), lat.values[newest_lat], lon.values[newest_lon]
