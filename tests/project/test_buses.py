"""Buses of one car, from its folder to its projection: kept apart, however many, with DBCs and without."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pitwall.car import load
from pitwall.frames import Flag, Frames
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from tests.car.folders import car
from tests.project.sessions import HEADER
from tests.strategies import log

ENGINE = 'VERSION ""\nBO_ 256 Engine: 8 X\n SG_ rpm : 0|16@1+ (1,0) [0|0] "rpm" X\n'
WHEELS = 'VERSION ""\nBO_ 257 Wheels: 8 X\n SG_ speed : 0|16@1+ (1,0) [0|0] "km/h" X\n'
TYRES = 'VERSION ""\nBO_ 256 Tyres: 8 X\n SG_ pressure : 0|16@1+ (1,0) [0|0] "kPa" X\n'
WIDE = 'VERSION ""\nBO_ 2147483904 Wide: 8 X\n SG_ wide : 0|16@1+ (1,0) [0|0] "" X\n'

YAML = """
car: {make: X}
buses:
  power: {dbc: [engine.dbc, wheels.dbc, wide.dbc]}
  body: {dbc: tyres.dbc}
  raw: {}
"""


class Asked:
    """A projection of `frames`, and what it answers."""

    def __init__(self, folder: Path, frames: Frames) -> None:
        car(folder / "cars", YAML, engine=ENGINE, wheels=WHEELS, tyres=TYRES, wide=WIDE)
        header = replace(HEADER, buses=("power", "body", "raw"))
        self._stack = contextlib.ExitStack()
        pipeline = Pipeline(load(folder / "cars", "test"), header)
        projector = self._stack.enter_context(projecting_in_memory(pipeline, Generations(folder)))
        project([frames], projector)
        projector.store.wait()
        self.cursor: duckdb.DuckDBPyConnection = self._stack.enter_context(contextlib.closing(projector.store.cursor()))

    def __call__(self, sql: str) -> list[tuple]:
        return self.cursor.execute(sql).fetchall()

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def asked(tmp_path: Path):
    number = lambda value: value.to_bytes(2, "little")  # noqa: E731
    frames = log(
        [
            (0, 0x100, 0, number(1)),
            (1, 0x100, 0, number(2)),
            (2, 0x100, 0, number(3)),
            (0, 0x101, 0, number(4)),
            (1, 0x101, 0, number(5)),
            (0, 0x100, int(Flag.EXTENDED), number(6)),
            (0, 0x100, int(Flag.TX), number(7)),
            (0, 0x100, int(Flag.EXTENDED | Flag.TX), number(8)),
            (0, 0x100, 0, number(9)),
        ]
    )
    answers = Asked(tmp_path, frames)
    yield answers
    answers.close()


def test_one_id_on_two_buses_is_two_messages_and_an_echo_is_neither(asked: Asked) -> None:
    assert asked("SELECT rpm FROM power_Engine") == [(1,), (9,)]
    assert asked("SELECT pressure FROM body_Tyres") == [(2,)]
    assert asked("SELECT wide FROM power_Wide") == [(6,)]


def test_several_dbcs_describe_one_bus_and_no_other(asked: Asked) -> None:
    assert asked("SELECT speed FROM power_Wheels") == [(4,)]
    assert asked("SELECT DISTINCT channel FROM signals ORDER BY 1") == [("pressure",), ("rpm",), ("speed",), ("wide",)]


def test_every_kind_of_frame_is_listed_for_itself_with_its_raw_payload(asked: Asked) -> None:
    assert asked("SELECT bus, id, extended, sent, name, decoded, frames, payload FROM ids ORDER BY ALL") == [
        ("body", 0x100, False, False, "Tyres", True, 1, "0200"),
        ("body", 0x101, False, False, None, False, 1, "0500"),
        ("power", 0x100, False, False, "Engine", True, 2, "0900"),
        ("power", 0x100, False, True, "Engine", False, 1, "0700"),
        ("power", 0x100, True, False, "Wide", True, 1, "0600"),
        ("power", 0x100, True, True, "Wide", False, 1, "0800"),
        ("power", 0x101, False, False, "Wheels", True, 1, "0400"),
        ("raw", 0x100, False, False, None, False, 1, "0300"),
    ]


def test_what_no_dbc_names_is_no_fault(asked: Asked) -> None:
    assert asked("FROM rejected") == []


def test_a_car_with_no_dbc_at_all_shows_its_raw_ids(tmp_path: Path) -> None:
    car(tmp_path / "cars", "car: {}\nbuses: {can: {}}\n")
    pipeline = Pipeline(load(tmp_path / "cars", "test"), HEADER)
    with projecting_in_memory(pipeline, Generations(tmp_path)) as projector:
        project([log([(0, 0x123, 0, b"ab"), (0, 0x123, 0, b"cd")])], projector)
        projector.store.wait()
        with contextlib.closing(projector.store.cursor()) as cursor:
            found = cursor.execute("SELECT bus, id, decoded, frames, payload FROM ids").fetchall()
            assert found == [("dash", 0x123, False, 2, "6364")]
            assert cursor.execute("SELECT count(*) FROM signals").fetchall() == [(0,)]
