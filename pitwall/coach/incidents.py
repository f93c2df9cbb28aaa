"""Ticks in, incidents out: spins, wheels that lock or spin, an engine over its limit, what a channel must not be.

Laws: an incident has a time, and the numbers that it was told by; it is told as soon as it has lasted long enough, once
for as long as it goes on; what no channel tells is not guessed.  However ticks come in pieces, incidents are the same.
Pure; the last seconds are kept, and rebuilt by replay.

A spin is told by yaw that the path does not explain: at speed v and lateral acceleration a the path turns at a / v
(Milliken and Milliken, *Race Car Vehicle Dynamics*, 1995), and a car that turns faster turns about itself.  Locking and
spinning wheels are told by their slip against the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Final, Generic, TypeVar

import numpy as np

from pitwall.car.definition import Alarm
from pitwall.coach.driven import G_MPS2
from pitwall.coach.finding import Figure, Priority
from pitwall.coach.metrics import POWER_PCT
from pitwall.coach.stretches import Rows, Runs
from pitwall.coach.ticks import TICK_NS, Ticks, joined
from pitwall.frames import Int64
from pitwall.track.corners import Float64

WHEELS: Final = ("wheel_speed_fl", "wheel_speed_fr", "wheel_speed_rl", "wheel_speed_rr")
SPIN_LOOKS_BACK_S: Final = 3.0
SPIN_TICKS: Final = round(SPIN_LOOKS_BACK_S * 1e9 / TICK_NS)
SPIN_DEG: Final = 90.0
"""About itself, within that time: nobody catches that."""
SPIN_SPEED_SHARE: Final = 0.7
"""Of the speed that was: a car that slides sideways loses more."""
LOCKED_SHARE: Final = 0.75
"""Of the fastest wheel: the inner wheel of a hairpin turns at 0.9, a good stop slips by 0.1."""
LOCK_S: Final = 0.15
SPINNING_SHARE: Final = 1.2
SPINNING_S: Final = 0.2
MOVING_MPS: Final = 8.0
"""Slower, wheel speeds are too coarse to compare."""
AGAIN_S: Final = 2.0
"""What begins again within that time has not ended."""

NAMES: Final[Mapping[str, str]] = {
    "rpm": "over-rev",
    "oil_press": "oil-pressure",
    "oil_temp": "oil-temperature",
    "water_temp": "water-temperature",
}
"""What it is called when the channel of a role is out of its limits; of others it is the channel's name."""


Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that happened.  kind: spin, off, lock-up, wheel-spin, over-rev, or what is out of its limits.

    t_ns: when it began.  told_ns: when it had lasted long enough.  lap, distance_m: where; None: not known.
    what: the wheel or the channel.  figures: what it was told by.
    """

    kind: str
    priority: Priority
    t_ns: int
    told_ns: int
    lap: int | None
    distance_m: float | None
    what: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Detector:
    """kind, what: of its incidents.  lasts_s: for so long it must hold.  holds: at which ticks.

    figures: of the tick at which it is told; names of columns and units.
    looks_back: at which columns it looks `SPIN_LOOKS_BACK_S` before a tick; at all else as it is then.
    """

    kind: str
    what: str
    priority: Priority
    lasts_s: float
    holds: Callable[[Ticks], Rows]
    figures: tuple[tuple[str, str, Callable[[Ticks], Float64]], ...]
    looks_back: tuple[str, ...] = ()


def detectors(roles: Mapping[str, str], alarms: Sequence[Alarm], units: Mapping[str, str]) -> tuple[Detector, ...]:
    """Of a car.  roles: channel by role.  units: by channel.  Columns are named by role, alarms' by `alarm:channel`."""
    found = [_spin()] if {"yaw_rate", "g_lat", "speed"} <= set(roles) else []
    wheels = [wheel for wheel in WHEELS if wheel in roles]
    if len(wheels) == len(WHEELS):
        apart = _Once(_wheels_apart)
        found += [_lock(wheel, apart) for wheel in wheels]
        if "throttle" in roles:
            found += [_wheelspin(wheel, apart) for wheel in wheels]
    by_channel = {channel: role for role, channel in roles.items()}
    for alarm in alarms:
        found += _out_of_limits(alarm, by_channel.get(alarm.channel, ""), units.get(alarm.channel, ""))
    return tuple(found)


def path_turns_deg(ticks: Ticks) -> Float64:
    """deg/s that the path turns at, by lateral acceleration."""
    speed = np.maximum(ticks.column("speed"), MOVING_MPS / 2)
    return np.asarray(np.degrees(ticks.column("g_lat") * G_MPS2 / speed), np.float64)


def about_itself_deg(ticks: Ticks) -> Float64:
    """Degrees that the car turned more than its path within `SPIN_LOOKS_BACK_S`; what is not known counts as none."""
    return _sum_back(_more_than_path_deg(ticks), np.arange(len(ticks)))


def _more_than_path_deg(ticks: Ticks) -> Float64:
    """The same within each tick."""
    more = np.abs(ticks.column("yaw_rate")) - np.abs(path_turns_deg(ticks))
    return np.asarray(np.nan_to_num(np.maximum(more, 0.0)) * (TICK_NS * 1e-9), np.float64)


def fastest_before(ticks: Ticks) -> Float64:
    """m/s: the greatest speed within `SPIN_LOOKS_BACK_S`."""
    found, looked = np.nan_to_num(ticks.column("speed")), 0  # so far back
    while looked < SPIN_TICKS:
        back = min(looked + 1, SPIN_TICKS - looked, len(found))
        found = np.concatenate([found[:back], np.maximum(found[back:], found[:-back])])
        looked += back
    return np.maximum(found, 0.0)


def wheel_speeds(ticks: Ticks) -> Float64:
    """m/s, (4, n): the slowest wheel's at each tick first; one that is not known is last."""
    return np.sort([ticks.column(each) for each in WHEELS], axis=0)


class Watching:
    """The incidents of a session, folded from its first tick on."""

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = detectors
        self._looked_back = frozenset(name for detector in detectors for name in detector.looks_back)
        self._before = Ticks(np.empty(0, np.int64), {})
        self._open: list[_Open] = [_Open() for _ in detectors]

    def fold(self, ticks: Ticks) -> list[Incident]:
        """What is to be told at these ticks, in the order of time."""
        if not len(ticks):
            return []
        known, old = joined(self._before, ticks), len(self._before)
        found: list[Incident] = []
        with np.errstate(invalid="ignore"):
            for detector, open_ in zip(self._detectors, self._open, strict=True):
                seen, first = (known, old) if detector.looks_back else (ticks, 0)
                told = open_.fold(detector.holds(seen)[first:], ticks, detector.lasts_s)
                found += [_incident(detector, seen, first + at, t_ns) for at, t_ns in told]
        self._before = known.newest(SPIN_TICKS + 1, self._looked_back)
        return sorted(found, key=lambda each: (each.told_ns, each.priority, each.kind, each.what))


class _Open:
    """One detector's run that has not ended.  Ticks are without gaps."""

    def __init__(self) -> None:
        self.since_ns: int | None = None
        self.told = False
        self.last_ns = -(1 << 62)

    def fold(self, on: Rows, ticks: Ticks, lasts_s: float) -> list[tuple[int, int]]:
        """(tick at which it is told, when it began) of those that are to be told.

        It lasts from up to a tick before the first at which it is seen: what of `lasts_s` is less than a tick is over.
        """
        found: list[tuple[int, int]] = []
        if not on.any():
            return found
        lasts_ns = round(lasts_s * 1e9) // TICK_NS * TICK_NS
        runs = Runs(on)
        for first, last in zip(runs.first.tolist(), runs.last.tolist(), strict=True):
            begins = int(ticks.t_ns[first])
            goes_on = begins - self.last_ns <= TICK_NS
            if not goes_on or self.since_ns is None:
                if begins - self.last_ns > AGAIN_S * 1e9:
                    self.told = False
                self.since_ns = begins
            told_ns = self.since_ns + lasts_ns
            at = max(first, int(np.searchsorted(ticks.t_ns, told_ns)))
            if not self.told and at < last:
                self.told = True
                found.append((at, self.since_ns))
            self.last_ns = int(ticks.t_ns[last - 1])
        return found


def _incident(detector: Detector, ticks: Ticks, at: int, t_ns: int) -> Incident:
    lap, distance = float(ticks.column("lap")[at]), float(ticks.column("lap_distance")[at])
    figures = []
    for name, unit, values in detector.figures:
        value = float(values(ticks)[at])
        if np.isfinite(value):
            figures.append(Figure(name, round(value, 2), unit))
    return Incident(
        detector.kind,
        detector.priority,
        t_ns,
        int(ticks.t_ns[at]),
        int(lap) if np.isfinite(lap) else None,
        distance if np.isfinite(distance) else None,
        detector.what,
        tuple(figures),
    )


def _spin() -> Detector:
    def holds(ticks: Ticks) -> Rows:
        more = _more_than_path_deg(ticks)
        if not _may_sum_up(more, SPIN_DEG):
            return np.zeros(len(ticks), np.bool_)
        before = fastest_before(ticks)
        found = (ticks.column("speed") < SPIN_SPEED_SHARE * before) & (before > MOVING_MPS)
        slower = found.nonzero()[0]
        found[slower] = _sum_back(more, slower) >= SPIN_DEG
        return found

    figures = (
        ("about_itself", "deg", about_itself_deg),
        ("speed_before", "km/h", lambda ticks: fastest_before(ticks) * 3.6),
        ("speed", "km/h", lambda ticks: ticks.column("speed") * 3.6),
    )
    return Detector("spin", "", Priority.SAFETY, 0.0, holds, figures, looks_back=("yaw_rate", "g_lat", "speed"))


def _wheels_apart(ticks: Ticks) -> tuple[Int64, Ticks]:
    """Where a wheel may lock or spin, as the fastest and the slowest are so far apart: places (k,), and those ticks."""
    speeds = [ticks.column(each) for each in WHEELS]
    least, most = reduce(np.fmin, speeds), reduce(np.fmax, speeds)
    at = ((SPINNING_SHARE * least < most) & (most > MOVING_MPS)).nonzero()[0]  # who locks slips by more than that
    return at, ticks.part(at)


def _where_apart(apart: _Once[tuple[Int64, Ticks]], holds: Callable[[Ticks], Rows]) -> Callable[[Ticks], Rows]:
    """What holds at no other ticks than those."""

    def found(ticks: Ticks) -> Rows:
        on = np.zeros(len(ticks), np.bool_)
        at, there = apart(ticks)
        if len(at):
            on[at] = holds(there)
        return on

    return found


def _lock(wheel: str, apart: _Once[tuple[Int64, Ticks]]) -> Detector:
    def holds(ticks: Ticks) -> Rows:
        most = wheel_speeds(ticks)[-1]
        slowing = ticks.column("g_long") < -0.2 if "g_long" in ticks.columns else np.ones(len(ticks), np.bool_)
        power = ticks.column("throttle") > POWER_PCT
        return np.asarray(
            (ticks.column(wheel) < LOCKED_SHARE * most) & (most > MOVING_MPS) & slowing & ~power, np.bool_
        )

    figures = (
        ("wheel_speed", "km/h", lambda ticks: ticks.column(wheel) * 3.6),
        ("fastest_wheel", "km/h", lambda ticks: wheel_speeds(ticks)[-1] * 3.6),
    )
    return Detector("lock-up", wheel[-2:], Priority.SAFETY, LOCK_S, _where_apart(apart, holds), figures)


def _wheelspin(wheel: str, apart: _Once[tuple[Int64, Ticks]]) -> Detector:
    def middle(ticks: Ticks) -> Float64:
        return np.asarray(np.median([ticks.column(each) for each in WHEELS], axis=0), np.float64)

    def holds(ticks: Ticks) -> Rows:
        usual = wheel_speeds(ticks)[1]  # two may spin: the second slowest does not
        power = ticks.column("throttle") > POWER_PCT
        return np.asarray((ticks.column(wheel) > SPINNING_SHARE * usual) & (usual > MOVING_MPS) & power, np.bool_)

    figures = (
        ("wheel_speed", "km/h", lambda ticks: ticks.column(wheel) * 3.6),
        ("other_wheels", "km/h", lambda ticks: middle(ticks) * 3.6),
    )
    return Detector("wheel-spin", wheel[-2:], Priority.HABIT, SPINNING_S, _where_apart(apart, holds), figures)


def _out_of_limits(alarm: Alarm, role: str, unit: str) -> list[Detector]:
    column = f"alarm:{alarm.channel}"

    def running(ticks: Ticks, on: Rows) -> Rows:
        return on if alarm.over_rpm is None or not on.any() else on & (ticks.column("rpm") > alarm.over_rpm)

    def above(ticks: Ticks, limit: float) -> Rows:
        return running(ticks, ticks.column(column) > limit)

    def below(ticks: Ticks, limit: float) -> Rows:
        return running(ticks, ticks.column(column) < limit)

    kind = NAMES.get(role, alarm.channel)
    found = []
    for limit, holds in ((alarm.below, below), (alarm.above, above)):
        if limit is None:
            continue
        figures = [(alarm.channel, unit, lambda ticks: ticks.column(column)), ("limit", unit, _constant(limit))]
        if alarm.over_rpm is not None:
            figures.append(("rpm", "rpm", lambda ticks: ticks.column("rpm")))
        priority = Priority.ENGINE if role == "rpm" else Priority.SAFETY
        beyond = partial(holds, limit=limit)
        found.append(Detector(kind, alarm.channel, priority, alarm.for_s, beyond, tuple(figures)))
    return found


def _constant(value: float) -> Callable[[Ticks], Float64]:
    return lambda ticks: np.full(len(ticks), value)


def _sum_back(values: Float64, at: Int64) -> Float64:
    """(k,): at these rows the sum of the value and the `SPIN_TICKS` before it; each summed alone: the same in any
    piece."""
    padded = np.concatenate([np.zeros(SPIN_TICKS), values])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, SPIN_TICKS + 1)[at].sum(axis=1), np.float64)


def _may_sum_up(values: Float64, most: float) -> bool:
    """Whether any of these sums may come to so much: the values, none below 0, of two times as long do somewhere."""
    sums = np.add.reduceat(values, np.arange(0, len(values), SPIN_TICKS + 1))
    sums[1:] += sums[:-1].copy()
    return not sums.max() < most * (1 - 1e-9)  # as sums are rounded


class _Once(Generic[Said]):
    """A function of ticks; asked of the same ones again it says what it said."""

    def __init__(self, function: Callable[[Ticks], Said]) -> None:
        self._function = function
        self._said: tuple[Ticks, Said] | None = None

    def __call__(self, ticks: Ticks) -> Said:
        if self._said is None or self._said[0] is not ticks:
            self._said = ticks, self._function(ticks)
        return self._said[1]
