"""A lap in, what was done on the straights that lead to its corners out: top speed, shifts, lifts.  Pure.

Laws: a straight goes from where full power is on behind the corner before to where it is let go for the next one; a
throttle that gives way while the gear changes is a shift, and no lift; what no channel tells is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.coach.driven import FULL_PCT, Driven
from pitwall.coach.metrics import LIFT_PCT, Limits, braking_rows
from pitwall.coach.sections import Sections
from pitwall.coach.stretches import Runs, Stretches, from_on, up_to
from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Float64

SHORTEST_M: Final = 60.0
"""Less of full power is no straight."""
LIFT_LASTS_S: Final = 0.15
"""A shorter dip is a pedal that trembles."""
BEFORE_SHIFT_M: Final = 15.0
"""The engine's speed as a shift begins is the greatest of so long before."""
AFTER_SHIFT_M: Final = 25.0
"""By so long behind a shift its gear is known: gears are told by wheel and engine speed, once the clutch has bitten."""


@dataclass(frozen=True, slots=True, eq=False)
class Straight:
    """The straights that lead to the corners, on one lap, float64 (k,) each.  NaN: not known.

    begin_m, end_m: along the lap, full power from the one to the other.  top_mps: the greatest speed.  lifts: how often
    power was taken back between; lift_s: for how long in all; lift_m: where first, along the lap.  shift_rpm: the least
    engine speed that an upshift began at; shift_m: where.  shift_s: the longest that power was off for one; shift_at_m:
    where.  rpm_peak: the most.
    """

    begin_m: Float64
    end_m: Float64
    top_mps: Float64
    lifts: Float64
    lift_s: Float64
    lift_m: Float64
    shift_rpm: Float64
    shift_m: Float64
    shift_s: Float64
    shift_at_m: Float64
    rpm_peak: Float64


STRAIGHT_FIGURES: Final = tuple(field.name for field in fields(Straight))


def straight(lap: Driven, sections: Sections, most: Limits, lift_m: Float64) -> Straight:
    """How they were driven.  lift_m: (k,), where power is let go for each corner, before its apex."""
    lifts = np.isfinite(lift_m)
    last = np.where(lifts, sections.apex - np.where(lifts, lift_m, 0.0) / STEP_M, sections.middle.parts.first)
    full = lap.role("throttle") >= FULL_PCT
    first = from_on(full, sections.before)
    last = np.maximum(up_to(full, last.astype(np.int64) - 1), first - 1) + 1
    there = (last - first) * STEP_M >= SHORTEST_M
    part = Stretches(np.where(there, first, 0), np.where(there, last, 0))
    figures: Mapping[str, npt.NDArray[np.floating]] = {
        "begin_m": part.first * STEP_M,
        "end_m": part.last * STEP_M,
        "top_mps": part.reduced(np.fmax, lap.role("speed")[part.rows]),
        "rpm_peak": part.reduced(np.fmax, lap.role("rpm")[part.rows]),
        **_dips(lap, part, most),
    }
    known = {name: np.where(there, figures[name], np.nan) for name in STRAIGHT_FIGURES}
    return Straight(**{name: np.asarray(column, np.float64) for name, column in known.items()})


def _dips(lap: Driven, straights: Stretches, most: Limits) -> dict[str, Float64]:
    """What the throttle's dips on the straights are: shifts and lifts."""
    runs = Runs((lap.role("throttle") < FULL_PCT - LIFT_PCT) & ~braking_rows(lap, most))
    which, begin, end = runs.within(straights.first, straights.last)
    lasts = lap.t_s[np.minimum(end, len(lap) - 1)] - lap.t_s[begin]
    floor = which.spread(straights.first)
    before, nearest, farthest = _gears(lap, np.maximum(floor, begin - round(AFTER_SHIFT_M / STEP_M)), begin, end)
    down = before > nearest  # on a straight: a lift with more to it
    shift = (before < farthest) & ~down
    lift = down | ((lasts >= LIFT_LASTS_S) & ~shift)
    revving = Stretches(np.maximum(floor, begin - round(BEFORE_SHIFT_M / STEP_M)), begin)
    revs = np.where(shift, revving.reduced(np.fmax, lap.role("rpm")[revving.rows]), np.nan)
    shifting_s = np.where(shift, lasts, np.nan)
    least, longest = which.reduced(np.fmin, revs), which.reduced(np.fmax, shifting_s)
    begins_m = np.concatenate((runs.first * STEP_M, (np.nan,)))  # of the dip -1, which is none, too
    return {
        "lifts": which.count(lift).astype(np.float64),
        "lift_s": np.nan_to_num(which.reduced(np.add, np.where(lift, lasts, 0.0))),
        "lift_m": begins_m[which.first_where(lift)],
        "shift_s": longest,
        "shift_at_m": begins_m[which.first_where(shifting_s == which.spread(longest))],
        "shift_rpm": least,
        "shift_m": begins_m[which.first_where(revs == which.spread(least))],
    }


def _gears(lap: Driven, from_: Int64, begin: Int64, end: Int64) -> tuple[Float64, Float64, Float64]:
    """Of each dip the first gear that is known before it, and the nearest and the farthest behind; NaN: none is."""
    gear = lap.role("gear")
    known = gear > 0
    to = np.minimum(end + round(AFTER_SHIFT_M / STEP_M), len(lap))
    before, nearest, farthest = from_on(known, from_), from_on(known, end), up_to(known, to - 1)
    gear = np.concatenate((gear, (np.nan,)))  # of the row behind the last, which is none
    return (
        np.where(before < begin, gear[before], np.nan),
        np.where(nearest < to, gear[nearest], np.nan),
        np.where(farthest >= end, gear[farthest], np.nan),
    )
