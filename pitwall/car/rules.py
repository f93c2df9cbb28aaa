"""What a derived channel may be computed by: an expression, or one of the methods here, with its parameters as data.

Law: every number is in the unit that its name says; a factor takes an input from its channel's unit to the one that the
method computes in.  What they compute stands in `pitwall.derive`.  Pure and frozen.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitwall.car.expression import Expression


@dataclass(frozen=True, slots=True)
class GearRatio:
    """The gear whose ratio is nearest (as a quotient) to engine speed over wheel speed; missing below `min_speed_mps`.

    ratios: of gears 1, 2, …  hysteresis: how far beyond the boundary between two gears the other one begins, as a
    fraction of it.  rpm_factor, speed_factor: from the inputs' units to rpm and m/s.
    """

    rpm: str
    speed: str
    ratios: tuple[float, ...]
    final_drive: float
    tyre_circumference_m: float
    min_speed_mps: float
    rpm_factor: float = 1.0
    speed_factor: float = 1.0
    hysteresis: float = 0.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.rpm, self.speed)


@dataclass(frozen=True, slots=True)
class Distance:
    """The way since the session began: `speed` integrated over time by trapezoids, from its first value on.

    factor: from the speed's unit times a second to the channel's unit.  lat, lon: fixes in degrees that correct it, or
    both None.  unit_m: the channel's unit in metres.
    """

    speed: str
    factor: float = 1.0
    lat: str | None = None
    lon: str | None = None
    unit_m: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.speed,) if self.lat is None or self.lon is None else (self.speed, self.lat, self.lon)


@dataclass(frozen=True, slots=True)
class Position:
    """Latitude or longitude in degrees at every row: the last fix, and the way since by speed and yaw rate.

    axis: "lat" or "lon", which of the two this is.  speed_factor, yaw_factor: to m/s, and rad/s to the right.
    """

    axis: str
    lat: str
    lon: str
    speed: str
    yaw_rate: str
    speed_factor: float = 1.0
    yaw_factor: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.lat, self.lon, self.speed, self.yaw_rate)


@dataclass(frozen=True, slots=True)
class LateralG:
    """Speed times yaw rate.  factor: from the product of the inputs' units to the channel's unit."""

    speed: str
    yaw_rate: str
    factor: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.speed, self.yaw_rate)


@dataclass(frozen=True, slots=True)
class LongitudinalG:
    """The change of speed over `window_ns`.  factor: from the speed's unit a second to the channel's unit."""

    speed: str
    window_ns: int
    factor: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.speed,)


@dataclass(frozen=True, slots=True)
class FuelUsed:
    """What the tank has lost since the start, by means over `window_ns`.  factor: to the channel's unit.

    lap: a channel that changes when a lap begins: what it has lost since then; None: since the start.
    """

    fuel: str
    window_ns: int
    factor: float = 1.0
    lap: str | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.fuel,) if self.lap is None else (self.fuel, self.lap)


@dataclass(frozen=True, slots=True)
class WheelSlip:
    """How much faster the driven wheels turn than the free ones, as a part of the latter's speed.

    driven_factor, free_factor: to m/s.  factor: from a plain ratio to the channel's unit.
    """

    driven: str
    free: str
    min_speed_mps: float
    driven_factor: float = 1.0
    free_factor: float = 1.0
    factor: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.driven, self.free)


Rule = Expression | GearRatio | Distance | Position | LateralG | LongitudinalG | FuelUsed | WheelSlip
