"""The projector's thread, from a log that is being written to what the API answers."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pitwall import car as cars_of
from pitwall.bus.simulator import simulate
from pitwall.frames import Frames, cut, moved
from pitwall.live import Follower
from pitwall.log import Writer, find
from pitwall.project.build import stale
from pitwall.project.built import BuiltFrom
from pitwall.project.generations import Generations
from pitwall.project.query import ask, open_projection
from pitwall.project.store import Store
from pitwall.serve.chase import COMMIT_S
from pitwall.serve.definitions import Definitions
from pitwall.serve.garage import Shelf
from tests.serve.stand import Events, Stand, standing

CARS = Path(__file__).parents[2] / "cars"
CAR = "bmw-e46-m3"
STARTED_AT_NS = 1_795_442_400_000_000_000


@pytest.fixture(scope="module")
def drive() -> Frames:
    """The first minute or so of a simulated drive."""
    return cut(next(iter(simulate(seed=5).frames())), 0, 20_000)


def begin(logs: Path, later_s: int = 0, car: str = CAR) -> Writer:
    return Writer.create(logs, car=car, buses=["dash"], started_at_ns=STARTED_AT_NS + later_s * 10**9)


def write(writer: Writer, drive: Frames, first: int, last: int, step: int = 50) -> None:
    for at in range(first, last, step):
        writer.append(moved(cut(drive, at, min(at + step, last)), 0))


@contextlib.contextmanager
def following(tmp_path: Path, cars: Path = CARS) -> Iterator[tuple[Stand, Follower]]:
    """A server over the logs of `tmp_path`, as `pitwall serve` runs it."""
    definitions = Definitions(cars)
    follower = Follower(tmp_path / "logs", tmp_path / "projections", definitions)
    shelf = Shelf(tmp_path / "logs", tmp_path / "projections", definitions)
    try:
        with standing(follower, shelf) as stand:
            follower.start()
            yield stand, follower
    finally:
        follower.stop()


def until(there: Callable[[], bool]) -> None:
    """Returns once `there` is true: the thread is given what it takes, and a test that waits for ever is ended."""
    while not there():
        threading.Event().wait(0.005)


def status(stand: Stand) -> dict:
    return stand.json("/health")


def shown(follower: Follower) -> dict[str, tuple[int, float]]:
    picture = follower.picture()
    return {
        channel.name: (t, v)
        for channel, t, v in zip(picture.cast.channels, picture.t.tolist(), picture.v.tolist(), strict=True)
        if t >= 0
    }


def last_values(tmp_path: Path, session: str) -> dict[str, tuple[int, float]]:
    """The last value of every channel, by replay."""
    with open_projection(
        find(tmp_path / "logs", session), cars_of.load(CARS, CAR), Generations(tmp_path / "by replay")
    ) as found:
        sql = "SELECT channel, max(t) AS t, arg_max(value, t) AS value FROM signals GROUP BY channel"
        with ask(found.connection, sql) as reader:
            return {row["channel"]: (row["t"], row["value"]) for row in reader.read_all().to_pylist()}


def test_a_session_is_followed_from_its_first_frame_to_its_end(tmp_path, drive):
    with following(tmp_path) as (stand, follower):
        assert status(stand)["live"]["state"] == "waiting"
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 5_000)
        until(lambda: status(stand)["projection"]["committed"] == 5_001)
        health = status(stand)
        assert (health["live"]["session"], health["live"]["state"]) == (writer.session, "recording")
        assert health["projection"]["lag_rows"] == 0
        write(writer, drive, 5_000, 10_000)
        until(lambda: status(stand)["projection"]["committed"] == 10_001)
        assert stand.json("/session/_live/signals?channels=rpm&points=100")["session"] == writer.session
        writer.end(int(drive.t[9_999]) + 1)
        until(lambda: status(stand)["live"]["state"] == "ended")
        assert shown(follower) == last_values(tmp_path, writer.session)
        until(lambda: follower.cursor(writer.session) is None)
        channels = stand.json("/session/_live/channels")["channels"]
        assert sum(channel["rows"] for channel in channels) > 10_000
        assert stand.json("/sessions")["sessions"][0]["state"] == "ended"


def test_live_signals_are_those_of_a_replay(tmp_path, drive):
    path = "/session/_live/signals?channels=rpm,gear,combo_g,distance&points=500&t_from=0"
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 9_000, step=7)
        writer.sync()
        until(lambda: status(stand)["projection"]["committed"] == 9_001)
        live = stand.json(path)
        assert status(stand)["queries"]["recalled"] == 1, "it is from memory"
        writer.end(int(drive.t[9_000]))
    shutil.rmtree(tmp_path / "projections")
    with following(tmp_path) as (stand, _):
        until(lambda: status(stand)["live"]["state"] == "ended")
        assert stand.json(path) == live | {"complete": True}
        assert status(stand)["queries"]["recalled"] == 0, "it is from the file"
    assert len(live["channels"]["rpm"]["t"]) > 100


def test_a_session_that_begins_later_is_gone_over_to(tmp_path, drive):
    with following(tmp_path) as (stand, _):
        for number in range(3):
            writer = begin(tmp_path / "logs", later_s=60 * number)
            write(writer, drive, 0, 1_000)
            until(lambda writer=writer: status(stand)["live"]["session"] == writer.session)
            until(lambda: status(stand)["projection"]["offset"] >= 1_001)
            if number < 2:
                writer.end(int(drive.t[1_000]))
        for _, _, body in stand.stream():
            if body["session"] == writer.session:
                break
        writer.close()


def test_stopped_after_its_recorder_died_it_leaves_a_projection_that_is_not_stale(tmp_path, drive):
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 2_000)
        writer.close()
        until(lambda: status(stand)["live"]["state"] == "interrupted")
        until(lambda: status(stand)["projection"]["offset"] == 2_001)
    session = find(tmp_path / "logs", writer.session)
    assert not stale(session, cars_of.load(CARS, CAR), Generations(tmp_path / "projections"))


def test_stopped_while_another_process_records_it_waits_for_nothing_and_leaves_nothing_half(tmp_path, drive):
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 2_000)
        until(lambda: status(stand)["projection"]["offset"] == 2_001)
    assert not list((tmp_path / "projections").glob("*.duckdb*"))
    writer.close()


def test_a_new_session_is_what_live_means_everywhere_by_itself(tmp_path, drive):
    with following(tmp_path) as (stand, _):
        first = begin(tmp_path / "logs")
        write(first, drive, 0, 1_000)
        until(lambda: status(stand)["projection"]["committed"] >= 1_001)
        stream = iter(stand.stream())
        assert next(stream)[2]["session"] == first.session
        first.end(int(drive.t[1_000]))
        second = begin(tmp_path / "logs", later_s=1800)
        write(second, drive, 0, 2_000)
        told = next((kind, body) for _, kind, body in stream if body["session"] == second.session)
        assert told[0] == "state"
        assert set(told[1]["channels"]) > {"rpm", "speed"}
        until(lambda: status(stand)["projection"]["committed"] >= 2_001)
        assert status(stand)["live"]["session"] == second.session
        for path in ("channels", "signals?channels=rpm&points=10"):
            assert stand.json(f"/session/_live/{path}")["session"] == second.session
            assert stand.json(f"/session/{first.session}/{path}")["session"] == first.session
        second.close()


def test_a_recorder_that_died_is_shown_as_such_and_its_successor_followed(tmp_path, drive):
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 1_000)
        until(lambda: status(stand)["live"]["state"] == "recording")
        writer.close()
        until(lambda: status(stand)["live"]["state"] == "interrupted")
        successor = begin(tmp_path / "logs", later_s=60)
        write(successor, drive, 0, 1_000)
        until(lambda: status(stand)["live"]["session"] == successor.session)
        assert stand.json(f"/session/{writer.session}/signals?channels=rpm&points=10")["session"] == writer.session
        successor.end(int(drive.t[1_000]))


def test_a_finished_session_is_shown_without_projecting_it_again(tmp_path, drive):
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 5_000)
    writer.end(int(drive.t[5_000]))
    with following(tmp_path) as (stand, follower):
        until(lambda: status(stand)["live"]["state"] == "ended")
        until(lambda: bool(list((tmp_path / "projections").glob("*.duckdb"))))
        first = shown(follower)
        assert first == last_values(tmp_path, writer.session)
    (file,) = (tmp_path / "projections").glob("*.duckdb")
    made = file.stat().st_mtime_ns
    with following(tmp_path) as (stand, follower):
        until(lambda: status(stand)["live"]["state"] == "ended")
        assert shown(follower) == first
        assert status(stand)["projection"]["committed"] == 5_002
        assert stand.json("/session/_live/signals?channels=speed&points=10")["channels"]["speed"]["unit"] == "m/s"
    assert file.stat().st_mtime_ns == made


def test_what_fails_is_shown_and_tried_again_and_the_server_lives(tmp_path, drive):
    cars = tmp_path / "cars"
    shutil.copytree(CARS, cars)
    right = (cars / CAR / "car.yaml").read_text()
    (cars / CAR / "car.yaml").write_text(right.replace("speed: {from: speed_mph", "speed: {from: sped_mph", 1))
    with following(tmp_path, cars) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 1_000)
        until(lambda: status(stand)["status"] == "failing")
        assert "sped_mph" in status(stand)["projection"]["error"]
        problem = stand.json("/session/_live/channels", expect=503)
        assert "sped_mph" in problem["detail"]
        (cars / CAR / "car.yaml").write_text(right)
        until(lambda: status(stand)["live"]["state"] == "recording")
        assert status(stand)["projection"]["error"] is None
        writer.end(int(drive.t[1_000]))


def test_a_session_that_another_process_projects_is_followed_in_memory(tmp_path, drive):
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 1_000)
    with Generations(tmp_path / "projections").building(writer.session), following(tmp_path) as (stand, _):
        until(lambda: status(stand)["projection"]["committed"] == 1_001)
        assert stand.json("/session/_live/signals?channels=rpm")["channels"]["rpm"]["samples"] > 10
        writer.end(int(drive.t[1_000]))
        until(lambda: status(stand)["live"]["state"] == "ended")


def test_past_sessions_are_projected_when_they_are_asked_for(tmp_path, drive):
    sessions = []
    for number in range(6):
        writer = begin(tmp_path / "logs", later_s=60 * number)
        write(writer, drive, 0, 1_000 + number)
        writer.end(int(drive.t[1_100]))
        sessions.append(writer.session)
    with following(tmp_path) as (stand, _):
        for _ in range(2):
            for session in sessions:
                body = stand.json(f"/session/{session}/signals?channels=rpm&t_from=0")
                assert body["session"] == session
                assert np.isfinite(body["channels"]["rpm"]["v"]).all()


@contextlib.contextmanager
def serving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server in a process of its own, and its port; killed at the end."""
    program = (
        "from pathlib import Path; from pitwall.live import run; "
        f"run(logs=Path({str(tmp_path / 'logs')!r}), projections=Path({str(tmp_path / 'projections')!r}), "
        f"cars=Path({str(CARS)!r}), port=0, ready=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline().rstrip("/\n").rsplit(":", 1)[1])
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_with_streams_open(tmp_path, drive, number):
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 1_000)
    with serving(tmp_path) as (process, port):
        streams = [Events(port) for _ in range(3)]
        stalled = Events(port, receive_buffer=4096)
        idle = socket.create_connection(("127.0.0.1", port))
        events = [iter(stream) for stream in streams]
        while not next(events[0])[2].get("values"):
            pass
        for other in events[1:]:
            next(other)
        process.send_signal(number)
        assert [[kind for _, kind, _ in rest][-1] for rest in events] == ["closing"] * 3
        # far less than what a server would wait for streams that nobody ended
        assert process.wait(10) == 0
        for connection in (*streams, stalled, idle):
            connection.close()
    writer.end(int(drive.t[1_000]))
    assert not list((tmp_path / "projections").glob("*.building*"))


def test_what_a_killed_server_leaves_is_swept_by_the_next(tmp_path, drive):
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 1_000)
    for _ in range(2):
        with serving(tmp_path) as (_, port):
            stream = Events(port)
            events = iter(stream)
            while not next(events)[2].get("values"):
                pass
            stream.close()
    with following(tmp_path) as (stand, _):
        until(lambda: status(stand)["projection"]["committed"] == 1_001)
        assert len(list((tmp_path / "projections").glob("*.building"))) == 1
    writer.end(int(drive.t[1_000]))


def test_a_session_that_is_whole_is_shown_once_and_not_again_and_again(tmp_path, drive):
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 200)
    writer.end(10**9)
    session = find(tmp_path / "logs", "latest")
    with open_projection(session, cars_of.load(CARS, CAR), Generations(tmp_path / "projections")):
        follower = Follower(tmp_path / "logs", tmp_path / "projections", Definitions(CARS))
        follower._unkept = True  # the one before it was not kept, for lack of room
        follower._project(session.path)
        assert follower.picture().status.state == "ended"
        assert not follower._unkept, "there is nothing to be kept of it, and nothing to come back for at once"


def test_a_store_that_is_slow_is_not_given_commits_that_wait(
    tmp_path: Path, drive: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, may_go = [], threading.Event()
    commit, insert = Store.commit, Store._commit

    def counted(store: Store, built: BuiltFrom, small: dict) -> None:
        given.append(built.offset)
        commit(store, built, small)

    def slow(store: Store, built: BuiltFrom, *given: Any) -> None:
        assert not built.offset or may_go.wait(60)
        insert(store, built, *given)

    monkeypatch.setattr(Store, "commit", counted)
    monkeypatch.setattr(Store, "_commit", slow)
    with following(tmp_path) as (stand, follower):
        try:
            writer = begin(tmp_path / "logs")
            for k in range(8):  # each takes longer than a commit is due after
                write(writer, drive, k * 500, (k + 1) * 500)
                until(lambda k=k: follower.picture().status.projected == (k + 1) * 500 + 1)
                threading.Event().wait(COMMIT_S * 1.2)
            assert len(given) == 1, "and what came since is gathered"
        finally:
            may_go.set()
        until(lambda: status(stand)["projection"]["committed"] == 4_001)
        assert len(given) <= 3
        writer.end(int(drive.t[3_999]) + 1)
        until(lambda: status(stand)["live"]["state"] == "ended")
        assert shown(follower) == last_values(tmp_path, writer.session)
