"""What a mistake is said to be worth, on laps drawn by hand: the mistake, not how hard the lap braked or gripped."""

from __future__ import annotations

import math

import pytest

from pitwall.coach.driving import MISTAKEN_S, Driving
from pitwall.coach.sections import Sections
from tests.coach.test_rules import CORNER, NORMAL, lap

USUAL = [lap(k) for k in range(1, 5)]
MORE_GRIP = NORMAL["min_mps"] * math.sqrt(1.03)
TIGHT = 34.0
ROUND_TIGHT = NORMAL["min_mps"] * math.sqrt(TIGHT / NORMAL["radius"])


def seen(part: str, *others, **changes):
    """A lap drawn so, beside four normal ones or these."""
    laps = [*(others or USUAL), lap(9, **changes)]
    return Driving(laps, Sections([CORNER], laps[0])).seen(len(laps) - 1)[part]


def around_s(**changes) -> float:
    return seen("middle", **changes).around_s(0, before_m=60, after_m=60)


def rolled_s(**changes) -> float:
    rolling = seen("entry", **changes)
    return rolling.rolled_s(0, float(rolling.along_m(rolling.own.lift_m)[0]))


def test_more_grip_or_harder_braking_than_the_others_is_no_gain_of_the_line() -> None:
    assert around_s() == pytest.approx(0, abs=1e-9)
    assert around_s(min_mps=MORE_GRIP) == pytest.approx(0, abs=0.01)
    assert around_s(decel_g=0.95) == pytest.approx(0, abs=0.01)
    assert around_s(decel_g=1.05) == pytest.approx(0, abs=0.01)


def test_a_missed_apex_costs_the_same_on_a_lap_that_grips_or_brakes_more() -> None:
    worth_s = around_s(radius=TIGHT, min_mps=ROUND_TIGHT)
    assert worth_s > 0.1
    gripping = around_s(radius=TIGHT, min_mps=ROUND_TIGHT * math.sqrt(1.03))
    assert gripping == pytest.approx(worth_s, rel=0.05)
    assert around_s(radius=TIGHT, min_mps=ROUND_TIGHT, decel_g=1.05) == pytest.approx(worth_s, rel=0.05)


def test_grip_that_no_lap_lacks_by_chance_was_left_unused() -> None:
    assert around_s(min_mps=NORMAL["min_mps"] * math.sqrt(0.85)) > 0.1


def test_what_was_rolled_away_is_not_worth_more_if_the_lap_then_brakes_less() -> None:
    worth_s = rolled_s(lift=230)
    assert worth_s > 0.05
    # who brakes less begins to brake sooner, and so has rolled a little less
    assert rolled_s(lift=230, decel_g=0.95) == pytest.approx(worth_s, rel=0.15)


def test_laps_with_a_mistake_in_that_corner_are_not_compared_with_and_luck_is() -> None:
    lucky, slow = lap(7, min_mps=20.3), lap(8, min_mps=17.5)
    beside = seen("corner", *USUAL, lucky, slow)
    assert beside.good[0, 0] == 4
    assert sorted(beside.alike(0)) == [0, 1, 2, 3, 4]
    assert beside.driving.measured(5).times_s[3, 0] > beside.driving.measured(0).times_s[3, 0] + MISTAKEN_S


def test_of_many_laps_those_in_the_middle_are_compared_with() -> None:
    others = [lap(k, min_mps=20 + 0.02 * k) for k in range(1, 12)]
    assert seen("corner", *others).alike(0) == [7, 6, 5, 4, 3]
