"""The table `rejected`: what could not be taken as it is, where, and why; and a pipeline that stops at it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from pitwall.derive import methods
from pitwall.errors import RejectedError
from pitwall.frames import clustered, cut
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from tests.project.sessions import E46, HEADER, digests, driven
from tests.strategies import log

ROWS = log([(0, 0x420, 0, b"12345678"), (0, 0x421, 0, b"123"), (0, 0x777, 0, b""), (0, 0x420, 0, b"")], start=0)


def asked(folder: Path, frames: list, sql: str) -> list[tuple]:
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(folder)) as projector:
        project(frames, projector)
        projector.store.wait()
        with contextlib.closing(projector.store.cursor()) as cursor:
            return cursor.execute(sql).fetchall()


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

    def gear(rule, rpm, speed):
        if (np.floor(rpm) % 10 == 3).any():
            raise ValueError("no 3, please")
        return whole(rule, rpm, speed)

    monkeypatch.setattr(methods, "gear", gear)
    found = asked(tmp_path, [frames], "FROM rejected ORDER BY log_offset")
    assert found
    assert {row[4].removesuffix(": it is not tried any more") for row in found} == {
        "computing gear raised ValueError: no 3, please"
    }
    pieces = [cut(frames, first, first + 777) for first in range(0, len(frames), 777)]
    assert digests(tmp_path, pieces) == digests(tmp_path, [frames])
