"""A capture goes up over a real socket to a real `pitwall serve`, and becomes a session, or nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.log.session import sessions
from pitwall.project.room import Room
from pitwall.serve import connection, importing, uploads
from pitwall.serve.connection import Connection
from pitwall.serve.importer import Importer
from pitwall.serve.limits import MAX_CAPTURE_BYTES, MAX_IMPORTS, MAX_NAME
from pitwall.serve.problem import Problem
from pitwall.serve.uploads import Uploads, file_name
from tests.serve.stand import SID, FakeGarage, Stand, projection, standing

CARS = Path(__file__).parents[2] / "cars"
CAR = "bmw-e46-m3"
PATIENCE_S = 60.0
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}


def pitwall(*words: object) -> None:
    command = [sys.executable, "-m", "pitwall", *map(str, words)]
    subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL, timeout=2 * PATIENCE_S)


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("capture") / "x.blf"
    pitwall("simulate", "--hours", "0.02", "-o", file)
    return file.read_bytes()


def wait_for(what: Callable[[], Any]) -> Any:
    until_s = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < until_s
        time.sleep(0.02)
    return found


@dataclass
class Server:
    """A `pitwall serve` over a folder of its own."""

    folder: Path
    process: subprocess.Popen[str]
    port: int

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def upload(self, body: Any, car: str = CAR, name: str = "x.blf", more: str = "") -> tuple[int, Any]:
        return self.ask(f"/import?car={quote(car)}&name={quote(name)}{more}", "POST", body)

    def over(self, job: str) -> Any:
        """The job, once it is."""
        return wait_for(lambda: (one := self.ask(f"/jobs/{job}")[1])["state"] in ("done", "failed") and one)

    def files(self) -> list[Path]:
        """Captures that lie on the disk."""
        return [path for path in (self.folder / "projections").glob(".imports-*/*/*") if path.is_file()]

    def sessions(self) -> list[str]:
        logs = self.folder / "logs"
        return [one.id for one in sessions(logs)] if logs.is_dir() else []


@contextlib.contextmanager
def serving(folder: Path, *more: object) -> Iterator[Server]:
    """more: words of the command line."""
    words = ["serve", "--logs", folder / "logs", "--projections", folder / "projections", "--cars", CARS, "--port", "0"]
    words += more
    process = subprocess.Popen(
        [sys.executable, "-m", "pitwall", *map(str, words)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)/", process.stdout.readline())
        assert found is not None
        yield Server(folder, process, int(found[1]))
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as made:
        yield made


def test_a_capture_becomes_a_session_that_answers(server: Server, capture: bytes) -> None:
    before = server.sessions()
    status, job = server.upload(capture)
    assert status == 202
    assert (job["kind"], job["car"], job["file"]) == ("import", CAR, "x.blf")
    over = server.over(job["id"])
    assert over["state"] == "done", over
    assert (over["progress"], over["error"], over["losses"], over["lost"]) == (1.0, None, [], 0)
    assert over["started_at"].endswith("Z")
    assert [one for one in server.sessions() if one not in before] == [over["session"]]
    # it is the newest session, which the server itself follows and projects
    path = f"/session/{over['session']}/channels"
    wait_for(lambda: any(one["rows"] for one in server.ask(path)[1].get("channels", ())))
    wait_for(lambda: not server.files())
    assert over in server.ask("/jobs")[1]["jobs"]


def test_a_body_in_chunks_is_taken_and_a_start_line_goes_with_it(server: Server, capture: bytes) -> None:
    pieces = (capture[at : at + 10_000] for at in range(0, len(capture), 10_000))
    status, job = server.upload(pieces, name="start.blf", more="&start_line=-45.73,13.07,-45.7301,13.0701")
    assert status == 202
    over = server.over(job["id"])
    assert over["state"] == "done", over
    asked = f"/session/{over['session']}/query?sql=" + quote("SELECT fact FROM control")
    give_up = time.monotonic() + 60
    while not (told := server.ask(asked)[1])["complete"]:  # whoever follows the newest session is still reading it
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert "-45.73" in json.dumps(told)


def test_of_a_damaged_capture_what_is_left_is_imported_and_the_loss_is_said(server: Server, capture: bytes) -> None:
    status, job = server.upload(capture[: len(capture) * 2 // 3], name="torn.blf")
    assert status == 202
    over = server.over(job["id"])
    assert over["state"] == "done", over
    assert over["session"] in server.sessions()
    assert over["lost"] >= 1
    assert over["losses"][0].startswith("torn.blf:")


@pytest.mark.parametrize("body", [b"nothing that anybody knows" * 100, b"LOGG" + bytes(4000), b"\x00"])
def test_what_is_no_capture_fails_and_leaves_nothing(server: Server, body: bytes) -> None:
    before = server.sessions()
    status, job = server.upload(body, name="bad.blf")
    assert status == 202
    over = server.over(job["id"])
    assert over["state"] == "failed"
    assert "bad.blf" in over["error"]
    assert str(server.folder / "projections") not in over["error"], "where it lay is nobody's business"
    assert over["session"] is None
    assert server.sessions() == before
    wait_for(lambda: not server.files())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (f"car={CAR}", "name is missing"),
        ("name=x.blf", "car is missing"),
        ("car=bmw-e46&name=x.blf", "there is no car"),
        ("car=..%2F..%2Fetc&name=x.blf", "there is no car"),
        ("car=--logs%3D%2Ftmp&name=x.blf", "there is no car"),
        ("car=%00&name=x.blf", "there is no car"),
        (f"car={CAR}&name=x.blf&start_line=here", "it is no line"),
        (f"car={CAR}&name=x.blf&start_line=1,2,1,2", "start_line=1,2,1,2"),
        (f"car={CAR}&name=x.blf&start_line=nan,2,1,2", "start_line=nan"),
        (f"car={CAR}&name=x.blf&start_line=91,2,1,2", "start_line=91"),
        (f"car={CAR}&name=x.blf&session=y", "no parameter"),
        (f"car={CAR}&name=", "name"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_kept(
    server: Server, capture: bytes, asked: str, says: str
) -> None:
    status, problem = server.ask(f"/import?{asked}", "POST", capture)
    kind = (404, "unknown-car") if says == "there is no car" else (400, "bad-parameter")
    assert (status, problem["type"].rpartition(":")[2]) == kind
    assert says in problem["detail"]
    assert problem["hint"]
    assert not server.files()


def test_a_body_that_is_none_is_refused(server: Server) -> None:
    assert server.upload(b"")[0] == 400
    form = f"/import?car={CAR}&name=x.blf"
    assert server.ask(form, "POST", b"--x", **{"Content-Type": "multipart/form-data; boundary=x"})[0] == 400
    wait_for(lambda: not server.files())


def test_more_than_the_quota_is_refused_before_it_is_sent(server: Server) -> None:
    head = f"POST /import?car={CAR}&name=x.blf HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_CAPTURE_BYTES + 1}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as one:
        one.sendall(f"{head}\r\n\r\n".encode())
        said = one.recv(65536)
    assert b" 413 " in said.splitlines()[0]


def test_a_client_that_goes_away_leaves_no_file_and_no_job(server: Server, capture: bytes) -> None:
    before = server.ask("/jobs")[1], server.sessions()
    head = (
        f"POST /import?car={CAR}&name=x.blf HTTP/1.1\r\nHost: localhost\r\nContent-Length: {4 * len(capture)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as one:
        one.sendall(head.encode() + capture)
        wait_for(server.files)
    wait_for(lambda: not server.files())
    assert (server.ask("/jobs")[1], server.sessions()) == before


def test_only_so_many_captures_are_on_their_way(server: Server) -> None:
    head = f"POST /import?car={CAR}&name=x.blf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_IMPORTS):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
            one.sendall(head.encode() + b"x")
        wait_for(lambda: len(server.files()) == MAX_IMPORTS)
        status, problem = server.upload(b"x" * 100)
        assert (status, problem["type"]) == (503, "urn:pitwall:problem:too-busy")
    wait_for(lambda: not server.files())


HOSTILE = ("../../../etc/passwd.blf", "--help", "x" * 900 + ".blf", "a\n$(reboot)\x00 ö🏁\u202e.blf")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name_and_no_more(server: Server, capture: bytes, name: str) -> None:
    status, job = server.upload(b"no capture", name=name)
    assert status == 202
    assert server.over(job["id"])["state"] == "failed"
    assert "/" not in job["file"]
    assert server.ask("/health")[0] == 200


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.text(max_size=200), st.from_regex(r"(\.\.|/|\\|-|\.|%2f|x|ö){1,90}x\.gz", fullmatch=True)))
def test_every_name_becomes_one_that_stays_in_its_folder(name: str) -> None:
    plain = file_name(name)
    assert 0 < len(plain) <= MAX_NAME
    assert len(plain.encode()) < 256
    assert plain[0] not in ".-"
    assert Path(plain).name == plain
    assert name[-4:] != "x.gz" or plain.endswith("x.gz"), "its end tells the format"
    assert all(letter.isalnum() or letter in ".-_" for letter in plain)
    assert file_name(plain) == plain


def test_a_server_that_stops_ends_its_imports_and_leaves_nothing(tmp_path: Path, capture: bytes) -> None:
    with serving(tmp_path) as server:
        jobs = [server.upload(capture)[1]["id"] for _ in range(3)]
        wait_for(lambda: server.ask(f"/jobs/{jobs[0]}")[1]["state"] != "waiting")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0
        assert not list((tmp_path / "projections").glob(".imports-*"))
        wait_for(lambda: not importers(tmp_path))
        assert len(server.sessions()) <= 1
        assert_whole(tmp_path / "logs")


def assert_whole(logs: Path) -> None:
    """All of a capture is a session, or nothing is."""
    assert all(one.state == "ended" and one.frames for one in (sessions(logs) if logs.is_dir() else []))


@pytest.mark.parametrize("end", ["its starter is gone", "it is asked to"])
def test_an_import_that_is_ended_as_it_writes_leaves_a_whole_session_or_none(
    tmp_path: Path, capture: bytes, end: str
) -> None:
    file, logs = tmp_path / "x.blf", tmp_path / "logs"
    file.write_bytes(capture)
    words = ["import", file, f"--logs={logs}", f"--projections={tmp_path / 'p'}", f"--cars={CARS}", f"--car={CAR}"]
    command = [sys.executable, "-m", "pitwall", *map(str, words), "--errand"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=ENVIRONMENT) as process:
        try:
            wait_for(lambda: process.poll() is not None or (logs.is_dir() and list(logs.glob("[0-9]*"))))
            if end == "it is asked to":
                process.terminate()
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(PATIENCE_S) in (0, 128 + signal.SIGTERM)
        finally:
            process.kill()
    assert_whole(logs)


def test_what_a_server_that_was_killed_left_is_swept_by_the_next(tmp_path: Path, capture: bytes) -> None:
    with serving(tmp_path) as server:
        assert server.upload(capture)[0] == 202
        assert server.files()
        server.process.kill()
        server.process.wait()
    wait_for(lambda: not importers(tmp_path))  # it reads that who started it is gone
    assert server.files()
    with serving(tmp_path) as server:
        wait_for(lambda: not list((tmp_path / "projections").glob(".imports-*")))


def importers(folder: Path) -> list[int]:
    """The processes that import into `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--errand" in words and any(word == f"--logs={folder}/logs".encode() for word in words):
                found.append(int(process.name))
    return found


HEAD = f"POST /import?car={CAR}&name=x.blf HTTP/1.1\r\nHost: localhost\r\nContent-Length: 25\r\n\r\n".encode()


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server of this process, whose importer is never begun."""
    here = Uploads(tmp_path, Room(tmp_path, floor=0))
    with contextlib.closing(here):
        importer = Importer(here, tmp_path, tmp_path, CARS)
        with standing(garage=FakeGarage({SID: projection({})}), importer=importer) as made:
            yield made


def test_an_upload_that_drips_is_ended_in_time_and_leaves_nothing(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_S", 0.3)
    monkeypatch.setattr(connection, "BODY_BYTES_PER_S", 1 << 40)
    with socket.create_connection(("127.0.0.1", stand.port), timeout=PATIENCE_S) as one:
        one.sendall(HEAD + b"x")
        assert b" 408 " in one.recv(65536).splitlines()[0]
    wait_for(lambda: not list(tmp_path.glob(".imports-*/*")))
    assert stand.json("/jobs")["jobs"] == []


def test_a_client_that_goes_while_room_is_made_for_its_capture_takes_none(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    real = Uploads.begin

    def begin(self: Uploads, name: str, length: int | None) -> uploads.Upload:
        begun.release()
        assert go_on.wait(PATIENCE_S)
        return real(self, name, length)

    monkeypatch.setattr(Uploads, "begin", begin)
    for _ in range(MAX_IMPORTS):
        with socket.create_connection(("127.0.0.1", stand.port), timeout=PATIENCE_S) as one:
            one.sendall(HEAD)
            assert begun.acquire(timeout=PATIENCE_S)
    wait_for(lambda: stand.json("/health")["limits"]["under_way"] == 1)
    go_on.set()
    wait_for(lambda: stand.ask(f"/import?car={CAR}&name=x.blf", "POST")[0] == 400)
    wait_for(lambda: not list(tmp_path.glob(".imports-*/*")))


def test_each_block_of_an_upload_has_a_time_of_its_own(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    real = Connection.expect

    def expect(self: Connection, request: Any, more_s: float) -> None:
        given.append(more_s)
        real(self, request, more_s)

    monkeypatch.setattr(Connection, "expect", expect)
    monkeypatch.setattr(importing, "BLOCK_BYTES", 10)
    monkeypatch.setattr(importing, "CAPTURE_BYTES_PER_S", 0.5)
    with socket.create_connection(("127.0.0.1", stand.port), timeout=PATIENCE_S) as one:
        one.sendall(HEAD + b"x" * 10)
        wait_for(lambda: len(given) == 2)
        one.sendall(b"x" * 15)
        assert b" 202 " in one.recv(65536).splitlines()[0]
    assert set(given[1:]) == {20.0}
    (job,) = stand.json("/jobs")["jobs"]
    assert (job["state"], job["progress"], job["started_at"]) == ("waiting", None, None)
    assert stand.json("/health")["imports"] == {"running": 0, "waiting": 1, "done": 0, "failed": 0}


def test_rebuilds_are_jobs(stand: Stand) -> None:
    rebuilds = stand.garage.rebuilds
    rebuilds.running, rebuilds.began = {"a": (30, 120)}, {"a": 1_795_529_111_000_000_000}
    rebuilds.waiting, rebuilds.ended, rebuilds.failed, rebuilds.held = ("b",), ("c",), {"d": "why"}, "no room"
    told = stand.json("/jobs")
    assert told["held"] == "no room"
    assert [(one["id"], one["kind"], one["state"], one["progress"], one["session"]) for one in told["jobs"]] == [
        ("rebuild-a", "rebuild", "running", 0.25, "a"),
        ("rebuild-b", "rebuild", "waiting", None, "b"),
        ("rebuild-c", "rebuild", "done", 1.0, "c"),
        ("rebuild-d", "rebuild", "failed", None, "d"),
    ]
    assert stand.json("/jobs/rebuild-a")["started_at"] == "2026-11-24T14:05:11.000Z"
    assert stand.json("/jobs/rebuild-d")["error"] == "why"
    assert stand.json("/jobs/rebuild-e", 404)["type"].endswith(":unknown-job")


def test_what_is_said_of_an_upload_is_what_it_takes(stand: Stand) -> None:
    said = stand.json("/openapi.json")["paths"]["/import"]["post"]
    assert [(one["name"], one["in"], one["required"]) for one in said["parameters"]] == [
        ("car", "query", True),
        ("name", "query", True),
        ("start_line", "query", False),
    ]
    assert list(said["requestBody"]["content"]) == ["application/octet-stream"]
    assert {"202", "400", "413", "503", "507"} <= said["responses"].keys()
    assert "200" not in said["responses"]
    assert b"/import" in stand.ask("/docs")[2]


class Disk:
    """How much is free."""

    def __init__(self, free: int) -> None:
        self.free = free

    def __call__(self, folder: Path) -> tuple[int, int]:
        return self.free, 10**12


def test_what_would_take_the_logs_room_is_refused(tmp_path: Path) -> None:
    disk = Disk(1000)
    here = Uploads(tmp_path, Room(tmp_path, floor=100, measure=disk))
    try:
        with pytest.raises(Problem) as refused:
            here.begin("x.blf", 901)
        assert refused.value.status == 507
        upload = here.begin("x.blf", None)
        upload.write(b"x" * 900)
        disk.free = 100
        with pytest.raises(Problem) as refused:
            upload.write(b"x")
        assert refused.value.name == "no-room"
        upload.remove()
        assert not list(tmp_path.glob(".imports-*/*"))
    finally:
        here.close()
    assert not list(tmp_path.iterdir())


def test_a_capture_without_a_length_is_cut_off_at_the_quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_CAPTURE_BYTES", 10)
    here = Uploads(tmp_path, Room(tmp_path, floor=0))
    upload = here.begin("x.blf", None)
    upload.write(b"x" * 10)
    with pytest.raises(Problem) as refused:
        upload.write(b"x")
    assert (refused.value.status, refused.value.name) == (413, "too-large")
    here.close()


def test_who_removes_a_capture_does_not_break_a_write(tmp_path: Path) -> None:
    here = Uploads(tmp_path, Room(tmp_path, floor=0))
    for _ in range(20):
        upload = here.begin("x.blf", None)
        failed: list[BaseException] = []

        def write(upload: uploads.Upload = upload, failed: list[BaseException] = failed) -> None:
            with contextlib.suppress(ValueError):  # it is closed
                try:
                    for _ in range(50):
                        upload.write(b"x" * 10_000)
                except Problem as error:
                    failed.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        upload.remove()
        writer.join()
        assert not failed
    assert not list(tmp_path.glob(".imports-*/*"))
    here.close()
