"""A car that is edited while its session is followed: one pipeline or the other, with nothing between them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from pitwall.frames import Frames
from pitwall.live import Follower
from pitwall.log import Writer, find
from pitwall.project import content
from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.project.pipeline import origin
from pitwall.serve.course import Course
from pitwall.serve.definitions import Definition, Definitions
from pitwall.serve.edits import MAX_FACT_BYTES, fact
from pitwall.serve.garage import Shelf
from pitwall.serve.rebuilder import Rebuilder
from pitwall.serve.successor import Successor
from tests.project.sessions import opened
from tests.serve.stand import Stand, standing
from tests.serve.test_live import CAR, CARS, begin, drive, status, until, write

__all__ = ["drive"]

RPM = "/session/{}/signals?channels=rpm&t_from=0&t_to=1000000000"


@dataclass
class Bench:
    """A server over a folder of its own, and its parts."""

    folder: Path
    stand: Stand
    definitions: Definitions
    follower: Follower
    shelf: Shelf
    rebuilder: Rebuilder

    def edit(self, was: str, then: str) -> None:
        file = self.folder / "cars" / CAR / "car.yaml"
        text = file.read_text()
        assert was in text
        file.write_text(text.replace(was, then, 1))
        self.definitions.look()

    def fingerprint(self, session: str) -> str:
        """Of the pipeline that the session is to be shown by."""
        return origin(self.definitions.get(CAR).car, find(self.folder / "logs", session).header).fingerprint


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    shutil.copytree(CARS, tmp_path / "cars")
    definitions = Definitions(tmp_path / "cars")
    follower = Follower(tmp_path / "logs", tmp_path / "projections", definitions)
    shelf = Shelf(tmp_path / "logs", tmp_path / "projections", definitions)
    rebuilder = Rebuilder(tmp_path / "logs", shelf, definitions, follower)
    try:
        with standing(follower, shelf) as stand:
            follower.start()
            yield Bench(tmp_path, stand, definitions, follower, shelf, rebuilder)
    finally:
        rebuilder.stop()
        follower.stop()


def by_replay(bench: Bench, session: str) -> str:
    anew = Generations(bench.folder / "anew")
    car = bench.definitions.get(CAR).car
    built = build(find(bench.folder / "logs", session), car, anew).built
    return digest(anew, built.session, built.fingerprint)


def digest(generations: Generations, session: str, fingerprint: str) -> str:
    with opened(generations.file(session, fingerprint)) as connection:
        return content.digest(connection)


def ended(writer: Writer, drive: Frames, last: int) -> None:
    writer.end(int(drive.t[last]))


def test_a_valid_edit_is_shown_from_the_first_row_on_and_is_what_is_kept(bench: Bench, drive: Frames) -> None:
    writer = begin(bench.folder / "logs")
    write(writer, drive, 0, 5_000)
    until(lambda: status(bench.stand)["projection"]["committed"] == 5_001)
    before = bench.stand.json(RPM.format("_live"))
    assert before["stale"] is False
    bench.edit("channels:", "channels:\n  rpm: {offset: 1000}")
    until(lambda: status(bench.stand)["projection"]["fingerprint"] != before["fingerprint"])
    after = bench.stand.json(RPM.format("_live"))
    assert after["fingerprint"] == status(bench.stand)["projection"]["fingerprint"]
    assert after["channels"]["rpm"]["t"] == before["channels"]["rpm"]["t"]
    assert after["channels"]["rpm"]["v"] == [v + 1000 for v in before["channels"]["rpm"]["v"]]
    assert status(bench.stand)["projection"]["successor"] is None
    write(writer, drive, 5_000, 6_000)
    until(lambda: status(bench.stand)["projection"]["committed"] == 6_001)
    ended(writer, drive, 6_000)
    until(lambda: status(bench.stand)["live"]["state"] == "ended")
    assert digest(bench.shelf.generations, writer.session, after["fingerprint"]) == by_replay(bench, writer.session)
    assert not list((bench.folder / "projections").glob("*.building*"))


def test_a_wrong_edit_changes_nothing_and_is_told_of_by_health_and_the_stream(bench: Bench, drive: Frames) -> None:
    writer = begin(bench.folder / "logs")
    write(writer, drive, 0, 1_000)
    until(lambda: status(bench.stand)["projection"]["committed"] == 1_001)
    before = status(bench.stand)["projection"]["fingerprint"]
    bench.edit("speed: {from: speed_mph", "speed: {from: sped_mph")
    health = status(bench.stand)
    assert "car.yaml:" in health["cars"][CAR][0]
    assert health["projection"]["fingerprint"] == before
    assert health["status"] == "quiet" or health["live"]["state"] in ("recording", "interrupted")
    _, kind, body = next(iter(bench.stand.stream()))
    assert kind == "state"
    until(lambda: bool(next(iter(bench.stand.stream()))[2]["status"]["car_errors"]))
    assert bench.stand.json(RPM.format("_live"))["fingerprint"] == before == body["fingerprint"]
    bench.edit("speed: {from: sped_mph", "speed: {from: speed_mph")
    assert status(bench.stand)["cars"] == {}
    ended(writer, drive, 1_000)


def test_an_edit_that_is_overtaken_or_taken_back_leaves_nothing_behind(bench: Bench, drive: Frames) -> None:
    writer = begin(bench.folder / "logs")
    write(writer, drive, 0, 20_000, step=4_000)
    until(lambda: status(bench.stand)["projection"]["committed"] == 20_001)
    bench.edit("channels:", "channels:\n  rpm: {offset: 10}")
    for _ in range(3):
        threading.Event().wait(0.2)  # some of them are under way, some are not, when the next comes
        bench.edit("offset: 1", "offset: 11")
    wanted = bench.fingerprint(writer.session)
    until(lambda: status(bench.stand)["projection"]["fingerprint"] == wanted)
    until(lambda: len(list((bench.folder / "projections").glob("*.building"))) == 1)
    ended(writer, drive, 19_999)
    until(lambda: status(bench.stand)["live"]["state"] == "ended")


def test_a_definition_that_nothing_can_be_projected_by_is_refused(bench: Bench, drive: Frames) -> None:
    writer = begin(bench.folder / "logs")
    write(writer, drive, 0, 1_000)
    until(lambda: status(bench.stand)["projection"]["committed"] == 1_001)
    before = status(bench.stand)["projection"]["fingerprint"]
    with pytest.MonkeyPatch.context() as patch:

        def failing(car, header):
            raise ZeroDivisionError("a bug")

        patch.setattr("pitwall.serve.course.Pipeline", failing)
        bench.edit("channels:", "channels:\n  rpm: {offset: 1}")
        until(lambda: CAR in status(bench.stand)["cars"])
    assert status(bench.stand)["projection"]["fingerprint"] == before
    write(writer, drive, 1_000, 2_000)
    until(lambda: status(bench.stand)["projection"]["committed"] == 2_001)
    ended(writer, drive, 2_000)


def test_past_sessions_answer_as_they_were_until_they_are_rebuilt(bench: Bench, drive: Frames) -> None:
    sessions = []
    for number in range(2):
        writer = begin(bench.folder / "logs", later_s=60 * number)
        write(writer, drive, 0, 2_000)
        ended(writer, drive, 2_000)
        sessions.append(writer.session)
        until(lambda writer=writer: status(bench.stand)["live"]["session"] == writer.session)
        until(lambda: status(bench.stand)["live"]["state"] == "ended")
    before = {session: bench.stand.json(RPM.format(session)) for session in sessions}
    assert not any(answer["stale"] for answer in before.values())
    bench.edit("channels:", "channels:\n  rpm: {offset: 1000}")
    for session in sessions:
        assert bench.stand.json(RPM.format(session)) == before[session] | {"stale": True}
    bench.rebuilder.start()
    for session in sessions:
        until(lambda session=session: bench.stand.json(RPM.format(session))["stale"] is False)
        after = bench.stand.json(RPM.format(session))
        assert after["channels"]["rpm"]["v"] == [v + 1000 for v in before[session]["channels"]["rpm"]["v"]]
    told = {"running": {}, "waiting": [], "done": 2, "failed": {}}
    until(lambda: {name: status(bench.stand)["rebuilds"][name] for name in told} == told)
    until(lambda: status(bench.stand)["projection"]["fingerprint"] == bench.fingerprint(sessions[-1]))


def test_nothing_is_rebuilt_without_room_and_what_fails_is_told(bench: Bench, drive: Frames) -> None:
    writer = begin(bench.folder / "logs")
    write(writer, drive, 0, 1_000)
    ended(writer, drive, 1_000)
    until(lambda: status(bench.stand)["live"]["state"] == "ended")
    bench.edit("channels:", "channels:\n  rpm: {offset: 1000}")
    bench.shelf.generations.room.failed("no room, for a while")
    bench.rebuilder.tend()
    rebuilds = status(bench.stand)["rebuilds"]
    assert rebuilds["waiting"] == [writer.session]
    assert rebuilds["held"] == "no room, for a while"
    with contextlib.suppress(FileNotFoundError):
        (bench.folder / "cars" / CAR / "car.yaml").write_text("car:\n")  # as the worker reads it
    until(lambda: not bench.shelf.generations.room.look().why)
    bench.rebuilder.start()
    until(lambda: bool(status(bench.stand)["rebuilds"]["failed"]))
    assert "car.yaml" in status(bench.stand)["rebuilds"]["failed"][writer.session]


def test_a_projection_that_an_edit_made_stale_answers_while_a_server_begins_anew(
    tmp_path: Path, drive: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(CARS, tmp_path / "cars")
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 5_000)
    ended(writer, drive, 5_000)
    old = Generations(tmp_path / "projections")
    built = build(find(tmp_path / "logs", writer.session), Definitions(CARS).get(CAR).car, old).built
    file = tmp_path / "cars" / CAR / "car.yaml"
    file.write_text(file.read_text().replace("channels:", "channels:\n  rpm: {offset: 1000}", 1))
    definitions, going = Definitions(tmp_path / "cars"), threading.Event()
    follower = Follower(tmp_path / "logs", tmp_path / "projections", definitions)
    shelf = Shelf(tmp_path / "logs", tmp_path / "projections", definitions)
    real = Course.run
    monkeypatch.setattr(Course, "run", lambda course, *given: real(course, *given) if going.wait(60) else None)
    with standing(follower, shelf) as stand:
        follower.start()
        try:
            until(lambda: follower.cursor(writer.session) is None)
            answer = stand.json(RPM.format(writer.session))
            assert (answer["fingerprint"], answer["stale"]) == (built.fingerprint, True)
            going.set()
            until(lambda: not stand.json(RPM.format(writer.session))["stale"])
        finally:
            going.set()
            follower.stop()


def test_what_the_log_says_of_an_edit_is_bounded() -> None:
    definition = Definitions(CARS).get(CAR)
    said = fact(definition, fingerprint="a", before="b")
    assert said["text"] == (CARS / CAR / "car.yaml").read_text()
    assert len(said["dbcs"]) >= 1
    for text in ("x" * MAX_FACT_BYTES, "ä" * 20_000, "\0" * 20_000):
        bounded = fact(dataclasses.replace(definition, text=text), fingerprint="a", before="b")
        assert bounded["text"] is None
        assert bounded["dbcs"] == said["dbcs"]
        assert len(json.dumps(bounded)) <= MAX_FACT_BYTES


def test_what_an_edit_is_built_by_is_let_go_of_at_once_when_all_stops(drive: Frames) -> None:
    class Endless:
        """A course with always more to come."""

        def __init__(self) -> None:
            self.tail, self.offset, self.settled, self.closed = self, 0, 0, 0
            self.began = threading.Event()

        def poll(self, rows: int) -> list[Frames]:
            return [drive]

        def run(self, bites: Iterator[Frames | None]) -> None:
            for _ in bites:
                self.began.set()

        def settle(self) -> None:  # minutes of writing, for nobody
            self.settled += 1

        def close(self) -> None:
            self.closed += 1

    course = Endless()
    successor = Successor(cast(Definition, None), lambda: cast(Course, course))
    assert course.began.wait(60)
    successor.cancel()
    assert (course.settled, course.closed) == (0, 1)
