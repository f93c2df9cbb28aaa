"""How far a receiver's laps shift against each other, by the way that was driven, and by speed and heading summed up.

A lap's shift is the one that lays it best on the median of all laps: across the road alone, as how far along it the car
was is not known, and with less weight where the driver was elsewhere.  The driver's lines are in it, so it is at least
what the receiver wandered, averaged over a lap.
"""

from __future__ import annotations

import numpy as np

from pitwall.track.cutting import Cutter
from pitwall.track.fixes import Fixes

EVERY = 5
"""Points of the path, a metre apart, from one look to the next."""
OFF_M = 1.5
"""From the median by so much a driver is elsewhere on purpose."""


def shifts(cutter: Cutter, fixes: Fixes) -> tuple[np.ndarray, np.ndarray]:
    """(begin and end in s, shift east and north in m), each float64 (n, 2), of the good flying laps."""
    path = cutter.judge.path
    assert path is not None
    x, y = cutter.plane.metres(fixes.lat, fixes.lon)
    direction, look = path.legs[:, :2], np.arange(0, len(path.legs), EVERY)
    laps = [lap for lap in cutter.judge.laps if lap.flying and lap.valid]
    left = []
    for lap in laps:
        during = (fixes.t >= lap.t_start) & (fixes.t < lap.t_end)
        near = np.array([_nearest(path.x_m[:-1], path.y_m[:-1], *at) for at in zip(x[during], y[during], strict=True)])
        to_x, to_y = direction[near].T
        aside = (y[during] - path.y_m[near]) * to_x - (x[during] - path.x_m[near]) * to_y
        order = np.argsort(near, kind="stable")
        left.append(np.interp(look, near[order], aside[order]))
    across = np.stack([-direction[look, 1], direction[look, 0]], axis=1)
    found = []
    for off in np.array(left) - np.median(left, axis=0):
        weight = np.minimum(OFF_M / np.maximum(np.abs(off), 1e-9), 1.0)
        found.append(np.linalg.lstsq(across * weight[:, None], off * weight, rcond=None)[0])
    return np.array([(lap.t_start * 1e-9, lap.t_end * 1e-9) for lap in laps]), np.array(found)


def summed_up(cutter: Cutter, fixes: Fixes, heading_deg: np.ndarray, laps: np.ndarray) -> np.ndarray:
    """What the positions and the sum of speed and heading come apart by: metres east and north, the mean of each lap.

    Velocities come later than positions, by as much as is best for them from one second to the next.
    """
    x, y = cutter.plane.metres(fixes.lat, fixes.lon)
    t = fixes.t * 1e-9
    east = fixes.speed * np.sin(np.radians(heading_deg))
    north = fixes.speed * np.cos(np.radians(heading_deg))
    second = round(1 / float(np.median(np.diff(t))))

    def apart(late_s: float) -> np.ndarray:
        velocity = np.stack([np.interp(t + late_s, t, east), np.interp(t + late_s, t, north)], axis=1)
        steps = (velocity[1:] + velocity[:-1]) / 2 * np.diff(t)[:, None]
        return np.stack([x, y], axis=1) - np.concatenate((np.zeros((1, 2)), np.cumsum(steps, axis=0)))

    best = min(
        (apart(late_s) for late_s in np.arange(0.0, 0.13, 0.01)), key=lambda p: np.mean((p[second:] - p[:-second]) ** 2)
    )
    return np.array([best[(t >= begin) & (t < end)].mean(axis=0) for begin, end in laps])


def changes_m(laps: np.ndarray, values: np.ndarray, *, behind: int = 1) -> np.ndarray:
    """From laps to those `behind` them, driven one behind the other: how the values change."""
    together = laps[behind:, 0] - laps[:-behind, 1] < (behind - 1) * 1.3 * np.median(laps[:, 1] - laps[:, 0]) + 1.0
    return (values[behind:] - values[:-behind])[together]


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _nearest(x_m: np.ndarray, y_m: np.ndarray, x: float, y: float) -> int:
    return int(((x_m - x) ** 2 + (y_m - y) ** 2).argmin())
