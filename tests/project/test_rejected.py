"""The table `rejected`: what could not be taken as it is, where, and why; and a pipeline that stops at it."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import Car, load
from pitwall.derive import methods
from pitwall.errors import RejectedError
from pitwall.frames import Frames, clustered, cut
from pitwall.project import content
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from tests.car.folders import car
from tests.project.sessions import CARS, E46, HEADER, digests, driven
from tests.strategies import batches, log

ROWS = log([(0, 0x420, 0, b"12345678"), (0, 0x421, 0, b"123"), (0, 0x777, 0, b""), (0, 0x420, 0, b"")], start=0)


def asked(folder: Path, frames: list, sql: str) -> list[tuple]:
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(folder)) as projector:
        project(frames, projector)
        projector.store.wait()
        with contextlib.closing(projector.store.cursor()) as cursor:
            return cursor.execute(sql).fetchall()


MIXED = """
car: {}
buses:
  truck: {dbc: truck.dbc}
  hs:
    dbc: brakes.dbc
    messages: {Brakes: {counter: alive, checksum: {signal: sum, method: xor8}}}
  obd: {dbc: obd2.dbc, protocol: obd2}
derived:
  both: {expr: load + pressure * 2, unit: none}
  revs: {expr: engine_speed / pressure, unit: none}
"""
TRUCK = """VERSION ""
BO_ 2364540158 EEC2: 8 X
 SG_ load : 16|8@1+ (1,0) [0|0] "%" X
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "VFrameFormat" BO_ 2364540158 3;
"""
BRAKES = """VERSION ""
BO_ 1 Brakes: 3 X
 SG_ sum : 0|8@1+ (1,0) [0|0] "" X
 SG_ alive : 8|2@1+ (1,0) [0|0] "" X
 SG_ pressure : 16|8@1+ (1,0) [0|0] "bar" X
"""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Car:
    cars = tmp_path_factory.mktemp("cars")
    shutil.copy(CARS / "obd2" / "obd2.dbc", car(cars, MIXED, truck=TRUCK, brakes=BRAKES) / "test" / "obd2.dbc")
    return load(cars, "test")


@st.composite
def mixed_logs(draw: st.DrawFn) -> Frames:
    """Frames of all three buses, some of them wrong."""
    brakes = st.builds(
        lambda alive, pressure, slip: (1, 1, 0, bytes([alive ^ pressure ^ slip, alive, pressure])[: 3 - slip // 2]),
        st.integers(0, 3),
        st.integers(0, 255),
        st.sampled_from([0, 0, 0, 0, 1, 2]),
    )
    truck = st.builds(
        lambda sender, payload: (0, sender, 1, payload),
        st.sampled_from([0x0CF00400, 0x18F00403]),
        st.binary(min_size=2, max_size=8),
    )
    answers = [b"\x04\x41\x0c\x1a\xf8", b"\x10\x08\x41\x0c\x1a\xf8\x0d\x32", b"\x21\x05\x7b", b"\x22\x05\x7b"]
    obd = st.builds(lambda payload: (2, 0x7E8, 0, payload), st.sampled_from([*answers, answers[1], answers[2]]))
    return log(draw(st.lists(st.one_of(brakes, truck, obd), max_size=60)))


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_cut_of_a_log_of_every_kind_of_bus_gives_the_same_projection(
    tmp_path_factory: pytest.TempPathFactory, mixed: Car, data: st.DataObject
) -> None:
    folder, frames = tmp_path_factory.getbasetemp(), data.draw(mixed_logs())
    header = replace(HEADER, buses=("truck", "hs", "obd"))

    def digest(parts: list[Frames]) -> str:
        with projecting_in_memory(Pipeline(mixed, header), Generations(folder)) as projector:
            project(parts, projector)
            projector.store.wait()
            with contextlib.closing(projector.store.cursor()) as cursor:
                rejected = cursor.execute("SELECT sum(rejected) FROM ids").fetchall()[0][0] or 0
                assert cursor.execute("SELECT count(*) FROM rejected").fetchall() == [(rejected,)]
                return content.digest(cursor)

    assert digest(data.draw(batches(frames))) == digest([frames])


@pytest.mark.parametrize("shape", [lambda rows: rows, clustered])
def test_a_frame_that_is_too_short_is_a_row_with_its_offset_and_reason(tmp_path: Path, shape) -> None:
    assert asked(tmp_path, [shape(ROWS)], "FROM rejected ORDER BY log_offset") == [
        (1, 1_000_000, "dash", 0x421, "too short for its message", "313233"),
        (3, 3_000_000, "dash", 0x420, "too short for its message", ""),
    ]


def test_the_counts_of_ids_are_those_of_rejected(tmp_path: Path) -> None:
    sql = "SELECT id, frames, short, rejected, missed FROM ids ORDER BY id"
    assert asked(tmp_path, [cut(ROWS, 0, 2), cut(ROWS, 2, 4)], sql) == [
        (0x420, 2, 1, 1, 0),
        (0x421, 1, 1, 1, 0),
        (0x777, 1, 0, 0, 0),
    ]


def test_strict_stops_at_the_first_and_names_it() -> None:
    pipeline = Pipeline(E46, HEADER, strict=True)
    pipeline.apply(cut(ROWS, 0, 1))
    with pytest.raises(RejectedError) as caught:
        pipeline.apply(cut(ROWS, 1, 4))
    assert str(caught.value) == "a-session: offset 1: too short for its message"


def test_a_rule_that_raises_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, whole = driven(), methods.gear

    def gear(rule, state, t, rpm, speed):
        if (np.floor(rpm) % 10 == 3).any():
            raise ValueError("no 3, please")
        return whole(rule, state, t, rpm, speed)

    monkeypatch.setattr(methods, "gear", gear)
    found = asked(tmp_path, [frames], "FROM rejected ORDER BY log_offset")
    assert found
    assert {row[4].removesuffix(": it is not tried any more") for row in found} == {
        "computing gear raised ValueError: no 3, please"
    }
    pieces = [cut(frames, first, first + 777) for first in range(0, len(frames), 777)]
    assert digests(tmp_path, pieces) == digests(tmp_path, [frames])
