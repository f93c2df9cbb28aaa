"""Distances of laps driven on other lines are of the same places, and a delta is the truth's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pitwall.bus.simulator.course import Length, stretches
from pitwall.bus.simulator.driver import distance_m
from pitwall.bus.simulator.motion import Instants
from pitwall.bus.simulator.track import latitude_longitude
from pitwall.track.comparing import best_rolling, trace_at
from pitwall.track.cutting import Cutter
from pitwall.track.distance import at_distance, located, nearest, path, timed
from pitwall.track.fixes import Fixes
from tests.track.rounds import RING, drive, steady
from tests.track.test_receivers import LARKHOLM

LAPS = 5
HZ = 20


@pytest.fixture(scope="module")
def driven() -> tuple[Cutter, list[np.ndarray], np.ndarray, np.ndarray]:
    """What a receiver without errors gives: the cutter, its columns; where on the centreline (m) each fix truly is."""
    parts = []
    for stretch in stretches(5, Length(LAPS), ()):
        begin, end = stretch.start_ns * 1e-9, stretch.end_ns * 1e-9
        t = np.arange(np.ceil(begin * HZ), np.ceil(end * HZ)) / HZ
        now, motion = Instants(stretch.motion, t - begin), stretch.motion
        place = np.interp(t - begin, motion.t_s, distance_m(motion.station))
        parts.append((t, now.along(motion.x_m), now.along(motion.y_m), place))
    t, x, y, place = (np.concatenate(column) for column in zip(*parts, strict=True))
    lat, lon = latitude_longitude(x, y)
    none = np.full(len(t), np.nan)
    cutter = Cutter(LARKHOLM)
    columns = cutter.fold(Fixes(np.arange(len(t)), np.rint(t * 1e9).astype(np.int64), lat, lon, none, none))
    return cutter, columns, place, t


def flying(cutter: Cutter) -> list[int]:
    return [lap.number for lap in cutter.judge.laps if lap.flying]


def test_two_laps_at_one_place_have_one_distance(
    driven: tuple[Cutter, list[np.ndarray], np.ndarray, np.ndarray],
) -> None:
    cutter, (lap, distance, *_), place, _ = driven
    at = np.arange(10.0, 3480.0, 5.0)
    by_lap = []
    for number in flying(cutter):
        mine = lap == number
        order = np.argsort(place[mine])
        by_lap.append(np.interp(at, place[mine][order], distance[mine][order]))
    spread = np.ptp(np.stack(by_lap), axis=0)
    assert spread.max() < 2.0
    assert np.quantile(spread, 0.9) < 1.0


def test_a_delta_is_the_time_lost_by_the_same_place(
    driven: tuple[Cutter, list[np.ndarray], np.ndarray, np.ndarray],
) -> None:
    cutter, (lap, _, delta, age, predicted), place, t = driven
    laps = {one.number: one for one in cutter.judge.laps}
    best = None
    for number in flying(cutter):
        mine = lap == number
        if best is None:
            best = number
            continue
        theirs = lap == best
        there = np.interp(place[mine], place[theirs], t[theirs] - laps[best].t_start * 1e-9)
        truth = t[mine] - laps[number].t_start * 1e-9 - there
        inside = (place[mine] > 10) & (place[mine] < 3480)
        assert np.abs(delta[mine] - truth)[inside].max() < 0.1  # a metre or two, in the hairpin at 13 m/s
        assert np.quantile(np.abs(delta[mine] - truth)[inside], 0.9) < 0.03
        assert (age[mine] == 0).all()
        assert predicted[mine] == pytest.approx((laps[best].time_s or 0) + delta[mine])
        assert delta[mine][-1] == pytest.approx(laps[number].delta_s, abs=2e-3)
        assert np.abs(np.diff(delta[mine][-8 * HZ :])).max() < 0.01
        best = number if laps[number].best else best


def test_far_from_the_path_the_delta_is_held_and_says_how_old_it_is_and_then_ends() -> None:
    turns, t = steady(4.3)
    off = np.where((turns > 2.3) & (turns < 2.8), 60.0, 0.0)  # 15 s in the paddock
    cutter = Cutter(RING)
    lap, distance, delta, age, _ = cutter.fold(drive(turns, t, off))
    third = lap == 3
    away = third & np.isnan(distance)
    assert away.sum() == pytest.approx(15.7 * 20, abs=3)
    held = away & ~np.isnan(delta)
    assert held.sum() == pytest.approx(200, abs=2)
    assert len(np.unique(delta[held])) == 1
    assert (np.diff(age[held]) > 0).all()
    assert not np.isnan(delta[third & ~away]).any()


@settings(max_examples=60, deadline=None)
@given(
    radius=st.floats(15, 400), turn=st.floats(0.2, 5.5), at=st.floats(0.1, 0.9), off=st.floats(-6, 6),
    wrong=st.floats(-3, 3),
)  # fmt: skip
def test_a_point_beside_a_bend_is_at_the_foot_of_its_perpendicular(
    radius: float, turn: float, at: float, off: float, wrong: float
) -> None:
    assume(min(at, 1 - at) * turn * radius > 8)  # nearer to an end the direction is one-sided
    angle = np.linspace(0, turn, 2_000)
    way = path(
        angle * radius, radius * np.cos(angle), radius * np.sin(angle), ((1.0, 0.0), (np.cos(turn), np.sin(turn)))
    )
    x, y = (radius - off) * np.cos(at * turn), (radius - off) * np.sin(at * turn)
    true = at * turn * radius
    s, left = located(way, np.array([true + wrong]), np.array([x]), np.array([y]))
    # the path's direction is a mean over 7 m, its points are 1 m apart; of a look's error two steps leave so much
    assert s[0] == pytest.approx(true, abs=0.3 + (off / radius) ** 2 * abs(wrong))
    assert left[0] == pytest.approx(off, abs=0.25)
    found, away = nearest(way, x, y, true - 5, true + 5)
    assert found == pytest.approx(true, abs=1.1)
    assert away == pytest.approx(abs(off), abs=1.0)


def test_times_by_distance_are_exact_at_both_ends_and_bridge_what_is_missing() -> None:
    s = np.arange(0.0, 1001.0)
    way = path(s, s, np.zeros(len(s)), ((0.0, 1.0), (0.0, 1.0)))
    lap = timed(way, 3, np.array([100.0, np.nan, 300.0, 299.0, 900.0]), np.array([10.0, 15.0, 30.0, 31.0, 90.0]), 100.0)
    assert at_distance(way, lap.t_s, np.array([0.0, 50.0, 200.0, 950.0, 1000.0])) == pytest.approx([0, 5, 20, 95, 100])


def test_the_best_rolling_lap_joins_the_end_of_one_with_the_beginning_of_the_next() -> None:
    slow_first = trace_at([500.0], [40.0], 70.0, 1000.0)  # 40 s, then 30 s
    slow_last = trace_at([500.0], [30.0], 70.0, 1000.0)  # 30 s, then 40 s
    assert best_rolling([1, 2], [slow_first, slow_last]) == pytest.approx(60.0)
    assert best_rolling([1, 3], [slow_first, slow_last]) == pytest.approx(70.0)  # another lap lies between
    assert best_rolling([], []) is None
