"""Room is made by removing generations: of sessions that are no more first, then the oldest; never one in use."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import threading
from pathlib import Path

import pytest

from pitwall.log import lock
from pitwall.log.published import State
from pitwall.project import seal
from pitwall.project.generations import Generations
from pitwall.project.room import Room
from pitwall.serve.limits import OPEN_IDLE_S
from pitwall.serve.newest import Still
from pitwall.serve.tender import Tender, presses
from tests.serve.stand import CAST, picture, session

FLOOR = 1_000
EACH = 400
"""Bytes of a generation, as the file system of this test has it."""


class Disk:
    """A file system that holds generations alone."""

    def __init__(self, folder: Path, total: int) -> None:
        self.folder, self.total = folder, total
        self.pressed = False

    def measure(self, _folder: Path) -> tuple[int, int]:
        return self.total - EACH * len(list(self.folder.glob("*.duckdb"))), self.total


class Shelf:
    """Sessions `s1`, `s2`, … of which `known` are there still."""

    def __init__(self, disk: Disk, known: list[str]) -> None:
        room = Room(disk.folder, floor=FLOOR, measure=disk.measure, pressed=lambda: disk.pressed)
        self.generations = Generations(disk.folder, room)
        self.known = known
        self.tidied: list[float | None] = []

    def sessions(self):
        return [session(name) for name in self.known]

    def tidy(self, idle_s: float | None = None) -> None:
        self.tidied.append(idle_s)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path, 5 * EACH + FLOOR - 1)
    for name in ("s1", "s2", "s3", "s4", "s5"):
        (tmp_path / f"{name}.0123456789ab.duckdb").touch()
        (tmp_path / f"{name}.0123456789ab.json").touch()
    return disk


def left(disk: Disk) -> list[str]:
    return [file.name[:2] for file in sorted(disk.folder.glob("*.duckdb"))]


def test_with_room_enough_nothing_is_removed(disk: Disk) -> None:
    disk.total += FLOOR
    shelf = Shelf(disk, [])
    Tender(shelf, Still()).tend()
    assert left(disk) == ["s1", "s2", "s3", "s4", "s5"]
    assert shelf.tidied == [OPEN_IDLE_S]


def test_sessions_that_are_no_more_go_first_and_then_the_oldest_until_there_is_room(disk: Disk) -> None:
    shelf = Shelf(disk, ["s1", "s2", "s4"])
    Tender(shelf, Still()).tend()
    assert left(disk) == ["s2", "s4"], "s3 and s5 first, then s1: twice the floor is free then"
    assert shelf.generations.room.look().removed == 3
    assert not shelf.generations.room.look().why
    assert shelf.tidied[0] is not None, "what nobody asks for is let go of"
    assert not list(disk.folder.glob(".*.lock"))


def test_what_is_followed_read_or_built_stays(disk: Disk) -> None:
    disk.total = FLOOR
    shelf = Shelf(disk, ["s1", "s2", "s3", "s4", "s5"])
    live = Still(picture(1, cast=dataclasses.replace(CAST, session="s1")))
    reader = seal.hold(disk.folder / "s2.0123456789ab.duckdb")
    fcntl.flock(reader, fcntl.LOCK_SH)
    try:
        with shelf.generations.building("s3"):
            Tender(shelf, live).tend()
    finally:
        os.close(reader)
    assert left(disk) == ["s1", "s2", "s3"]


def test_what_was_put_aside_goes_before_any_generation(disk: Disk) -> None:
    disk.total += FLOOR
    disk.pressed = True
    (disk.folder / "s1.0123456789ab.duckdb.broken-1").touch()
    tender = Tender(Shelf(disk, ["s1", "s2", "s3", "s4", "s5"]), Still())
    tender.tend()
    assert not list(disk.folder.glob("*.broken-*"))
    assert len(left(disk)) == 5, "one a look: it may have been enough"


def test_while_the_recorder_is_pressed_one_goes_a_look(disk: Disk) -> None:
    disk.total += FLOOR
    disk.pressed = True
    tender = Tender(Shelf(disk, ["s1", "s2", "s3", "s4", "s5"]), Still())
    tender.tend()
    assert left(disk) == ["s2", "s3", "s4", "s5"]
    tender.tend()
    assert left(disk) == ["s3", "s4", "s5"]
    disk.pressed = False
    tender.tend()
    assert left(disk) == ["s3", "s4", "s5"]


@pytest.mark.parametrize(
    ("state", "pressed"),
    [(State(), False), (State(low_space=True), True), (State(problem="the log can't be written"), True)],
)
def test_a_recorder_presses_when_it_has_trouble_on_the_same_file_system(tmp_path: Path, state, pressed) -> None:
    (tmp_path / "projections").mkdir()
    held = lock.Lock(tmp_path)
    try:
        held.publish(state)
        assert presses(tmp_path, tmp_path / "projections") is pressed
        if Path("/dev/shm").stat().st_dev != tmp_path.stat().st_dev:
            assert not presses(tmp_path, Path("/dev/shm"))
    finally:
        held.release()
    assert not presses(tmp_path, tmp_path / "projections"), "nobody records"


def test_it_looks_by_itself_until_it_is_stopped(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pitwall.serve.tender.LOOK_S", 0.01)
    shelf = Shelf(disk, [])
    tender = Tender(shelf, Still())
    tender.start()
    while len(left(disk)) > 2:
        threading.Event().wait(0.005)
    tender.stop()
    looks = len(shelf.tidied)
    disk.pressed = True
    threading.Event().wait(0.05)
    assert len(shelf.tidied) == looks
    Tender(shelf, Still()).stop()  # one that was never started
