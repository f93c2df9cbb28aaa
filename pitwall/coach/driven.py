"""A lap as it was driven, over distance: the samples of its channels in, one row a metre of the reference lap out.

Laws: rows of two laps of one session lie at the same places, whatever lines were driven; a value lies between two
samples that were there, no farther apart than `GAP_S`: elsewhere it is missing.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Float64

SHIFT_S: Final = 0.35
"""Either side of a gear that changes, what the throttle does is part of the shift."""
FULL_PCT: Final = 95.0
STEADY_M: Final = 10.0
"""A pedal that has been down for so long, and stays so: what is measured is not its going down."""
SPEED_MEAN_M: Final = 4.0
HIGH_PERCENT: Final = 99.5
G_MPS2: Final = 9.80665
ASKEW_G: Final = 0.15
"""Over a lap a level sensor says on average what speed gains, and hills cancel out: this is a tilt of 9 degrees."""
GAP_S: Final = 0.5
"""A channel that is silent for longer has no value between: the slowest that corners are judged by come at 10 Hz."""


Slowed = tuple[Float64, Float64, Float64]
"""Speed, lateral acceleration and what speed gains a second, at rows of a lap."""


@dataclass(frozen=True, eq=False)
class Driven:
    """One lap: row `i` is `i` metres along the reference lap.  All columns float64 (n,), NaN where there is no value.

    t_s: seconds since the lap began, rising.  x_m, y_m: where the car was, in the track's plane.
    roles: channels by the role that they play, in the units of `UNITS`.

    What many rules look at, corner by corner and lap after lap, is computed once and kept with the lap.
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
        return self._missing if column is None else column

    def has(self, name: str) -> bool:
        return name in self._known

    @cached_property
    def combined_g(self) -> Float64:
        """Of lateral and longitudinal acceleration; of the lateral alone where there is no other."""
        lateral, along = self.role("g_lat"), self.role("g_long")
        return np.hypot(lateral, np.where(np.isnan(along), 0.0, along)) if self.has("g_lat") else np.abs(along)

    @cached_property
    def gain_mps2(self) -> Float64:
        """What speed gains a second."""
        return slope(self.role("speed"))

    @cached_property
    def brake_ordered(self) -> Float64:
        """float64 (k,), what is known of it, the least first; so are `g_ordered` and `lateral_ordered`."""
        return _ordered(self.role("brake"))

    @cached_property
    def g_ordered(self) -> Float64:
        return _ordered(self.combined_g)

    @cached_property
    def lateral_ordered(self) -> Float64:
        return _ordered(np.abs(self.role("g_lat")))

    def braked(self, least: float) -> Slowed:
        """At the rows where the brake was on, by more than `least`, and stays so.

        The same rows as the last time, if no value of the brake lies between that and what was asked for then.
        """
        rank = int(self.brake_ordered.searchsorted(least, "right"))
        if rank not in self._braked:
            self._braked.clear()
            self._braked[rank] = self.slowed(steady_rows(self.role("brake") > least))
        return self._braked[rank]

    def slowed(self, rows: Int64) -> Slowed:
        """At these rows."""
        return self.role("speed")[rows], self.role("g_lat")[rows], self.gain_mps2[rows]

    @cached_property
    def _braked(self) -> dict[int, Slowed]:
        return {}

    @cached_property
    def shifting(self) -> npt.NDArray[np.bool_]:
        """bool (n,), where a gear is changed: about the rows at which it differs."""
        if not self.has("gear"):
            return np.zeros(len(self), np.bool_)
        last = self.role("gear")
        if np.isnan(last.min()):
            last = last[np.maximum.accumulate(np.where(np.isnan(last), 0, np.arange(len(last))))]
        changes = (last[1:] - last[:-1] != 0).nonzero()[0]  # a gear that is not known yet is none that was changed
        begins, ends = (self.t_s.searchsorted(self.t_s[changes] + by) for by in (-SHIFT_S, SHIFT_S))
        near = np.bincount(begins, minlength=len(self) + 1) - np.bincount(ends, minlength=len(self) + 1)
        return np.asarray(near.cumsum()[:-1] > 0, np.bool_)

    @cached_property
    def _missing(self) -> Float64:
        return np.full(len(self), np.nan)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(n for n, c in self.roles.items() if np.isfinite(c[len(c) // 2]) or np.isfinite(c).any())


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
    first = np.concatenate(((True,), ahead[1:] > ahead[:-1]))
    along, t = ahead[first], t_ns[first].astype(np.float64)
    at_ns = np.interp(rows, along, t)
    columns = _over(at_ns, {name: samples for name, samples in roles.items() if len(samples.t_ns)})
    return Driven(
        number=number,
        t_s=(at_ns - t_ns[0]) / 1e9,
        x_m=np.interp(rows, along, x_m[first]),
        y_m=np.interp(rows, along, y_m[first]),
        roles=_levelled(columns),
    )


def _levelled(roles: dict[str, Float64]) -> dict[str, Float64]:
    """Of a sensor that lies askew in the car a part of gravity is in what it says; what speed gains takes its place."""
    along, speed = roles.get("g_long"), roles.get("speed")
    if along is None or speed is None or len(speed) < 3:
        return roles
    gained = slope(speed) / G_MPS2
    off = along - gained
    known = np.isfinite(off)
    askew = known.any() and abs(float(off[known].mean())) > ASKEW_G
    return {**roles, "g_long": gained} if askew else roles


def _over(at_ns: Float64, roles: Mapping[str, Samples]) -> dict[str, Float64]:
    """Channels that come in one message have the very same times."""
    together: dict[int, _Between] = {}
    found: dict[str, Float64] = {}
    for name, samples in roles.items():
        if not np.isfinite(samples.values).all():
            found[name] = between(samples, at_ns)
            continue
        key = id(samples.t_ns)
        if key not in together:
            together[key] = _Between(samples.t_ns, at_ns)
        found[name] = together[key].of(samples.values)
    return found


def between(samples: Samples, at_ns: Float64) -> Float64:
    """The channel's values at `at_ns` (n,), each on the line between the two samples around it."""
    there = np.isfinite(samples.values)
    return _Between(samples.t_ns[there], at_ns).of(samples.values[there])


class _Between:
    """Which two samples are around each time: the same for all channels that come together.

    t_ns: int64 (m,); at_ns: float64 (n,); both ascending.
    """

    def __init__(self, t_ns: Int64, at_ns: Float64) -> None:
        t = t_ns.astype(np.float64)
        self._n = len(at_ns)
        if not len(t):
            return
        self._at, self._next, before, behind = _evenly(t, at_ns) or _searched(t, at_ns)
        self._since, self._step = at_ns - before, behind - before
        silent = (self._step > GAP_S * 1e9) & (self._since > 0)  # at its own time it is not
        self._missing = (silent | (self._since < 0) | (at_ns > t[-1])).nonzero()[0]

    def of(self, values: Float64) -> Float64:
        """(m,) -> float64 (n,), all of them finite."""
        if not len(values):
            return np.full(self._n, np.nan)
        before = values[self._at]
        found: Float64 = (values[self._next] - before) / self._step * self._since + before
        found[self._missing] = np.nan
        return found


_Around = tuple[Int64, Int64, Float64, Float64]
"""(n,): the places of the sample at or before a time, and of the one behind it; the times of both."""


def _searched(t: Float64, at: Float64) -> _Around:
    """Of two samples at one time the later counts; before the first it is the first, behind the last a second on."""
    low = np.maximum(t.searchsorted(at, "right") - 1, 0)
    high = np.minimum(low + 1, len(t) - 1)
    before, behind = t[low], t[high]
    return low, high, before, np.where(behind > before, behind, before + 1e9)


def _evenly(t: Float64, at: Float64) -> _Around | None:
    """The same in half the time, where samples come so evenly that a guess is off by one at most; None: elsewhere."""
    last = len(t) - 1
    if last < 1 or t[0] > at[0] or t[last] <= at[-1]:
        return None
    low = np.minimum(((at - t[0]) * (last / (t[last] - t[0]))).astype(np.int64), last - 1)
    low = np.minimum(low + (t[low + 1] <= at), last - 1)
    low -= t[low] > at
    high = low + 1
    before, behind = t[low], t[high]
    return (low, high, before, behind) if ((before <= at) & (at < behind)).all() else None


def steady_rows(on: npt.NDArray[np.bool_]) -> Int64:
    """The rows where it is on, and was and will be for `STEADY_M`, int64 (r,)."""
    reach = round(STEADY_M / STEP_M)
    wide = np.concatenate(([False], np.full(reach, on[0]), on, np.full(reach, on[-1])))
    count = wide.cumsum(dtype=np.int64)
    rows: Int64 = (count[2 * reach + 1 :] - count[: -2 * reach - 1] == 2 * reach + 1).nonzero()[0]
    return rows


def high(columns: Sequence[Float64]) -> float:
    """A hair below the greatest of all, so that one spike is not the limit; NaN where there is nothing.

    columns: each in its order; only the end of each can matter.
    """
    count = sum(map(len, columns))
    if not count:
        return np.nan
    place = HIGH_PERCENT / 100 * (count - 1)
    above = count - int(place)
    ends = np.concatenate([column[-above:] for column in columns])
    at = len(ends) - above
    return _at(np.partition(ends, (at, min(at + 1, len(ends) - 1))), place, first=count - len(ends))


def _at(ordered: Float64, place: float, first: int = 0) -> float:
    """Between the two values about that place.  first: the place of the first one."""
    low = int(place)
    below, part = float(ordered[low - first]), place - low
    above = float(ordered[min(low - first + 1, len(ordered) - 1)])
    return below + (above - below) * part if part < 0.5 else above - (above - below) * (1 - part)


def _ordered(values: Float64) -> Float64:
    """Those that are finite; NaN sorts behind all."""
    ordered = np.sort(values)
    return ordered[ordered.searchsorted(-np.inf, "right") : ordered.searchsorted(np.inf)]


def slope(speed: Float64) -> Float64:
    """m/s²: what speed gains a second, over distance."""
    reach = round(SPEED_MEAN_M / STEP_M)
    weights = np.ones(2 * reach + 1) / (2 * reach + 1)
    wide = np.concatenate([np.full(reach, speed[0]), speed, np.full(reach, speed[-1])])
    energy = np.square(np.convolve(wide, weights, "valid")) / 2
    ends = (energy[1] - energy[0]) / STEP_M, (energy[-1] - energy[-2]) / STEP_M
    return np.concatenate([ends[:1], (energy[2:] - energy[:-2]) / (2 * STEP_M), ends[1:]])
