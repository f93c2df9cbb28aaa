"""Made-up drives round a circle of 150 m radius, whose laps are known exactly."""

from __future__ import annotations

import math

import numpy as np

from pitwall.track.definition import Line, Track
from pitwall.track.fixes import Fixes
from pitwall.track.plane import plane_about

CENTRE = (50.0, 10.0)
PLANE = plane_about(CENTRE)
RADIUS_M = 150.0
ROUND_M = 2 * math.pi * RADIUS_M


def line(turn: float, *, half_m: float = 10.0, heading: bool = True) -> Line:
    """Across the circle, after so much of a turn (counter-clockwise from east)."""
    x, y = math.cos(2 * math.pi * turn), math.sin(2 * math.pi * turn)
    ends = [PLANE.degrees((RADIUS_M + off) * x, (RADIUS_M + off) * y) for off in (-half_m, half_m)]
    return Line(ends[0], ends[1], math.degrees(math.atan2(-y, x)) % 360 if heading else None)


RING = Track("Ring", line(0.0), (line(1 / 3), line(2 / 3)))


def drive(turns: np.ndarray, t_s: np.ndarray, off_m: float | np.ndarray = 0.0) -> Fixes:
    """Fixes at times `t_s` of a car that has then driven `turns` of a round, `off_m` outside of the circle."""
    angle, radius = 2 * np.pi * turns, RADIUS_M + off_m
    lat, lon = CENTRE[0] + radius * np.sin(angle) / PLANE.per_lat, CENTRE[1] + radius * np.cos(angle) / PLANE.per_lon
    n = len(t_s)
    t = np.rint(t_s * 1e9).astype(np.int64)
    at = np.arange(n, dtype=np.int64)
    new = np.append(True, (np.diff(lat) != 0) | (np.diff(lon) != 0))
    speed = np.gradient(turns, t_s) * ROUND_M
    return Fixes(at[new], t[new], lat[new], lon[new], speed[new], np.full(int(new.sum()), np.nan))


def steady(laps: float, *, lap_s: float = 31.4, hz: float = 20.0, begin: float = -0.4) -> tuple[np.ndarray, np.ndarray]:
    """(turns, t_s) of rounds at one speed, from `begin` on: the line at every whole turn."""
    t = np.arange(0.0, (laps - begin) * lap_s, 1 / hz)
    return begin + t / lap_s, t


def halting(turns: np.ndarray, t_s: np.ndarray, at: float, for_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The same drive with a stop of `for_s` seconds after `at` turns."""
    stop = int(np.searchsorted(turns, at))
    step = float(t_s[1] - t_s[0])
    n = round(for_s / step)
    held = np.full(n, turns[stop]) + 1e-7 * np.sin(np.arange(n))  # a receiver's last digit is never still
    turns = np.concatenate([turns[:stop], held, turns[stop:]])
    return turns, np.arange(len(turns)) * step + t_s[0]
