"""What a garage does with past sessions, over a real socket: to the archive and back, rebuilt, and the doctor asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pitwall.log.records import archived
from pitwall.log.session import Session
from pitwall.serve.mover import Mover
from pitwall.serve.problem import TYPES
from tests.serve.stand import SID, FakeGarage, projection, standing
from tests.serve.test_importing import Server, pitwall, serving, wait_for


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One over two sessions, that knows where the archive is."""
    folder = tmp_path_factory.mktemp("garage")
    for name in ("one", "two"):
        pitwall("--logs", folder / "logs", "simulate", "--hours", "0.005", "--session", name)
    with serving(folder, "--archive-to", folder / "archive") as made:
        yield made


def post(server: Server, path: str, said: object = None) -> tuple[int, dict]:
    return server.ask(path, "POST", json.dumps(said) if said is not None else None)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_session_goes_to_the_archive_and_comes_back_byte_for_byte(server: Server) -> None:
    here, there = server.folder / "logs" / "one", server.folder / "archive" / "one"
    before = files(here)
    assert server.ask("/archive")[1] == {"to": str(server.folder / "archive"), "sessions": []}
    assert server.ask("/session/one/laps")[0] == 200  # it is open while it goes
    status, job = post(server, "/session/one/archive")
    assert (status, job["kind"], job["session"]) == (200, "archive", "one")
    over = server.over(job["id"])
    assert (over["state"], over["progress"], over["error"], over["lost"]) == ("done", 1.0, None, 0)
    assert not here.exists()
    assert {name: (there / name).read_bytes() for name in before} == before
    (record,) = server.ask("/archive")[1]["sessions"]
    assert (record["id"], record["here"]) == ("one", False)
    assert record["at"] == archived(server.folder / "logs")[0].at
    wait_for(lambda: [one["id"] for one in server.ask("/sessions")[1]["sessions"]] == ["two"])
    assert server.ask("/session/one")[0] == 404
    _, back = post(server, "/session/one/restore")
    assert server.over(back["id"])["state"] == "done"
    assert files(here) == before
    assert server.ask("/archive")[1]["sessions"][0]["here"] is True
    wait_for(lambda: server.ask("/session/one")[0] == 200)
    kinds = [job["kind"] for job in server.ask("/jobs")[1]["jobs"]]
    assert kinds[:2] == ["restore", "archive"]


def test_what_can_not_be_archived_stays_and_the_job_says_why(server: Server) -> None:
    (server.folder / "logs" / "two" / "pinned").write_bytes(b"")
    _, job = post(server, "/session/two/archive")
    over = server.over(job["id"])
    (server.folder / "logs" / "two" / "pinned").unlink()
    assert over["state"] == "failed"
    assert "the session is pinned" in over["error"]
    assert server.ask("/session/two")[0] == 200


def test_an_archive_that_is_damaged_brings_nothing_back(server: Server) -> None:
    _, job = post(server, "/session/two/archive")
    assert server.over(job["id"])["state"] == "done"
    (stored,) = (server.folder / "archive" / "two").glob("*.arrow")
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    _, job = post(server, "/session/two/restore")
    over = server.over(job["id"])
    assert (over["state"], "damaged" in over["error"]) == ("failed", True)
    assert not (server.folder / "logs" / "two").exists()
    stored.write_bytes(whole)
    _, job = post(server, "/session/two/restore")
    assert server.over(job["id"])["state"] == "done"


def test_a_session_is_built_anew_when_somebody_asks_stale_or_not(server: Server) -> None:
    wait_for(lambda: server.ask("/session/one")[0] == 200)
    assert server.ask("/session/one/laps")[0] == 200
    projections = server.folder / "projections"
    (before,) = projections.glob("one.*.duckdb")
    stamp = before.stat().st_mtime_ns, before.stat().st_ino
    status, told = post(server, "/rebuild", {"session": "one"})
    assert (status, [(job["id"], job["state"]) for job in told["jobs"]]) == (200, [("rebuild-one", "waiting")])
    assert server.over("rebuild-one")["state"] == "done"
    (after,) = projections.glob("one.*.duckdb")
    assert (after.stat().st_mtime_ns, after.stat().st_ino) != stamp
    assert server.ask("/session/one/laps")[0] == 200
    _, told = post(server, "/rebuild")
    assert {job["session"] for job in told["jobs"]} == {"one", "two"}
    assert {server.over(job["id"])["state"] for job in told["jobs"]} == {"done"}
    assert post(server, "/rebuild", {"session": "three"})[0] == 404


def test_the_doctor_says_what_the_command_says_of_this_machine(server: Server) -> None:
    status, said = server.ask("/doctor")
    names = {one["name"]: one for one in said["checks"]}
    assert status == 200
    assert said["ok"] is (not any(one["verdict"] == "failed" for one in said["checks"]))
    assert names["recording"]["verdict"] == "ok"
    assert names["logs"]["said"] == f"{server.folder / 'logs'} can be written"
    assert "port" not in names


def test_the_doctor_looks_once_however_many_ask() -> None:
    looks, going = [], threading.Event()

    def examine() -> dict:
        looks.append(1)
        assert going.wait(60)
        return {"ok": False, "checks": [{"name": "logs", "verdict": "failed", "said": "<full>", "advice": "make room"}]}

    with standing(examine=examine) as stand, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(stand.json, "/doctor") for _ in range(8)]
        while not looks:
            threading.Event().wait(0.005)
        assert stand.json("/health")["status"] == "idle"  # the loop is free meanwhile
        going.set()
        answers = [one.result(60) for one in asked]
    assert len(looks) == 1
    assert all(one == answers[0] for one in answers)
    assert answers[0]["checks"][0]["said"] == "<full>"


class Recording(FakeGarage):
    """One whose session is being recorded."""

    def find(self, name: str) -> Session:
        return replace(super().find(name), state="recording")


def test_what_is_recorded_stays_and_without_an_archive_all_does(tmp_path: Path) -> None:
    garage = {SID: projection({})}
    with standing(garage=Recording(garage), mover=Mover(tmp_path, tmp_path, "/archive")) as stand:
        for path, said in ((f"/session/{SID}/archive", b""), ("/rebuild", {"session": SID})):
            status, _, body = stand.post(path, said)
            assert (status, json.loads(body)["type"]) == (409, f"{TYPES}recording")
    with standing(garage=FakeGarage(garage), mover=Mover(tmp_path, tmp_path)) as stand:
        status, _, body = stand.post(f"/session/{SID}/archive", b"")
        assert (status, json.loads(body)["type"]) == (409, f"{TYPES}no-archive")
        for name in ("nobody", "..%2f..", "%00"):
            status, _, body = stand.post(f"/session/{name}/restore", b"")
            assert (status, json.loads(body)["type"]) == (404, f"{TYPES}unknown-session")


def test_what_is_on_its_way_is_not_asked_for_twice_and_the_queue_has_an_end(tmp_path: Path) -> None:
    mover = Mover(tmp_path, tmp_path, "/archive")
    first = mover.put("archive", "a")
    assert mover.put("archive", "a") is first
    assert mover.put("restore", "a") is not first
    for i in range(98):
        assert mover.put("archive", str(i)) is not None
    assert mover.put("archive", "one more") is None
    assert mover.put("archive", "a") is first
    assert len(mover.jobs()) == 100
