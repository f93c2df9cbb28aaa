"""Laps of two sessions on one path: against the simulator, which knows where its cars were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from pitwall.bus.simulator import simulate
from pitwall.car import load
from pitwall.errors import UsageError
from pitwall.log.session import find
from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.project.lap_answers import Traced, compared, traced
from pitwall.project.lap_paths import Ground, fixes_of, ground, grounded
from pitwall.stored import store_frames

CAR = load(Path(__file__).parents[2] / "cars", "bmw-e46-m3")
ROLES = dict(CAR.roles)
Day = tuple[duckdb.DuckDBPyConnection, dict[str, Any]]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Day]]:
    """Two drives of different seeds: their projections, and the truth about them."""
    folder = tmp_path_factory.mktemp("days")
    generations, found = Generations(folder / "projections"), {}
    with ExitStack() as stack:
        for seed in (1, 2):
            drive, name = simulate(seed=seed, laps=2), f"day-{seed}"
            store_frames(
                drive.frames(), logs=folder, car="bmw-e46-m3", buses=["dash"], started_at_ns=10**18, session_id=name
            )
            file = generations.file(name, build(find(folder, name), CAR, generations).built.fingerprint)
            held = stack.enter_context(closing(duckdb.connect(str(file), read_only=True)))
            found[name] = held, drive.truth()
        yield found


def placed(days: dict[str, Day], lap: str, on: str, other: str) -> tuple[Ground, Traced]:
    path = ground(days[on][0], on, ROLES)
    found = traced(days[other][0], other, lap)
    return path, grounded(found, fixes_of(days[other][0], found, ROLES), path)


def passed(lap: Traced, t_ns: int) -> float:
    """The distance that a trace says the car had come to."""
    way = np.linspace(0.0, lap.length_m, len(lap.trace))
    return float(np.interp((t_ns - lap.facts["t_start"]) * 1e-9, lap.trace, way))


def true_lap(truth: dict[str, Any], lap: Traced) -> dict[str, Any]:
    (found,) = [one for one in truth["laps"] if abs(one["start_ns"] - lap.facts["t_start"]) < 10**9]
    return dict(found)


def test_where_both_cars_truly_are_at_one_place_they_have_one_distance(days: dict[str, Day]) -> None:
    _, theirs = placed(days, "2", "day-1", "day-2")
    mine = traced(days["day-1"][0], "day-1", "1")
    a, b = true_lap(days["day-1"][1], mine), true_lap(days["day-2"][1], theirs)
    for end_a, end_b in zip(a["sector_ends_ns"], b["sector_ends_ns"], strict=True):
        assert passed(theirs, end_b) == pytest.approx(passed(mine, end_a), abs=1.5)
    for one, other in zip(a["corners"], b["corners"], strict=True):
        apart_m = other["min_speed_m"] - one["min_speed_m"]
        found_m = passed(theirs, other["min_speed_t_ns"]) - passed(mine, one["min_speed_t_ns"])
        assert found_m == pytest.approx(apart_m, abs=1.5), one["name"]
    delta = compared(mine, theirs)
    assert delta["by_distance"][-1]["delta_s"] == pytest.approx(delta["delta_s"], abs=1e-5)


def test_a_lap_of_the_session_itself_is_placed_where_its_projection_has_it(days: dict[str, Day]) -> None:
    path, again = placed(days, "2", "day-1", "day-1")
    own = traced(days["day-1"][0], "day-1", "2")
    assert path.path.length_m == pytest.approx(own.length_m, abs=0.01)
    np.testing.assert_allclose(again.trace, own.trace, atol=0.05)


def test_a_lap_of_another_track_or_start_line_is_refused(days: dict[str, Day]) -> None:
    path = ground(days["day-1"][0], "day-1", ROLES)
    lap = traced(days["day-2"][0], "day-2", "1")
    fixes = fixes_of(days["day-2"][0], lap, ROLES)
    for moved in (np.roll(fixes.lat, len(fixes) // 3), fixes.lat + 0.001):
        other = type(fixes)(fixes.at, fixes.t, moved, fixes.lon, fixes.speed, fixes.fuel)
        with pytest.raises(UsageError, match="lies on the path of day-1, too little"):
            grounded(lap, other, path)


def test_a_receiver_that_is_metres_off_all_day_moves_no_distance(days: dict[str, Day]) -> None:
    path, lap = placed(days, "2", "day-1", "day-2")
    fixes = fixes_of(days["day-2"][0], lap, ROLES)
    off = type(fixes)(fixes.at, fixes.t, fixes.lat + 3e-5, fixes.lon - 3e-5, fixes.speed, fixes.fuel)  # 4 m
    np.testing.assert_allclose(grounded(lap, off, path).trace, lap.trace, atol=0.1)


def test_without_positions_there_is_no_path_and_none_to_place(days: dict[str, Day]) -> None:
    with pytest.raises(UsageError, match="positions can't be had"):
        ground(days["day-1"][0], "day-1", {})
    with pytest.raises(UsageError, match="positions can't be had"):
        fixes_of(days["day-1"][0], traced(days["day-1"][0], "day-1", "1"), {"lat": "lat"})
