"""A plan in, its speed out: the fastest way through it that the car's limits and the driver's margins allow.

Law: a backward pass finds how fast each station may be reached so that every corner behind it can still be braked for;
a forward pass drives it, through the gears, never above that.  Both obey the friction circle at every station:
`(a_long / limit)^2 + (a_lat / limit)^2 <= 1`.  A last pass rounds what no foot can do at once.

The two passes are plain loops over stations (about 4,000 a lap): each speed depends on the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator.car import (
    BRAKE_LIMIT,
    DRAG_N,
    DRIVE_LIMIT,
    GRIP,
    RATIOS,
    ROLLING,
    SPEED_STEP_MPS,
    overrun_n,
    speed_at,
    thrust_n,
)
from pitwall.bus.simulator.driver import MARGIN, Plan
from pitwall.bus.simulator.line import Path
from pitwall.bus.simulator.track import GRAVITY, Float64, circuit

SMOOTHING: Final = 9  # stations that a pedal takes to be pressed; twice applied
DOWNSHIFT: Final = 0.82  # of the upshift's engine speed: what the lower gear may turn at after a downshift
DOWNSHIFT_S: Final = 0.28


@dataclass(frozen=True)
class Box:
    """The gearbox as a lap ends: what the next one goes on with."""

    gear: int = 1
    previous: int = 1
    shift_left_s: float = 0.0
    shift_s: float = 0.22


@dataclass(frozen=True, eq=False)
class Driven:
    """Squared speed and gearbox at every station (n,).  ratio runs from the old gear's to the new one's in a shift."""

    squared: Float64
    gear: npt.NDArray[np.int64]
    ratio: Float64
    clutch: npt.NDArray[np.bool_]


def reachable(plan: Plan, path: Path, *, stop: int | None) -> Float64:
    """The backward pass: the squared speed (n,) that no station may exceed.  stop: the station where the car halts."""
    index = plan.station % circuit().stations
    crest, grade = circuit().crest[index], circuit().grade[index]
    bend = np.abs(path.kappa)
    grip = GRIP * plan.grip
    # v^2 kappa = grip (g + v^2 crest), solved for v^2
    room = bend - grip * crest
    cornering = np.where(room > 1e-6, grip * GRAVITY / np.maximum(room, 1e-6), np.inf)
    limit = np.minimum(cornering, plan.cap_mps**2)
    if stop is not None:
        limit[stop:] = 0.0
    braking = (grip * plan.brake * BRAKE_LIMIT).tolist()
    helped = (GRAVITY * (ROLLING + grade)).tolist()
    air = (DRAG_N / plan.mass_kg).tolist()
    bends, crests, grips, steps = bend.tolist(), crest.tolist(), grip.tolist(), path.step_m.tolist()
    squared: list[float] = limit.tolist()
    v2 = squared[-1]
    for i in range(len(squared) - 2, -1, -1):
        weight = GRAVITY + v2 * crests[i]
        share = v2 * bends[i] / (grips[i] * weight)
        spare = 1.0 - share * share
        tyres = braking[i] * weight * sqrt(spare) if spare > 0.0 else 0.0
        v2 += 2.0 * steps[i] * (tyres + helped[i] + air[i] * v2)
        v2 = squared[i] = min(v2, squared[i])
    return np.array(squared)


def driven(plan: Plan, path: Path, reach: Float64, first: int, last: int, v2: float, box: Box) -> tuple[Driven, Box]:
    """The forward pass over stations `first` to `last` (counted within the plan), from the squared speed `v2`.

    Returns the drive (last - first + 1 stations) and the gearbox as it was at the last of them.
    """
    index = plan.station % circuit().stations
    crests, uphill = circuit().crest[index].tolist(), (GRAVITY * (ROLLING + circuit().grade[index])).tolist()
    bends, steps, limits = np.abs(path.kappa).tolist(), path.step_m.tolist(), reach.tolist()
    grips = (GRIP * plan.grip).tolist()
    traction = (GRIP * plan.grip * plan.drive * DRIVE_LIMIT).tolist()
    throttle, hold, masses = plan.throttle.tolist(), plan.hold.tolist(), plan.mass_kg.tolist()
    shift_rpm, shift_s = plan.shift_rpm.tolist(), plan.shift_s.tolist()
    thrust, overrun = thrust_n(), overrun_n()
    pace = [0.0, *(speed_at(1.0, gear) for gear in range(1, 7))]  # m/s per rpm, of each gear
    gear, previous, left, lasts = box.gear, box.previous, box.shift_left_s, box.shift_s
    squared, boxes = [v2], [(gear, previous, left, lasts)]
    for i in range(first, last):
        v = sqrt(v2)
        step = steps[i]
        if left > 0.0:
            force = 0.0
            left -= step / max(v, 1.0)
        else:
            weight = GRAVITY + v2 * crests[i]
            share = v2 * bends[i] / (grips[i] * weight)
            spare = 1.0 - share * share
            cell = int(v / SPEED_STEP_MPS)
            closed = -overrun[gear - 1][cell]
            force = closed + (thrust[gear - 1][cell] - closed) * throttle[i]
            force = min(force, masses[i] * traction[i] * weight * (sqrt(spare) if spare > 0.0 else 0.0))
        gain = (force - DRAG_N * v2) / masses[i] - uphill[i]
        if hold[i] and gain > 0.0:
            gain = 0.0
        faster = max(0.0, v2 + 2.0 * step * gain)
        slowed = faster > limits[i + 1]
        v2 = limits[i + 1] if slowed else faster
        if left <= 0.0:
            if gear < 6 and not slowed and v > shift_rpm[i] * pace[gear]:
                previous, gear, left, lasts = gear, gear + 1, shift_s[i], shift_s[i]
            elif gear > 2 and v < DOWNSHIFT * shift_rpm[i] * pace[gear - 1] and (slowed or gain <= 0.0):
                previous, gear, left, lasts = gear, gear - 1, DOWNSHIFT_S, DOWNSHIFT_S
        squared.append(v2)
        boxes.append((gear, previous, left, lasts))
    return _driven(squared, boxes), Box(gear, previous, left, lasts)


def smoothed(squared: Float64) -> Float64:
    """Squared speeds (n,) with their acceleration's corners rounded; `MARGIN` stations at either end are spoilt."""
    kernel = np.full(SMOOTHING, 1 / SMOOTHING)
    kernel = np.convolve(kernel, kernel)
    assert kernel.shape[0] // 2 < MARGIN
    return np.convolve(squared, kernel, mode="same")


def _driven(squared: list[float], boxes: list[tuple[int, int, float, float]]) -> Driven:
    gear, previous, left, lasts = np.array(boxes).T
    ratios, to, back = np.array(RATIOS), gear.astype(np.int64), previous.astype(np.int64)
    done = 1.0 - np.maximum(0.0, left) / lasts
    return Driven(np.array(squared), to, ratios[back - 1] * (1.0 - done) + ratios[to - 1] * done, left > 0.0)
