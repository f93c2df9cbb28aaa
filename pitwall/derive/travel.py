"""Where the car is and how far it has come: speed, fixes and yaw rate on one clock in, a way or a coordinate out.

Laws:

1. Causal: a row is computed from what came before it, and never changed by what comes later.
2. A state is an argument and a result; every sum is one running sum, so that the same rows give the same bits whatever
   the batches.
3. A receiver's error is bounded, not trusted: a fix counts against the way since one at least SHORTEST_M before, and
   not at all where the two are far from each other.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.car.rules import Distance, Position
from pitwall.derive.channel import Float64
from pitwall.derive.parts import Corrected
from pitwall.derive.past import SECONDS, Newest, integral, windowed
from pitwall.frames import Int64

GRID_M: Final = 10.0
"""Fixes are compared over about so much of the way: centimetres of noise are little of it, and few roads bend in it."""
SHORTEST_M: Final = 5.0
LONGEST_M: Final = 100.0  # of way between two fixes: a chord of more says little of the road
MOST_OFF: Final = (
    0.25  # of it, by which chord and way may differ: else one is wrong (a jump, wheels locked or spinning)
)
PAIRS: Final = 200  # of fixes that a scale is made of, the newest: about 2 km
TRUSTED_M: Final = 500.0  # of way until fixes alone say the scale; before, the rest of it counts as right
MOST_SCALE: Final = 0.1  # tyres and their growth are a few percent; more is another fault
STALE_S: Final = 1.0  # no speed is held for longer than this
RECKONED_M: Final = 200.0  # of way since the last fix: then a position would be a guess

_EQUATOR_M: Final = 6_378_137.0
_ECCENTRICITY2: Final = 0.006_694_379_990_14
"""WGS84's semi-major axis, and its first eccentricity squared (NGA.STND.0036)."""


def distance(rule: Distance, state: Newest | None, t: Int64, speed: Float64) -> tuple[Float64, Newest | None]:
    """The way at every row, from 0 at the first speed; NaN where the speed is missing, which later rows bridge."""
    return integral(state, t, speed, rule.factor)


def degree_m(lat: Float64) -> tuple[Float64, Float64]:
    """Metres in a degree of latitude and of longitude at a latitude: WGS84's radii of curvature there."""
    phi = np.radians(lat)
    w2 = 1 - _ECCENTRICITY2 * np.sin(phi) ** 2
    across = _EQUATOR_M / np.sqrt(w2)
    along = across * (1 - _ECCENTRICITY2) / w2
    return np.radians(along), np.radians(across * np.cos(phi))


def chord_m(before: Float64, after: Float64) -> tuple[Float64, Float64]:
    """Metres north and east from fixes (n, 2+) of latitude and longitude to others close by, each (n,)."""
    per_lat, per_lon = degree_m(after[:, 0])
    around = (after[:, 1] - before[:, 1] + 180.0) % 360.0 - 180.0
    return (after[:, 0] - before[:, 0]) * per_lat, around * per_lon


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the newest fix was.  lat, lon: of the newest row.  cell: of the way, in which its newest new fix came."""

    lat: float = np.nan
    lon: float = np.nan
    cell: float = np.nan


def on_grid(state: Grid, lat: Float64, lon: Float64, way_m: Float64) -> tuple[Int64, Int64, Grid]:
    """(fixes, first): the rows that bring a fix, and which of those are the first in their 10 m of way.

    A position that stays is held, or the car stands: it is no new fix.  Nor is 0, 0, which receivers send for none.
    """
    there = np.isfinite(lat) & np.isfinite(lon) & ((lat != 0) | (lon != 0)) & (np.abs(lat) < 90)
    moved = (lat != np.append(state.lat, lat[:-1])) | (lon != np.append(state.lon, lon[:-1]))
    fixes = np.flatnonzero(there & moved)
    cells = np.floor(way_m[fixes] / GRID_M)
    first = np.flatnonzero(cells != np.append(state.cell, cells[:-1]))
    cell = float(cells[-1]) if len(cells) else state.cell
    return fixes, first, Grid(float(lat[-1]), float(lon[-1]), cell)


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """How far a corrected way has come.

    way, moved: the uncorrected way at the newest row, and when it last changed.  reached: with the speed since then.
    total, most: the corrected way there, and its most so far.  fix (0 or 1, 3): latitude, longitude and uncorrected way
    of the newest fix of the grid.  pairs (k, 2): metres by fixes and by wheels between two of those.
    """

    way: float
    moved: int
    reached: float
    total: float
    most: float
    scale: float = 1.0
    grid: Grid = Grid()
    fix: Float64 = field(default_factory=lambda: np.empty((0, 3)))
    pairs: Float64 = field(default_factory=lambda: np.empty((0, 2)))


def corrected(
    rule: Corrected, state: Scaled | None, t: Int64, way: Float64, speed: Float64, lat: Float64, lon: Float64
) -> tuple[Float64, Scaled | None]:
    """The way with its scale corrected by the chords between fixes, never decreasing.

    The scale is metres by fixes over metres by wheels, of the newest PAIRS pairs of fixes about 10 m apart; it counts
    from when it is known on.  Between its own samples a way goes on with its speed.
    """
    there = np.isfinite(way) & np.isfinite(speed)
    if not there.all():
        result = np.full(len(t), np.nan)
        result[there], state = corrected(rule, state, t[there], way[there], speed[there], lat[there], lon[there])
        return result, state
    if len(t) == 0:
        return np.empty(0), state
    before = Scaled(way[0], int(t[0]), way[0], way[0], way[0]) if state is None else state
    moved = _since(t, np.append(before.way, way[:-1]) != way, before.moved)
    reached = way + speed * rule.factor * np.minimum((t - moved) * SECONDS, STALE_S)
    fixes, first, grid = on_grid(before.grid, lat, lon, reached * rule.unit_m)
    rows = fixes[first]
    fix = np.concatenate([before.fix, np.stack([lat[rows], lon[rows], reached[rows]], axis=1)])
    scale, pairs = _scales(rule, before, t, rows, fix)
    steps = np.diff(np.append(before.reached, reached)) * scale
    total = np.cumsum(np.append(before.total, steps))[1:]
    most = np.maximum.accumulate(np.append(before.most, total))[1:]
    ends = (float(way[-1]), int(moved[-1]), float(reached[-1]), float(total[-1]), float(most[-1]), float(scale[-1]))
    return most, Scaled(*ends, grid, fix[-1:].copy(), pairs)


def _scales(rule: Corrected, before: Scaled, t: Int64, rows: Int64, fix: Float64) -> tuple[Float64, Float64]:
    """(the scale at every row (n,), the newest pairs): rows (k,) bring the last k of `fix`."""
    by_wheels = (fix[1:, 2] - fix[:-1, 2]) * rule.unit_m
    by_fixes = np.hypot(*chord_m(fix[:-1], fix[1:]))
    good = (by_wheels >= SHORTEST_M) & (by_wheels <= LONGEST_M) & (np.abs(by_fixes - by_wheels) <= MOST_OFF * by_wheels)
    pairs = np.concatenate([before.pairs, np.stack([by_fixes[good], by_wheels[good]], axis=1)])
    end = np.arange(len(before.pairs) + 1, len(pairs) + 1)
    sums = [windowed(np.add, pairs[:, column], np.maximum(end - PAIRS, 0), end) for column in (0, 1)]
    untried = np.maximum(TRUSTED_M - sums[1], 0.0)
    found = np.clip((sums[0] + untried) / (sums[1] + untried), 1 - MOST_SCALE, 1 + MOST_SCALE)
    at = rows[len(rows) - len(good) :][good]  # the first fix of all has none before it
    known = np.append(before.scale, found)
    return known[np.searchsorted(at, np.arange(len(t)), side="right")], pairs[-PAIRS:].copy()


@dataclass(frozen=True, slots=True, eq=False)
class Reckoned:
    """How far dead reckoning has come, in a frame whose north is the car's first heading.

    sums: heading in radians, metres north, east and along, at the newest row.  fixes (2, 5): latitude, longitude, and
    north, east and along of the two newest fixes of the grid, NaN for none; fix (5,): of the newest one of all.
    turn: cosine and sine from that frame's headings to the world's; NaN until known.
    """

    t: int
    speed: float
    yaw_rate: float
    sums: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    grid: Grid = Grid()
    fixes: Float64 = field(default_factory=lambda: np.full((2, 5), np.nan))
    fix: Float64 = field(default_factory=lambda: np.full(5, np.nan))
    turn: tuple[float, float] = (np.nan, np.nan)


def position(
    rule: Position, state: Reckoned | None, t: Int64, lat: Float64, lon: Float64, speed: Float64, yaw_rate: Float64
) -> tuple[Float64, Reckoned | None]:
    """The coordinate of the rule at every row: that of the newest fix, moved on by speed along the car's heading.

    The heading is the sum of the yaw rate, turned so that the way since a fix 10 to 20 m before leads to the newest
    one: a yaw sensor's offset has no time to matter.  Missing before the first fix, between fixes until a heading is
    known, and after RECKONED_M without a fix.
    """
    there = np.isfinite(speed) & np.isfinite(yaw_rate)
    if not there.all():
        result = np.full(len(t), np.nan)
        columns = (t[there], lat[there], lon[there], speed[there], yaw_rate[there])
        result[there], state = position(rule, state, *columns)
        return result, state
    if len(t) == 0:
        return np.empty(0), state
    before = Reckoned(int(t[0]), float(speed[0]), float(yaw_rate[0])) if state is None else state
    heading, north, east, along = _reckoned(rule, before, t, speed, yaw_rate)
    rows, first, grid = on_grid(before.grid, lat, lon, along)
    places = np.stack([lat, lon, north, east, along], axis=1)
    fixes = np.concatenate([before.fixes, places[rows[first]]])
    # to each new fix the last but one of the grid, up to it
    earlier = fixes[np.searchsorted(first, np.arange(len(rows)), side="right")]
    turns = _held(np.array(before.turn), _turns(earlier, places[rows]))
    newest = np.searchsorted(rows, np.arange(len(t)), side="right")
    fix = np.concatenate([before.fix[None], places[rows]])[newest]
    turn = turns[newest]
    result = _moved_on(rule, fix, turn, north - fix[:, 2], east - fix[:, 3], along - fix[:, 4])
    sums = (float(heading[-1]), float(north[-1]), float(east[-1]), float(along[-1]))
    after = (int(t[-1]), float(speed[-1]), float(yaw_rate[-1]), sums, grid, fixes[-2:].copy(), fix[-1].copy())
    return result, Reckoned(*after, (float(turn[-1, 0]), float(turn[-1, 1])))


def _reckoned(
    rule: Position, before: Reckoned, t: Int64, speed: Float64, yaw_rate: Float64
) -> tuple[Float64, Float64, Float64, Float64]:
    """The running sums at every row: heading, metres north, east and along.  Between rows both rates change evenly."""
    seconds = np.diff(np.append(np.int64(before.t), t)).astype(np.float64) * SECONDS
    speeds, rates = np.append(before.speed, speed), np.append(before.yaw_rate, yaw_rate)
    turned = (rates[1:] + rates[:-1]) * 0.5 * seconds * rule.yaw_factor
    headings = np.cumsum(np.append(before.sums[0], turned))
    steps = (speeds[1:] + speeds[:-1]) * 0.5 * seconds * rule.speed_factor
    middle = (headings[1:] + headings[:-1]) * 0.5
    north = np.cumsum(np.append(before.sums[1], steps * np.cos(middle)))[1:]
    east = np.cumsum(np.append(before.sums[2], steps * np.sin(middle)))[1:]
    return headings[1:], north, east, np.cumsum(np.append(before.sums[3], steps))[1:]


def _turns(before: Float64, after: Float64) -> Float64:
    """Cosine and sine of the turn from reckoned chords to those between fixes, (n, 2); NaN where they don't agree."""
    north, east = chord_m(before, after)
    ahead, aside = after[:, 2] - before[:, 2], after[:, 3] - before[:, 3]
    by_fixes, by_wheels = np.hypot(north, east), np.hypot(ahead, aside)
    with np.errstate(invalid="ignore", divide="ignore"):
        good = (
            (by_wheels >= SHORTEST_M)
            & (by_wheels <= LONGEST_M)
            & (np.abs(by_fixes - by_wheels) <= MOST_OFF * by_wheels)
        )
        cosine = (north * ahead + east * aside) / (by_fixes * by_wheels)
        sine = (east * ahead - north * aside) / (by_fixes * by_wheels)
    return np.where(good[:, None], np.stack([cosine, sine], axis=1), np.nan)


def _moved_on(rule: Position, fix: Float64, turn: Float64, ahead: Float64, aside: Float64, along: Float64) -> Float64:
    """The coordinate so far from each fix (n, 5), the reckoned way turned by `turn` (n, 2)."""
    north = ahead * turn[:, 0] - aside * turn[:, 1]
    east = ahead * turn[:, 1] + aside * turn[:, 0]
    per_lat, per_lon = degree_m(fix[:, 0])
    moved = fix[:, 0] + north / per_lat if rule.axis == "lat" else fix[:, 1] + east / per_lon
    at_fix = fix[:, 0] if rule.axis == "lat" else fix[:, 1]
    result = np.where(along == 0, at_fix, np.where(np.abs(along) <= RECKONED_M, moved, np.nan))
    return np.where(np.abs(result) > 180, (result + 180.0) % 360.0 - 180.0, result)


def _held(before: Float64, values: Float64) -> Float64:
    """(n + 1, 2): `before`, then each of the values (n, 2), or the one before it where that is NaN."""
    all_of = np.concatenate([before[None], values])
    there = np.append(True, ~np.isnan(values[:, 0]))
    return all_of[np.maximum.accumulate(np.where(there, np.arange(len(all_of)), 0))]


def _since(t: Int64, changed: npt.NDArray[np.bool_], before: int) -> Int64:
    """At every row the time of the newest row that `changed`, from before the first one on."""
    newest = np.maximum.accumulate(np.where(changed, np.arange(1, len(t) + 1), 0))
    return np.append(np.int64(before), t)[newest]
