"""What is told of a value ends in the very value that the projection holds, for every channel, at any time."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import Car, load
from pitwall.errors import UsageError
from pitwall.frames import Frames, frames
from pitwall.log.reader import read
from pitwall.log.session import Session
from pitwall.project.pipeline import Pipeline
from pitwall.project.why import OfFrame, OfInputs, Why, why
from tests.derive.test_steps_of_a_car import DBC, YAML
from tests.project.sessions import E46, driven, written

LOOKING_BACK: Final = "  changing: {expr: rate(speed) * count, unit: none}\n"

NAMES: Final = [*(channel.name for channel in E46.channels), *(channel.name for channel in E46.derived)]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return written(tmp_path_factory.mktemp("logs"), driven(12_000))


@pytest.fixture(scope="module")
def car(tmp_path_factory: pytest.TempPathFactory) -> Car:
    cars = tmp_path_factory.mktemp("cars")
    (cars / "test").mkdir()
    (cars / "test" / "car.dbc").write_text(DBC)
    (cars / "test" / "car.yaml").write_text(
        YAML.replace("buses: {can:", "buses: {dash:").replace("roles:", f"{LOOKING_BACK}roles:")
    )
    return load(cars, "test")


def asked(session: Session, car: Car, channel: str, t: int) -> dict[str, Why]:
    return why(session, car, channel, t, damaged=lambda damage: pytest.fail(str(damage)))


@cache
def rows(session: Session, car_file: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(t, values) of every channel, as a projection of all of the session holds them."""
    car = E46 if car_file == "E46" else load(Path(car_file), "test")
    pipeline = Pipeline(car, session.header)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for batch in read(session.path):
        for part in pipeline.apply(batch).rows:
            for channel, values in zip(part.table.channels, part.values, strict=True):
                found.setdefault(channel.name, []).append((part.t, values))
    return {name: tuple(map(np.concatenate, zip(*parts, strict=True))) for name, parts in found.items()}


@settings(max_examples=25, deadline=None)
@given(t=st.integers(0, 40_000_000_000), channel=st.sampled_from(NAMES))
def test_every_channel_of_a_car_ends_in_what_the_projection_holds(session: Session, t: int, channel: str) -> None:
    held = rows(session, "E46")
    for name, told in asked(session, E46, channel, t).items():
        times, values = held[name]
        count = int(np.searchsorted(times, t, side="right"))
        if count == 0:
            assert told.t is None
            assert told.missing
        else:
            assert told.t == times[count - 1]
            np.testing.assert_array_equal(np.float64(told.value), values[count - 1])


def test_every_channel_of_a_car_is_told_with_its_places(session: Session) -> None:
    told = {name: asked(session, E46, name, 30_000_000_000)[name] for name in NAMES}
    for name, one in told.items():
        times, values = rows(session, "E46")[name]
        count = int(np.searchsorted(times, 30_000_000_000, side="right"))
        np.testing.assert_array_equal(np.float64(one.value), values[count - 1])
        assert bool(one.missing) == np.isnan(one.value)
        if isinstance(one, OfFrame):
            assert f" SG_ {one.signal.name} " in line(one.signal.where)
            assert not one.steps or one.steps[-1].value == one.value
        if one.where:
            assert line(one.where).strip().startswith(f"{name}:")


def line(where: str) -> str:
    file, _, number = where.rpartition(":")
    return Path(file).read_text().splitlines()[int(number) - 1]


def stepped(draws: list[tuple[int, int, bytes]]) -> Frames:
    """A log of (ms since the one before, id, payload)."""
    t = np.cumsum([max(1, ms) for ms, _, _ in draws]) * 1_000_000
    data = np.frombuffer(b"".join(payload.ljust(8, b"\0") for *_, payload in draws), np.uint8).reshape(-1, 8)
    return frames(0, t=t, id=[id for _, id, _ in draws], data=data, len=[len(payload) for *_, payload in draws])


_PAYLOADS = st.lists(st.one_of(st.sampled_from([0, 0, 1, 60, 127, 200]), st.integers(0, 255)), max_size=4).map(bytes)
_DRAWS = st.lists(st.tuples(st.integers(1, 40), st.sampled_from([1, 1, 2, 3]), _PAYLOADS), min_size=1, max_size=40)


@settings(max_examples=20, deadline=None)
@given(draws=_DRAWS, at=st.integers(0, 1_600))
def test_steps_that_look_back_end_in_what_the_projection_holds(
    tmp_path_factory: pytest.TempPathFactory, car: Car, draws: list[tuple[int, int, bytes]], at: int
) -> None:
    session = written(tmp_path_factory.mktemp("logs"), stepped(draws))
    held = rows(session, str(car.folder.parent))
    t = at * 1_000_000
    for channel in (*car.channels, *car.derived):
        told = asked(session, car, channel.name, t)[channel.name]
        times, values = held.get(channel.name, (np.empty(0), np.empty(0)))
        if told.t is None:
            assert told.missing
            assert np.isnan(values[times <= t]).all()
            continue
        count = int(np.searchsorted(times, told.t, side="right"))
        np.testing.assert_array_equal(np.float64(told.value), values[count - 1])
        assert bool(told.missing) == np.isnan(told.value)
        # whatever is newer holds no value
        assert np.isnan(values[count:][times[count:] <= t]).all()
        if isinstance(told, OfFrame):
            assert bool(told.since) == bool((times[count:] <= t).any())


LOG: Final = [
    (10, 1, bytes([0, 5, 100])),
    (10, 1, bytes([0, 60, 100])),  # 70 deg/s is beyond the limits
    (10, 2, bytes([10, 7])),
    (30, 1, bytes([0, 7, 100])),
    (10, 1, bytes([0])),
    (5, 3, b""),
]


def test_it_says_why_there_is_no_value(tmp_path: Path, car: Car) -> None:
    session = written(tmp_path, stepped(LOG))

    def told(channel: str, ms: int) -> Why:
        return asked(session, car, channel, ms * 1_000_000)[channel]

    assert told("count", 29).missing == "no frame of Other was heard until then"
    assert told("mixed", 29).missing == "count had no value until then"
    assert told("yaw_rate", 10).missing == "zero of 0.02 s at a standstill of speed: no standstill has been seen yet"
    assert told("yaw_rate", 25).missing == "limits -50 to 50: 60.0 is above them"
    assert told("turning", 25).missing == "yaw_rate is missing"
    now = told("yaw_rate", 100)
    assert isinstance(now, OfFrame)
    assert (now.value, now.t, now.missing) == (1.0, 60_000_000, "")
    assert now.since == "the frame has 1 byte, and yaw needs 2"
    assert [(step.words, step.value) for step in now.steps] == [
        ("limits -50 to 50", 7.0),
        ("zero of 0.02 s at a standstill of speed", 1.0),
    ]
    mixed = told("mixed", 100)
    assert isinstance(mixed, OfInputs)
    assert mixed.missing == "count is older than it holds"
    assert [(each.name, each.t, each.expired) for each in mixed.inputs] == [
        ("count", 30_000_000, True),
        ("pressure", 60_000_000, False),
    ]


def test_a_formula_that_looks_back_is_told_part_by_part(tmp_path: Path, car: Car) -> None:
    told = asked(written(tmp_path, stepped([*LOG[:3], (10, 1, bytes([72, 7, 100]))])), car, "changing", 45_000_000)
    assert list(told) == ["changing", "rate(speed)", "count", "speed"]
    changing, rate = told["changing"], told["rate(speed)"]
    assert isinstance(changing, OfInputs)
    assert isinstance(rate, OfInputs)
    assert [each.name for each in changing.inputs] == ["rate(speed)", "count"]
    assert [each.name for each in rate.inputs] == ["speed"]
    assert rate.value == pytest.approx(10 / 0.02)  # 36 km/h in 20 ms
    assert changing.value == pytest.approx(7 * 10 / 0.02)
    assert (rate.t, rate.where) == (40_000_000, "")


def test_an_unknown_channel_is_named_with_one_that_is_near(session: Session) -> None:
    with pytest.raises(UsageError, match="did you mean 'speed'"):
        asked(session, E46, "sped", 0)
