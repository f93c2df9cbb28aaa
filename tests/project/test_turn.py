"""One builds at a time; a lock file is there only while it is held, and nothing in its place keeps it from being."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pitwall.project import turn
from pitwall.project.turn import BusyError


def let_go(path: Path, fd: int) -> None:
    """As a holder does."""
    path.unlink()
    os.close(fd)


def test_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    fd = turn.take(tmp_path / "lock", "a-session")
    with pytest.raises(BusyError, match=rf"a-session: its projection is being built by process {os.getpid()}"):
        turn.take(tmp_path / "lock", "a-session")
    let_go(tmp_path / "lock", fd)
    os.close(turn.take(tmp_path / "lock", "a-session"))


def test_what_a_killed_holder_left_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\nand something longer than a pid")
    fd = turn.take(tmp_path / "lock", "a-session")
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    os.close(fd)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/null"), lambda path: path.symlink_to(path)],
    ids=["a FIFO", "an empty folder", "a link", "a link to itself"],
)
def test_what_nobody_can_hold_gives_way(tmp_path: Path, make) -> None:
    make(tmp_path / "lock")
    os.close(turn.take(tmp_path / "lock", "a-session"))
    assert (tmp_path / "lock").is_file()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock" / "mine").touch()
    with pytest.raises(OSError, match="not empty"):
        turn.take(tmp_path / "lock", "a-session")
    assert (tmp_path / "lock" / "mine").exists()


def test_of_many_at_once_one_has_it_at_a_time(tmp_path: Path) -> None:
    path, inside, most, taken = tmp_path / "lock", [], [], []

    def work() -> None:
        for _ in range(200):
            try:
                fd = turn.take(path, "a-session")
            except BusyError:
                continue
            inside.append(1)
            most.append(len(inside))
            taken.append(1)
            inside.pop()
            let_go(path, fd)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert taken
    assert not path.exists()
