"""A lap in, what the driver did in its corners out: where he braked, turned in, was slowest, went back to power.

Laws: what the car's channels can't tell is missing (NaN), never 0; a figure depends on its own lap and on the
reference lap alone; the times lost in the sections of a lap add up to its delta.  Pure.

All corners of a lap are measured at once; what is (k,) here is of each of them.

What is meant by each figure is race engineers' common usage, as in Carl Lopez, *Going Faster* (Skip Barber, 1997), and
Bentley, *Ultimate Speed Secrets* (2011); the thresholds are ours, and stand beside their reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.coach.driven import FULL_PCT, G_MPS2, Driven, high
from pitwall.coach.sections import Sections
from pitwall.coach.stretches import Rows, Runs, Smoothed, Stretches, from_on, up_to
from pitwall.frames import Int64
from pitwall.track.corners import STEP_M, Float64

BRAKING_SHARE: Final = 0.08
"""Of the hardest braking of the session: less is a foot that rests, or a sensor's noise."""
HARD_SHARE: Final = 0.9
"""Of a brake application's own peak: it is on when it has come so far."""
BRAKING_G: Final = -0.25
"""Without a brake channel: no engine brakes so hard above second gear."""
POWER_PCT: Final = 20.0
"""More throttle than holds the speed in a corner."""
OFF_PCT: Final = 5.0
LIFT_PCT: Final = 10.0
"""A throttle that gives so much back was lifted."""
COAST_S: Final = 0.3
"""A foot that goes from one pedal to the other, or a lever from gear to gear, is faster: that is no coasting."""
TURNED_SHARE: Final = 0.4
"""Of a corner's greatest lateral acceleration: the car has turned in."""
CORRECTION_SHARE: Final = 0.12
"""Of a corner's greatest steering angle: a swing back and forth by more is a correction."""
CORRECTION_DEG: Final = 4.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the car and this driver were seen to reach in the session.  brake: of its channel.  g: combined."""

    brake: float
    g: float


@dataclass(frozen=True, slots=True, eq=False)
class Cornering:
    """How the corners were driven on one lap, float64 (k,) each; NaN: not known.  Distances in m, along the lap unless
    said otherwise.

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

    approach_mps: Float64
    lift_m: Float64
    brake_m: Float64
    brake_peak: Float64
    brake_rise_s: Float64
    brake_fall_s: Float64
    brake_g: Float64
    trail_s: Float64
    trail_rough: Float64
    turn_in_m: Float64
    entry_mps: Float64
    min_mps: Float64
    min_m: Float64
    apex_off_m: Float64
    radius_m: Float64
    throttle_m: Float64
    throttle_rise_s: Float64
    throttle_lifts: Float64
    exit_mps: Float64
    coast_s: Float64
    g_peak: Float64
    grip_share: Float64
    corrections: Float64
    time_s: Float64
    lost_s: Float64
    entry_lost_s: Float64
    middle_lost_s: Float64
    exit_lost_s: Float64


FIGURES: Final = tuple(field.name for field in fields(Cornering))


def limits(laps: Sequence[Driven]) -> Limits:
    """Of these laps together: a hair below the greatest, so that one spike is not the car's limit."""
    brake, g = high([lap.brake_ordered for lap in laps]), high([lap.g_ordered for lap in laps])
    return Limits(*(0.0 if np.isnan(most) else most for most in (brake, g)))


def measured(lap: Driven, reference: Driven, sections: Sections, most: Limits) -> Cornering:
    """How `lap` went through the corners, beside the reference lap.  Both have the same rows."""
    apex, to = sections.apex, sections.end
    speed = lap.role("speed")
    slowest = sections.slowest(speed)
    turn_in = _turn_in(lap, sections)
    braking = braking_rows(lap, most)
    applied = _applied(lap, braking, sections.entry, np.minimum(np.maximum(slowest, apex) + 1, len(lap)))
    lifted = _lifted(lap, applied, slowest, sections.before)
    times_s = sections.times_s(lap)
    entry_lost_s, middle_lost_s, exit_lost_s = times_s[:3] - sections.times_s(reference)[:3]
    turned = Stretches(turn_in, to)
    combined_g = lap.combined_g[turned.rows]
    up_to_slowest = Stretches(sections.entry, slowest + 1)
    figures: Mapping[str, npt.NDArray[np.floating]] = {
        "approach_mps": up_to_slowest.reduced(np.fmax, speed[up_to_slowest.rows]),
        "lift_m": np.where(lifted < 0, np.nan, (apex - lifted) * STEP_M),
        **_brake(lap, applied, apex),
        **_trail(lap, applied, turn_in),
        "turn_in_m": (apex - turn_in) * STEP_M,
        "entry_mps": speed[turn_in],
        "min_mps": speed[slowest],
        "min_m": (slowest - apex) * STEP_M,
        "apex_off_m": _off(lap, reference, sections),
        "radius_m": _radius(lap, sections.middle),
        **_power(lap, braking, slowest, apex, to),
        "exit_mps": speed[to - 1],
        "coast_s": _coasting(lap, braking, np.where(lifted < 0, sections.entry, lifted), to),
        "g_peak": turned.reduced(np.fmax, combined_g),
        "grip_share": turned.mean(combined_g) / (most.g or np.nan),
        "corrections": _corrections(lap, turned),
        "time_s": times_s[3],
        "lost_s": entry_lost_s + middle_lost_s + exit_lost_s,
        "entry_lost_s": entry_lost_s,
        "middle_lost_s": middle_lost_s,
        "exit_lost_s": exit_lost_s,
    }
    unknown = np.full(len(sections), np.nan)
    return Cornering(**{name: np.asarray(figures.get(name, unknown), np.float64) for name in FIGURES})


def braking_rows(lap: Driven, most: Limits) -> Rows:
    """Where the driver brakes."""
    if lap.has("brake") and most.brake > 0:
        return lap.role("brake") > BRAKING_SHARE * most.brake
    return lap.role("g_long") < BRAKING_G


def _applied(lap: Driven, braking: Rows, from_: Int64, to: Int64) -> Stretches:
    """The application of the brake that leads into each corner: the one that took the most speed; empty: there is none.

    It may have begun before the corner's entry does.
    """
    runs, speed = Runs(braking), lap.role("speed")
    which, first, last = runs.within(from_, to)
    taken = speed[first] - speed[np.minimum(last, len(lap) - 1)]
    taken[np.isnan(taken)] = -np.inf
    most = which.first_where(taken == which.spread(which.reduced(np.maximum, taken)))
    nowhere = len(lap)
    first, last = (np.concatenate((each, (nowhere,)))[most] for each in (runs.first, runs.last))
    return Stretches(first, last)


def _brake(lap: Driven, applied: Stretches, apex: Int64) -> dict[str, Float64]:
    first, last, t_s = applied.first, applied.last, lap.t_s
    begins = np.minimum(first, len(lap) - 1)
    found = {
        "brake_m": np.where(last > first, (apex - first) * STEP_M, np.nan),
        "brake_g": -applied.reduced(np.fmin, lap.role("g_long")[applied.rows]),
    }
    if lap.has("brake"):
        pressure = lap.role("brake")[applied.rows]
        peak = applied.reduced(np.fmax, pressure)
        hard_on = pressure >= applied.spread(HARD_SHARE * peak)
        hard, eased = applied.first_where(hard_on), applied.last_where(hard_on)
        hard, eased = np.where(hard < 0, begins, hard), np.where(eased < 0, np.maximum(last - 1, 0), eased)
        unknown = np.where(np.isnan(peak), np.nan, 0.0)
        found |= {
            "brake_peak": peak,
            "brake_rise_s": t_s[hard] - t_s[begins] + unknown,
            "brake_fall_s": t_s[np.minimum(last, len(lap) - 1)] - t_s[np.minimum(eased, len(lap) - 1)] + unknown,
        }
    return found


def _lifted(lap: Driven, applied: Stretches, slowest: Int64, floor: Int64) -> Int64:
    """The rows where the driver let go of full power for the corner; -1: no channel tells, or he did not."""
    if not lap.has("throttle"):
        return np.full(len(slowest), -1)
    behind = np.minimum(applied.first, slowest)
    full = up_to(lap.role("throttle") >= FULL_PCT, behind)
    return np.where(full < floor, floor, np.where(full == behind, -1, full + 1))


def _turn_in(lap: Driven, sections: Sections) -> Int64:
    """The rows where the car has turned in: from the apex back, the first with less than its share of lateral g."""
    lateral = np.abs(lap.role("g_lat"))
    most = sections.turning.reduced(np.fmax, lateral[sections.turning.rows])
    approach = sections.approach
    calm = approach.last_where(lateral[approach.rows] < approach.spread(TURNED_SHARE * most))
    return np.where((calm >= 0) & (calm < sections.apex), calm + 1, sections.begin)


def _trail(lap: Driven, applied: Stretches, turn_in: Int64) -> dict[str, Float64]:
    """What was braked while the car turned."""
    if not lap.has("brake") and not lap.has("g_long"):
        return {}
    at_end = len(lap) - 1
    last = np.where(applied.last > applied.first, np.minimum(applied.last, at_end), 0)
    trailed = Stretches(np.minimum(np.maximum(turn_in, applied.first), at_end), last)
    trails = (applied.last > applied.first) & (applied.last > turn_in)
    found = {"trail_s": np.where(trails, lap.t_s[last] - lap.t_s[trailed.first], 0.0)}
    if lap.has("brake"):
        brake = lap.role("brake")
        pressure = brake[trailed.rows]
        most = trailed.first_where(pressure == trailed.spread(trailed.reduced(np.maximum, pressure)))
        eased = Stretches(np.where(most < 0, last, most), last)  # from the peak on, where all of it is known
        pressure = brake[eased.rows]
        again = eased.reduced(np.fmax, pressure - eased.running(np.minimum, pressure))
        with np.errstate(invalid="ignore", divide="ignore"):
            rough = again / brake[np.maximum(most, 0)]
        found["trail_rough"] = np.where(last - trailed.first > 1, rough, np.nan)
    return found


def _power(lap: Driven, braking: Rows, slowest: Int64, apex: Int64, to: Int64) -> dict[str, Float64]:
    """Where the driver goes back to power for good, and how."""
    throttle = lap.role("throttle")
    if not lap.has("throttle"):
        return {}
    on = throttle > POWER_PCT
    first = up_to(~on | braking, slowest - 1) + 1  # it may be on before the car is slowest
    at = np.minimum(from_on(on, first), to)
    none = at == to
    full = from_on(throttle >= FULL_PCT, at)
    there = np.where(full < to, full, to - 1)
    part = Stretches(at, to)
    given = throttle[part.rows]
    falls = part.running(np.maximum, given) - given  # how much less than it once was
    lifted = (falls > LIFT_PCT) & ~lap.shifting[part.rows]
    lifted[1:] &= ~lifted[:-1]  # the first row of a part is none: it is the most so far
    return {
        "throttle_m": np.where(none, np.nan, (at - apex) * STEP_M),
        "throttle_rise_s": np.where(none, np.nan, lap.t_s[there] - lap.t_s[np.minimum(at, len(lap) - 1)]),
        "throttle_lifts": np.where(none, np.nan, part.count(lifted)),
    }


def _coasting(lap: Driven, braking: Rows, from_: Int64, to: Int64) -> Float64:
    """Seconds with neither foot down, in stretches that are no mere change of pedal or gear."""
    throttle = lap.role("throttle")
    which, first, last = Runs((throttle < OFF_PCT) & ~braking).within(from_, to)
    lasts = lap.t_s[np.minimum(last, len(lap) - 1)] - lap.t_s[first]
    coasted = np.nan_to_num(which.reduced(np.add, np.where(lasts >= COAST_S, lasts, 0.0)))
    return np.where(from_on(np.isfinite(throttle), from_) < to, coasted, np.nan)


def _corrections(lap: Driven, turned: Stretches) -> Float64:
    """How often the steering went back and forth while the car was turning."""
    angle = lap.role("steering")
    most = turned.reduced(np.maximum, np.abs(angle[turned.rows]))
    known = np.isfinite(most) & (turned.last - turned.first >= 3)
    way = np.sign(angle[1:] - angle[:-1])
    turns = (way[1:] != way[:-1]).nonzero()[0] + 1  # between two of them the wheel is turned one way, or held
    begins, ends = turns.searchsorted(turned.first).tolist(), turns.searchsorted(turned.last).tolist()
    at_turns, at_begin, at_end = (angle[rows].tolist() for rows in (turns, turned.first, turned.last - 1))
    found = np.full(len(most), np.nan)
    for k in known.nonzero()[0].tolist():
        angles = [at_begin[k], *at_turns[begins[k] : ends[k]], at_end[k]]
        found[k] = _swings(angles, max(CORRECTION_DEG, CORRECTION_SHARE * float(most[k])))
    return found


def _swings(angles: Sequence[float], swing: float) -> int:
    """How often they go back by so much; winding on and unwinding is one turn, and a corner."""
    turns, way, low, high_ = 0, 0, angles[0], angles[0]
    for angle in angles:
        if angle > high_:
            high_ = angle
        if angle < low:
            low = angle
        if way >= 0 and angle < high_ - swing:
            turns, way, low = turns + (way != 0), -1, angle
        elif way <= 0 and angle > low + swing:
            turns, way, high_ = turns + (way != 0), 1, angle
    return max(0, turns - 1)


def _radius(lap: Driven, middle: Smoothed) -> Float64:
    """The tightest that was driven; of both channels' means over a few metres, which is where their noise goes."""
    speed, lateral = middle.means(lap.role("speed")), middle.means(np.abs(lap.role("g_lat")))
    return middle.parts.reduced(np.fmin, speed**2 / (G_MPS2 * np.maximum(lateral, 0.05)))


def lateral_g(lap: Driven, middle: Smoothed) -> Float64:
    """The greatest in each corner's middle, of means over a few metres of it."""
    means = middle.means(np.abs(lap.role("g_lat")))
    found = middle.parts.reduced(np.maximum, np.where(middle.whole, means, -np.inf))
    return np.where(np.isfinite(found), found, np.nan)


def _off(lap: Driven, reference: Driven, sections: Sections) -> Float64:
    """How far outside of the reference lap's path the car was about its apex: from there to the lap's nearest point."""
    rows, near = sections.about_apex, sections.near
    dx, dy = lap.x_m[near] - reference.x_m[rows][:, :, None], lap.y_m[near] - reference.y_m[rows][:, :, None]
    nearest = (dx * dx + dy * dy).argmin(axis=2)
    at = np.arange(0, dx.size, dx.shape[2]).reshape(nearest.shape) + nearest
    along_x, along_y = (column[rows + 3] - column[rows - 3] for column in (reference.x_m, reference.y_m))
    length = np.hypot(along_x, along_y)
    dx, dy = dx.ravel()[at], dy.ravel()[at]
    with np.errstate(invalid="ignore", divide="ignore"):  # a path that stands still there has no sides
        to_right = np.where(sections.there, (dx * along_y - dy * along_x) / length, 0.0)
        found = to_right.sum(axis=1) / sections.there.sum(axis=1)
    found[(sections.there & ~(length > 0)).any(axis=1)] = np.nan
    return np.asarray(np.where(sections.right, -found, found), np.float64)
