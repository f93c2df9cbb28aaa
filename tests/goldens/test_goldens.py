"""Every fixture, replayed, gives the figures that it gave when it was recorded, and what really happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import load
from pitwall.frames import clustered, concat, cut, in_log_order
from pitwall.log.reader import read
from pitwall.log.session import Session, find
from pitwall.project.generations import Generations
from pitwall.project.query import Projection, open_projection
from tests.goldens import figures
from tests.goldens.record import CAR, FIXTURES, ROOT
from tests.project.sessions import digests

NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/expected.csv"))


def session(name: str) -> Session:
    return find(FIXTURES / name / "session", "latest")


@pytest.fixture(scope="module", params=NAMES)
def replayed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Projection]]:
    generations = Generations(tmp_path_factory.mktemp(request.param))
    with open_projection(session(request.param), load(ROOT / "cars", CAR), generations) as projection:
        yield request.param, projection


def test_there_are_fixtures_and_they_are_small() -> None:
    assert NAMES == ["mistakes", "two-laps"]
    for name in NAMES:
        assert sum(file.stat().st_size for file in (FIXTURES / name).rglob("*") if file.is_file()) < 1_000_000


def test_figures_are_what_they_were(replayed: tuple[str, Projection]) -> None:
    name, projection = replayed
    expected = figures.read(FIXTURES / name / "expected.csv")
    found = figures.figures(projection.connection)
    assert [row.channel for row in found] == [row.channel for row in expected]
    assert [(mine, theirs) for mine, theirs in zip(found, expected, strict=True) if not mine.agrees(theirs)] == []


def test_nothing_was_lost_and_all_of_it_is_there(replayed: tuple[str, Projection]) -> None:
    name, projection = replayed
    about = session(name)
    assert (about.state, about.rows) == ("ended", projection.built.offset)
    assert projection.built.lost == 0
    assert projection.built.complete
    assert projection.damages == ()
    assert projection.connection.execute("SELECT sum(frames) FROM ids").fetchone() == (about.frames,)
    assert projection.connection.execute("SELECT count(*) FROM ids WHERE name IS NULL").fetchone() == (13,)
    assert projection.connection.execute("SELECT count(*) FROM control WHERE kind = 'lost'").fetchone() == (0,)


def test_the_car_went_as_far_and_as_long_as_it_really_did(replayed: tuple[str, Projection]) -> None:
    name, projection = replayed
    truth = json.loads((FIXTURES / name / "truth.json").read_text())
    last = {row.channel: row.last for row in figures.figures(projection.connection)}
    assert last["distance"] == pytest.approx(truth["distance_m"], rel=0.01)
    assert session(name).duration_s == pytest.approx(truth["duration_ns"] / 1e9, abs=1)
    planted = [f"{mistake['kind']}@{mistake['corner']}" for mistake in truth["mistakes"]]
    assert planted == (["brake-early@T1", "coast@T3", "late-throttle@T10"] if name == "mistakes" else [])


@settings(max_examples=2, deadline=None)
@given(edges=st.lists(st.integers(1, 140_000), min_size=1, max_size=12).map(sorted), odd=st.booleans())
def test_any_cut_of_a_fixture_gives_the_same_projection(
    tmp_path_factory: pytest.TempPathFactory, edges: list[int], odd: bool
) -> None:
    folder = tmp_path_factory.getbasetemp()
    sealed = list(read(session("two-laps").path))
    whole = concat([in_log_order(part) for part in sealed])
    places = np.unique(np.minimum([0, *edges, len(whole)], len(whole))).tolist()
    parts = [cut(whole, first, last) for first, last in pairwise(places)]
    cuts = [clustered(part) if (i % 2) == odd else part for i, part in enumerate(parts)]
    assert digests(folder, [step for part in cuts for step in (part, None)]) == digests(folder, sealed)
