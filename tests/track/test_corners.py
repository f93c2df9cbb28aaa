"""Corners, as they were driven: against the simulator's circuit, and against circles drawn by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.track.corners import LEAST_TURN_DEG, curvature, found, named
from tests.coach.laps_of import drive, plane

FLAT_OUT = {"T12"}
"""The kink that nobody lifts for: straightened by the line, it is no corner on a lap that was driven."""


def bends(*parts: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The path of (metres, radius to the right; 0: straight), one point a metre."""
    kappa = np.concatenate([np.full(round(length), 1 / radius if radius else 0.0) for length, radius in parts])
    heading = np.cumsum(kappa)
    return np.cumsum(np.sin(heading)), np.cumsum(np.cos(heading))


def test_every_corner_of_the_circuit_is_found_where_the_car_really_turns() -> None:
    driven = drive()
    track = driven.truth["track"]["corners"]
    expected = [corner for corner in track if corner["name"] not in FLAT_OUT]
    assert len(driven.corners) == len(expected)
    for corner, true in zip(driven.corners, expected, strict=True):
        assert corner.right == (true["direction"] == "right")
        (x,), (y,) = plane(np.array([true["apex"][0]]), np.array([true["apex"][1]]))
        at = round(corner.apex_m)
        assert np.hypot(driven.reference.x_m[at] - x, driven.reference.y_m[at] - y) < 25
        assert corner.begin_m < corner.apex_m < corner.end_m
        if corner.radius_m < 150:  # a wide bend is cut: the car turns by less than the track does
            assert abs(corner.turn_deg) == pytest.approx(true["turn_deg"], rel=0.2)


def test_corners_take_the_names_of_the_nearest_apexes() -> None:
    driven = drive()
    reference, track = driven.reference, driven.truth["track"]["corners"]
    lat, lon = np.array([corner["apex"] for corner in track]).T
    x, y = plane(lat, lon)
    names = [(f"corner {corner['name']}", float(a), float(b)) for corner, a, b in zip(track, x, y, strict=True)]
    got = named(driven.corners, reference.x_m, reference.y_m, names)
    assert [corner.name for corner in got] == [f"corner T{k}" for k in range(1, 12)]
    far = named(driven.corners, reference.x_m, reference.y_m, [("elsewhere", 1e5, 1e5)])
    assert [corner.name for corner in far] == [corner.name for corner in driven.corners]


def test_the_curvature_of_a_circle_is_one_over_its_radius() -> None:
    x, y = bends((100, 0), (120, 40), (100, 0))
    kappa = curvature(x, y, closed=False)
    assert kappa[160] == pytest.approx(1 / 40, rel=0.05)
    assert abs(kappa[30]) < 1e-6


def test_a_lap_whose_line_lies_within_a_corner_is_one_lap_all_the_same() -> None:
    x, y = bends((60, 40), (200, 0), (251, 80), (200, 0), (65, 40), (400, 0))
    assert all(np.isfinite(corner.apex_m) for corner in found(x, y, closed=True))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(60, 300), st.floats(25, 150), st.floats(25, 160), st.sampled_from([-1, 1])),
        min_size=1,
        max_size=6,
    ),
    st.floats(0, 0.3),
    st.integers(0, 2**16),
)
def test_bends_between_straights_are_found_whatever_they_are_and_however_the_gps_errs(plan, error, seed) -> None:
    parts = []
    for straight, radius, turn, side in plan:
        parts += [(straight, 0), (radius * np.radians(turn), side * radius)]
    x, y = bends(*parts, (100, 0))
    chance = np.random.default_rng(seed)
    knots = np.arange(0, len(x) + 9, 9)  # drifting, as a receiver's error does
    wander = [np.interp(np.arange(len(x)), knots, chance.normal(0, error, len(knots))) for _ in "xy"]
    corners = found(x + wander[0], y + wander[1], closed=False)
    assert [corner.right for corner in corners] == [side > 0 for *_, side in plan]
    for corner, (_, _, turn, side) in zip(corners, plan, strict=True):
        assert corner.turn_deg == pytest.approx(side * turn, rel=0.25, abs=LEAST_TURN_DEG)
    for before, behind in pairwise(corners):
        assert before.end_m <= behind.begin_m
