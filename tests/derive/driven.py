"""A simulated drive for tests: its frames, its truth, and the channels that a definition derives from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pitwall.bus.simulator import simulate
from pitwall.car import Car, load
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.frames import Frames, concat

DBC = Path(__file__).parents[2] / "cars" / "bmw-e46-m3" / "aim-mxp.dbc"
FIXES = 0x452

CHANNELS = """
  rear: {from: wheel_speed_rl_mph, unit: m/s}
  front: {from: wheel_speed_fl_mph, unit: m/s}
  speed: {from: speed_mph, unit: km/h}
  yaw_rate: {from: yaw_rate_degs, offset: -4.3}
  lat: {from: gps_lat}
  lon: {from: gps_lon}
  fuel: {from: fuel_level_gal}
  g_lat: {from: lateral_accel_g}
  g_long: {from: inline_accel_g, offset: 0.30}
"""


@dataclass(frozen=True)
class Channel:
    """t: seconds (n,).  values: (n,)."""

    t: np.ndarray
    values: np.ndarray

    def at(self, t: np.ndarray) -> np.ndarray:
        """The newest values at these seconds."""
        return self.values[np.searchsorted(self.t, t, side="right") - 1]


@cache
def drive(laps: int) -> tuple[Frames, dict[str, Any]]:
    """Its frames and its truth."""
    driven = simulate(seed=3, laps=laps)
    return concat(list(driven.frames())), driven.truth()


def aim_car(cars: Path, derived: str, channels: str = CHANNELS) -> Car:
    folder = cars / "aim"
    folder.mkdir(parents=True)
    (folder / "aim.dbc").write_bytes(DBC.read_bytes())
    (folder / "car.yaml").write_text(
        f"car: {{}}\nbuses: {{dash: {{dbc: aim.dbc}}}}\nchannels:{channels}derived:\n{derived}"
    )
    return load(cars, "aim")


def channels(car: Car, parts: list[Frames]) -> Callable[[str], Channel]:
    """Every channel of the car, by its name."""
    decode, deriver = plan(car, ["dash"]), Deriver(car)
    found: dict[str, list[Channel]] = {}
    for part in parts:
        for rows in deriver.fold(decode.decode(part)):
            for channel, values in zip(rows.table.channels, rows.values, strict=True):
                found.setdefault(channel.name, []).append(Channel(rows.t / 1e9, values))

    def of(name: str) -> Channel:
        return Channel(
            np.concatenate([part.t for part in found[name]]), np.concatenate([part.values for part in found[name]])
        )

    return of
