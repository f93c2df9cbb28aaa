"""Two rebuilds of one session hold the same to the bit, whatever computed them and whatever came between."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pitwall.frames import cut
from pitwall.log.recovery import recover
from pitwall.log.session import Session, find
from pitwall.log.writer import Writer
from pitwall.project import content
from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.project.memory import Memory
from pitwall.project.pipeline import origin
from pitwall.workers import Order, Worker, together
from tests.project.sessions import CARS, E46, STARTED_NS, driven, opened, written

ROWS = 20_000


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return written(tmp_path_factory.mktemp("logs"), driven(ROWS))


@pytest.fixture(scope="module")
def reference(session: Session, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = Generations(tmp_path_factory.mktemp("reference"))
    build(session, E46, folder)
    return digest(session, folder)


def digest(session: Session, folder: Generations) -> str:
    built = origin(E46, session.header)
    with opened(folder.file(built.session, built.fingerprint)) as connection:
        return content.digest(connection)


def order(session: Session, folder: Path) -> Order:
    return Order(session.id, session.path.parent, folder, CARS)


def one_thread(session: Session, folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("pitwall.project.database.memory", lambda: Memory(256_000_000, 1, 10**9))
    build(session, E46, Generations(folder))


def many_threads(session: Session, folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("pitwall.project.database.memory", lambda: Memory(256_000_000, 7, 10**9))
    build(session, E46, Generations(folder))


def a_process(session: Session, folder: Path, patch: pytest.MonkeyPatch) -> None:
    ((name, outcome),) = together([order(session, folder)], lambda done, rows: None)
    assert name == session.id
    assert outcome["report"]["rows"] == session.rows


def a_process_that_rests(session: Session, folder: Path, patch: pytest.MonkeyPatch) -> None:
    worker = Worker(order(session, folder))
    for _ in range(40):
        worker.pause(True)
        time.sleep(0.01)
        worker.pause(False)
    assert "report" in worker.outcome()
    worker.close()


def a_process_that_is_killed_before(session: Session, folder: Path, patch: pytest.MonkeyPatch) -> None:
    for instant_s in (0.3, 0.7, 0.9):
        worker = Worker(order(session, folder))
        time.sleep(instant_s)
        worker._process.kill()
        outcome = worker.outcome()
        assert "report" in outcome or "killed by signal 9" in outcome["error"]
        worker.close()
    build(session, E46, Generations(folder))


@pytest.mark.parametrize(
    "rebuild", [one_thread, many_threads, a_process, a_process_that_rests, a_process_that_is_killed_before]
)
def test_two_rebuilds_hold_the_same(
    session: Session,
    reference: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rebuild: Callable[[Session, Path, pytest.MonkeyPatch], None],
) -> None:
    rebuild(session, tmp_path, monkeypatch)
    assert digest(session, Generations(tmp_path)) == reference


def test_a_log_in_other_segments_and_batches_gives_the_same(session: Session, reference: str, tmp_path: Path) -> None:
    frames = driven(ROWS)
    writer = Writer.create(
        tmp_path / "logs",
        car="bmw-e46-m3",
        buses=["dash"],
        started_at_ns=STARTED_NS,
        session_id="a-session",
        segment_bytes=60_000,
    )
    for first in range(0, len(frames), 777):
        writer.append(cut(frames, first, first + 777))
    writer.end(int(frames.t[-1]))
    recover(tmp_path / "logs")
    other = find(tmp_path / "logs", "a-session")
    folder = Generations(tmp_path / "projections")
    build(other, E46, folder)
    assert digest(other, folder) == reference
