"""A lap as it was really driven: plans in, the car's continuous motion out.  This is the truth that all else follows.

Law: between two stations the acceleration is constant, so that where the car is at any instant, and when it crosses any
station, is exact.  Laps join without a gap: speed, gear and line at a lap's end are those at the next one's start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator import car
from pitwall.bus.simulator.driver import MARGIN, Lap, Plan, joined
from pitwall.bus.simulator.line import Path, path
from pitwall.bus.simulator.speed import Box, Driven, driven, reachable, smoothed
from pitwall.bus.simulator.track import Float64, circuit

SECOND_NS: Final = 1_000_000_000
LAUNCH_S: Final = 0.3
AHEAD: Final = 900  # stations of the next lap that a driver's braking may depend on: three corners


@dataclass(frozen=True, eq=False)
class Motion:
    """One lap at its knots (k,): the stations that it passes, and before an out lap the start of its standing.

    t_s: since the lap began.  station: counted from the start line.  distance_m: driven along the car's own path.
    kappa: 1/m, right positive.  accel_mps2: along the path.  ratio: the gearbox's, changing through a shift while
    `clutch` is True.  throttle: 0 to 1.  brake_n: force of all brakes.
    """

    lap: Lap
    t_s: Float64
    station: npt.NDArray[np.int64]
    distance_m: Float64
    x_m: Float64
    y_m: Float64
    kappa: Float64
    speed_mps: Float64
    accel_mps2: Float64
    grade: Float64
    crest: Float64
    gear: npt.NDArray[np.int64]
    ratio: Float64
    clutch: npt.NDArray[np.bool_]
    throttle: Float64
    brake_n: Float64
    mass_kg: float

    @property
    def duration_s(self) -> float:
        return float(self.t_s[-1])

    def crossing_s(self, station: int) -> float | None:
        """When the car passes `station`, counted from the start line where the lap begins; None where it does not."""
        (at,) = np.nonzero(self.station == station)
        return float(self.t_s[at[-1]]) if at.shape[0] else None


@dataclass(frozen=True, eq=False)
class Carry:
    """What the end of a lap hands to the next: its last stations as planned and driven, and the gearbox."""

    plan: Plan
    squared: Float64
    box: Box


def drive(lap: Lap, plan: Plan, following: Plan | None, before: Carry | None) -> tuple[Motion, Carry]:
    """Drive `plan`.  following: the next lap's plan, None for an in lap.  before: None for an out lap."""
    stations = circuit().stations
    parts = [plan] if before is None else [before.plan.moved(-stations), plan]
    if following is not None:
        parts.append(following.part(0, AHEAD).moved(stations))
    whole = joined(parts)
    first = MARGIN
    last = first + len(plan) - (0 if before is not None else MARGIN) - (0 if following is not None else MARGIN)
    line = path(circuit(), whole.station, whole.offset_m)
    reach = reachable(whole, line, stop=last if following is None else None)

    # a standing start and a halt: speeds beyond them are mirrored, so that smoothing leaves them at nought
    v2, box = (0.0, Box()) if before is None else (float(before.squared[-1]), before.box)
    lap_drive, box = driven(whole, line, reach, first, last, v2, box)
    squared = lap_drive.squared
    head = -squared[MARGIN:0:-1] if before is None else before.squared[:-1]
    if following is None:
        tail = -squared[-2 : -MARGIN - 2 : -1]
    else:
        tail = driven(whole, line, reach, last, last + MARGIN, float(squared[-1]), box)[0].squared[1:]
    rounded = np.maximum(smoothed(np.concatenate([head, squared, tail])), 0.0)
    if before is None:
        rounded[first] = 0.0
    if following is None:
        rounded[last] = 0.0
    carry = Carry(whole.part(last - MARGIN, last), squared[-MARGIN - 1 :], box)
    return _motion(lap, whole, line, lap_drive, rounded, slice(first, last + 1)), carry


def _motion(lap: Lap, plan: Plan, line: Path, drive: Driven, squared: Float64, here: slice) -> Motion:
    """The knots of the stations `here` of the plan, and of the standing before them."""
    first, last = here.start, here.stop - 1
    speed = np.sqrt(squared[here])
    step = line.step_m[first:last]
    cells = np.diff(squared[first - 1 : last + 2]) / (2 * line.step_m[first - 1 : last + 1])
    accel = (cells[1:] + cells[:-1]) / 2
    station = plan.station[here]
    grade = circuit().grade[station % circuit().stations]
    mass = float(plan.mass_kg[first])
    force = mass * (accel + car.resistance_mps2(speed, grade, mass))
    throttle, brake = car.pedals(force, speed, drive.gear, drive.clutch)
    knots = Motion(
        lap=lap,
        t_s=np.concatenate([[0.0], np.cumsum(2 * step / (speed[1:] + speed[:-1]))]),
        station=station,
        distance_m=np.concatenate([[0.0], np.cumsum(step)]),
        x_m=line.x_m[here],
        y_m=line.y_m[here],
        kappa=line.kappa[here],
        speed_mps=speed,
        accel_mps2=accel,
        grade=grade,
        crest=circuit().crest[station % circuit().stations],
        gear=drive.gear,
        ratio=drive.ratio,
        clutch=drive.clutch,
        throttle=throttle,
        brake_n=brake,
        mass_kg=mass,
    )
    return knots if lap.standing_s <= 0.0 else _after_standing(knots, lap.standing_s)


def _after_standing(knots: Motion, standing_s: float) -> Motion:
    """The same motion behind `standing_s` in neutral; the throttle is pressed in the last `LAUNCH_S` of it."""
    columns: dict[str, Any] = {
        field.name: np.concatenate([value[:1], value[:1], value])
        for field in fields(knots)
        if isinstance(value := getattr(knots, field.name), np.ndarray)
    }
    still = replace(knots, **columns)
    still.t_s[1:] += standing_s
    still.t_s[1] -= LAUNCH_S
    for name in ("accel_mps2", "throttle", "brake_n"):
        getattr(still, name)[:2] = 0.0
    still.clutch[:2] = True
    return still


def standing(after: Motion, standing_s: float) -> Motion:
    """The car standing where `after` ended, in neutral, feet off; a motion of no lap (number -1)."""
    columns: dict[str, Any] = {
        field.name: value[[-1, -1]]
        for field in fields(after)
        if isinstance(value := getattr(after, field.name), np.ndarray)
    }
    for name in ("distance_m", "speed_mps", "accel_mps2", "throttle", "brake_n"):
        columns[name] = np.zeros(2)
    columns |= {"t_s": np.array([0.0, standing_s]), "clutch": np.ones(2, np.bool_)}
    return replace(after, lap=replace(after.lap, number=-1), **columns)


@dataclass(frozen=True, eq=False)
class Instants:
    """The motion at any instants (n,) of its lap; columns of knots are read with `of`."""

    motion: Motion
    t_s: Float64

    @cached_property
    def cell(self) -> npt.NDArray[np.int64]:
        last = self.motion.t_s.shape[0] - 2
        return np.clip(np.searchsorted(self.motion.t_s, self.t_s, side="right") - 1, 0, last)

    @cached_property
    def elapsed(self) -> Float64:
        """The fraction of the cell's time that has passed."""
        begin = self.motion.t_s[self.cell]
        return np.clip((self.t_s - begin) / (self.motion.t_s[self.cell + 1] - begin), 0.0, 1.0)

    @cached_property
    def covered(self) -> Float64:
        """The fraction of the cell's length that has been covered, at constant acceleration."""
        v0, v1 = self.motion.speed_mps[self.cell], self.motion.speed_mps[self.cell + 1]
        whole = np.maximum(v0 + v1, 1e-9)
        return self.elapsed * (2 * v0 + (v1 - v0) * self.elapsed) / whole

    def of(self, column: Float64) -> Float64:
        """A column of knots (k,), linear in time: (n,)."""
        return column[self.cell] + (column[self.cell + 1] - column[self.cell]) * self.elapsed

    def along(self, column: Float64) -> Float64:
        """A column of knots (k,), linear in distance: positions."""
        return column[self.cell] + (column[self.cell + 1] - column[self.cell]) * self.covered
