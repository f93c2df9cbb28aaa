"""What changes slowly in a car: a lap's motion in, temperatures and fuel along it out.

Law: every temperature lags what heats it (friction, the engine's power) and what cools it, each with a time constant
of its own; fuel is what the engine's work needs.  The state at a lap's end is the next one's start.  Constants are
chosen so that an M3 on a mild day reaches what such cars show: tyres 60 to 75 C inside, front discs some 350 C, oil
110 C.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.bus.simulator import car
from pitwall.bus.simulator.driver import FUEL_FULL_L, Kind
from pitwall.bus.simulator.lag import lagged
from pitwall.bus.simulator.motion import Instants, Motion
from pitwall.bus.simulator.track import GRAVITY, Float64

STEP_S: Final = 0.2
AMBIENT_C: Final = 19.0
WHEELS: Final = ("fl", "fr", "rl", "rr")
OUTER: Final = np.array([1.0, -1.0, 1.0, -1.0])  # a right turn leans on the left wheels
BRAKE_SHARE: Final = np.array([0.33, 0.33, 0.17, 0.17])
TAU_DISC_S: Final = 24.0
TAU_TYRE_S: Final = 130.0
TAU_WATER_S: Final = 70.0
TAU_OIL_S: Final = 110.0
TAU_SUMP_S: Final = 190.0
IDLE_L_PER_S: Final = 0.00045
L_PER_J: Final = 0.275 / 3.6e6 / 0.745  # 275 g/kWh
FUEL_RESERVE_L: Final = 4.0


@dataclass(frozen=True, eq=False)
class Slow:
    """At `STEP_S` along a lap, (n, ...) each: t_s; disc_c and tyre_c (n, 4) in the order of `WHEELS`; the rest (n,)."""

    t_s: Float64
    disc_c: Float64
    tyre_c: Float64
    water_c: Float64
    oil_c: Float64
    sump_c: Float64
    fuel_l: Float64

    def at(self, column: Float64, t_s: Float64) -> Float64:
        """A column (n,) at instants of the lap."""
        return np.interp(t_s, self.t_s, column)


COLD: Final = Slow(
    t_s=np.zeros(1),
    disc_c=np.full((1, 4), 60.0),
    tyre_c=np.full((1, 4), 28.0),
    water_c=np.full(1, 79.0),
    oil_c=np.full(1, 74.0),
    sump_c=np.full(1, 70.0),
    fuel_l=np.full(1, FUEL_FULL_L),
)
"""As the car stands in its box, warmed up, before its first lap."""


def along(motion: Motion, before: Slow) -> Slow:
    """The slow quantities along the lap, going on from where `before` ended."""
    t = np.arange(0.0, motion.duration_s + STEP_S, STEP_S)
    now = Instants(motion, np.minimum(t, motion.duration_s))
    v, accel = now.of(motion.speed_mps), now.of(motion.accel_mps2)
    lateral_g = v**2 * now.of(motion.kappa) / GRAVITY
    total_g = np.hypot(accel / GRAVITY, lateral_g)
    force = motion.mass_kg * (accel + car.resistance_mps2(v, now.of(motion.grade), motion.mass_kg))
    power = np.maximum(force * v, 0.0) / car.DRIVELINE
    load = power / 250e3

    braking = (now.of(motion.brake_n) * v)[:, None] * BRAKE_SHARE
    disc = _lag(AMBIENT_C + 0.0125 * braking, TAU_DISC_S, before.disc_c[-1])
    rubbing = (v * total_g)[:, None] * np.maximum(0.15, 1 + 0.55 * lateral_g[:, None] * OUTER)
    tyre = _lag(AMBIENT_C + 11.0 + 1.35 * rubbing + 0.03 * (disc - AMBIENT_C), TAU_TYRE_S, before.tyre_c[-1])
    water = _lag(83.0 + 11.0 * load - 1.5 * np.minimum(v / 40, 1), TAU_WATER_S, before.water_c[-1])
    oil = _lag(86.0 + 46.0 * load - 3.0 * np.minimum(v / 40, 1), TAU_OIL_S, before.oil_c[-1])
    sump = _lag(oil - 3.0, TAU_SUMP_S, before.sump_c[-1])
    full = FUEL_FULL_L if motion.lap.kind is Kind.OUT else float(before.fuel_l[-1])
    burnt = np.cumsum((IDLE_L_PER_S + power * L_PER_J) * STEP_S)
    return Slow(t, disc, tyre, water, oil, sump, np.maximum(full - burnt, FUEL_RESERVE_L))


def _lag(target: Float64, tau_s: float, before: Float64) -> Float64:
    decay = float(np.exp(-STEP_S / tau_s))
    columns = target.reshape(target.shape[0], -1)
    return lagged((1 - decay) * columns, decay, np.atleast_1d(before)).reshape(target.shape)
