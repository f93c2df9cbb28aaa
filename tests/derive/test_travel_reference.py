"""Corrected ways and positions against a slow, obvious reference that goes from row to row, however rows are cut."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.rules import Position
from pitwall.derive.parts import Corrected
from pitwall.derive.travel import corrected, position

Fix = tuple[float, float]
Row = tuple[int, float, float, float, float]


def metres(before: Fix, after: Fix) -> tuple[float, float]:
    """North and east, by WGS84's radii of curvature."""
    a, e2, phi = 6378137.0, 0.00669437999014, math.radians(after[0])
    w = math.sqrt(1 - e2 * math.sin(phi) ** 2)
    north = math.radians(after[0] - before[0]) * a * (1 - e2) / w**3
    return north, math.radians(after[1] - before[1]) * a / w * math.cos(phi)


def agree(by_fixes: float, by_wheels: float) -> bool:
    return 5 <= by_wheels <= 100 and abs(by_fixes - by_wheels) <= by_wheels / 4


class Fixes:
    """Which rows bring a new fix, and which of those are the first in their 10 m."""

    def __init__(self) -> None:
        self.newest: Fix = (math.nan, math.nan)
        self.cell: float | None = None

    def new(self, fix: Fix, way_m: float) -> tuple[bool, bool]:
        moved, self.newest = fix != self.newest, fix
        if not moved or math.isnan(fix[0]) or math.isnan(fix[1]) or fix == (0, 0):
            return False, False
        cell = math.floor(way_m / 10)
        first, self.cell = cell != self.cell, cell
        return True, first


class Way:
    """A corrected way."""

    def __init__(self) -> None:
        self.fixes = Fixes()
        self.before: tuple[float, float] | None = None  # way, reached
        self.moved = 0
        self.fix: tuple[Fix, float] | None = None
        self.pairs: list[tuple[float, float]] = []
        self.scale, self.total, self.most = 1.0, 0.0, 0.0

    def row(self, t: int, way: float, speed: float, lat: float, lon: float) -> float:
        if math.isnan(way) or math.isnan(speed):
            return math.nan
        if self.before is None:
            self.before, self.moved, self.total, self.most = (way, way), t, way, way
        if way != self.before[0]:
            self.moved = t
        reached = way + speed * 0.5 * min((t - self.moved) * 1e-9, 1.0)
        _, first = self.fixes.new((lat, lon), reached * 2)
        if first:
            self._compare((lat, lon), reached)
        self.total += (reached - self.before[1]) * self.scale
        self.before = (way, reached)
        self.most = max(self.most, self.total)
        return self.most

    def _compare(self, fix: Fix, reached: float) -> None:
        if self.fix is not None:
            by_fixes, by_wheels = math.hypot(*metres(self.fix[0], fix)), (reached - self.fix[1]) * 2
            if agree(by_fixes, by_wheels):
                self.pairs.append((by_fixes, by_wheels))
                fixed, rolled = (sum(pair[i] for pair in self.pairs[-200:]) for i in (0, 1))
                untried = max(500 - rolled, 0)
                self.scale = min(max((fixed + untried) / (rolled + untried), 0.9), 1.1)
        self.fix = (fix, reached)


@dataclass
class Place:
    fix: Fix
    north: float
    east: float
    along: float


class Reckoning:
    """Latitude and longitude by dead reckoning."""

    def __init__(self) -> None:
        self.fixes = Fixes()
        self.before: tuple[int, float, float] | None = None
        self.heading = self.north = self.east = self.along = 0.0
        self.grid: list[Place] = []
        self.at: Place | None = None
        self.turn: float | None = None

    def row(self, t: int, lat: float, lon: float, speed: float, yaw_rate: float) -> Fix:
        if math.isnan(speed) or math.isnan(yaw_rate):
            return math.nan, math.nan
        then, speed_then, yaw_then = self.before or (t, speed, yaw_rate)
        seconds = (t - then) * 1e-9
        turned = (yaw_rate + yaw_then) * 0.5 * seconds
        step = (speed + speed_then) * 0.5 * seconds
        self.north += step * math.cos(self.heading + turned / 2)
        self.east += step * math.sin(self.heading + turned / 2)
        self.along += step
        self.heading += turned
        self.before = (t, speed, yaw_rate)
        new, first = self.fixes.new((lat, lon), self.along)
        if new:
            self._fixed(Place((lat, lon), self.north, self.east, self.along), first)
        return self._now()

    def _fixed(self, place: Place, first: bool) -> None:
        if first:
            self.grid.append(place)
        if len(self.grid) > 1:
            earlier = self.grid[-2]
            north, east = metres(earlier.fix, place.fix)
            ahead, aside = place.north - earlier.north, place.east - earlier.east
            if agree(math.hypot(north, east), math.hypot(ahead, aside)):
                self.turn = math.atan2(east, north) - math.atan2(aside, ahead)
        self.at = place

    def _now(self) -> Fix:
        if self.at is None:
            return math.nan, math.nan
        along = self.along - self.at.along
        if along == 0:
            return self.at.fix
        if self.turn is None or along > 200:
            return math.nan, math.nan
        ahead, aside = self.north - self.at.north, self.east - self.at.east
        north = ahead * math.cos(self.turn) - aside * math.sin(self.turn)
        east = ahead * math.sin(self.turn) + aside * math.cos(self.turn)
        lat, lon = self.at.fix
        per_lat, per_lon = metres((lat - 1, lon - 1), (lat, lon))
        return lat + north / per_lat, lon + east / per_lon


def driven(seed: int, n: int) -> tuple[np.ndarray, ...]:
    """t, way (by 2 m), speed, yaw rate (rad/s), lat, lon of a wild drive: held here, missing there, jumping."""
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.choice([0, 20_000_000, 50_000_000, 300_000_000, 1_500_000_000], n, p=[0.1, 0.4, 0.39, 0.1, 0.01]))
    speed = np.clip(20 + np.cumsum(rng.normal(0, 1, n)), 0, 60)
    yaw = np.cumsum(rng.normal(0, 0.02, n))
    seconds = np.diff(t, prepend=t[0]) * 1e-9
    heading = np.cumsum(yaw * seconds) + rng.uniform(0, 6)
    off = rng.choice([0.95, 1.0, 1.04, 1.3], p=[0.3, 0.3, 0.3, 0.1])
    lat = 47 + np.cumsum(speed * np.cos(heading) * seconds) / 111_000
    lon = 9 + np.cumsum(speed * np.sin(heading) * seconds) / 76_000
    way = np.cumsum(speed * seconds) * off / 2
    fresh = rng.random(n) < 0.5
    for column, news in ((way, ~fresh), (speed, ~fresh), (lat, fresh), (lon, fresh)):
        newest = np.maximum.accumulate(np.where(news, np.arange(n), 0))
        column[:] = column[newest]
    lat[rng.random(n) < 0.02] += 0.01
    for column in (lat, lon, way, speed, yaw):
        column[rng.random(n) < 0.02] = np.nan
    nowhere = rng.random(n) < 0.02
    lat[nowhere], lon[nowhere] = 0, 0
    return t, way, speed, yaw, lat, lon


def folded(fold: Callable[..., tuple[np.ndarray, Any]], columns: list[np.ndarray], edges: list[int]) -> np.ndarray:
    state, parts = None, []
    for first, last in pairwise([0, *sorted(edges), len(columns[0])]):
        part, state = fold(state, *(column[first:last] for column in columns))
        parts.append(part)
    return np.concatenate(parts)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), edges=st.lists(st.integers(0, 400), max_size=6))
def test_a_corrected_way_is_that_of_one_row_at_a_time(seed: int, edges: list[int]) -> None:
    t, way, speed, _, lat, lon = driven(seed, 400)
    rule = Corrected("way", "speed", "lat", "lon", 0.5, 2.0)
    found = folded(lambda *row: corrected(rule, *row), [t, way, speed, lat, lon], edges)
    one = Way()
    expected = [one.row(*row) for row in zip(*(c.tolist() for c in (t, way, speed, lat, lon)), strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), edges=st.lists(st.integers(0, 400), max_size=6))
def test_a_position_is_that_of_one_row_at_a_time(seed: int, edges: list[int]) -> None:
    t, _, speed, yaw, lat, lon = driven(seed, 400)
    one = Reckoning()
    expected = np.array([one.row(*row) for row in zip(*(c.tolist() for c in (t, lat, lon, speed, yaw)), strict=True)])
    for column, axis in enumerate(("lat", "lon")):
        rule = Position(axis, "lat", "lon", "speed", "yaw_rate")
        found = folded(lambda *row, rule=rule: position(rule, *row), [t, lat, lon, speed, yaw], edges)  # type: ignore[misc]
        np.testing.assert_allclose(found, expected[:, column], rtol=0, atol=1e-9)


def test_the_references_are_about_something() -> None:
    t, way, speed, yaw, lat, lon = driven(5, 400)
    one, other = Way(), Reckoning()
    ways = [one.row(*row) for row in zip(*(c.tolist() for c in (t, way, speed, lat, lon)), strict=True)]
    places = [other.row(*row) for row in zip(*(c.tolist() for c in (t, lat, lon, speed, yaw)), strict=True)]
    assert len(one.pairs) > 20
    assert one.scale != 1
    assert sum(not math.isnan(value) for value in ways) > 300
    assert sum(not math.isnan(place[0]) for place in places) > 250
