"""`/session/<sid>/laps`, `/laps/<n>`, `/track`, `/compare`: what the command line tells of laps, as resources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pitwall.bus.simulator import simulate
from pitwall.car import load
from pitwall.log.session import find
from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.stored import store_frames
from tests.serve.stand import SID, FakeGarage, Stand, projection, standing

CARS = Path(__file__).parents[2] / "cars"
CAR = load(CARS, "bmw-e46-m3")
OTHER = "20261123T090000Z-bmw-e46-m3"
ANOTHER_DAY = "20261124T090000Z-bmw-e46-m3"
DAYS = (SID, ANOTHER_DAY)


class Garage(FakeGarage):
    """With the roles of the car that drove."""

    def roles(self, id: str) -> dict[str, str]:
        return dict(CAR.roles)


def driven(folder: Path, session: str, *, seed: int, laps: int) -> duckdb.DuckDBPyConnection:
    """The projection of a simulated drive."""
    frames = simulate(seed=seed, laps=laps).frames()
    store_frames(frames, logs=folder, car=CAR.name, buses=["dash"], started_at_ns=10**18, session_id=session)
    generations = Generations(folder / "projections")
    built = build(find(folder, session), CAR, generations).built
    return duckdb.connect(str(generations.file(session, built.fingerprint)), read_only=True)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("laps")
    held = driven(folder, SID, seed=1, laps=3)
    another = driven(folder, ANOTHER_DAY, seed=2, laps=2)
    empty = projection({})
    for table in ("laps", "sectors", "track", "bests"):
        (columns,) = held.execute(
            "SELECT string_agg(column_name || ' ' || data_type, ', ') "
            "FROM information_schema.columns WHERE table_name = ?",
            [table],
        ).fetchall()[0]
        empty.execute(f"CREATE TABLE {table} ({columns})")
    with standing(None, Garage({SID: held, OTHER: empty, ANOTHER_DAY: another})) as running:
        yield running


def test_laps_are_listed_with_their_sectors_and_the_bests(stand: Stand) -> None:
    told = stand.json(f"/session/{SID}/laps")
    assert [lap["number"] for lap in told["laps"]] == [0, 1, 2, 3, 4]
    good = [lap for lap in told["laps"] if lap["flying"] and lap["valid"]]
    best = min(good, key=lambda lap: lap["time_s"])
    assert (told["bests"]["lap"], told["bests"]["time_s"]) == (best["number"], best["time_s"])
    # neither bounds the other: a rolling lap may put the end of one lap's sector before the beginning of the next one's
    assert told["bests"]["theoretical_s"] <= best["time_s"] + 1e-6
    assert told["bests"]["rolling_s"] <= best["time_s"] + 1e-6
    assert all(isinstance(lap["t_start"], int) for lap in told["laps"])
    assert all(sum(lap["sectors_s"]) == pytest.approx(lap["time_s"], abs=1e-6) for lap in good)


def test_a_lap_is_times_by_distance(stand: Stand) -> None:
    told = stand.json(f"/session/{SID}/laps/2")
    assert told["lap"]["number"] == 2
    assert len(told["distance_m"]) == len(told["time_s"]) == 1_001
    assert told["time_s"][-1] == pytest.approx(told["lap"]["time_s"], abs=1e-5)
    assert told["distance_m"][-1] == pytest.approx(told["length_m"], abs=1e-3)
    assert told["time_s"] == sorted(told["time_s"])


def test_the_track_is_its_lines_as_coordinates(stand: Stand) -> None:
    track = stand.json(f"/session/{SID}/track")["track"]
    assert (track["name"], track["learned"], len(track["sectors"])) == ("Larkholm (invented)", False, 2)
    assert track["start"]["a"] == pytest.approx([52.41839737, -0.62775353])
    assert stand.json(f"/session/{OTHER}/track")["track"] is None


def test_a_lap_is_compared_with_the_best_and_with_a_named_one(stand: Stand) -> None:
    times = {lap["number"]: lap["time_s"] for lap in stand.json(f"/session/{SID}/laps")["laps"]}
    against = stand.json(f"/session/{SID}/compare?lap=1&reference={SID}:3")
    assert against["delta_s"] == pytest.approx(times[1] - times[3])
    assert against["by_distance"][-1]["delta_s"] == pytest.approx(against["delta_s"], abs=1e-5)
    best = stand.json(f"/session/{SID}/compare?lap=best")
    assert best["delta_s"] == 0


def test_a_lap_is_compared_with_the_best_ever_on_a_track_that_has_a_name(stand: Stand) -> None:
    ever = stand.json(f"/session/{SID}/compare?lap=1&reference=ever")
    assert ever["reference"] == stand.json(f"/session/{SID}/compare?lap=1")["reference"]
    assert stand.json(f"/session/{OTHER}/compare?lap=1&reference=ever", 404)["type"].endswith("unknown-lap")


def test_a_lap_is_compared_with_one_of_another_day_on_its_own_path(stand: Stand) -> None:
    times = {day: {lap["number"]: lap["time_s"] for lap in stand.json(f"/session/{day}/laps")["laps"]} for day in DAYS}
    told = stand.json(f"/session/{SID}/compare?lap=2&reference={ANOTHER_DAY}:1")
    assert (told["lap"]["session"], told["reference"]["session"]) == DAYS
    assert (told["lap"]["number"], told["reference"]["number"]) == (2, 1)
    assert told["delta_s"] == pytest.approx(times[SID][2] - times[ANOTHER_DAY][1], abs=1e-5)
    assert told["by_distance"][-1]["delta_s"] == pytest.approx(told["delta_s"], abs=1e-5)
    assert sum(told["sectors_delta_s"]) == pytest.approx(told["delta_s"], abs=1e-5)
    assert told["length_m"] == pytest.approx(stand.json(f"/session/{SID}/laps/2")["length_m"], abs=1e-3)
    # where sectors end both laps are at one place: within a metre or two what was lost to there is what sectors say
    own = stand.json(f"/session/{SID}/laps/2")
    ends = np.cumsum(own["lap"]["sectors_s"])[:-1]
    at_m = np.interp(ends, own["time_s"], own["distance_m"])
    distance_m, delta_s = ([each[key] for each in told["by_distance"]] for key in ("distance_m", "delta_s"))
    lost_s = np.interp(at_m, distance_m, delta_s)
    assert lost_s == pytest.approx(np.cumsum(told["sectors_delta_s"])[:-1], abs=2.0 / 20.0)
    back = stand.json(f"/session/{ANOTHER_DAY}/compare?lap=1&reference={SID}:2")
    assert back["delta_s"] == pytest.approx(-told["delta_s"])


def test_a_lap_of_another_session_that_is_not_there_is_a_problem(stand: Stand) -> None:
    for reference in (f"{ANOTHER_DAY}:9", f"{OTHER}:1"):
        said = stand.json(f"/session/{SID}/compare?lap=1&reference={reference}", 404)
        assert said["type"].endswith("unknown-lap")
        assert reference.partition(":")[0] in said["detail"]


def test_what_is_no_lap_is_a_problem(stand: Stand) -> None:
    assert stand.json(f"/session/{SID}/laps/9", 404)["type"] == "urn:pitwall:problem:unknown-lap"
    assert stand.json(f"/session/{OTHER}/laps/1", 404)["type"] == "urn:pitwall:problem:unknown-lap"
    assert stand.json(f"/session/{OTHER}/laps")["laps"] == []
    assert stand.json(f"/session/{SID}/compare", 400)["type"] == "urn:pitwall:problem:bad-parameter"
    assert stand.json(f"/session/{SID}/compare?lap=1&other=2", 400)["type"] == "urn:pitwall:problem:bad-parameter"
    assert stand.json(f"/session/{SID}/compare?lap=1&reference=none:1", 404)["type"].endswith("unknown-session")
