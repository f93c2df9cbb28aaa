"""What is done to the values of a signal on their way to a channel, as data; `pitwall.derive.steps` does it.

Laws: the steps stand in the order of `Step`, each at most once; each needs only what came before a sample, never what
comes after; `str` says one as people do.  Pure and frozen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_TABLE: Final = 200  # points: what a sensor's sheet has, and more
MAX_DESPIKE: Final = 25  # values whose median is taken anew at every sample
MAX_ZERO_S: Final = 60.0  # whose samples are kept meanwhile
STANDSTILL: Final = "1 km/h"
"""Below it a car stands."""


@dataclass(frozen=True, slots=True)
class Table:
    """A calibration: raw values, strictly ascending, and what each means; linear between, constant beyond its ends."""

    raw: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """A value outside `low` to `high` is missing."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"limits {self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class Despike:
    """A value more than `by` away from the median of the last `of` values before it is missing.

    Those include the ones that were missing for it: what stays where a spike went was no spike.  `of` is odd; the first
    `of` values of a session have too few before them, and pass.
    """

    by: float
    of: int

    def __str__(self) -> str:
        return f"despike by {self.by:g} of {self.of}"


@dataclass(frozen=True, slots=True)
class Zero:
    """The mean of a standstill is taken from every value after it; until one has been seen all are missing.

    It is the first run of values on end, the newest value of channel `speed` below `still` (in its unit; either sign)
    at each, from whose first to whose last at least `span_ns` went by.
    """

    span_ns: int
    speed: str
    still: float

    def __str__(self) -> str:
        return f"zero of {self.span_ns / 1e9:g} s at a standstill of {self.speed}"


@dataclass(frozen=True, slots=True)
class LowPass:
    """First order, by the real time between values: y += (x - y) * (1 - exp(-2 pi `hz` dt)); the first y is x."""

    hz: float

    def __str__(self) -> str:
        return f"low_pass {self.hz:g} Hz"


Step = Limits | Despike | Zero | LowPass
