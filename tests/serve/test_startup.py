"""No start fails, or waits, because of a projection: the page answers at once; what can't be opened is built behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pitwall.errors import PitwallError
from pitwall.log.session import Session, find
from pitwall.project.build import build, stale
from pitwall.project.generations import Generations
from pitwall.project.pipeline import origin
from pitwall.project.query import ask, is_spoilt, open_projection
from tests.project.sessions import CARS, E46, driven, written

ROWS = 3_000
HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(); sys.stdin.read()"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return written(tmp_path / "logs", driven(ROWS))


def the_file(session: Session, folder: Path) -> Path:
    built = origin(E46, session.header)
    return Generations(folder).file(built.session, built.fingerprint)


@contextmanager
def serving(folder: Path, projections: Path) -> Iterator[Callable[[str], tuple[int, Any]]]:
    """A real `pitwall serve`; asks it a path."""
    words = ["serve", "--logs", folder / "logs", "--projections", projections, "--cars", CARS, "--port", 0]
    server = subprocess.Popen(
        [sys.executable, "-m", "pitwall", *(str(word) for word in words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")},
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stderr is not None
        found = re.search(r"http://([\d.]+):(\d+)/", server.stdout.readline())
        assert found is not None, server.stderr.read()

        def get(path: str) -> tuple[int, Any]:
            connection = http.client.HTTPConnection(found[1], int(found[2]), timeout=60)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            finally:
                connection.close()

        yield get
    finally:
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=60)
    assert server.returncode == 0, said
    assert "Traceback" not in said, said


def garbage(session: Session, folder: Path) -> None:
    build(session, E46, Generations(folder))
    the_file(session, folder).write_bytes(os.urandom(100_000))


def of_a_duckdb_to_come(session: Session, folder: Path) -> None:
    build(session, E46, Generations(folder))
    with the_file(session, folder).open("r+b") as file:  # its format's number stands behind the magic
        file.seek(12)
        file.write((10_000).to_bytes(8, "little"))


def of_another_program(session: Session, folder: Path) -> None:
    build(session, E46, Generations(folder))
    file = the_file(session, folder)
    file.unlink()
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE other (x INTEGER)")


def a_folder_in_its_place(session: Session, folder: Path) -> None:
    the_file(session, folder).mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil", [garbage, of_a_duckdb_to_come, of_another_program, a_folder_in_its_place], ids=lambda spoil: spoil.__name__
)
def test_whatever_stands_in_its_place_the_page_answers_and_it_is_built_again(
    session: Session, tmp_path: Path, spoil: Callable[[Session, Path], None]
) -> None:
    spoil(session, tmp_path / "p")
    with serving(tmp_path, tmp_path / "p") as get:
        assert get("/health")[0] == 200
        status, answer = get(f"/session/{session.id}/channels")
        assert status == 200, answer
        assert sum(channel["rows"] for channel in answer["channels"]) > ROWS
        # who asks may have been answered from memory, while the one who follows the log builds it
        until = time.monotonic() + 60
        while stale(find(tmp_path / "logs", session.id), E46, Generations(tmp_path / "p")):
            assert time.monotonic() < until
            time.sleep(0.02)


def test_one_that_another_process_holds_is_answered_from_memory(session: Session, tmp_path: Path) -> None:
    build(session, E46, Generations(tmp_path / "p"))
    file = the_file(session, tmp_path / "p")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb,sys; c=duckdb.connect(sys.argv[1]); print(); sys.stdin.read()",
            str(file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with serving(tmp_path, tmp_path / "p") as get:
            assert get("/health")[0] == 200
            status, answer = get(f"/session/{session.id}/channels")
            assert status == 200, answer
            assert sum(channel["rows"] for channel in answer["channels"]) > ROWS
    finally:
        holder.communicate()
    assert file.exists(), "it is somebody's, and whole"


def test_a_folder_that_cannot_be_written_keeps_nobody_from_seeing_what_there_is(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with serving(tmp_path, tmp_path / "file" / "p") as get:
        status, health = get("/health")
        assert status == 200
        assert health["version"]
        assert get("/sessions")[0] == 200


def test_forty_stale_sessions_keep_nobody_waiting_and_are_rebuilt_behind(tmp_path: Path) -> None:
    generations = Generations(tmp_path / "p")
    for number in range(40):
        session = written(tmp_path / "logs", driven(300), f"s-{number:02}")
        if number == 0:
            build(session, E46, generations)
    for number in range(1, 40):  # what says that it was built from other code
        fake = tmp_path / "p" / f"s-{number:02}.{'0' * 12}.duckdb"
        fake.write_bytes(b"")
    with serving(tmp_path, tmp_path / "p") as get:
        assert get("/health")[0] == 200
        assert get("/sessions")[0] == 200
        status, answer = get("/session/s-39/channels")
        assert status == 200, answer
        while not get("/health")[1]["rebuilds"]["done"]:  # a test that waits for ever is ended
            time.sleep(0.05)


def test_what_is_short_of_memory_is_not_damaged_and_a_file_of_nonsense_is(tmp_path: Path) -> None:
    assert not is_spoilt(duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"))
    assert not is_spoilt(duckdb.IOException('IO Error: Cannot open file "x": Too many open files'))
    assert not is_spoilt(duckdb.IOException('IO Error: Cannot open file "x": Permission denied'))
    assert is_spoilt(duckdb.IOException("IO Error: The file exists, but it is not a valid DuckDB database file!"))
    assert is_spoilt(duckdb.SerializationException("Serialization Error: Failed to deserialize"))


def test_a_projection_that_there_is_too_little_memory_for_stays_where_it_is(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = Generations(tmp_path / "p")
    build(session, E46, generations)
    file = the_file(session, tmp_path / "p")
    inode = file.stat().st_ino

    def short(*_: object, **__: object) -> duckdb.DuckDBPyConnection:
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate data of size 1.0 MiB")

    with monkeypatch.context() as patch:
        patch.setattr("pitwall.project.query.connect", short)
        with pytest.raises(PitwallError, match="--memory"), open_projection(session, E46, generations):
            pass
    assert file.stat().st_ino == inode
    with (
        open_projection(session, E46, generations) as projection,
        ask(projection.connection, "SELECT count(*) AS n FROM ids") as reader,
    ):
        assert reader.read_all().to_pylist()[0]["n"] > 0
    assert not projection.rebuilt
