"""Rules over the corners of one lap.  Each is data; docs/coaching.md has the reasons.

Sources, of facts and ideas: Lopez, *Going Faster!* (1997); Bentley, *Ultimate Speed Secrets* (2011); Taruffi, *The
Technique of Motor Racing* (1959); Krumm, *Driving on the Edge* (2011); Segers, *Analysis Techniques for Racecar Data
Acquisition* (2nd ed. 2014).  The thresholds are ours: about three times what laps without a mistake differ by.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pitwall.coach.driving import Seen
from pitwall.coach.finding import Priority
from pitwall.coach.rule import Rule
from pitwall.coach.stretches import Rows
from pitwall.track.corners import Float64

ENTRY: Final = frozenset({"entry"})
EXIT: Final = frozenset({"exit"})
WHOLE: Final = frozenset({"entry", "middle", "exit"})
BEHIND: Final = frozenset({"middle", "exit"})


def _earliest(s: Seen) -> Float64:
    """Where the approach begins: power is let go, or the brake taken, whichever is first."""
    return s.along_m(np.fmax(s.own.lift_m, s.own.brake_m))


def _approach(s: Seen, corner: int) -> float:
    return s.approach_s(corner, _earliest(s)[corner])


def _rolling(s: Seen, corner: int) -> float:
    return s.rolled_s(corner, _earliest(s)[corner])


def _pedals(s: Seen, corner: int) -> float:
    """What rolling, or braking early, cost more than the others' approach: no line, nor speed round it, lost that."""
    if not _mistaken_pedals(s, corner):
        return 0.0
    return max(0.0, float(np.nan_to_num(s.approach_s(corner, _earliest(s)[corner], habits=False))))


def _mistaken_pedals(s: Seen, corner: int) -> bool:
    return bool((coasts(s) | brakes_early(s))[corner])


def _around(s: Seen, corner: int) -> float:
    as_braking = not _mistaken_pedals(s, corner)
    return s.around_s(corner, before_m=60, after_m=60, as_braking=as_braking) - _pedals(s, corner)


def _gripless(s: Seen, corner: int) -> float:
    """Around the slowest point, where not to use the grip is the mistake."""
    return s.around_s(corner, before_m=60, after_m=60, as_gripping=False, as_braking=False) - _pedals(s, corner)


def _behind(s: Seen, corner: int) -> float:
    """From just before the slowest point on."""
    return s.around_s(corner, before_m=10, after_m=60)


def _brake_point(s: Seen) -> Float64:
    return s.along_m(s.own.brake_m)


def _slowest(s: Seen) -> Float64:
    return s.along_m(-s.own.min_m)


def _apex(s: Seen) -> Float64:
    return s.sections.apex_m


def _turn_in(s: Seen) -> Float64:
    return s.along_m(s.own.turn_in_m)


def _power(s: Seen) -> Float64:
    return s.along_m(-s.own.throttle_m)


def coasts(s: Seen) -> Rows:
    """Longer than usual, or so long that it is a habit; and before the brake, not behind a gentle one."""
    before, usual = s.own.lift_m - s.own.brake_m, s.usual.lift_m - s.usual.brake_m
    rolls = np.isnan(s.own.brake_m) | (before > 25 + np.where(np.isnan(usual), 0.0, usual))
    habit = (s.own.coast_s > 0.7) & (np.isnan(before) | (before > 25))
    return ((s.own.coast_s > s.usual.coast_s + 0.45) & rolls) | habit


def brakes_early(s: Seen) -> Rows:
    """Sooner and gentler than usual; or on every lap more gently than this car brakes elsewhere."""
    sooner = s.own.brake_m > s.usual.brake_m + np.maximum(8, 0.07 * s.usual.brake_m)
    beside = sooner & (s.own.brake_g < 0.97 * s.usual.brake_g)
    return ~coasts(s) & (beside | (s.brake_share < 0.85))


def brakes_softly(s: Seen) -> Rows:
    """From the usual point, but less."""
    return (s.own.brake_g < 0.88 * s.usual.brake_g) & (np.abs(s.own.brake_m - s.usual.brake_m) <= 8)


def builds_pressure_slowly(s: Seen) -> Rows:
    slowly = s.own.brake_rise_s > np.fmax(0.35, s.usual.brake_rise_s + 0.25)
    return slowly & (s.own.trail_s <= s.usual.trail_s + 0.5)


def brakes_late_and_deep(s: Seen) -> Rows:
    """Past the usual point, and slowest late: the corner is paid for behind it."""
    return (s.own.brake_m < s.usual.brake_m - 6) & (s.own.min_m > s.usual.min_m + 4)


def releases_abruptly(s: Seen) -> Rows:
    return (s.own.brake_fall_s < 0.15) & (s.own.brake_fall_s < 0.5 * s.usual.brake_fall_s)


def does_not_trail(s: Seen) -> Rows:
    return (s.own.trail_s < 0.15) & (s.usual.trail_s > 0.4)


def releases_unevenly(s: Seen) -> Rows:
    return (s.own.trail_rough > 0.25) & (s.own.trail_rough > s.usual.trail_rough + 0.15)


def misses_apex(s: Seen) -> Rows:
    """A tighter arc at the grip there is; or, round a hairpin, so wide that the way is longer.

    A receiver's fixes drift by metres from lap to lap: a way that takes no longer was not wide.
    """
    tighter = (s.own.radius_m < 0.92 * s.usual.radius_m) & (s.own.min_mps < 0.98 * s.usual.min_mps)
    wide = (s.own.apex_off_m > s.usual.apex_off_m + 2.0) & (s.own.middle_lost_s > s.usual.middle_lost_s + 0.1)
    return (tighter & (s.own.g_peak > 0.93 * s.usual.g_peak)) | wide


def over_slows(s: Seen) -> Rows:
    """Slower on the same arc, with grip left."""
    return (s.own.min_mps < 0.955 * s.usual.min_mps) & (s.own.radius_m > 0.94 * s.usual.radius_m)


def turns_in_early(s: Seen) -> Rows:
    """And pays behind the apex: the arc runs out of road."""
    return (s.own.turn_in_m > s.usual.turn_in_m + 10) & (s.own.min_m > s.usual.min_m + 3)


def turns_in_late(s: Seen) -> Rows:
    return (s.own.turn_in_m < s.usual.turn_in_m - 10) & (s.own.min_mps < 0.98 * s.usual.min_mps)


def leaves_grip(s: Seen) -> Rows:
    return (s.own.grip_share < s.usual.grip_share - 0.07) & (s.own.g_peak < 0.93 * s.usual.g_peak)


def corrects(s: Seen) -> Rows:
    return s.own.corrections >= s.usual.corrections + 2


def fast_in_slow_out(s: Seen) -> Rows:
    return (s.own.entry_mps > 1.03 * s.usual.entry_mps) & (s.own.exit_mps < 0.98 * s.usual.exit_mps)


def late_to_power(s: Seen) -> Rows:
    return s.own.throttle_m > s.usual.throttle_m + 3.5


def timid_on_power(s: Seen) -> Rows:
    slowly = s.own.throttle_rise_s > s.usual.throttle_rise_s + 0.5
    return slowly & (s.own.throttle_lifts <= s.usual.throttle_lifts)


def _lifts_again(s: Seen) -> Rows:
    return s.own.throttle_lifts >= s.usual.throttle_lifts + 1


def lifts_on_exit(s: Seen) -> Rows:
    return _lifts_again(s) & (s.own.throttle_m >= s.usual.throttle_m - 5)


def power_too_soon(s: Seen) -> Rows:
    return _lifts_again(s) & (s.own.throttle_m < s.usual.throttle_m - 5)


def slow_exit(s: Seen) -> Rows:
    return s.own.exit_mps < 0.96 * s.usual.exit_mps


def loses_time(s: Seen) -> Rows:
    """Where no pedal is on the bus, where and how much is all that can be told."""
    return (s.own.time_s > s.usual.time_s + 0.1) & (not s.lap.has("throttle"))


CORNER_RULES: Final = (
    Rule(
        "coasts",
        "corner",
        "entry",
        ENTRY,
        Priority.TIME,
        coasts,
        _rolling,
        lambda s: s.along_m(s.own.lift_m),
        ("coast_s", "lift_m", "brake_m"),
    ),
    Rule(
        "brakes-early",
        "corner",
        "entry",
        ENTRY,
        Priority.TIME,
        brakes_early,
        _approach,
        _brake_point,
        ("brake_m", "brake_g", "brake_peak", "brake_share"),
    ),
    Rule(
        "brakes-softly",
        "corner",
        "entry",
        ENTRY,
        Priority.TIME,
        brakes_softly,
        _approach,
        _brake_point,
        ("brake_g", "brake_peak", "brake_m"),
    ),
    Rule(
        "builds-pressure-slowly",
        "corner",
        "entry",
        ENTRY,
        Priority.TIME,
        builds_pressure_slowly,
        _approach,
        _brake_point,
        ("brake_rise_s", "brake_peak", "brake_m"),
    ),
    Rule(
        "misses-apex",
        "corner",
        "middle",
        WHOLE,
        Priority.TIME,
        misses_apex,
        _around,
        _apex,
        ("apex_off_m", "radius_m", "min_mps", "exit_mps"),
    ),
    Rule(
        "over-slows",
        "corner",
        "middle",
        WHOLE,
        Priority.TIME,
        over_slows,
        _gripless,
        _slowest,
        ("min_mps", "radius_m", "g_peak"),
    ),
    Rule(
        "brakes-late-and-deep",
        "corner",
        "middle",
        WHOLE,
        Priority.TIME,
        brakes_late_and_deep,
        _around,
        _brake_point,
        ("brake_m", "min_m", "min_mps", "exit_mps"),
    ),
    Rule(
        "turns-in-early",
        "corner",
        "middle",
        WHOLE,
        Priority.TIME,
        turns_in_early,
        _around,
        _turn_in,
        ("turn_in_m", "min_m", "exit_mps"),
    ),
    Rule(
        "turns-in-late",
        "corner",
        "middle",
        WHOLE,
        Priority.TIME,
        turns_in_late,
        _around,
        _turn_in,
        ("turn_in_m", "min_mps"),
    ),
    Rule(
        "power-too-soon",
        "corner",
        "exit",
        BEHIND,
        Priority.TIME,
        power_too_soon,
        _behind,
        _power,
        ("throttle_m", "throttle_lifts", "exit_mps"),
    ),
    Rule(
        "lifts-on-exit",
        "corner",
        "exit",
        EXIT,
        Priority.TIME,
        lifts_on_exit,
        _behind,
        _power,
        ("throttle_lifts", "throttle_m", "exit_mps"),
    ),
    Rule(
        "late-to-power",
        "corner",
        "exit",
        BEHIND,
        Priority.TIME,
        late_to_power,
        _behind,
        _power,
        ("throttle_m", "min_mps", "exit_mps"),
    ),
    Rule(
        "timid-on-power",
        "corner",
        "exit",
        EXIT,
        Priority.TIME,
        timid_on_power,
        _behind,
        _power,
        ("throttle_rise_s", "throttle_m", "exit_mps"),
    ),
    Rule(
        "fast-in-slow-out",
        "corner",
        "exit",
        BEHIND,
        Priority.TIME,
        fast_in_slow_out,
        _around,
        _turn_in,
        ("entry_mps", "exit_mps"),
    ),
    Rule(
        "leaves-grip",
        "corner",
        "middle",
        WHOLE,
        Priority.TIME,
        leaves_grip,
        _gripless,
        _slowest,
        ("grip_share", "g_peak", "min_mps"),
    ),
    Rule(
        "slow-exit",
        "corner",
        "exit",
        EXIT,
        Priority.TIME,
        slow_exit,
        _behind,
        _power,
        ("exit_mps", "min_mps", "throttle_m"),
    ),
    Rule(
        "does-not-trail",
        "corner",
        "entry",
        ENTRY,
        Priority.HABIT,
        does_not_trail,
        _around,
        _turn_in,
        ("trail_s", "turn_in_m"),
    ),
    Rule(
        "releases-abruptly",
        "corner",
        "middle",
        frozenset({"middle"}),
        Priority.HABIT,
        releases_abruptly,
        _around,
        _turn_in,
        ("brake_fall_s", "trail_s"),
    ),
    Rule(
        "releases-unevenly",
        "corner",
        "middle",
        frozenset({"middle"}),
        Priority.HABIT,
        releases_unevenly,
        _around,
        _turn_in,
        ("trail_rough", "trail_s"),
    ),
    Rule(
        "corrects-steering",
        "corner",
        "middle",
        frozenset({"middle"}),
        Priority.HABIT,
        corrects,
        _around,
        _apex,
        ("corrections", "entry_mps"),
    ),
    Rule(
        "loses-time",
        "corner",
        "corner",
        WHOLE,
        Priority.TIME,
        loses_time,
        lambda s, corner: s.own.time_s[corner] - s.usual.time_s[corner],
        _slowest,
        ("time_s", "approach_mps", "min_mps", "exit_mps"),
    ),
)
"""Causes before what follows from them: of two that explain nearly the same loss the first is named."""
