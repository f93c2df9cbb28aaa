"""A lap as it was driven, over distance: the samples of its channels in, one row a metre of the reference lap out.

Laws: rows of two laps of one session lie at the same places, whatever lines were driven; a value lies between two
samples that were there, no farther apart than `GAP_S`: elsewhere it is missing.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Float64

GAP_S: Final = 0.5
"""A channel that is silent for longer has no value between: the slowest that corners are judged by come at 10 Hz."""


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """One lap: row `i` is `i` metres along the reference lap.  All columns float64 (n,), NaN where there is no value.

    t_s: seconds since the lap began, rising.  x_m, y_m: where the car was, in the track's plane.
    roles: channels by the role that they play, in the units of `UNITS`.
    """

    number: int
    t_s: Float64
    x_m: Float64
    y_m: Float64
    roles: Mapping[str, Float64]

    def __len__(self) -> int:
        return len(self.t_s)

    def role(self, name: str) -> Float64:
        """Its column; missing throughout where the car has no such channel."""
        column = self.roles.get(name)
        return np.full(len(self), np.nan) if column is None else column

    def has(self, name: str) -> bool:
        return name in self.roles and bool(np.isfinite(self.roles[name]).any())


UNITS: Final[Mapping[str, str]] = {
    "speed": "m/s",
    "throttle": "%",
    "brake": "bar",
    "steering": "deg",
    "g_lat": "g",
    "g_long": "g",
    "rpm": "rpm",
    "gear": "",
}
"""The roles that corners are judged by, and the unit of each here.  A brake may be in % too: no rule asks for bar."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """One channel.  t_ns: int64 (m,), ascending.  values: float64 (m,)."""

    t_ns: Int64
    values: Float64


def driven(
    number: int,
    *,
    t_ns: Int64,
    distance_m: Float64,
    x_m: Float64,
    y_m: Float64,
    length_m: float,
    roles: Mapping[str, Samples],
) -> Driven:
    """The lap over distance.

    t_ns (k,), distance_m, x_m, y_m (k,): its fixes, from the start line (distance 0) to the finish (`length_m`), both
    included; distance as projected on the reference lap, so that it may stand still, or go back a little: where it
    does, the first passage counts.  roles: their samples over the lap, and one before and behind it where there are.
    """
    rows = np.arange(0.0, length_m, STEP_M)
    ahead = np.maximum.accumulate(distance_m)
    first = np.concatenate([[True], np.diff(ahead) > 0])
    along, t = ahead[first], t_ns[first].astype(np.float64)
    at_ns = np.interp(rows, along, t)
    return Driven(
        number=number,
        t_s=(at_ns - t_ns[0]) / 1e9,
        x_m=np.interp(rows, along, x_m[first]),
        y_m=np.interp(rows, along, y_m[first]),
        roles={name: between(samples, at_ns) for name, samples in roles.items() if len(samples.t_ns)},
    )


def between(samples: Samples, at_ns: Float64) -> Float64:
    """The channel's values at `at_ns` (n,), each on the line between the two samples around it."""
    there = np.isfinite(samples.values)
    t, values = samples.t_ns[there].astype(np.float64), samples.values[there]
    if not len(t):
        return np.full(len(at_ns), np.nan)
    behind = np.searchsorted(t, at_ns)
    gap_ns = t[np.minimum(behind, len(t) - 1)] - t[np.maximum(behind - 1, 0)]
    found = np.interp(at_ns, t, values, left=np.nan, right=np.nan)
    return np.where((gap_ns <= GAP_S * 1e9) | np.isin(at_ns, t), found, np.nan)
