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

    ratios: of gears 1, 2, …  rpm_factor, speed_factor: from the inputs' units to rpm and m/s.
    """

    rpm: str
    speed: str
    ratios: tuple[float, ...]
    final_drive: float
    tyre_circumference_m: float
    min_speed_mps: float
    rpm_factor: float = 1.0
    speed_factor: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.rpm, self.speed)


@dataclass(frozen=True, slots=True)
class Distance:
    """The way since the session began: `speed` integrated over time by trapezoids, from its first value on.

    factor: from the speed's unit times a second to the channel's unit.
    """

    speed: str
    factor: float = 1.0

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.speed,)


Rule = Expression | GearRatio | Distance
