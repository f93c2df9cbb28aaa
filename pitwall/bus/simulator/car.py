"""What the car can do: forces, limits and gears of a 2003 BMW M3 (E46, S54) on track tyres.

Law: figures in, figures out; nothing here knows of a track or a driver.  Gearbox ratios, final drive and tyre
circumference are those measured on the car (the project's facts of the AiM stream); torque and power follow the maker's
365 Nm at 4,900 rpm and 252 kW at 7,900 rpm; the rest (drag, grip, brakes) is what such cars are known to reach.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator.track import GRAVITY, Float64

RATIOS: Final = (4.227, 2.528, 1.669, 1.226, 1.000, 0.828)
FINAL_DRIVE: Final = 3.62
CIRCUMFERENCE_M: Final = 1.998

TORQUE_RPM: Final = (0, 1000, 2000, 3000, 4000, 4900, 6000, 7000, 7900, 8000, 8100, 9500)
TORQUE_NM: Final = (180, 230, 285, 318, 346, 365, 356, 335, 305, 298, 0, 0)  # 252 kW at 7,900, then the limiter
DRIVELINE: Final = 0.88  # of the engine's torque reaches the wheels
IDLE_RPM: Final = 880.0
LAUNCH_RPM: Final = 2200.0  # what the clutch slips at, below it
ENGINE_BRAKE_NM: Final = (18.0, 0.0065)  # closed throttle: a constant, and so much more per rpm

DRY_MASS_KG: Final = 1570.0  # with the driver
FUEL_KG_PER_L: Final = 0.745
DRAG_N: Final = 0.5 * 1.19 * 0.70  # times v squared: air's density, and drag coefficient times front area
ROLLING: Final = 0.013

GRIP: Final = 1.14  # of the weight: the radius of the friction circle
BRAKE_LIMIT: Final = 0.93  # of the circle that braking alone can use: balance, bumps, a cautious foot
DRIVE_LIMIT: Final = 0.62  # of the circle that two driven wheels can use
BRAKE_PSI_PER_G: Final = 920.0

WHEELBASE_M: Final = 2.731
TRACK_WIDTH_M: Final = 1.51
STEERING_RATIO: Final = 15.4
UNDERSTEER_DEG_PER_G: Final = 1.6  # of road wheel angle
ROLL_DEG_PER_G: Final = 2.1
PITCH_DEG_PER_G: Final = 1.1

SPEED_STEP_MPS: Final = 0.1
TOP_SPEED_MPS: Final = 90.0


def engine_rpm(speed_mps: Float64, ratio: Float64) -> Float64:
    """Engine speed with the clutch closed, at a total gearbox ratio without the final drive."""
    return speed_mps / CIRCUMFERENCE_M * 60.0 * ratio * FINAL_DRIVE


def speed_at(rpm: float, gear: int) -> float:
    """The speed in m/s at which `gear` (1 to 6) turns the engine at `rpm`."""
    return rpm / 60.0 * CIRCUMFERENCE_M / (RATIOS[gear - 1] * FINAL_DRIVE)


@cache
def thrust_n() -> list[list[float]]:
    """Full throttle at the wheels, in newtons: of each gear (index 0 is first), at multiples of `SPEED_STEP_MPS`."""
    torque = np.interp(_clutch_rpm(), TORQUE_RPM, TORQUE_NM)
    rows: list[list[float]] = (torque * _leverage() * DRIVELINE).tolist()
    return rows


@cache
def overrun_n() -> list[list[float]]:
    """The engine's drag at the wheels with the throttle closed, in newtons, laid out as `thrust_n`."""
    rpm = _clutch_rpm()
    torque = np.where(rpm > LAUNCH_RPM, ENGINE_BRAKE_NM[0] + ENGINE_BRAKE_NM[1] * rpm, 0.0)
    rows: list[list[float]] = (torque * _leverage()).tolist()
    return rows


def pedals(
    force_n: Float64, speed_mps: Float64, gear: npt.NDArray[np.int64], clutch: npt.NDArray[np.bool_]
) -> tuple[Float64, Float64]:
    """What the driver's feet do for a force at the wheels: throttle (0 to 1), and the brakes' force in newtons.

    force_n, speed_mps, gear (1 to 6), clutch (True while it is open): (n,).
    """
    index = np.minimum((speed_mps / SPEED_STEP_MPS).astype(np.int64), len(thrust_n()[0]) - 1)
    most = np.asarray(thrust_n())[gear - 1, index]
    least = -np.asarray(overrun_n())[gear - 1, index]
    throttle = np.clip((force_n - least) / np.maximum(most - least, 1.0), 0.0, 1.0)
    brake = np.maximum(np.where(clutch, 0.0, least) - force_n, 0.0)
    return np.where(clutch, 0.0, throttle), brake


def resistance_mps2(speed_mps: Float64, grade: Float64, mass_kg: float) -> Float64:
    """Deceleration by air, tyres and hill."""
    return DRAG_N * speed_mps**2 / mass_kg + GRAVITY * (ROLLING + grade)


def _clutch_rpm() -> Float64:
    speed = np.arange(0.0, TOP_SPEED_MPS, SPEED_STEP_MPS)
    return np.maximum(engine_rpm(speed, np.array(RATIOS)[:, None]), LAUNCH_RPM)


def _leverage() -> Float64:
    """Newtons at the wheel per newton metre at the engine, of each gear: (6, 1)."""
    return np.array(RATIOS)[:, None] * FINAL_DRIVE / (CIRCUMFERENCE_M / (2 * np.pi))
