"""What the sensors make of the truth: instants of a lap in, the stream's engineering values out.

Law: each signal is a function of the true motion, plus noise of a stated size.  Signs are the stream's: roll, yaw,
lateral and steering positive to the right, pitch nose up, longitudinal when accelerating.  So are the car's quirks, all
measured on it: vertical reads -0.99 g at rest, yaw reads 4.3 deg/s and longitudinal -0.30 g where nothing moves, and
the gear slot always reads 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from pitwall.bus.simulator import car, slow
from pitwall.bus.simulator.motion import Instants, Motion
from pitwall.bus.simulator.slow import AMBIENT_C, Slow
from pitwall.bus.simulator.track import GRAVITY, Float64

VERTICAL_AT_REST_G: Final = -0.99
YAW_OFFSET_DEGS: Final = 4.3
INLINE_OFFSET_G: Final = -0.30
MPS_PER_MPH: Final = 0.44704
L_PER_GAL: Final = 3.785412
TYRE_COLD_PSI: Final = 27.0
TYRE_COLD_C: Final = 18.0
ATMOSPHERE_PSI: Final = 14.7
LOW_PRESSURE_PSI: Final = 24.0


@dataclass(frozen=True, eq=False)
class Moment:
    """The true car at instants (n,) of a lap; every property is float64 (n,)."""

    motion: Motion
    slow: Slow
    t_s: Float64

    @cached_property
    def now(self) -> Instants:
        return Instants(self.motion, self.t_s)

    @cached_property
    def speed(self) -> Float64:
        return self.now.of(self.motion.speed_mps)

    @cached_property
    def kappa(self) -> Float64:
        return self.now.of(self.motion.kappa)

    @cached_property
    def lateral_g(self) -> Float64:
        return self.speed**2 * self.kappa / GRAVITY

    @cached_property
    def inline_g(self) -> Float64:
        """Specific force along the car: its acceleration, and the hill's share of gravity."""
        return self.now.of(self.motion.accel_mps2) / GRAVITY + self.now.of(self.motion.grade)

    @cached_property
    def throttle(self) -> Float64:
        return self.now.of(self.motion.throttle)

    @cached_property
    def brake_g(self) -> Float64:
        return self.now.of(self.motion.brake_n) / (self.motion.mass_kg * GRAVITY)

    @cached_property
    def position(self) -> tuple[Float64, Float64]:
        return self.now.along(self.motion.x_m), self.now.along(self.motion.y_m)

    @cached_property
    def roll_degs(self) -> Float64:
        lateral_g = self.motion.speed_mps**2 * self.motion.kappa / GRAVITY
        return self.now.of(np.gradient(-car.ROLL_DEG_PER_G * lateral_g, self.motion.t_s))

    @cached_property
    def pitch_degs(self) -> Float64:
        squat = np.gradient(car.PITCH_DEG_PER_G * self.motion.accel_mps2 / GRAVITY, self.motion.t_s)
        return self.now.of(squat) + np.degrees(self.speed * self.now.of(self.motion.crest))

    def wheel_mps(self, wheel: str) -> Float64:
        """Speed of a wheel's rim: its own way round the corner, and its slip under drive and brakes."""
        side = self.kappa * car.TRACK_WIDTH_M / 2 * (1.0 if wheel.endswith("l") else -1.0)
        if wheel.startswith("f"):
            return self.speed * (1 + side + 0.5 * (self.kappa * car.WHEELBASE_M) ** 2 - 0.022 * self.brake_g)
        driving = np.maximum(self.inline_g + self.brake_g, 0.0)
        return self.speed * (1 + side + 0.03 * driving - 0.012 * self.brake_g)

    @cached_property
    def rpm(self) -> Float64:
        rear = (self.wheel_mps("rl") + self.wheel_mps("rr")) / 2
        turning = car.engine_rpm(rear, self.now.of(self.motion.ratio))
        slipping = car.IDLE_RPM + (car.LAUNCH_RPM - car.IDLE_RPM) * np.clip(4 * self.throttle, 0.0, 1.0)
        return np.maximum(turning, slipping)

    def tyre_c(self, wheel: str) -> Float64:
        return self.slow.at(self.slow.tyre_c[:, slow.WHEELS.index(wheel)], self.t_s)

    def tyre_psi(self, wheel: str) -> Float64:
        warm = (self.tyre_c(wheel) + 273.15) / (TYRE_COLD_C + 273.15)
        return (TYRE_COLD_PSI + ATMOSPHERE_PSI) * warm - ATMOSPHERE_PSI

    def of(self, column: Float64) -> Float64:
        """A slow column (n,) of the lap."""
        return self.slow.at(column, self.t_s)


@dataclass(frozen=True)
class Sensor:
    """How a signal is read.  noise: standard deviation at rest; shake: what is added to it at 40 m/s and above."""

    read: Callable[[Moment], Float64]
    noise: float = 0.0
    shake: float = 0.0


def _fahrenheit(celsius: Float64) -> Float64:
    return celsius * 1.8 + 32.0


def _zero(moment: Moment) -> Float64:
    return np.zeros_like(moment.t_s)


def _oil_psi(m: Moment) -> Float64:
    thick = 1 + 0.004 * (100.0 - m.of(m.slow.oil_c))
    return (9.0 + 66.0 * (1 - np.exp(-m.rpm / 2600.0))) * thick - 4.0 * np.abs(m.lateral_g)


def _vertical(m: Moment) -> Float64:
    return VERTICAL_AT_REST_G * (1 + m.speed**2 * m.now.of(m.motion.crest) / GRAVITY)


def _steering(m: Moment) -> Float64:
    turn = np.degrees(np.arctan(car.WHEELBASE_M * m.kappa))
    return car.STEERING_RATIO * (turn + car.UNDERSTEER_DEG_PER_G * m.lateral_g)


def _of_wheel(wheel: str) -> dict[str, Sensor]:
    return {
        f"wheel_speed_{wheel}_mph": Sensor(lambda m: m.wheel_mps(wheel) / MPS_PER_MPH, 0.0, 0.08),
        f"tpms_press_{wheel}_psi": Sensor(lambda m: m.tyre_psi(wheel), 0.05),
        f"tpms_temp_{wheel}_f": Sensor(lambda m: _fahrenheit(m.tyre_c(wheel)), 0.1),
        f"tpms_volt_{wheel}_mv": Sensor(lambda m: 2950.0 + _zero(m), 4.0),
        f"tpms_alm_{wheel}": Sensor(lambda m: (m.tyre_psi(wheel) < LOW_PRESSURE_PSI).astype(np.float64)),
    }


SENSORS: Final[dict[str, Sensor]] = {
    "rpm": Sensor(lambda m: m.rpm, 6.0, 4.0),
    "speed_mph": Sensor(lambda m: m.speed / MPS_PER_MPH, 0.0, 0.06),
    "gear": Sensor(_zero),
    "water_temp_f": Sensor(lambda m: _fahrenheit(m.of(m.slow.water_c)), 0.05),
    "water_press_psi": Sensor(lambda m: 13.0 * np.clip((m.of(m.slow.water_c) - 65) / 30, 0, 1.2) + m.rpm / 2500, 0.08),
    "roll_rate_degs": Sensor(lambda m: m.roll_degs, 0.08, 0.7),
    "oil_temp_f": Sensor(lambda m: _fahrenheit(m.of(m.slow.oil_c)), 0.05),
    "oil_press_psi": Sensor(_oil_psi, 0.3, 0.4),
    "brake_press_psi": Sensor(lambda m: car.BRAKE_PSI_PER_G * m.brake_g, 0.5, 1.0),
    "throttle_pos_pct": Sensor(lambda m: 99.7 * m.throttle, 0.03, 0.03),
    "brake_switch": Sensor(lambda m: (m.brake_g > 0.01).astype(np.float64)),
    "pitch_rate_degs": Sensor(lambda m: m.pitch_degs, 0.08, 0.6),
    "steer_angle_deg": Sensor(_steering, 0.1, 0.4),
    "yaw_rate_degs": Sensor(lambda m: np.degrees(m.speed * m.kappa) + YAW_OFFSET_DEGS, 0.08, 0.25),
    "lateral_accel_g": Sensor(lambda m: m.lateral_g, 0.004, 0.018),
    "inline_accel_g": Sensor(lambda m: m.inline_g + INLINE_OFFSET_G, 0.004, 0.018),
    "fuel_level_gal": Sensor(lambda m: m.of(m.slow.fuel_l) / L_PER_GAL + 0.12 * m.lateral_g, 0.01, 0.03),
    "battery_volt": Sensor(lambda m: 13.7 + 0.25 * np.minimum(m.rpm / 3000, 1.0), 0.03),
    "vertical_accel_g": Sensor(_vertical, 0.004, 0.03),
    "ecu_speed_mph": Sensor(lambda m: np.floor(m.wheel_mps("rl") * 3.6) / 3.6 / MPS_PER_MPH),  # whole km/h
    "ambient_temp_f": Sensor(lambda m: _fahrenheit(AMBIENT_C + 0.5 * np.exp(-m.speed / 10)), 0.05),
    "engine_oil_temp_f": Sensor(lambda m: _fahrenheit(m.of(m.slow.sump_c)), 0.05),
    "dsc_reg": Sensor(lambda m: (np.hypot(m.lateral_g, m.inline_g) > car.GRIP).astype(np.float64)),
    **_of_wheel("fl"),
    **_of_wheel("fr"),
    **_of_wheel("rl"),
    **_of_wheel("rr"),
}
"""Every signal of the stream but the position, by its name."""


def reading(name: str, moment: Moment, rng: np.random.Generator) -> Float64:
    """The signal `name` as its sensor reads it at each instant."""
    sensor = SENSORS[name]
    value = sensor.read(moment)
    if sensor.noise or sensor.shake:
        size = sensor.noise + sensor.shake * np.minimum(moment.speed / 40.0, 1.0)
        value = value + rng.normal(0.0, 1.0, value.shape) * size
    return value
