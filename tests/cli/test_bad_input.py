"""What is wrong is said in one clear line that names the file (and the line, where there is one), and loses nothing."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pitwall.log import opening
from tests.cli.conftest import Pitwall

DBC = """VERSION ""
BU_: ECU
BO_ 256 Engine: 8 ECU
 SG_ rpm : 0|16@1+ (1,0) [0|0] "rpm" ECU
"""
YAML = "car: {make: Mine}\nbuses:\n  can: {dbc: my.dbc}\n"
CANDUMP = "(1600000000.000000) can0 100#1027000000000000\n(1600000000.010000) can0 100#2027000000000000\n"

Cars = Callable[[str, str], Path]


def snapshot(*folders: Path) -> dict[str, bytes]:
    """Every file's bytes, but for locks."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    return {str(file): file.read_bytes() for file in files if not file.name.endswith(".lock")}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("song.mp3", b"ID3\x04"),
        ("empty.log", b""),
        ("prose.log", b"Once upon a time there was no frame\n" * 9),
        ("noise.blf", bytes(range(256)) * 8),
        ("noise.mf4", bytes(range(256)) * 8),
        ("noise.db", bytes(range(256)) * 8),
        ("values.csv", b"time,speed\n0,1\n"),
        ("noise.log.gz", b"not gzip at all"),
    ],
)
def test_a_file_that_is_no_capture(pitwall: Pitwall, car: Cars, tmp_path: Path, name: str, content: bytes) -> None:
    cars = car(YAML, DBC)
    (tmp_path / name).write_bytes(content)
    answer = pitwall("import", name, "--car", "mine", "--cars", cars)
    assert answer.code == 2
    assert name in answer.line()
    assert pitwall("sessions", "--json").json == []


def test_a_capture_that_is_not_there(pitwall: Pitwall, car: Cars) -> None:
    answer = pitwall("import", "gone.blf", "--car", "mine", "--cars", car(YAML, DBC))
    assert answer.code == 2
    assert "gone.blf" in answer.line()


def test_one_bad_file_among_captures_imports_none(pitwall: Pitwall, car: Cars, tmp_path: Path) -> None:
    cars = car(YAML, DBC)
    (tmp_path / "good.log").write_text(CANDUMP)
    (tmp_path / "bad.log").write_text("nothing\n")
    assert pitwall("import", "good.log", "bad.log", "--car", "mine", "--cars", cars).code == 2
    assert pitwall("sessions", "--json").json == []


def test_a_capture_cut_short_gives_what_it_holds_and_says_what_is_lost(
    pitwall: Pitwall, car: Cars, tmp_path: Path
) -> None:
    cars = car(YAML, DBC)
    (tmp_path / "cut.log").write_text(CANDUMP * 3 + "(1600000001.000000) can0 100#10")
    answer = pitwall("import", "cut.log", "--car", "mine", "--cars", cars)
    assert answer.code in (0, 3)
    whole = gzip.compress((CANDUMP * 4000).encode())
    (tmp_path / "cut.log.gz").write_bytes(whole[: len(whole) // 2])
    answer = pitwall("import", "cut.log.gz", "--car", "mine", "--cars", cars, "--session", "half", "--json")
    assert answer.code == 3
    assert "cut.log.gz" in answer.err
    assert 0 < answer.json["frames"] < 8000
    counted = pitwall("query", "half", "SELECT sum(frames) AS n FROM ids", "--cars", cars, "--json").json
    assert counted == [{"n": answer.json["frames"]}]


def test_damage_within_a_capture_is_named_with_its_line(pitwall: Pitwall, car: Cars, tmp_path: Path) -> None:
    cars = car(YAML, DBC)
    lines = CANDUMP.splitlines(keepends=True) * 5
    lines[3] = "(1600000000.000000) can0 zzz#zz\n"
    (tmp_path / "bad.log").write_text("".join(lines))
    answer = pitwall("import", "bad.log", "--car", "mine", "--cars", cars, "--json")
    assert answer.code == 3
    assert "bad.log:4:" in answer.err
    assert answer.json["frames"] == 9


def test_an_unknown_car(pitwall: Pitwall, car: Cars, tmp_path: Path) -> None:
    cars = car(YAML, DBC)
    (tmp_path / "good.log").write_text(CANDUMP)
    answer = pitwall("import", "good.log", "--car", "mien", "--cars", cars)
    assert answer.code == 2
    assert "mien" in answer.line()
    assert "did you mean 'mine'" in answer.line()
    for command in (["run"], ["record"]):
        answer = pitwall(*command, "--car", "mien", "--interface", "virtual", "--channel", "x", "--cars", cars)
        assert answer.code == 2
        assert "did you mean 'mine'" in answer.line()


def test_no_car(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "good.log").write_text(CANDUMP)
    answer = pitwall("import", "good.log")
    assert answer.code == 2
    assert "--car" in answer.line()


@pytest.mark.parametrize(
    ("yaml", "dbc", "where", "what"),
    [
        (YAML, DBC.replace("BO_ 256", "BO_ two five six"), "my.dbc:3", "two"),
        (YAML.replace("buses:", "busses:"), DBC, "car.yaml:2", "buses"),
        (YAML + "channels:\n  speed: {form: rpm}\n", DBC, "car.yaml:5", "from"),
        (YAML + "channels:\n  speed: {from: speeed}\n", DBC, "car.yaml:5", "speeed"),
        (YAML + "channels: {a: {from: rpm}\n", DBC, "car.yaml:", ""),
        (YAML, DBC + 'BO_ 256 Twin: 8 ECU\n SG_ x : 0|8@1+ (1,0) [0|0] "" ECU\n', "my.dbc:5", "Engine"),
        (YAML.replace("my.dbc", "your.dbc"), DBC, "car.yaml:3", "your.dbc"),
    ],
    ids=["dbc that does not parse", "section typo", "key typo", "unknown signal", "no yaml", "two of one id", "no dbc"],
)
def test_a_wrong_car_definition(
    pitwall: Pitwall, car: Cars, tmp_path: Path, yaml: str, dbc: str, where: str, what: str
) -> None:
    cars = car(YAML, DBC)
    (tmp_path / "good.log").write_text(CANDUMP)
    assert pitwall("import", "good.log", "--car", "mine", "--cars", cars, "--session", "first").code == 0
    before = snapshot(tmp_path / "logs", tmp_path / "projections")
    car(yaml, dbc)
    for command in (["import", "good.log", "--car", "mine"], ["replay", "first"], ["query", "first", "FROM ids"]):
        answer = pitwall(*command, "--cars", cars)
        assert answer.code == 2, answer.err
        for line in answer.err.splitlines():
            assert line.startswith("pitwall: ")
            assert "bug" not in line
        assert where in answer.err
        assert what in answer.err
    assert snapshot(tmp_path / "logs", tmp_path / "projections") == before


def test_an_unknown_session_names_what_comes_close(pitwall: Pitwall, driven: Path) -> None:
    for command in (["channels"], ["verify"], ["replay"], ["export", "-o", "x.log"], ["query"]):
        answer = pitwall(command[0], "drvie", *command[1:], *(["FROM ids"] if command == ["query"] else []))
        assert answer.code == 2
        assert "drive" in answer.line()


@pytest.mark.parametrize(
    "sql",
    ["SELECT nothing FROM signals", "SELEKT", "DROP TABLE channels", "COPY ids TO 'x.csv'", "FROM 'x.csv'", "", ";;"],
)
def test_a_wrong_question(pitwall: Pitwall, driven: Path, sql: str) -> None:
    answer = pitwall("query", "drive", sql)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.line()


def test_what_a_format_cannot_hold_is_said_and_leaves_the_old_file(pitwall: Pitwall, driven: Path) -> None:
    (driven / "answer.csv").write_text("mine")
    answer = pitwall("query", "drive", "SELECT [1, 2] AS list", "--format", "csv", "-o", "answer.csv")
    assert answer.code == 2
    assert "csv" in answer.line()
    assert (driven / "answer.csv").read_text() == "mine"
    assert not list(driven.glob(".answer*"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["sesions"],
        ["sessions", "--jsno"],
        ["query", "drive"],
        ["export", "drive", "-o", "x.mp3"],
        ["export", "drive"],
        ["export", "drive", "-o", "x.log", "--from", "soon"],
        ["export", "drive", "-o", "x.parquet", "--only", "sped"],
        ["simulate", "--laps", "1", "--hours", "1"],
        ["simulate", "--mistake", "sneeze@T1"],
        ["simulate", "--mistake", "brake-early@T99"],
        ["simulate", "--session", "drive"],
        ["simulate", "--session", "../out"],
        ["play", "drive"],
        ["play", "drive", "--interface", "nonesuch", "--channel", "0"],
        ["record", "--car", "bmw-e46-m3", "--interface", "nonesuch", "--channel", "0"],
        ["record", "--car", "bmw-e46-m3"],
        ["record"],
        ["run", "--simulate", "--port", "99999"],
        ["serve", "--host", "0.0.0.0", "--port", "0"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_line_and_exit_code_2(pitwall: Pitwall, driven: Path, arguments: list[str]) -> None:
    before = snapshot(driven / "logs", driven / "projections")
    answer = pitwall(*arguments)
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert answer.line()
    assert snapshot(driven / "logs", driven / "projections") == before


def test_a_port_in_use(pitwall: Pitwall, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in (["run", "--simulate"], ["serve"]):
            answer = pitwall(*command, "--port", port)
            assert answer.code == 1
            assert f"127.0.0.1:{port}" in answer.line()
    assert not list(tmp_path.glob("logs/*/*"))


def test_a_log_written_by_a_newer_version(pitwall: Pitwall, driven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(opening, "VERSION", opening.VERSION + 1)
        pitwall("simulate", "--hours", "0.002", "--session", "later")
    before = snapshot(driven / "logs", driven / "projections")
    for command in (["verify", "later"], ["export", "later", "-o", "x.log"], ["replay", "later"]):
        answer = pitwall(*command)
        assert answer.code == 1, (command, answer)
        assert "upgrade" in answer.line()
        assert "later" in answer.line()
    assert {"drive", "later"} <= {session["id"] for session in pitwall("sessions", "--json").json}
    assert pitwall("simulate", "--hours", "0.002", "--session", "third").code == 0
    after = snapshot(driven / "logs", driven / "projections")
    assert before == {name: after[name] for name in before}


def test_damage_in_the_log_is_found_and_the_rest_is_still_there(pitwall: Pitwall, driven: Path) -> None:
    (file,) = (driven / "logs" / "drive").glob("*.arrow")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    answer = pitwall("verify", "--json")
    assert answer.code == 3
    assert file.name in answer.err
    assert answer.json[0]["damages"]
    assert pitwall("export", "drive", "-o", "rest.log").code == 3
    assert pitwall("replay", "drive", "--force").code == 3
    assert pitwall("query", "drive", "SELECT count(*) AS n FROM signals", "--json").code == 3


def test_something_else_where_the_folders_should_be(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    answer = pitwall("simulate", "--hours", "0.002")
    assert answer.code in (1, 2)
    assert "logs" in answer.line()


def test_a_reader_that_has_had_enough_is_no_failure(
    process: Callable[..., subprocess.Popen[str]], driven: Path
) -> None:
    child = process("query", "drive", "SELECT * FROM signals", "--format", "csv")
    assert child.stdout is not None
    assert child.stdout.readline()
    child.stdout.close()
    assert child.stderr is not None
    assert child.stderr.read() == ""
    assert child.wait(60) == 0


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        os.geteuid()
        or mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]).returncode
    ):
        pytest.skip("no small disk to be had: mounting one needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_costs_nothing_that_was_there(pitwall: Pitwall, drive: Path, full_disk: Path) -> None:
    logs = full_disk / "logs"
    assert pitwall("--logs", logs, "simulate", "--hours", "0.003", "--session", "first").code == 0
    before = snapshot(logs / "first")
    answer = pitwall("--logs", logs, "simulate", "--hours", "1", "--session", "second")
    assert answer.code == 1, answer.err
    assert "space" in answer.line()
    assert str(full_disk) in answer.line()
    assert snapshot(logs / "first") == before
    assert pitwall("--logs", logs, "verify", "first").code == 0
    (full_disk / "out.log").write_text("mine")
    for name in ("out.log", "out.blf", "out.parquet", "out.db"):
        answer = pitwall("--logs", drive / "logs", "export", "drive", "-o", full_disk / name)
        assert answer.code in (0, 1), answer.err
        assert answer.line()
    assert not list(full_disk.glob(".out*"))
    answer = pitwall("--logs", drive / "logs", "--projections", full_disk / "p", "replay", "drive")
    assert answer.code == 1, answer.err
    assert answer.line()


def test_a_file_that_may_not_grow_is_a_failure_said_in_one_line(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    child = process("simulate", "--hours", "0.1", preexec_fn=small)
    _, said = child.communicate(timeout=120)
    assert child.returncode == 1
    assert len(said.splitlines()) == 1, said
    assert str(tmp_path / "logs") in said or "logs/" in said
