"""Invariants 4 and 5: projections are disposable, appear whole, and know what they were built from."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pitwall.car import Car
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import cut
from pitwall.log.session import Session
from pitwall.project import content, generations
from pitwall.project.build import build, stale
from pitwall.project.generations import Generations
from pitwall.project.loop import projecting
from pitwall.project.pipeline import Pipeline
from pitwall.project.query import ask, open_projection
from pitwall.project.turn import BusyError
from tests.project.sessions import CARS, E46, driven, opened, written


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return written(tmp_path / "logs", driven(5_000))


@pytest.fixture
def folder(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "projections")


def place(session: Session, folder: Generations) -> Path:
    built = Pipeline(E46, session.header).built
    return folder.file(built.session, built.fingerprint)


def digest(session: Session, folder: Generations) -> str:
    with opened(place(session, folder)) as connection:
        return content.digest(connection)


def names(folder: Generations) -> list[str]:
    return sorted(file.name for file in folder.folder.iterdir() if not file.name.startswith("."))


def test_a_build_leaves_one_generation_and_its_seal(session: Session, folder: Generations) -> None:
    assert stale(session, E46, folder)
    built = build(session, E46, folder).built
    assert names(folder) == sorted([f"a-session.{built.fingerprint[:12]}{suffix}" for suffix in (".duckdb", ".json")])
    assert folder.find("a-session", built.fingerprint) == built
    assert not stale(session, E46, folder)
    with opened(place(session, folder)) as connection:
        told = connection.execute("SELECT * FROM built_from").fetchall()
    assert told == [dataclasses.astuple(built)]


def other_car(session: Session, car: Car, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Car]:
    return session, dataclasses.replace(car, fingerprint="0" * 64)


def other_code(session: Session, car: Car, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Car]:
    monkeypatch.setattr("pitwall.project.pipeline.code_version", lambda: "0" * 12)
    return session, car


def other_session(session: Session, car: Car, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Car]:
    return dataclasses.replace(session, header=dataclasses.replace(session.header, started_at_ns=1)), car


def more_rows(session: Session, car: Car, monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Car]:
    return dataclasses.replace(session, rows=session.rows + 1), car


@pytest.mark.parametrize("change", [other_car, other_code, other_session, more_rows])
def test_it_is_stale_when_what_it_was_built_from_differs(
    session: Session, folder: Generations, monkeypatch: pytest.MonkeyPatch, change: Callable[..., tuple[Session, Car]]
) -> None:
    build(session, E46, folder)
    assert stale(*change(session, E46, monkeypatch), folder)


def test_it_is_not_stale_for_what_gives_the_same_rows(session: Session, folder: Generations, tmp_path: Path) -> None:
    build(session, E46, folder)
    moved = dataclasses.replace(session, path=tmp_path / "elsewhere", bytes=1, state="interrupted")
    assert not stale(moved, dataclasses.replace(E46, folder=tmp_path, about=(("make", "another"),)), folder)


def test_a_new_generation_takes_the_place_of_the_old_and_readers_read_on(session: Session, folder: Generations) -> None:
    build(session, E46, folder)
    changed = dataclasses.replace(E46, fingerprint="0" * 64)
    with opened(place(session, folder)) as reader:
        before = content.digest(reader)
        build(session, changed, folder)
        assert content.digest(reader) == before
    assert not place(session, folder).exists()
    assert len(names(folder)) == 2


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def one_bit(file: Path) -> None:
    flipped = bytearray(file.read_bytes())
    flipped[random.Random(3).randrange(len(flipped))] ^= 4
    file.write_bytes(flipped)


def zeroed_page(file: Path) -> None:
    with file.open("r+b") as target:
        target.seek(8192)
        target.write(bytes(4096))


def zero_wal(file: Path) -> None:
    file.with_name(f"{file.name}.wal").write_bytes(bytes(4096))


def someone_elses(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as foreign:
        foreign.execute("CREATE TABLE laps (t)")
    foreign.close()


def words(file: Path) -> None:
    file.write_text("not a database at all")


def no_seal(file: Path) -> None:
    file.with_suffix(".json").unlink()


def bad_seal(file: Path) -> None:
    file.with_suffix(".json").write_text('{"built_from": {"session": 1')


def another_version(file: Path) -> None:
    """As a DuckDB to come would leave it: its seal fits, and this DuckDB won't open it."""
    changed = bytearray(file.read_bytes())
    changed[12:20] = (12_345).to_bytes(8, "little")  # the storage version, behind the checksum and `DUCK`
    file.write_bytes(changed)
    seal = json.loads(file.with_suffix(".json").read_text())
    del seal["seal_crc32"]
    seal["crc32"] = zlib.crc32(changed)
    file.with_suffix(".json").write_text(json.dumps(seal | {"seal_crc32": zlib.crc32(json.dumps(seal).encode())}))


DAMAGES = [
    truncated, emptied, one_bit, zeroed_page, zero_wal, someone_elses, words, no_seal, bad_seal, another_version,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_whatever_is_wrong_with_a_file_it_is_put_aside_and_built_again(
    session: Session, folder: Generations, damage: Callable[[Path], None]
) -> None:
    build(session, E46, folder)
    good = digest(session, folder)
    damage(place(session, folder))
    with open_projection(session, E46, folder) as projection:
        assert projection.rebuilt.startswith("damaged")
        with ask(projection.connection, "SELECT count(*) AS n FROM signals") as answer:
            assert answer.read_all()["n"][0].as_py() > 0
    assert digest(session, folder) == good
    assert [name for name in names(folder) if ".broken-" in name]
    assert not stale(session, E46, folder)


def test_few_broken_files_are_kept(session: Session, folder: Generations) -> None:
    for _ in range(generations.KEEP_BROKEN + 2):
        build(session, E46, folder)
        words(place(session, folder))
    build(session, E46, folder)
    broken = sorted(name.rpartition("-")[2] for name in names(folder) if ".broken-" in name)
    assert broken == ["3", "4", "5"]


def test_deleting_all_projections_loses_nothing(session: Session, folder: Generations) -> None:
    build(session, E46, folder)
    good = digest(session, folder)
    shutil.rmtree(folder.folder)
    with open_projection(session, E46, folder) as projection:
        assert content.digest(projection.connection) == good


def test_what_is_not_finished_leaves_the_old_one(session: Session, folder: Generations) -> None:
    build(session, E46, folder)
    good = digest(session, folder)
    with (  # noqa: PT012
        pytest.raises(RuntimeError, match="half-way"),
        projecting(Pipeline(E46, session.header), folder) as projector,
    ):
        projector.apply(cut(driven(5_000), 0, 2_000))
        projector.commit()
        raise RuntimeError("half-way")
    assert digest(session, folder) == good
    assert len(names(folder)) == 2


def test_one_builds_at_a_time_and_the_other_is_told_who(session: Session, folder: Generations) -> None:
    with folder.building("a-session"):
        with pytest.raises(BusyError, match=str(os.getpid())):
            build(session, E46, folder)
        with folder.building("another-session"):
            pass
    build(session, E46, folder)


def test_forgetting_a_session_leaves_the_others(session: Session, folder: Generations) -> None:
    other = dataclasses.replace(session, header=dataclasses.replace(session.header, session="a-session.b"))
    build(session, E46, folder)
    build(other, E46, folder)
    folder.forget("a-session")
    assert all(name.startswith("a-session.b.") for name in names(folder))
    assert len(names(folder)) == 2


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "/etc/passwd", "a\0b", "-x", ".hidden", "a" * 200, "ä", "a\n"]
)
def test_a_name_that_is_no_session_reaches_no_file(folder: Generations, name: str) -> None:
    with pytest.raises(UsageError):
        folder.file(name, "0" * 64)
    with pytest.raises(UsageError), folder.building(name):
        pass
    assert not folder.folder.exists()


def test_a_folder_that_cannot_be_written_is_said(session: Session, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PitwallError, match="--projections"):
        build(session, E46, Generations(tmp_path / "file" / "projections"))


BUILDER = """
import sys
from pathlib import Path
from pitwall.car import load
from pitwall.log.session import find
from pitwall.project.build import build
from pitwall.project.generations import Generations
session, car = find(Path(sys.argv[1]), "a-session"), load(Path(sys.argv[3]), "bmw-e46-m3")
print("ready", flush=True)
while True:
    build(session, car, Generations(Path(sys.argv[2])))
    print("built", flush=True)
"""


@pytest.fixture
def builder(session: Session, folder: Generations) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a process that builds the session again and again."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", BUILDER, session.path.parent, folder.folder, CARS], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_killed_while_it_builds_leaves_the_old_or_the_new(
    session: Session, folder: Generations, builder: Callable[[], subprocess.Popen[str]]
) -> None:
    reference = build(session, E46, folder).built
    good = digest(session, folder)
    for seed in range(5):
        process = builder()
        # at any instant of a build: how long one takes here is not known, and need not be
        time.sleep(random.Random(seed).uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = folder.find("a-session", reference.fingerprint)
        assert found == reference
        with open_projection(session, E46, folder) as projection:
            assert projection.built == reference
        assert digest(session, folder) == good
    build(session, E46, folder)
    assert not [name for name in names(folder) if "building" in name]


DYING = """
import dataclasses, os, signal, sys
from pathlib import Path
from pitwall.car import load
from pitwall.log.session import find
from pitwall.project.build import build
from pitwall.project.generations import Generations
from pitwall.project import generations, seal

session, car = find(Path(sys.argv[1]), "a-session"), load(Path(sys.argv[3]), "bmw-e46-m3")

def deadly(real):
    def doing(*arguments, **words):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **words)
    return doing

for order in sys.stdin:
    left, fingerprint = int(order.split()[0]), order.split()[1]
    pid = os.fork()
    if pid == 0:
        Path.rename, Path.unlink, os.fsync = deadly(Path.rename), deadly(Path.unlink), deadly(os.fsync)
        build(session, dataclasses.replace(car, fingerprint=fingerprint), Generations(Path(sys.argv[2])))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.parametrize("new", [E46.fingerprint, "0" * 64], ids=["the same pipeline", "another"])
def test_killed_at_any_instant_of_a_swap_leaves_the_old_or_the_new(
    session: Session, folder: Generations, new: str
) -> None:
    build(session, E46, folder)
    good, expected = digest(session, folder), {E46.fingerprint, new}
    command = [sys.executable, "-c", DYING, session.path.parent, folder.folder, CARS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for nth in range(1, 100):
            process.stdin.write(f"{nth} {new}\n")
            process.stdin.flush()
            status = int(process.stdout.readline())
            found = folder.newest("a-session")
            assert found is not None, f"neither, at the call {nth}"
            cars = {one: dataclasses.replace(E46, fingerprint=one) for one in expected}
            assert found.fingerprint in {Pipeline(car, session.header).built.fingerprint for car in cars.values()}
            with opened(folder.file("a-session", found.fingerprint)) as connection:
                tables = content.digests(connection)
                assert tables.pop("built_from")
            if nth == 1:
                first = tables
            assert tables == first
            if status == 0:
                break
            assert status == -signal.SIGKILL
        else:
            raise AssertionError("it was killed again and again")
        assert nth > 5
        process.stdin.close()
    build(session, E46, folder)
    assert digest(session, folder) == good


def test_while_another_process_builds_it_questions_are_answered_from_memory(
    session: Session, folder: Generations
) -> None:
    build(session, E46, folder)
    good = digest(session, folder)
    with projecting(Pipeline(E46, session.header), folder) as live:
        live.apply(cut(driven(5_000), 0, 100))
        place(session, folder).unlink()
        with open_projection(session, E46, folder) as projection:
            assert "into memory" in projection.rebuilt
            assert str(os.getpid()) in projection.rebuilt
            assert projection.built.offset == session.rows
            assert content.digest(projection.connection) == good
            with pytest.raises(UsageError), ask(projection.connection, "DELETE FROM ids"):
                pass
