"""A crossing is where exact arithmetic says that two segments meet, and when the car got there at an even speed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from pitwall.track.definition import Line
from pitwall.track.gate import Gate, crossings, directed, gate
from pitwall.track.plane import apart_m, plane_about

METRES = st.integers(-400, 400).map(lambda quarter: quarter / 4)  # exact in binary
POINTS = st.lists(st.tuples(METRES, METRES), min_size=2, max_size=12)


def slow(line: Gate, t: list[int], points: list[tuple[float, float]]) -> list[tuple[int, Fraction]]:
    """Index and time of each crossing, by fractions, fix by fix."""
    ax, ay = Fraction(line.along_x), Fraction(line.along_y)

    def side(point: tuple[float, float]) -> Fraction:
        return (Fraction(point[1]) - Fraction(line.y_m)) * ax - (Fraction(point[0]) - Fraction(line.x_m)) * ay

    found = []
    for i in range(1, len(points)):
        before, after = side(points[i - 1]), side(points[i])
        if (before >= 0) == (after >= 0):
            continue
        part = before / (before - after)
        x, y = (Fraction(a) + part * (Fraction(b) - Fraction(a)) for a, b in zip(points[i - 1], points[i], strict=True))
        along = (x - Fraction(line.x_m)) * ax + (y - Fraction(line.y_m)) * ay
        if 0 <= along <= ax * ax + ay * ay:
            found.append((i, t[i - 1] + part * (t[i] - t[i - 1])))
    return found


@given(
    points=POINTS, ends=st.tuples(METRES, METRES, METRES, METRES), steps=st.lists(st.integers(1, 10**9), min_size=12)
)
def test_crossings_are_those_of_exact_arithmetic(
    points: list[tuple[float, float]], ends: tuple[float, float, float, float], steps: list[int]
) -> None:
    line = Gate(*ends)
    assume(line.length_m > 1)
    t = np.cumsum(np.array(steps[: len(points)], np.int64))
    x, y = (np.array(column) for column in zip(*points, strict=True))
    found = [(one.index, one.t_ns) for one in crossings(line, t, x, y)]
    exact = slow(line, t.tolist(), points)
    if len(found) == len(exact):  # a crossing on a line's very end may be rounded to either side of it
        for (index, t_ns), (other, other_t) in zip(found, exact, strict=True):
            assert index == other
            assert abs(t_ns - other_t) <= 1
    else:
        assert abs(len(found) - len(exact)) <= 1


@given(lat=st.floats(-70, 70), lon=st.floats(-179.9, 179.9), heading=st.floats(0, 359.9))
def test_a_line_is_crossed_in_the_direction_of_its_heading(lat: float, lon: float, heading: float) -> None:
    plane = plane_about((lat, lon))
    north, east = np.cos(np.radians(heading)), np.sin(np.radians(heading))
    line = Line(plane.degrees(-10 * north, 10 * east), plane.degrees(10 * north, -10 * east), heading)
    laid = gate(line, plane)
    (one,) = crossings(laid, np.array([0, 1000]), np.array([-5 * east, 5 * east]), np.array([-5 * north, 5 * north]))
    assert one.sense == laid.sense
    assert abs(one.t_ns - 500) <= 1
    assert gate(directed(Line(line.a, line.b), plane, laid.sense), plane).sense == laid.sense
    assert gate(directed(Line(line.a, line.b), plane, -laid.sense), plane).sense == -laid.sense


def test_the_plane_is_as_exact_as_it_says() -> None:
    """Against the great circle's length on a sphere of the same size: haversine."""
    plane = plane_about((52.0, -1.0))
    for north_m in (0.0, 1_000.0, 2_000.0):
        a, b = plane.degrees(-500.0, north_m), plane.degrees(500.0, north_m)
        here = apart_m(a, b)  # by a plane of its own
        assert abs(here - 1000.0) <= 0.2 * north_m / 1000 + 0.001


def test_a_fix_on_the_line_is_across_it_and_counts_once() -> None:
    line = Gate(-10.0, 0.0, 20.0, 0.0)
    t, x = np.array([0, 100, 200, 300]), np.zeros(4)
    assert [one.t_ns for one in crossings(line, t, x, np.array([-2.0, 0.0, 2.0, 4.0]))] == [100]
    assert [one.sense for one in crossings(line, t, x, np.array([-2.0, 0.0, -2.0, -4.0]))] == [1, -1]
