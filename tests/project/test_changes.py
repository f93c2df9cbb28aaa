"""What a draft would change agrees with a comparison of the two projections, one row at a time."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings

from pitwall.car import Car, load
from pitwall.frames import clustered, concat, cut, same
from pitwall.log.reader import read
from pitwall.log.session import Session
from pitwall.project.build import build
from pitwall.project.changes import Change, changes, changes_since
from pitwall.project.earlier import whole_times
from pitwall.project.generations import Generations
from pitwall.project.pipeline import Pipeline
from tests.derive.test_steps_of_a_car import DBC, YAML
from tests.project.sessions import CARS, E46, driven, written
from tests.project.test_why import _DRAWS, stepped

DRAFT: Final = (
    YAML.replace("limits: [-50, 50]", "limits: [-20, 20]")
    .replace(
        "roll_rate: {from: roll, low_pass: 2 Hz, zero: 0.001}", "roll_speed: {from: roll, low_pass: 2 Hz, zero: 0.001}"
    )
    .replace("of_one: {expr: count + roll_rate", "of_two: {expr: count - 1")
    .replace("mixed: {expr: count * 100", "mixed: {expr: speed * 100")
)


def cars(folder: Path) -> tuple[Car, Car]:
    (folder / "test").mkdir(exist_ok=True)
    (folder / "test" / "car.dbc").write_text(DBC)
    (folder / "test" / "car.yaml").write_text(YAML.replace("buses: {can:", "buses: {dash:"))
    (folder / "draft.yaml").write_text(DRAFT.replace("buses: {can:", "buses: {dash:"))
    return load(folder, "test"), load(folder, "test", folder / "draft.yaml")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Car, Car]:
    return cars(tmp_path_factory.mktemp("cars"))


def values(session: Session, car: Car) -> dict[str, dict[int, float]]:
    """The values of every channel, by their offsets."""
    pipeline = Pipeline(car, session.header)
    found: dict[str, dict[int, float]] = {channel.name: {} for table in pipeline.tables for channel in table.channels}
    for batch in read(session.path):
        for rows in pipeline.apply(batch).rows:
            for channel, column in zip(rows.table.channels, rows.values, strict=True):
                pairs = zip(rows.at.tolist(), column.tolist(), strict=True)
                found[channel.name] |= {at: value for at, value in pairs if not math.isnan(value)}
    return found


def asked(session: Session, before: Car, after: Car) -> list[Change]:
    return changes(session, before, after, damaged=lambda damage: pytest.fail(str(damage))).channels


@settings(max_examples=40, deadline=None)
@given(draws=_DRAWS)
def test_it_agrees_with_a_comparison_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, both: tuple[Car, Car], draws: list[tuple[int, int, bytes]]
) -> None:
    session = written(tmp_path_factory.mktemp("logs"), stepped(draws))
    old, new = values(session, both[0]), values(session, both[1])
    told = asked(session, *both)
    assert {one.before.name for one in told if one.before and not one.after} <= old.keys() - new.keys()
    assert {one.after.name for one in told if one.after and not one.before} <= new.keys() - old.keys()
    renamed = {(one.before.name, one.after.name) for one in told if one.before and one.after and one.renamed}
    assert renamed == ({("roll_rate", "roll_speed")} if old["roll_rate"] else set())
    changed = {one.after.name: one for one in told if one.before and one.after and not one.renamed}
    for name in old.keys() & new.keys():
        a, b = old[name], new[name]
        rows = sorted(at for at in a.keys() | b.keys() if a.get(at) != b.get(at))
        assert (name in changed) == bool(rows), name
        if not rows:
            continue
        one = changed[name]
        assert (one.differing, one.values_before, one.values_after) == (len(rows), len(a), len(b))
        distances = [abs(a[at] - b[at]) for at in rows if at in a and at in b]
        assert one.largest == max(distances) if distances else math.isnan(one.largest)
        assert math.isnan(one.mean) if not distances else math.isclose(one.mean, sum(distances) / len(distances))
        assert one.example is not None
        assert one.example.frame.offset == rows[0]
        assert one.example.before == a.get(rows[0]) or math.isnan(one.example.before)
        assert one.example.after == b.get(rows[0]) or math.isnan(one.example.after)


def since(folder: Path, session: Session, before: Car, after: Car) -> list[Change]:
    """The same, of a projection that was built from `before`."""
    generations = Generations(folder)
    build(session, before, generations)
    found = generations.newest(session.id)
    assert found is not None
    return changes_since(
        session,
        generations,
        generations.file(session.id, found.fingerprint),
        after,
        damaged=lambda damage: pytest.fail(str(damage)),
    ).channels


@settings(max_examples=8, deadline=None)
@given(draws=_DRAWS)
def test_a_projection_that_there_is_is_compared_like_its_definition(
    tmp_path_factory: pytest.TempPathFactory, both: tuple[Car, Car], draws: list[tuple[int, int, bytes]]
) -> None:
    session = written(tmp_path_factory.mktemp("logs"), stepped(draws))
    assert repr(since(tmp_path_factory.mktemp("p"), session, *both)) == repr(asked(session, *both))


def test_frames_that_came_at_once_are_compared_each_with_itself(tmp_path: Path) -> None:
    rows = driven(12_000)
    session = written(tmp_path / "logs", replace(rows, t=rows.t // 50_000_000 * 50_000_000))
    (tmp_path / "draft.yaml").write_text(
        (CARS / E46.name / "car.yaml").read_text().replace("offset: -4.3", "offset: -4")
    )
    draft = load(CARS, E46.name, tmp_path / "draft.yaml")
    told = since(tmp_path / "projections", session, E46, draft)
    assert repr(told) == repr(asked(session, E46, draft))
    assert [one.after.name for one in told if one.after] == ["yaw_rate", "g_lat_from_yaw"]
    assert since(tmp_path / "projections", session, E46, E46) == []


def test_batches_are_cut_between_times(tmp_path: Path) -> None:
    rows = driven(3_000)
    rows = replace(rows, t=rows.t // 300_000_000 * 300_000_000)
    edges = [0, 1, 2, 700, 701, 1500, 1500, 2999, 3000]
    parts = [cut(rows, first, last) for first, last in pairwise(edges)]
    found = list(whole_times([clustered(part) if len(part) > 1 else part for part in parts]))
    assert same(concat(found), rows)
    assert len(found) > 2
    assert all(a.t[-1] < b.t[0] for a, b in pairwise(found))


def test_the_same_definition_changes_nothing(tmp_path: Path) -> None:
    assert asked(written(tmp_path, driven(5_000)), E46, E46) == []


def test_a_unit_alone_is_a_change_and_a_drafts_own_dbc_comes_first(tmp_path: Path) -> None:
    before, _ = cars(tmp_path)
    session = written(tmp_path / "logs", stepped([(10, 1, bytes([9, 8, 100])), (10, 2, bytes([6, 5]))]))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "car.dbc").write_text(DBC.replace('(0.02,0) [0|0] "V"', '(0.04,0) [0|0] "V"'))
    draft = tmp_path / "own" / "any.yaml"
    text = (tmp_path / "test" / "car.yaml").read_text()
    draft.write_text(text.replace("count: {from: raw, unit: none", "count: {from: raw, unit: bar"))
    told = {one.after.name: one for one in asked(session, before, load(tmp_path, "test", draft)) if one.after}
    assert told["count"].differing == 0
    assert told["count"].before is not None
    assert (told["count"].before.unit, told["count"].after and told["count"].after.unit) == ("", "bar")
    assert told["pressure"].differing == 1
    assert {"count", "pressure", "mixed"} == told.keys()
