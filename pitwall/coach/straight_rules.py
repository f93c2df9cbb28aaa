"""Rules over the straights that lead to corners, on one lap.  Each is data: docs/coaching.md has the reasons."""

from __future__ import annotations

from typing import Final

import numpy as np

from pitwall.coach.driving import Seen
from pitwall.coach.finding import Priority
from pitwall.coach.rule import Rule
from pitwall.coach.stretches import Rows

STRAIGHT: Final = frozenset({"straight"})
SHORT_SHIFT_RPM: Final = 400.0
MISSED_S: Final = 0.4
"""Longer than the driver's other shifts by so much, the lever did not find its gear."""


def lifts(s: Seen) -> Rows:
    """For longer than usual there."""
    usual = s.usual_straight.lift_s
    return s.straight.lift_s > np.where(np.isnan(usual), 0.0, usual) + 0.15


def short_shifts(s: Seen) -> Rows:
    return s.straight.shift_rpm < s.usual_straight.shift_rpm - SHORT_SHIFT_RPM


def misses_shift(s: Seen) -> Rows:
    return s.straight.shift_s > s.usual_straight.shift_s + MISSED_S


STRAIGHT_RULES: Final = (
    Rule(
        "misses-shift",
        "straight",
        "straight",
        STRAIGHT,
        Priority.TIME,
        misses_shift,
        lambda s, corner: s.approach_s(corner, s.straight.shift_at_m[corner]),
        lambda s: s.straight.shift_at_m,
        ("shift_s", "top_mps"),
    ),
    Rule(
        "lifts-on-straight",
        "straight",
        "straight",
        STRAIGHT,
        Priority.TIME,
        lifts,
        lambda s, corner: s.approach_s(corner, s.straight.lift_m[corner]),
        lambda s: s.straight.lift_m,
        ("lift_s", "lifts", "top_mps"),
    ),
    Rule(
        "short-shifts",
        "straight",
        "straight",
        STRAIGHT,
        Priority.TIME,
        short_shifts,
        lambda s, corner: s.approach_s(corner, s.straight.shift_m[corner]),
        lambda s: s.straight.shift_m,
        ("shift_rpm", "top_mps"),
    ),
)
