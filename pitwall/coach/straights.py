"""A lap and a corner in, what was done on the straight that leads to it out: top speed, shifts, lifts.  Pure.

Laws: a straight goes from where full power is on behind the corner before to where it is let go for the next one; a
throttle that gives way while the gear changes is a shift, and no lift; what no channel tells is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from pitwall.coach.driven import Driven
from pitwall.coach.metrics import FULL_PCT, LIFT_PCT, Limits, Places, braking_rows
from pitwall.track.corners import STEP_M

SHORTEST_M: Final = 60.0
"""Less of full power is no straight."""
LIFT_LASTS_S: Final = 0.15
"""A shorter dip is a pedal that trembles."""
BEFORE_SHIFT_M: Final = 15.0
"""The engine's speed as a shift begins is the greatest of so long before."""
AFTER_SHIFT_M: Final = 25.0
"""By so long behind a shift its gear is known: gears are told by wheel and engine speed, once the clutch has bitten."""


@dataclass(frozen=True, slots=True)
class Straight:
    """The straight that leads to a corner, on one lap.  NaN: not known.

    begin_m, end_m: along the lap, full power from the one to the other.  top_mps: the greatest speed.  lifts: how often
    power was taken back between; lift_s: for how long in all; lift_m: where first, along the lap.  shift_rpm: the least
    engine speed that an upshift began at; shift_m: where.  shift_s: the longest that power was off for one; shift_at_m:
    where.  rpm_peak: the most.
    """

    lap: int
    corner: str
    begin_m: float = np.nan
    end_m: float = np.nan
    top_mps: float = np.nan
    lifts: float = np.nan
    lift_s: float = np.nan
    lift_m: float = np.nan
    shift_rpm: float = np.nan
    shift_m: float = np.nan
    shift_s: float = np.nan
    shift_at_m: float = np.nan
    rpm_peak: float = np.nan


STRAIGHT_FIGURES: Final = tuple(field.name for field in fields(Straight) if field.name not in ("lap", "corner"))


def straight(lap: Driven, place: Places, most: Limits, lifted_m: float) -> Straight:
    """How the straight before the corner was driven.  lifted_m: along the lap, where power is let go for the corner."""
    name, throttle = place.corner.name, lap.role("throttle")
    last = round(lifted_m / STEP_M) if np.isfinite(lifted_m) else place.middle.first
    full = np.flatnonzero(throttle[place.before : max(place.before, last)] >= FULL_PCT)
    if not len(full):
        return Straight(lap.number, name)
    first = place.before + int(full[0])
    last = place.before + int(full[-1]) + 1
    if (last - first) * STEP_M < SHORTEST_M:
        return Straight(lap.number, name)
    speed, rpm = lap.role("speed")[first:last], lap.role("rpm")[first:last]
    return Straight(
        lap=lap.number,
        corner=name,
        begin_m=first * STEP_M,
        end_m=last * STEP_M,
        top_mps=float(np.nanmax(speed)) if np.isfinite(speed).any() else np.nan,
        rpm_peak=float(np.nanmax(rpm)) if np.isfinite(rpm).any() else np.nan,
        **_dips(lap, first, last, most),
    )


def _dips(lap: Driven, first: int, last: int, most: Limits) -> dict[str, float]:
    """What the throttle's dips between the rows are: shifts and lifts."""
    off = (lap.role("throttle")[first:last] < FULL_PCT - LIFT_PCT) & ~braking_rows(lap, most)[first:last]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], off, [False]]))) + first
    gear, rpm = lap.role("gear"), lap.role("rpm")
    lifts: list[tuple[int, float]] = []
    shifts: list[tuple[int, float, float]] = []
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        lasts = float(lap.t_s[min(end, len(lap) - 1)] - lap.t_s[begin])
        before = gear[max(first, begin - round(AFTER_SHIFT_M / STEP_M)) : begin]
        after = gear[end : end + round(AFTER_SHIFT_M / STEP_M)]
        if _last(before[::-1]) > _last(after[::-1]):  # down, on a straight: a lift with more to it
            lifts.append((begin, lasts))
        elif _last(before[::-1]) < _last(after):
            revs = rpm[max(first, begin - round(BEFORE_SHIFT_M / STEP_M)) : begin]
            shifts.append((begin, lasts, float(np.nanmax(revs)) if np.isfinite(revs).any() else np.nan))
        elif lasts >= LIFT_LASTS_S:
            lifts.append((begin, lasts))
    found = {"lifts": float(len(lifts)), "lift_s": sum(s for _, s in lifts)}
    if lifts:
        found["lift_m"] = lifts[0][0] * STEP_M
    if shifts:
        longest = max(shifts, key=lambda shift: shift[1])
        found |= {"shift_s": longest[1], "shift_at_m": longest[0] * STEP_M}
        known = [shift for shift in shifts if np.isfinite(shift[2])]
        if known:
            least = min(known, key=lambda shift: shift[2])
            found |= {"shift_rpm": least[2], "shift_m": least[0] * STEP_M}
    return found


def _last(gears: np.ndarray) -> float:
    """The gear at the end; NaN: none is known."""
    there = gears[np.isfinite(gears) & (gears > 0)]
    return float(there[-1]) if len(there) else np.nan
