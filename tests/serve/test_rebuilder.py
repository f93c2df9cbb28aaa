"""What is stale is rebuilt in its turn, whatever becomes of the processes that do it."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.serve import rebuilder as rebuilding
from pitwall.serve.definitions import Definitions
from pitwall.serve.garage import Shelf
from pitwall.serve.newest import Still
from pitwall.serve.rebuilder import Rebuilder
from pitwall.workers import Order
from tests.project.sessions import CARS, E46, driven, written


class Busy:
    """A process that found another at its session's projection."""

    begun: list[str] = []  # noqa: RUF012
    over, done, rows = True, 0, 0

    def __init__(self, order: Order) -> None:
        self.order = order
        self.begun.append(order.session)

    def pause(self, paused: bool) -> None: ...

    def close(self) -> None: ...

    def outcome(self) -> dict[str, Any]:
        return {"busy": "its projection is being built by process 1"}


def edited(cars: Path) -> tuple[Path, str]:
    """The shipped cars in a new folder, one of them edited: the file, and what it held before."""
    shutil.copytree(CARS, cars)
    file = cars / "bmw-e46-m3" / "car.yaml"
    before = file.read_text()
    file.write_text(before.replace("channels:", "channels:\n  rpm: {offset: 1000}", 1))
    return file, before


def test_what_another_process_builds_is_left_to_it_for_a_while_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, projections = tmp_path / "logs", tmp_path / "projections"
    for name in ("one", "two"):
        build(written(logs, driven(500), name), E46, Generations(projections))
    edited(tmp_path / "cars")
    monkeypatch.setattr(rebuilding, "Worker", Busy)
    monkeypatch.setattr(Busy, "begun", [])
    definitions = Definitions(tmp_path / "cars")
    definitions.look()
    with contextlib.closing(Shelf(logs, projections, definitions)) as shelf:
        rebuilder = Rebuilder(logs, shelf, definitions, Still())
        for _ in range(10):
            rebuilder.tend()
    assert sorted(Busy.begun) == ["one", "two"]


def test_what_was_asked_for_while_no_process_could_be_had_is_built_anew_once_one_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs, projections, definitions = tmp_path / "logs", tmp_path / "projections", Definitions(CARS)
    build(written(logs, driven(500), "one"), E46, Generations(projections))
    orders: list[Order] = []

    def worker(order: Order) -> Busy:
        orders.append(order)
        if len(orders) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return Busy(order)

    monkeypatch.setattr(rebuilding, "Worker", worker)
    with contextlib.closing(Shelf(logs, projections, definitions)) as shelf:
        rebuilder = Rebuilder(logs, shelf, definitions, Still())
        shelf.rebuilds.asked.append("one")
        with pytest.raises(BlockingIOError):
            rebuilder.tend()
        rebuilder.tend()
    assert [order.force for order in orders] == [True, True]


def test_a_rebuild_that_failed_by_an_edit_is_forgotten_once_that_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Busy):
        def outcome(self) -> dict[str, Any]:
            return {"error": "no pipeline can be made of it"}

    logs, projections = tmp_path / "logs", tmp_path / "projections"
    build(written(logs, driven(500), "one"), E46, Generations(projections))
    file, before = edited(tmp_path / "cars")
    monkeypatch.setattr(rebuilding, "Worker", Failing)
    monkeypatch.setattr(rebuilding, "SCAN_S", 0.0)
    definitions = Definitions(tmp_path / "cars")
    definitions.look()
    with contextlib.closing(Shelf(logs, projections, definitions)) as shelf:
        rebuilder = Rebuilder(logs, shelf, definitions, Still())
        for _ in range(3):
            rebuilder.tend()
        assert shelf.rebuilds.failed == {"one": "no pipeline can be made of it"}
        file.write_text(before)
        definitions.look()
        for _ in range(3):
            rebuilder.tend()
        assert shelf.rebuilds.failed == {}
