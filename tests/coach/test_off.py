"""Laps drawn by hand: one that leaves the road, and ones that nearly do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.capture import read_capture
from pitwall.car import load
from pitwall.coach.driven import Driven
from pitwall.coach.driving import Driving
from pitwall.coach.off import AWAY_M, MOST, Off, offs
from pitwall.coach.sections import Sections
from pitwall.log.opening import Header
from pitwall.project.pipeline import Pipeline
from tests.captures import CAPTURES, needs_captures
from tests.coach.laps_of import CARS

N = 1000
ROWS = np.arange(float(N))


def lap(number: int, *, away_m: float = 0.0, slower_s: float = 0.0) -> Driven:
    """North at 40 m/s, a little beside the others; from 400 m to 450 m farther, and then slower."""
    x = 0.6 * np.sin(number + ROWS / 200) + away_m * np.exp(-0.5 * ((ROWS - 425) / 15) ** 2)
    t_s = ROWS / 40 + slower_s * np.clip((ROWS - 410) / 100, 0, 1)
    return Driven(number, t_s, x, ROWS, {"speed": np.full(N, 40.0)})


def slowly(away: tuple[int, int], slow: tuple[int, int]) -> Driven:
    """The fifth lap; between two rows 15 m beside the others, and between two at a quarter of their speed."""
    x = 0.6 * np.sin(5 + ROWS / 200) + np.interp(ROWS, [away[0], away[0] + 15, away[1], away[1] + 15], [0, 15, 15, 0])
    speed = np.where((slow[0] > ROWS) | (slow[1] < ROWS), 40.0, 10.0)
    t_s = np.concatenate([[0.0], np.cumsum(1 / speed)[:-1]])
    return Driven(5, t_s, x, ROWS, {"speed": speed})


def found(laps: list[Driven], index: int) -> list[Off]:
    return offs(Driving(laps, Sections([], laps[0])), index)


def test_a_lap_that_leaves_the_others_way_and_loses_by_it_was_off() -> None:
    laps = [*(lap(k) for k in range(1, 5)), lap(5, away_m=12, slower_s=3)]
    (off,) = found(laps, 4)
    assert 390 <= off.at_m <= 425
    assert off.away_m == pytest.approx(12, abs=1.5)
    assert off.lost_s == pytest.approx(3, abs=0.3)
    assert off.t_s == pytest.approx(off.at_m / 40, abs=0.5)
    assert all(found(laps, index) == [] for index in range(4))


@pytest.mark.parametrize(("away_m", "slower_s"), [(5, 3), (12, 0.5)])
def test_another_line_and_a_way_round_that_costs_nothing_are_no_off(away_m: float, slower_s: float) -> None:
    assert found([*(lap(k) for k in range(1, 5)), lap(5, away_m=away_m, slower_s=slower_s)], 4) == []


@pytest.mark.parametrize(
    ("away", "slow"),
    [
        ((940, N), (950, N)),  # brakes into the pits, whose lane passes the line
        ((880, 970), (930, N)),  # and comes near the road before the line
        ((380, 600), (300, 600)),  # an escape road, or a pit lane within the lap: slow before it leaves the others' way
    ],
)
def test_who_goes_into_the_pits_was_not_off(away: tuple[int, int], slow: tuple[int, int]) -> None:
    assert found([*(lap(k) for k in range(1, 5)), slowly(away, slow)], 4) == []


@pytest.mark.parametrize(
    ("away", "slow"),
    [
        ((780, 860), (800, 860)),
        ((870, 940), (880, 940)),  # and is back, and fast, at the line
    ],
)
def test_who_leaves_the_road_as_fast_as_ever_was_off(away: tuple[int, int], slow: tuple[int, int]) -> None:
    assert len(found([*(lap(k) for k in range(1, 5)), slowly(away, slow)], 4)) == 1


@needs_captures
@pytest.mark.parametrize(
    ("name", "offs"),
    [
        ("modena-racechrono.vbo", []),  # the last lap ends in the pits, beside the line at 19 km/h
        ("lignano-racebox.vbo", [12]),  # 27 km/h in a bend, 7 m from the others' way, and back
    ],
)
def test_a_real_drive_was_off_where_it_left_the_track_and_not_where_it_came_in(name: str, offs: list[int]) -> None:
    capture = read_capture(CAPTURES / "laps" / name)
    pipeline = Pipeline(load(CARS, "gps-logger"), Header(1, name, "gps-logger", 0, capture.buses, ""))
    pipeline.apply(capture.frames)
    assert [lap for _, _, kind, _, _, lap, *_ in pipeline.coached()["incidents"] if kind == "off"] == offs


def test_with_two_other_laps_nobody_knows_where_the_road_is() -> None:
    assert found([lap(1), lap(2), lap(3, away_m=12, slower_s=3)], 2) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-14, 14), st.integers(0, N), st.integers(5, 200)), min_size=5, max_size=9))
def test_where_a_lap_was_off_is_where_it_is_far_from_the_median_of_the_others(bumps: list[tuple]) -> None:
    laps = [
        Driven(k, ROWS / 40, by * np.exp(-0.5 * ((ROWS - at) / wide) ** 2), ROWS + 0.1 * by, {})
        for k, (by, at, wide) in enumerate(bumps, start=1)
    ]
    laps[-1] = replace(laps[-1], t_s=ROWS / 28)  # slower, but not as into the pits
    others = laps[:-1][-MOST:]  # the slow and obvious way
    x, y = (np.median([getattr(each, name) for each in others], axis=0) for name in ("x_m", "y_m"))
    road = np.median([np.hypot(each.x_m - x, each.y_m - y) for each in others], axis=0)
    away = np.hypot(laps[-1].x_m - x, laps[-1].y_m - y) - road
    begins = np.flatnonzero(np.diff(np.concatenate([[False], away > AWAY_M]).astype(int)) > 0).tolist()
    said = found(laps, len(laps) - 1)
    assert {round(off.at_m) for off in said} <= set(begins)
    assert all(off.away_m in away[round(off.at_m) :] for off in said)
    assert [round(off.at_m) for off in said[:1]] == begins[:1]
