"""`archive`, `restore`, `retain`, `pin` and `key` as people use them."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from pitwall.commands.keeping import Keeping
from pitwall.commands.retain import QUIET_S, Quiet
from pitwall.log import Writer
from tests.cli.conftest import Pitwall
from tests.log.drives import START_NS, traffic

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes in /proc")

OLD_S = 40 * 86_400


def age(folder: Path, seconds: float) -> None:
    """Make the files of a session look as old as that."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def simulated(pitwall: Pitwall, *names: str) -> None:
    for name in names:
        assert pitwall("simulate", "--hours", "0.001", "--session", name).code == 0


def listed(pitwall: Pitwall) -> list[str]:
    return [one["id"] for one in pitwall("sessions", "--json").json]


def test_there_and_back_again(driven: Path, pitwall: Pitwall) -> None:
    rows = pitwall("query", "drive", "SELECT count(*) AS n FROM signals", "--format", "json").out
    assert list((driven / "projections").glob("drive.*"))
    done = pitwall("archive", "latest", "--to", "there", "--json")
    assert (done.code, done.json[0]["session"], done.json[0]["at"]) == (0, "drive", str(driven / "there"))
    assert not list((driven / "projections").glob("drive.*")), "what was built from it goes, too"
    assert listed(pitwall) == []
    assert f"drive is archived in {driven / 'there'} (pitwall restore drive)" in pitwall("channels", "dri").line()
    archived = pitwall("sessions", "--archived", "--json").json
    assert [(one["id"], one["here"]) for one in archived] == [("drive", False)]
    assert "drive" in pitwall("sessions", "--archived").out
    assert pitwall("archive", "drive", "--to", "there").code == 0, "run again, it is done already"
    assert pitwall("--logs", "there", "verify").code == 0, "an archive is a log"
    back = pitwall("restore", "latest", "--json")
    assert (back.code, back.json[0]["was_here"]) == (0, False)
    assert pitwall("restore", "drive", "--from", "there").out.count("was here already") == 1
    assert pitwall("query", "drive", "SELECT count(*) AS n FROM signals", "--format", "json").out == rows


def test_damage_in_the_archive_is_told_file_by_file(driven: Path, pitwall: Pitwall) -> None:
    pitwall("archive", "drive", "--to", "there")
    for path in (driven / "there" / "drive").glob("*.arrow"):
        path.unlink()
    answer = pitwall("restore", "drive")
    assert answer.code == 3
    assert "00000000000000000000.arrow is missing" in answer.err
    assert "nothing was restored" in answer.err
    assert listed(pitwall) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["archive", "--to", "there"], 2, "say which sessions"),
        (["archive", "drive"], 2, "--to"),
        (["archive", "drive", "--older-than", "1d", "--to", "there"], 2, "say which sessions"),
        (["archive", "--older-than", "a month", "--to", "there"], 2, "'a month' is no time"),
        (["archive", "nobody", "--to", "there"], 2, "no session 'nobody'"),
        (["archive", "drive", "--to", "gopher://there"], 2, "can't be opened"),
        (["archive", "drive", "--to", "logs"], 2, "can't lie in the log itself"),
        (["restore", "nobody"], 2, "no session 'nobody' was archived from here"),
        (["restore", "nobody", "--from", "there"], 2, "no session 'nobody' is archived there"),
        (["retain"], 2, "nothing says what is to be kept"),
        (["retain", "--keep", "30"], 2, "'30' is no time"),
        (["retain", "--keep-free", "5"], 2, "'5' is no size"),
        (["retain", "--archive-to", "there"], 2, "nothing says when to archive"),
        (["pin", "nobody"], 2, "no session 'nobody'"),
        (["key", "id", "nowhere"], 1, "nowhere: the key can't be read"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_one_clear_line(driven: Path, pitwall: Pitwall, arguments, code, said) -> None:
    answer = pitwall(*arguments)
    assert answer.code == code
    assert said in answer.line()
    assert listed(pitwall) == ["drive"]


def test_retention_lets_the_old_go_but_not_what_is_pinned_or_newest(tmp_path: Path, pitwall: Pitwall) -> None:
    simulated(pitwall, "a", "b", "c", "d")
    for name in "abd":
        age(tmp_path / "logs" / name, OLD_S)
    assert "b is pinned" in pitwall("pin", "b").out
    answer = pitwall("retain", "--keep", "30d", "--archive-to", "there")
    assert (answer.code, answer.err) == (0, "")
    assert "a is archived to" in answer.out
    newest = listed(pitwall)[-1]
    assert sorted(listed(pitwall)) == sorted({"b", "c", newest} | ({"d"} if newest == "d" else set()))
    again = pitwall("retain", "--keep", "30d", "--archive-to", "there")
    assert (again.out, again.err) == ("", "nothing of logs is due\n")
    assert pitwall("unpin", "b").code == 0
    assert pitwall("archive", "b", "--to", "there").code == 0


def test_without_a_place_for_them_they_are_gone_and_that_is_said(tmp_path: Path, pitwall: Pitwall) -> None:
    simulated(pitwall, "a", "b", "c")
    answer = pitwall("retain", "--keep-free", "1000TB")
    assert answer.out.count("is removed for good") == 2
    assert len(listed(pitwall)) == 1
    assert "GONE" in pitwall("retain", "--help").out
    assert "REMOVED FOR GOOD" in str(Keeping(keep_s=86_400))
    assert "REMOVED" not in str(Keeping(keep_s=86_400, archive_to="there"))
    assert pitwall("sessions", "--archived", "--json").json == []


def test_what_is_let_go_is_told_to_programs_too(tmp_path: Path, pitwall: Pitwall) -> None:
    simulated(pitwall, "a", "b", "c")
    *old, newest = listed(pitwall)
    for name in "abc":
        age(tmp_path / "logs" / name, OLD_S)
    said = pitwall("retain", "--keep", "30d", "--archive-to", "there", "--json")
    assert (said.code, said.err) == (0, "")
    assert [one["session"] for one in said.json] == old
    assert all(Path(one["at"]).is_dir() and "old" in one["why"] for one in said.json)
    assert pitwall("retain", "--keep", "30d", "--archive-to", "there", "--json").json == []
    simulated(pitwall, "d")
    (gone,) = pitwall("retain", "--keep-free", "1000TB", "--json").json
    assert (gone["session"], gone["at"]) == (({newest, "d"} - set(listed(pitwall))).pop(), None)


def test_older_than_takes_what_is_older(tmp_path: Path, pitwall: Pitwall) -> None:
    simulated(pitwall, "a", "b")
    first = listed(pitwall)[0]
    assert "nothing is that old" in pitwall("archive", "--older-than", "30d", "--to", "there").err
    age(tmp_path / "logs" / first, OLD_S)
    done = pitwall("archive", "--older-than", "30d", "--to", "there", "--json").json
    assert [one["session"] for one in done] == [first]
    pitwall("restore", first)
    assert pitwall("archive", "--older-than", "30d", "--to", "there", "--json").json == [], "it came back just now"


def test_fifty_sessions_that_were_archived_leave_next_to_nothing(tmp_path: Path, pitwall: Pitwall) -> None:
    for i in range(50):
        assert pitwall("simulate", "--hours", "0.001", "--session", f"s{i:02}").code == 0
    before = taken(tmp_path / "logs") + taken(tmp_path / "projections")
    assert pitwall("archive", *(f"s{i:02}" for i in range(50)), "--to", "there").code == 0
    left = taken(tmp_path / "logs") + taken(tmp_path / "projections")
    assert left < 1_000_000 < before
    assert pitwall("sessions", "--json").json == []
    assert len(pitwall("sessions", "--archived", "--json").json) == 50


def taken(folder: Path) -> int:
    """Bytes of the disk that a folder takes."""
    return sum(file.lstat().st_blocks * 512 for file in folder.rglob("*"))


def test_a_key_is_made_named_and_used(tmp_path: Path, pitwall: Pitwall, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    made = pitwall("key", "new", "key")
    name = pitwall("key", "id", "key").out.strip()
    assert name in made.out
    assert pitwall("key", "new", "key").code == 2
    monkeypatch.setenv("PITWALL_KEY_FILE", "key")
    simulated(pitwall, "a")
    assert not [path for path in (tmp_path / "logs" / "a").iterdir() if path.suffix != ".enc"]
    assert pitwall("verify").code == 0
    monkeypatch.delenv("PITWALL_KEY_FILE")
    answer = pitwall("verify")
    assert answer.code == 1
    assert "there is no key" in answer.line()


def test_the_keeper_rests_while_frames_come_in(tmp_path: Path) -> None:
    now = [0.0]
    quiet = Quiet(tmp_path, clock=lambda: now[0])
    assert quiet(), "nobody records"
    writer = Writer.create(tmp_path, car="test", buses=["a"], started_at_ns=START_NS)
    try:
        assert not quiet()
        now[0] = QUIET_S - 1
        assert not quiet()
        writer.append(traffic(10))
        now[0] = QUIET_S + 1
        assert not quiet(), "a frame came"
        now[0] += QUIET_S
        assert quiet()
    finally:
        writer.close()
    assert quiet()


@needs_proc
def test_the_keeper_ends_when_it_is_asked_to(process, tmp_path: Path) -> None:
    child = process("retain", "--keep", "30d", "--watch", "--logs", tmp_path / "logs")
    deadline = time.monotonic() + 30
    handled = f"{1 << (signal.SIGTERM - 1):x}"
    while time.monotonic() < deadline:  # until it listens to SIGTERM
        status = Path(f"/proc/{child.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught, 16) & int(handled, 16):
            break
    child.terminate()
    assert child.wait(30) == 0


def test_the_keeper_is_told_what_run_was_told(tmp_path: Path) -> None:
    assert Keeping(30 * 86_400.0, 5_000_000_000, "s3://a/b").arguments() == [
        *("--keep", "2592000.000000s", "--keep-free", "5000000000B", "--archive-to", "s3://a/b")
    ]
    assert not Keeping()
    assert json.dumps(Keeping().arguments()) == "[]"


def test_a_key_that_cannot_be_used_is_told_before_anything_is_recorded(pitwall: Pitwall, monkeypatch) -> None:
    monkeypatch.setenv("PITWALL_KEY_FILE", "nowhere")
    for command in ("record", "run"):
        answer = pitwall(command, "--simulate")
        assert answer.code == 1
        assert "nowhere: the key can't be read" in answer.line()


@needs_proc
def test_a_recorder_that_was_told_what_to_keep_sees_to_it_and_leaves_nobody_behind(process, tmp_path: Path) -> None:
    child = process("record", "--simulate", "--keep", "30d", "--archive-to", "there", "--logs", tmp_path / "logs")
    assert "recording" in child.stdout.readline()
    keepers = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    assert [b"retain" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in keepers] == [True]
    child.terminate()
    _, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert "archived to there" in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in keepers)
