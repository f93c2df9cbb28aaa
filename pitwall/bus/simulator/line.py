"""A track in, the line that a driver takes out: offsets from the centreline, and the path that they make.

Law: the ideal line bends as little as the track's width allows (least squares of its second difference, offsets within
bounds), so it goes from the outside to the apex and out again by itself.  A path is computed from offsets alone: a
driver who misses an apex drives other offsets, and curvature, length and speed follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator.track import HALF_WIDTH_M, LINE_STEP, Float64, Track, circuit

USABLE_M: Final = HALF_WIDTH_M - 1.2  # half the car (1.78 m wide) and a hand's breadth
ROUNDS: Final = 80  # of holding and releasing; it settles in about half of them


@dataclass(frozen=True, eq=False)
class Path:
    """The line at `n` stations.  x_m, y_m, heading_rad, kappa (1/m, right positive): float64 (n,); step_m (n - 1,)."""

    x_m: Float64
    y_m: Float64
    heading_rad: Float64
    kappa: Float64
    step_m: Float64


@cache
def ideal_offsets() -> Float64:
    """The offset to the right of the centreline at every station of the circuit, in metres: float64 (n,)."""
    track = circuit()
    coarse = _least_bending(track)
    # band-limited interpolation: the line is smooth and periodic
    return np.fft.irfft(np.fft.rfft(coarse), track.stations) * LINE_STEP


def path(track: Track, station: npt.NDArray[np.int64], offset_m: Float64) -> Path:
    """The path through stations (n,) of the track (they count on past its end), `offset_m` (n,) to the right."""
    index = station % track.stations
    x = track.x_m[index] + offset_m * track.right_x[index]
    y = track.y_m[index] + offset_m * track.right_y[index]
    dx, dy = np.diff(x), np.diff(y)
    step = np.hypot(dx, dy)
    chord = np.unwrap(np.arctan2(dx, dy))  # a chord's heading is the path's halfway between its stations
    kappa = np.zeros_like(x)
    kappa[1:-1] = np.diff(chord) / ((step[1:] + step[:-1]) / 2)
    heading = np.concatenate([chord[:1], (chord[1:] + chord[:-1]) / 2, chord[-1:]])
    return Path(x, y, heading, kappa, step)


def _least_bending(track: Track) -> Float64:
    """Bounded least squares by active sets: solve for the free offsets, hold those that leave the track, release
    those that the solution pulls back inside.  Half a lap is added at either end instead of closing the equations."""
    n = track.stations // LINE_STEP
    lap = np.arange(-(n // 2), n + n // 2) % n * LINE_STEP
    right = np.column_stack([track.right_x, track.right_y])[lap]
    centre = np.column_stack([track.x_m, track.y_m])[::LINE_STEP]
    # the gradient of sum |second difference of (centre + offset right)|^2 is linear in the offsets, in five diagonals
    ahead, behind = np.roll(centre, -1, axis=0), np.roll(centre, 1, axis=0)
    fourth = 6 * centre - 4 * (ahead + behind) + np.roll(ahead, -1, axis=0) + np.roll(behind, 1, axis=0)
    slope = np.sum(right * fourth[lap // LINE_STEP], axis=1)
    near = -4 * np.sum(right[1:] * right[:-1], axis=1)
    far = np.sum(right[2:] * right[:-2], axis=1)
    held = np.zeros(lap.shape[0], np.int8)  # -1 at the left edge, 1 at the right, 0 free
    for _ in range(ROUNDS):
        offset = _solve(near, far, slope, held)
        outward = -(6 * offset + slope)  # the way that less bending lies
        outward[:-1] -= near * offset[1:]
        outward[1:] -= near * offset[:-1]
        outward[:-2] -= far * offset[2:]
        outward[2:] -= far * offset[:-2]
        stay = (held != 0) & (outward * held > 0)
        leave = np.where((held == 0) & (np.abs(offset) > USABLE_M), np.sign(offset), 0)
        now = np.where(stay, held, leave).astype(np.int8)
        if (now == held).all():
            break
        held = now
    return np.clip(offset, -USABLE_M, USABLE_M)[n // 2 : n // 2 + n]


def _solve(near: Float64, far: Float64, slope: Float64, held: npt.NDArray[np.int8]) -> Float64:
    """Offsets where the gradient is nought, but for those held at an edge: elimination within the five diagonals.

    A plain loop: dense algebra would keep every core busy just when a live drive should begin.
    """
    n = held.shape[0]
    free = (held == 0).astype(np.float64)
    rest: list[float] = np.where(held == 0, -slope, held * USABLE_M).tolist()
    diagonal: list[float] = np.where(held == 0, 6.0, 1.0).tolist()
    above: list[float] = [*(near * free[:-1]).tolist(), 0.0]
    above2: list[float] = [*(far * free[:-2]).tolist(), 0.0, 0.0]
    below: list[float] = [*(near * free[1:]).tolist(), 0.0]
    below2: list[float] = [*(far * free[2:]).tolist(), 0.0, 0.0]
    for i in range(n - 1):
        ratio = below[i] / diagonal[i]
        diagonal[i + 1] -= ratio * above[i]
        above[i + 1] -= ratio * above2[i]
        rest[i + 1] -= ratio * rest[i]
        if i + 2 < n:
            ratio = below2[i] / diagonal[i]
            below[i + 1] -= ratio * above[i]
            diagonal[i + 2] -= ratio * above2[i]
            rest[i + 2] -= ratio * rest[i]
    offset = [0.0] * (n + 2)
    for i in range(n - 1, -1, -1):
        offset[i] = (rest[i] - above[i] * offset[i + 1] - above2[i] * offset[i + 2]) / diagonal[i]
    return np.array(offset[:n])
