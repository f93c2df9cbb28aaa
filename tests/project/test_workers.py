"""A process a session: it obeys, tells, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pitwall.log.session import Session
from pitwall.project.generations import Generations
from pitwall.workers import Order, Worker, together
from tests.project.sessions import CARS, E46, driven, written

PARENT = """
import sys, time
from pitwall.workers import Order, Worker
worker = Worker(Order.decoded(sys.argv[1]))
worker.pause(True)
print(worker._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return written(tmp_path / "logs", driven(5_000))


def order(session: Session, folder: Path, cars: Path = CARS) -> Order:
    return Order(session.id, session.path.parent, folder, cars)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_a_worker_that_rests_ends_with_who_started_it(session: Session, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, order(session, tmp_path / "projections").encoded()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 30
    while lives(pid):
        assert time.monotonic() < end, "it outlives who started it"
        time.sleep(0.02)
    assert not list((tmp_path / "projections").glob("*.duckdb"))


def test_what_goes_wrong_is_an_outcome(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "projections"
    with Generations(folder).building(session.id):
        ((_, busy),) = together([order(session, folder)], lambda done, rows: None)
    assert str(os.getpid()) in busy["busy"]
    ((_, wrong),) = together([order(session, folder, tmp_path / "no cars")], lambda done, rows: None)
    assert E46.name in wrong["error"]
    worker = Worker(order(session, folder))
    worker._process.kill()
    assert "killed by signal 9" in worker.outcome()["error"]
    worker.close()
