"""A lap and a corner in, what the driver did there out: where he braked, turned in, was slowest, went back to power.

Laws: what the car's channels can't tell is missing (NaN), never 0; a figure depends on its own lap and on the
reference lap alone; the times lost in the sections of a lap add up to its delta.  Pure.

Sections tile the lap.  A corner's *middle* is the part about the place where the reference lap is slowest in it; its
*exit* runs from there down the straight, as far as speed shows how the corner was left; its *entry* is what lies
between the exit of the corner before it and its middle, and so holds where the driver lifts and brakes for it.

What is meant by each figure is race engineers' common usage, as in Carl Lopez, *Going Faster* (Skip Barber, 1997), and
Bentley, *Ultimate Speed Secrets* (2011); the thresholds are ours, and stand beside their reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.coach.driven import Driven, high
from pitwall.track.corners import STEP_M, Corner, Float64

Rows = npt.NDArray[np.bool_]

BRAKING_SHARE: Final = 0.08
"""Of the hardest braking of the session: less is a foot that rests, or a sensor's noise."""
HARD_SHARE: Final = 0.9
"""Of a brake application's own peak: it is on when it has come so far."""
BRAKING_G: Final = -0.25
"""Without a brake channel: no engine brakes so hard above second gear."""
POWER_PCT: Final = 20.0
"""More throttle than holds the speed in a corner."""
FULL_PCT: Final = 95.0
OFF_PCT: Final = 5.0
LIFT_PCT: Final = 10.0
"""A throttle that gives so much back was lifted."""
COAST_S: Final = 0.3
"""A foot that goes from one pedal to the other, or a lever from gear to gear, is faster: that is no coasting."""
G_MPS2: Final = 9.80665
MEAN_ROWS: Final = 3
NEAR_APEX_M: Final = 12.0
"""Either side of the reference lap's apex: how far off a line lies is a mean over so much of it."""
TURNED_SHARE: Final = 0.4
"""Of a corner's greatest lateral acceleration: the car has turned in."""
CORRECTION_SHARE: Final = 0.12
"""Of a corner's greatest steering angle: a swing back and forth by more is a correction."""
CORRECTION_DEG: Final = 4.0
MIDDLE_SHARE: Final = 0.25
"""Of a corner's length, either side of its slowest point."""
APPROACH_M: Final = 40.0
"""So long before the fastest point of a straight the next corner's entry begins at the latest: who brakes too early
does it there."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the car and this driver were seen to reach in the session.  brake: of its channel.  g: combined."""

    brake: float
    g: float


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the lap, in rows: `first <= i < last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Places:
    """The sections of a corner, the same on every lap; they tile the lap with those of the other corners.

    before: the row where the reference lap is slowest in the corner before it, 0 for the first one; after: in the next
    one, or the last row.
    """

    corner: Corner
    entry: Part
    middle: Part
    exit: Part
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Cornering:
    """How one corner was driven on one lap.  Distances in m, along the lap unless said otherwise; NaN: not known.

    approach_mps: greatest speed before the corner.  lift_m: where full power was let go for it, before the apex.
    brake_m: where braking begins, before the apex.  brake_peak: in the channel's unit.
    brake_rise_s: from the first touch to `HARD_SHARE` of the peak; brake_fall_s: from the last such to none.
    brake_g: greatest deceleration.
    trail_s: braking while turned in.  trail_rough: how unsteadily the brake was let go, as a share of its peak that was
    added again.  turn_in_m: before the apex.  entry_mps: there.  min_mps, min_m: the slowest, and where from the apex
    (positive: behind it).  apex_off_m: from the reference lap's path at its apex, positive to the outside.
    throttle_m: where power comes on, behind the apex.  throttle_rise_s: from there to full, or to the corner's end.
    throttle_lifts: how often power was taken back before the corner's end.  exit_mps: at its end.
    coast_s: neither brake nor power, from `lift_m` to the corner's end.  g_peak: combined.  grip_share: mean
    combined acceleration while turned in, as a share of the most of the session.  corrections: of the steering.
    time_s, lost_s: in the whole of it, and of that in entry, middle and exit, against the reference lap.
    """

    lap: int
    corner: str
    approach_mps: float = np.nan
    lift_m: float = np.nan
    brake_m: float = np.nan
    brake_peak: float = np.nan
    brake_rise_s: float = np.nan
    brake_fall_s: float = np.nan
    brake_g: float = np.nan
    trail_s: float = np.nan
    trail_rough: float = np.nan
    turn_in_m: float = np.nan
    entry_mps: float = np.nan
    min_mps: float = np.nan
    min_m: float = np.nan
    apex_off_m: float = np.nan
    radius_m: float = np.nan
    throttle_m: float = np.nan
    throttle_rise_s: float = np.nan
    throttle_lifts: float = np.nan
    exit_mps: float = np.nan
    coast_s: float = np.nan
    g_peak: float = np.nan
    grip_share: float = np.nan
    corrections: float = np.nan
    time_s: float = np.nan
    lost_s: float = np.nan
    entry_lost_s: float = np.nan
    middle_lost_s: float = np.nan
    exit_lost_s: float = np.nan


FIGURES: Final = tuple(field.name for field in fields(Cornering) if field.name not in ("lap", "corner"))


def limits(laps: Sequence[Driven]) -> Limits:
    """Of these laps together: a hair below the greatest, so that one spike is not the car's limit."""
    brake, g = high([lap.brake_ordered for lap in laps]), high([lap.g_ordered for lap in laps])
    return Limits(*(0.0 if np.isnan(most) else most for most in (brake, g)))


def places(corners: Sequence[Corner], reference: Driven) -> tuple[Places, ...]:
    """The sections of every corner, by where the reference lap was slowest in it; none where there is no corner."""
    if not corners:
        return ()
    n, speed = len(reference), reference.role("speed")
    slowest = [slowest_row(speed, corner) for corner in corners]
    begins = [0]
    for k in range(1, len(corners)):
        before, behind = slowest[k - 1], slowest[k]
        straight = speed[before : behind + 1]
        fastest = before + (int(np.nanargmax(straight)) if np.isfinite(straight).any() else len(straight) // 2)
        halfway = round((corners[k - 1].end_m + corners[k].begin_m) / 2 / STEP_M)
        begins.append(max(before + 1, min(halfway, fastest - round(APPROACH_M / STEP_M))))
    ends = [*begins[1:], n]
    found: list[Places] = []
    for corner, at, begin, end in zip(corners, slowest, begins, ends, strict=True):
        half = round(MIDDLE_SHARE * (corner.end_m - corner.begin_m) / STEP_M)
        first, last = max(begin, at - half), min(end, at + half + 1)
        k = len(found)
        before = slowest[k - 1] if k else 0
        after = slowest[k + 1] if k + 1 < len(slowest) else n - 1
        found.append(Places(corner, Part(begin, first), Part(first, last), Part(last, end), before, after))
    return tuple(found)


def measured(lap: Driven, reference: Driven, place: Places, most: Limits) -> Cornering:
    """How `lap` went through the corner, beside the reference lap.  Both have the same rows."""
    corner = place.corner
    begin, apex, end = (round(m / STEP_M) for m in (corner.begin_m, corner.apex_m, corner.end_m))
    from_, to = place.entry.first, min(end + 1, len(lap))
    speed = lap.role("speed")
    slowest = slowest_row(speed, corner)
    turn_in = _turn_in(lap, begin, apex, from_)
    braking = braking_rows(lap, most)
    lost = {part: _lost(lap, reference, getattr(place, part)) for part in ("entry", "middle", "exit")}
    applied = _applied(lap, braking, from_, max(slowest, apex))
    lifted = _lifted(lap, applied, slowest, place.before)
    return Cornering(
        lap=lap.number,
        corner=corner.name,
        approach_mps=_most(speed[from_ : slowest + 1]),
        lift_m=np.nan if lifted is None else (apex - lifted) * STEP_M,
        **_brake(lap, applied, apex),
        **_trail(lap, applied, turn_in),
        turn_in_m=(apex - turn_in) * STEP_M,
        entry_mps=float(speed[turn_in]),
        min_mps=float(speed[slowest]),
        min_m=(slowest - apex) * STEP_M,
        apex_off_m=_off(lap, reference, corner, apex),
        radius_m=_radius(lap, place.middle),
        **_power(lap, braking, slowest, apex, to),
        exit_mps=float(speed[to - 1]),
        coast_s=_coasting(lap, braking, from_ if lifted is None else lifted, to),
        g_peak=_most(lap.combined_g[turn_in:to]),
        grip_share=_mean(lap.combined_g[turn_in:to]) / most.g if most.g > 0 else np.nan,
        corrections=_corrections(lap, turn_in, to),
        time_s=section_s(lap, Part(place.entry.first, place.exit.last)),
        lost_s=sum(lost.values()),
        entry_lost_s=lost["entry"],
        middle_lost_s=lost["middle"],
        exit_lost_s=lost["exit"],
    )


def slowest_row(speed: Float64, corner: Corner) -> int:
    """Where in the corner the speed is least."""
    first, last = round(corner.begin_m / STEP_M), min(round(corner.end_m / STEP_M) + 1, len(speed))
    part = speed[first:last]
    if not len(part):
        return first
    at = int(np.argmin(np.where(np.isnan(part), np.inf, part)))
    return first + (len(part) // 2 if np.isnan(part[at]) else at)


def braking_rows(lap: Driven, most: Limits) -> Rows:
    """Where the driver brakes."""
    if lap.has("brake") and most.brake > 0:
        return lap.role("brake") > BRAKING_SHARE * most.brake
    return lap.role("g_long") < BRAKING_G


def _applied(lap: Driven, braking: Rows, from_: int, to: int) -> Part | None:
    """The application of the brake that leads into the corner: the one that took the most speed; None: there is none.

    It may have begun before the corner's entry does.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], braking[from_ : to + 1], [False]])))
    speed = lap.role("speed")
    runs = [(from_ + int(a), from_ + int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return None
    first, last = max(runs, key=lambda run: speed[run[0]] - speed[min(run[1], len(speed) - 1)])
    while first > 0 and braking[first - 1]:
        first -= 1
    while last < len(braking) and braking[last]:
        last += 1
    return Part(first, last)


def _brake(lap: Driven, applied: Part | None, apex: int) -> dict[str, float]:
    if applied is None:
        return {}
    first, last = applied.first, applied.last
    found = {"brake_m": (apex - first) * STEP_M, "brake_g": -_least(lap.role("g_long")[first:last])}
    pressure = lap.role("brake")[first:last]
    if np.isfinite(pressure).any():
        peak = float(np.nanmax(pressure))
        hard = first + int(np.argmax(pressure >= HARD_SHARE * peak))
        eased = last - 1 - int(np.argmax(pressure[::-1] >= HARD_SHARE * peak))
        found |= {
            "brake_peak": peak,
            "brake_rise_s": float(lap.t_s[hard] - lap.t_s[first]),
            "brake_fall_s": float(lap.t_s[min(last, len(lap) - 1)] - lap.t_s[eased]),
        }
    return found


def _lifted(lap: Driven, applied: Part | None, slowest: int, floor: int) -> int | None:
    """Where the driver let go of full power for the corner; None: no channel tells, or he did not."""
    throttle = lap.role("throttle")
    behind = slowest if applied is None else min(applied.first, slowest)
    full = np.flatnonzero(throttle[floor : behind + 1] >= FULL_PCT)
    if not lap.has("throttle") or (len(full) and full[-1] + floor == behind):
        return None
    return floor + int(full[-1]) + 1 if len(full) else floor


def _turn_in(lap: Driven, begin: int, apex: int, from_: int) -> int:
    """Where the car has turned in: from the apex back, the first row with less than its share of lateral g."""
    lateral = np.abs(lap.role("g_lat")[min(from_, begin) : apex + 1])
    corner, before = lateral[max(0, begin - from_) :], lateral[max(0, from_ - begin) :]
    if not np.isfinite(corner).any():
        return begin
    calm = np.flatnonzero(before < TURNED_SHARE * np.nanmax(corner))
    return from_ + int(calm[-1]) + 1 if len(calm) and calm[-1] + from_ < apex else begin


def _trail(lap: Driven, applied: Part | None, turn_in: int) -> dict[str, float]:
    """What was braked while the car turned."""
    if not lap.has("brake") and not lap.has("g_long"):
        return {}
    if applied is None or applied.last <= turn_in:
        return {"trail_s": 0.0}
    first, last = max(turn_in, applied.first), min(applied.last, len(lap) - 1)
    found = {"trail_s": float(lap.t_s[last] - lap.t_s[first])}
    pressure = lap.role("brake")[first:last]
    if len(pressure) > 1 and np.isfinite(pressure).all():
        eased = pressure[int(np.argmax(pressure)) :]
        found["trail_rough"] = float(np.max(eased - np.minimum.accumulate(eased)) / eased[0])
    return found


def _power(lap: Driven, braking: Rows, slowest: int, apex: int, to: int) -> dict[str, float]:
    """Where the driver goes back to power for good, and how."""
    throttle = lap.role("throttle")
    if not lap.has("throttle"):
        return {}
    first = slowest
    while first > 0 and throttle[first - 1] > POWER_PCT and not braking[first - 1]:
        first -= 1  # it was on before the car was slowest
    on = np.flatnonzero(throttle[first:to] > POWER_PCT)
    if not len(on):
        return {}
    at = first + int(on[0])
    part = throttle[at:to]
    full = np.flatnonzero(part >= FULL_PCT)
    there = at + (int(full[0]) if len(full) else len(part) - 1)
    falls = np.maximum.accumulate(part) - part  # how much less than it once was
    lifted = (falls > LIFT_PCT) & ~lap.shifting[at:to]
    return {
        "throttle_m": (at - apex) * STEP_M,
        "throttle_rise_s": float(lap.t_s[there] - lap.t_s[at]),
        "throttle_lifts": float(np.count_nonzero(np.diff(lifted.astype(np.int8)) > 0)),
    }


def _coasting(lap: Driven, braking: Rows, from_: int, to: int) -> float:
    """Seconds with neither foot down, in stretches that are no mere change of pedal or gear."""
    throttle = lap.role("throttle")[from_:to]
    if not np.isfinite(throttle).any():
        return np.nan
    idle = (throttle < OFF_PCT) & ~braking[from_:to]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], idle, [False]])))
    t = lap.t_s[from_ : to + 1]
    lasts = t[np.minimum(edges[1::2], len(t) - 1)] - t[edges[::2]]
    return float(np.sum(lasts[lasts >= COAST_S]))


def _corrections(lap: Driven, turn_in: int, to: int) -> float:
    """How often the steering went back and forth while the car was turning."""
    angle = lap.role("steering")[turn_in:to]
    if not np.isfinite(angle).all() or len(angle) < 3:
        return np.nan
    swing = max(CORRECTION_DEG, CORRECTION_SHARE * float(np.max(np.abs(angle))))
    turns, way, low, high = 0, 0, angle[0], angle[0]
    for value in angle[1:]:  # a few hundred rows a corner, once a lap
        low, high = min(low, value), max(high, value)
        if way >= 0 and value < high - swing:
            turns, way, low = turns + (way != 0), -1, value
        elif way <= 0 and value > low + swing:
            turns, way, high = turns + (way != 0), 1, value
    return float(max(0, turns - 1))  # winding on and unwinding is one turn, and a corner


def _radius(lap: Driven, part: Part) -> float:
    """The tightest that was driven; of both channels' means over a few metres, which is where their noise goes."""
    rows = slice(part.first, part.last)
    speed, lateral = _means(lap.role("speed")[rows]), _means(np.abs(lap.role("g_lat")[rows]))
    return _least(speed**2 / (G_MPS2 * np.maximum(lateral, 0.05)))


def _means(values: Float64) -> Float64:
    """Over `2 * MEAN_ROWS + 1` rows each."""
    if not len(values):
        return values
    weights = np.ones(2 * MEAN_ROWS + 1) / (2 * MEAN_ROWS + 1)
    return np.convolve(np.pad(values, MEAN_ROWS, mode="edge"), weights, "valid")


def _off(lap: Driven, reference: Driven, corner: Corner, apex: int) -> float:
    """How far outside of the reference lap's path the car was about its apex: from there to the lap's nearest point."""
    reach = round(NEAR_APEX_M / STEP_M)
    rows = np.arange(max(apex - reach, 3), min(apex + reach, len(reference) - 4) + 1)
    if not len(rows):
        return np.nan
    near = slice(max(0, int(rows[0]) - reach), int(rows[-1]) + reach + 1)
    dx, dy = lap.x_m[near] - reference.x_m[rows, None], lap.y_m[near] - reference.y_m[rows, None]
    nearest = np.argmin(np.hypot(dx, dy), axis=1)[:, None]
    along_x, along_y = (column[rows + 3] - column[rows - 3] for column in (reference.x_m, reference.y_m))
    length = np.hypot(along_x, along_y)
    if not np.all(length > 0):
        return np.nan
    dx, dy = np.take_along_axis(dx, nearest, 1)[:, 0], np.take_along_axis(dy, nearest, 1)[:, 0]
    to_right = float(np.mean((dx * along_y - dy * along_x) / length))
    return -to_right if corner.right else to_right


def section_s(lap: Driven, part: Part) -> float:
    """Seconds that the lap took for these rows; 0 where it has none of them: an open course may end in a corner."""
    last = min(part.last, len(lap) - 1)
    return float(lap.t_s[last] - lap.t_s[part.first]) if last > part.first else 0.0


def _lost(lap: Driven, reference: Driven, part: Part) -> float:
    return section_s(lap, part) - section_s(reference, part)


def _most(values: Float64) -> float:
    return float(np.fmax.reduce(values, initial=np.nan))


def _least(values: Float64) -> float:
    return float(np.fmin.reduce(values, initial=np.nan))


def _mean(values: Float64) -> float:
    there = ~np.isnan(values)
    return float(np.add.reduce(np.where(there, values, 0.0)) / np.count_nonzero(there)) if there.any() else np.nan
