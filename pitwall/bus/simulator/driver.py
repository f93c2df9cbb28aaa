"""What a driver means to do, station by station: a seed and a lap's number in, a `Plan` out.

Law: a plan depends on the seed and on its own lap alone (not on other laps, nor on mistakes planted elsewhere), so that
a lap driven again without a mistake is the same lap but for it.  Between laps it is continuous: nothing varies at the
start line, where the car goes straight and flat out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator.car import DRY_MASS_KG, FUEL_KG_PER_L
from pitwall.bus.simulator.line import ideal_offsets
from pitwall.bus.simulator.track import PIT_BOX_M, Float64, circuit

MARGIN: Final = 24  # stations beyond either end of what is driven, for smoothing and curvature
PIT_OFFSET_M: Final = 16.0
PIT_EXIT_M: Final = (110.0, 210.0)  # after the start line: from the lane back to the racing line
PIT_ENTRY_M: Final = (300.0, 215.0)  # before the start line
PIT_SPEED_MPS: Final = 60 / 3.6
FUEL_FULL_L: Final = 60.0
FUEL_A_LAP_L: Final = 1.25  # what the driver's plan reckons with; the sensors' fuel is burnt by the engine
CORNER_REACH_M: Final = 25.0  # how far around an apex the line differs from lap to lap
LAP_STREAM: Final = 1  # keys of the random streams that a seed splits into
SIZE_STREAM: Final = 2


class Kind(Enum):
    """What kind of lap it is, in racers' words."""

    OUT = "out"
    FLYING = "flying"
    IN = "in"


@dataclass(frozen=True)
class Lap:
    """A lap of the drive.  number: 0 is the first out lap.  of_stint: laps since the car left the pits (out lap: 0)."""

    number: int
    kind: Kind
    of_stint: int
    standing_s: float = 0.0  # how long the car stands in its box before an out lap


@dataclass(frozen=True, eq=False)
class Plan:
    """What the driver means to do at each of `m` stations; every field is an array (m,).

    station: counted from the start line where the lap begins, negative before it.  offset_m: to the right of the
    centreline.  grip, brake, drive: fractions of the friction circle, and of its limits for braking and driving, that
    the driver dares to use.  cap_mps: no faster than this.  throttle: no more than this fraction (0: both feet off).
    hold: True where no speed is picked up.  shift_rpm, shift_s: when an upshift is made, and how long it takes.
    mass_kg: the car with its fuel.
    """

    station: npt.NDArray[np.int64]
    offset_m: Float64
    grip: Float64
    brake: Float64
    drive: Float64
    cap_mps: Float64
    throttle: Float64
    hold: npt.NDArray[np.bool_]
    shift_rpm: Float64
    shift_s: Float64
    mass_kg: Float64

    def __len__(self) -> int:
        return int(self.station.shape[0])

    def part(self, first: int, last: int | None = None) -> Plan:
        """The stations `first <= i < last` of the plan."""
        return Plan(*(getattr(self, field.name)[first:last] for field in fields(self)))

    def moved(self, stations: int) -> Plan:
        """The same plan, counted from a start line `stations` earlier."""
        return replace(self, station=self.station + stations)


def joined(parts: list[Plan]) -> Plan:
    """Plans one behind the other, as one."""
    return Plan(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Plan)))


def distance_m(station: npt.NDArray[np.int64]) -> Float64:
    """Where stations lie along the centreline, from the start line where their lap begins."""
    track = circuit()
    return track.s_m[station % track.stations] + (station // track.stations) * track.length_m


def nominal(lap: Lap) -> Plan:
    """The lap without any variation: the ideal line, with the usual margins of its kind."""
    track = circuit()
    first, last = 0, track.stations
    if lap.kind is Kind.OUT:
        first = track.station(-PIT_BOX_M) - track.stations - MARGIN
    if lap.kind is Kind.IN:
        last = track.station(-PIT_BOX_M) + MARGIN
    station = np.arange(first, last)
    m = station.shape
    usage, throttle, shift_rpm = {
        Kind.OUT: (0.85, 0.85, 6400.0),
        Kind.FLYING: (0.965, 1.0, 7700.0),
        Kind.IN: (0.78, 0.55, 5800.0),
    }[lap.kind]
    plan = Plan(
        station=station,
        offset_m=ideal_offsets()[station % track.stations],
        grip=np.full(m, usage * _tyres(lap.of_stint)),
        brake=np.full(m, 0.95),
        drive=np.full(m, 0.95),
        cap_mps=np.full(m, 80.0),
        throttle=np.full(m, throttle),
        hold=np.zeros(m, np.bool_),
        shift_rpm=np.full(m, shift_rpm),
        shift_s=np.full(m, 0.22),
        mass_kg=np.full(m, DRY_MASS_KG + FUEL_KG_PER_L * max(5.0, FUEL_FULL_L - FUEL_A_LAP_L * lap.of_stint)),
    )
    return plan if lap.kind is Kind.FLYING else _through_pits(plan, lap.kind)


def driven(seed: int, lap: Lap) -> Plan:
    """The lap as this driver drives it: some laps are better than others, and so is each corner of a lap."""
    rng = np.random.default_rng([seed, LAP_STREAM, lap.number])
    corners = len(circuit().corners)
    mood = rng.normal(0.0, 0.006)
    grip, brake, drive, aim = rng.normal(0.0, 1.0, (4, corners)).clip(-2.5, 2.5)
    plan = nominal(lap)
    s = distance_m(plan.station)
    apex = np.array([corner.apex_m for corner in circuit().corners])
    bumps = np.exp(-0.5 * ((s[:, None] - apex) / CORNER_REACH_M) ** 2)
    return replace(
        plan,
        offset_m=plan.offset_m + bumps @ (aim * 0.16),
        grip=plan.grip * (1 + mood + np.interp(s, apex, grip * 0.010)),
        brake=plan.brake * (1 + np.interp(s, apex, brake * 0.025)),
        drive=plan.drive * (1 + np.interp(s, apex, drive * 0.025)),
        shift_rpm=plan.shift_rpm + rng.normal(0.0, 60.0),
    )


def mistake_size(seed: int, lap: Lap, what: str) -> float:
    """How big the driver makes a planted mistake (`what` names it) on this lap: about 1."""
    key = [seed, SIZE_STREAM, lap.number, crc32(what.encode())]
    return min(1.2, max(0.8, np.random.default_rng(key).normal(1.0, 0.1)))


def _tyres(of_stint: int) -> float:
    """Grip left in the tyres: cold at first, best on the second flying lap, then slowly going off."""
    return (0.94, 0.985)[of_stint] if of_stint < 2 else max(0.96, 1.0 - 0.0006 * (of_stint - 2))


def _through_pits(plan: Plan, kind: Kind) -> Plan:
    s = distance_m(plan.station)
    begin, end = PIT_EXIT_M
    if kind is Kind.IN:
        s = circuit().length_m - s
        end, begin = PIT_ENTRY_M
    inside = s < begin + (end - begin) * 0.35
    away = np.clip((s - begin) / (end - begin), 0.0, 1.0)
    share = away**3 * (10 - 15 * away + 6 * away**2)  # smooth to the second derivative
    return replace(
        plan,
        offset_m=PIT_OFFSET_M + (plan.offset_m - PIT_OFFSET_M) * share,
        cap_mps=np.where(inside, PIT_SPEED_MPS, plan.cap_mps),
        throttle=np.where(inside, 0.35, plan.throttle),
        shift_rpm=np.where(inside, 3600.0, plan.shift_rpm),
    )
