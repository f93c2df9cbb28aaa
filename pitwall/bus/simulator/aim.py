"""The AiM SmartyCam stream as data: engineering values in, payloads out.

Law: every message is 8 bytes, little endian, and each field is `value = raw x scale`; a value out of its field's range
stays at the range's end.  Ids, rates, fields and scales are those of the stream as an AiM MXP sends it, as the
project's facts state them; rates of 0x453 to 0x456 are assumed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator.slow import WHEELS
from pitwall.bus.simulator.track import Float64
from pitwall.frames import UInt8


@dataclass(frozen=True)
class Field:
    """One signal of a message, as a numpy type and a scale."""

    name: str
    type: str
    scale: float


@dataclass(frozen=True)
class Message:
    """One id of the stream."""

    id: int
    name: str
    rate_hz: int
    fields: tuple[Field, ...]


def _u(name: str, scale: float) -> Field:
    return Field(name, "<u2", scale)


def _s(name: str, scale: float) -> Field:
    return Field(name, "<i2", scale)


def _wheels(name: str, scale: float) -> tuple[Field, ...]:
    return tuple(_u(name.replace("*", wheel), scale) for wheel in WHEELS)


MESSAGES: Final = (
    Message(0x420, "SmartyCam01", 10, (_u("rpm", 1), _u("speed_mph", 0.1), _u("gear", 1), _u("water_temp_f", 0.1))),
    Message(
        0x421,
        "SmartyCam02",
        50,
        (_u("water_press_psi", 0.1), _s("roll_rate_degs", 0.1), _u("oil_temp_f", 0.1), _u("oil_press_psi", 0.1)),
    ),
    Message(
        0x422,
        "SmartyCam03",
        50,
        (_u("brake_press_psi", 1), _u("throttle_pos_pct", 0.01), _u("brake_switch", 1), _s("pitch_rate_degs", 0.1)),
    ),
    Message(
        0x423,
        "SmartyCam04",
        50,
        (_s("steer_angle_deg", 0.1), _s("yaw_rate_degs", 0.1), _s("lateral_accel_g", 0.01), _s("inline_accel_g", 0.01)),
    ),
    Message(
        0x424, "SmartyCam05", 50, (_u("fuel_level_gal", 0.01), _u("battery_volt", 0.1), _s("vertical_accel_g", 0.01))
    ),
    Message(0x450, "AimExtended01", 10, _wheels("wheel_speed_*_mph", 0.1)),
    Message(
        0x451,
        "AimExtended02",
        10,
        (_u("ecu_speed_mph", 0.1), _u("ambient_temp_f", 0.1), _u("engine_oil_temp_f", 0.1), _u("dsc_reg", 1)),
    ),
    Message(0x452, "AimExtended03", 20, (Field("gps_lat", "<i4", 1e-7), Field("gps_lon", "<i4", 1e-7))),
    Message(0x453, "AimExtended04", 1, _wheels("tpms_press_*_psi", 0.1)),
    Message(0x454, "AimExtended05", 1, _wheels("tpms_temp_*_f", 0.1)),
    Message(0x455, "AimExtended06", 1, _wheels("tpms_volt_*_mv", 1)),
    Message(0x456, "AimExtended07", 1, _wheels("tpms_alm_*", 1)),
)

UNKNOWN: Final = {
    0x425: 20, 0x426: 10, 0x427: 10, 0x428: 10, 0x429: 10, 0x430: 5, 0x431: 5,
    0x440: 5, 0x441: 5, 0x457: 5, 0x458: 2, 0x460: 2, 0x461: 1,
}  # fmt: skip
"""Ids that nobody has documented, with their rates in Hz: 13 of them were heard on the car.  Which ids they are is made
up, and so are their rates: they bring the bus to the 344 frames/s that were counted there."""


def encode(message: Message, values: Mapping[str, Float64]) -> UInt8:
    """Payloads of `message`.  values: every field by its name, float64 (n,), in its unit.  Returns uint8 (n, 8)."""
    n = values[message.fields[0].name].shape[0]
    payload = np.zeros((n, 8), np.uint8)
    at = 0
    for field in message.fields:
        kind = np.dtype(field.type)
        limits = np.iinfo(kind)
        raw = np.rint(np.clip(values[field.name] / field.scale, limits.min, limits.max)).astype(kind)
        payload[:, at : at + kind.itemsize] = raw.view(np.uint8).reshape(n, kind.itemsize)
        at += kind.itemsize
    return payload


def unknown(id: int, tick: npt.NDArray[np.int64], rng: np.random.Generator) -> UInt8:
    """Payloads of an undocumented id, as such look: a counter, something that moves, something that never does."""
    payload = np.empty((tick.shape[0], 8), np.uint8)
    payload[:, 0:2] = (tick & 0xFFFF).astype("<u2").view(np.uint8).reshape(-1, 2)
    payload[:, 2:4] = rng.integers(id, id + 40, tick.shape[0]).astype("<u2").view(np.uint8).reshape(-1, 2)
    payload[:, 4:6] = ((tick // 64 * id) & 0xFFFF).astype("<u2").view(np.uint8).reshape(-1, 2)
    payload[:, 6:8] = (id & 0xFF, id >> 8)
    return payload
