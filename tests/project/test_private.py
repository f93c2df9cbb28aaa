"""With a key set projections are kept where nobody else looks, and are wiped at the end, however that comes."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pitwall.log import keys
from pitwall.project.generations import Generations
from pitwall.project.private import kept

KEEPER = """
import sys, signal
from pathlib import Path
from pitwall.project.private import kept
with kept(Path(sys.argv[1]), memory=Path(sys.argv[2])) as folder:
    (folder / "rows").write_text("where the car was")
    print(folder, flush=True)
    signal.pause()
"""


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key is set; the folder of projections."""
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    monkeypatch.setenv(keys.VARIABLE, str(key))
    return tmp_path / "projections"


@contextlib.contextmanager
def keeper(projections: Path):
    """A process that keeps projections of `projections`, and where."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, projections, projections.parent / "no memory"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def private(projections: Path) -> list[Path]:
    return sorted(projections.glob(".private-*"))


def test_without_a_key_they_are_where_they_were_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(keys.VARIABLE, raising=False)
    with kept(tmp_path / "projections") as folder:
        assert folder == tmp_path / "projections"


def test_with_a_key_the_folder_is_for_its_owner_alone_and_gone_at_the_end(keyed: Path, tmp_path: Path) -> None:
    with kept(keyed, memory=tmp_path / "none") as folder:
        assert folder.parent == keyed
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "rows").touch()
    assert not private(keyed)
    with pytest.raises(ZeroDivisionError), kept(keyed, memory=tmp_path / "none"):
        _ = 1 / 0
    assert not private(keyed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_wipes_it(keyed: Path, number: signal.Signals) -> None:
    with keeper(keyed) as (process, folder):
        assert (folder / "rows").exists()
        process.send_signal(number)
        process.wait(30)
        assert not folder.exists()


def test_what_a_killed_process_left_goes_with_the_next_and_a_living_ones_stays(keyed: Path, tmp_path: Path) -> None:
    with keeper(keyed) as (killed, left), keeper(keyed) as (_, living):
        killed.kill()
        killed.wait()
        assert left.exists()
        with kept(keyed, memory=tmp_path / "none") as folder:
            assert private(keyed) == sorted([living, folder])
        assert (living / "rows").exists()


def test_only_what_is_surely_ones_own_is_removed(keyed: Path, tmp_path: Path) -> None:
    keyed.mkdir()
    aim = tmp_path / "somebody's"
    aim.mkdir(mode=0o700)
    (keyed / ".private-link").symlink_to(aim)
    (keyed / ".private-open").mkdir()
    (keyed / ".private-open").chmod(0o755)
    (keyed / ".private-file").touch()
    os.mkfifo(keyed / ".private-fifo")
    with kept(keyed, memory=tmp_path / "none"):
        pass
    assert {path.name for path in private(keyed)} == {
        *(".private-link", ".private-open", ".private-file", ".private-fifo")
    }
    assert aim.exists()


def test_plain_generations_go_when_a_key_is_set_and_what_is_not_pitwalls_stays(keyed: Path, tmp_path: Path) -> None:
    keyed.mkdir()
    plain = Generations(keyed).file("a-session", "0" * 12)
    plain.touch()
    (keyed / "notes.txt").touch()
    with kept(keyed, memory=tmp_path / "none"):
        assert not plain.exists()
        assert (keyed / "notes.txt").exists()
