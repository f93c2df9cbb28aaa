"""Start lines of a .vbo, in both of its formats, on tracks made for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.bus.loggers.laptiming import EARTH_M, gates, start_line

DEGREE_M = math.radians(EARTH_M)
places = st.tuples(st.floats(-65, 65), st.floats(-179, 179)).filter(lambda place: abs(place[0] + place[1]) > 0.1)
"""But for places as far north as they are west, where swapping the two changes nothing that can be told."""


def at(place: tuple[float, float], east_m: float, north_m: float) -> tuple[float, float]:
    lat, lon = place
    return lat + north_m / DEGREE_M, lon + east_m / (DEGREE_M * math.cos(math.radians(lat)))


def metres(place: tuple[float, float], point: tuple[float, float]) -> tuple[float, float]:
    return (point[1] - place[1]) * DEGREE_M * math.cos(math.radians(place[0])), (point[0] - place[0]) * DEGREE_M


def a_track(place: tuple[float, float], radius_m: float = 200.0) -> tuple[np.ndarray, np.ndarray]:
    """Three laps, anticlockwise, of a circle around `place`."""
    turn = np.linspace(0, 6 * math.pi, 900)
    points = [at(place, radius_m * math.cos(a), radius_m * math.sin(a)) for a in turn]
    return np.array([lat for lat, _ in points]), np.array([lon for _, lon in points])


def minutes(point: tuple[float, float], latitude_first: bool) -> str:
    lat, lon = f"{point[0] * 60:+.7f}", f"{-point[1] * 60:+.7f}"
    return f"{lat} {lon}" if latitude_first else f"{lon} {lat}"


@given(places, st.floats(0, 2 * math.pi), st.booleans())
def test_a_line_across_the_track_is_taken_as_it_is(place: tuple[float, float], turn: float, first: bool) -> None:
    ends = [at(place, r * math.cos(turn), r * math.sin(turn)) for r in (190, 210)]
    text = f"Start   {minutes(ends[0], first)} {minutes(ends[1], first)} ¬   Start / Finish"
    ((gate,), wrong) = gates([text], *a_track(place))
    assert wrong == []
    assert (gate.kind, gate.words) == ("start", "Start / Finish")
    for found, wanted in zip((gate.a, gate.b), ends, strict=True):
        assert np.hypot(*metres(wanted, found)) < 0.001


@given(places, st.floats(0, 2 * math.pi), st.booleans(), st.booleans())
def test_of_two_points_along_the_track_the_gate_stands_square_to_them_at_the_first(
    place: tuple[float, float], turn: float, first: bool, comma: bool
) -> None:
    middle = (200 * math.cos(turn), 200 * math.sin(turn))
    ends = [at(place, *middle), at(place, middle[0] - 30 * math.sin(turn), middle[1] + 30 * math.cos(turn))]
    text = f"Start {minutes(ends[0], first)} {minutes(ends[1], first)}"
    ((gate,), wrong) = gates([text.replace(".", ",") if comma else text], *a_track(place))
    assert wrong == []
    found = sorted(np.hypot(*metres(place, end)) for end in (gate.a, gate.b))
    assert found == pytest.approx([185, 215], abs=0.1), "from the inside of the circle to its outside"


def test_a_gate_of_another_track_or_of_words_is_told_and_not_taken() -> None:
    place = (45.0, 13.0)
    far = at(place, 50_000, 0)
    lines = [f"Start {minutes(far, True)} {minutes(at(far, 0, 20), True)}", "Circuit Lignano"]
    found, wrong = gates(lines, *a_track(place))
    assert found == []
    assert ["nowhere near the path" in wrong[0], "says no gate" in wrong[1]] == [True, True]
    assert start_line(found, "x") is None
    assert gates(lines[:1], np.empty(0), np.empty(0))[0] == [], "no path, no telling"


def test_splits_and_a_finish_go_with_the_start_and_the_tracks_name() -> None:
    place = (-34.0, -58.0)
    text = [
        f"{kind} {minutes(at(place, x, y), False)} {minutes(at(place, x * 1.1, y * 1.1), False)} ¬ {kind}"
        for kind, x, y in (("Start", 190, 0), ("Split", 0, 190), ("Split", -190, 0), ("Finish", 0, -190))
    ]
    fact = start_line(gates(text, *a_track(place))[0], "Somewhere")
    assert fact is not None
    assert fact.keys() == {"line", "sectors", "finish", "name"}
    assert metres(place, fact["line"][0]) == pytest.approx((190, 0), abs=0.01)
    assert metres(place, fact["sectors"][1][0]) == pytest.approx((-190, 0), abs=0.01)
    assert metres(place, fact["finish"][0]) == pytest.approx((0, -190), abs=0.01)
