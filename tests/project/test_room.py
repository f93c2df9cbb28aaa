"""Projections give way to the log: below the floor, while the recorder is pressed, after a write that failed."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from pitwall.project.room import FLOOR_BYTES, TRIALS_S, NoRoomError, Room, is_full, measure

GB = 10**9


class Setting:
    """A file system, a recorder and a clock that do as the test says."""

    def __init__(self, folder: Path, *, floor: int | None = 1_000) -> None:
        self.free, self.total, self.is_pressed, self.now = 10 * GB, 100 * GB, False, 0.0
        self.room = Room(
            folder, floor=floor, measure=self.measured, pressed=lambda: self.is_pressed, clock=lambda: self.now
        )

    def measured(self, _folder: Path) -> tuple[int, int]:
        return self.free, self.total


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path / "projections")


def test_below_the_floor_nothing_is_written_and_above_twice_the_floor_again(setting: Setting) -> None:
    setting.room.check()
    setting.free = 999
    with pytest.raises(NoRoomError, match="are free; projections leave"):
        setting.room.check()
    assert setting.room.space.low
    assert setting.room.space.short
    assert setting.room.spare() == 0
    setting.free = 1_999
    assert setting.room.look().why
    setting.free = 2_000
    assert not setting.room.look().why
    assert setting.room.spare() == 1_000
    setting.free = 1_000
    setting.room.check()


def test_a_pressed_recorder_is_given_way_to_at_once_and_as_long_as_it_is(setting: Setting) -> None:
    setting.is_pressed = True
    with pytest.raises(NoRoomError, match="recorder is short of room"):
        setting.room.check()
    assert setting.room.space.short
    assert not setting.room.space.low
    setting.is_pressed = False
    setting.room.check()


def test_after_a_write_that_failed_a_trial_comes_first(setting: Setting) -> None:
    setting.room.failed("its disk broke")
    assert setting.room.why == "its disk broke"
    with pytest.raises(NoRoomError, match="its disk broke"):
        setting.room.check()
    setting.now = TRIALS_S[0]
    setting.room.check()
    assert not list(setting.room.folder.iterdir()), "a trial leaves nothing"


def test_trials_that_fail_come_less_and_less_often(setting: Setting, tmp_path: Path) -> None:
    (tmp_path / "projections").write_text("a file where the folder should be")
    setting.room.failed("it broke")
    for pause in TRIALS_S:
        setting.now += pause - 0.01
        before = setting.now
        assert setting.room.look().why == "it broke"
        setting.now = before + 0.01
        assert setting.room.look().why == "it broke", "a trial that failed"
    (tmp_path / "projections").unlink()
    setting.now += TRIALS_S[-1] - 0.01
    assert setting.room.look().why, "not before the pause is over"
    setting.now += 0.01
    assert not setting.room.look().why


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_write_that_found_no_room_is_a_lack_of_room(setting: Setting, number: int) -> None:
    setting.room.failed(f"it can't be written: {os.strerror(number)}")
    assert setting.room.look().short
    setting.room.failed("it can't be written: Input/output error")
    assert not setting.room.look().short


def test_a_small_file_system_leaves_an_eighth_to_the_log_and_a_large_one_the_floor(tmp_path: Path) -> None:
    setting = Setting(tmp_path, floor=None)
    assert setting.room.look().floor == FLOOR_BYTES
    setting.total = 800
    assert setting.room.look().floor == 100


def test_a_folder_that_is_not_there_is_measured_where_it_will_be(tmp_path: Path) -> None:
    free, total = measure(tmp_path / "not" / "yet")
    assert 0 < free <= total


def test_what_gave_way_is_counted(setting: Setting) -> None:
    setting.room.gave_way(2)
    setting.room.gave_way(1)
    assert setting.room.look().removed == 3


def test_who_only_looks_does_not_wait_for_a_trial_on_a_disk_that_hangs(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def hanging(fd: int) -> None:
        began.set()
        assert goes_on.wait(60)

    monkeypatch.setattr("pitwall.project.room.os.fsync", hanging)
    setting.room.failed("its disk broke")
    setting.now = TRIALS_S[0]
    trying = threading.Thread(target=setting.room.look)
    trying.start()
    assert began.wait(60)
    assert setting.room.look().why == "its disk broke"  # returns, though the trial is still under way
    setting.room.failed("and again")
    goes_on.set()
    trying.join(60)
    assert not trying.is_alive()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_full_quota_are_one_thing(number: int) -> None:
    assert is_full(f'IO Error: Could not write file "x": {os.strerror(number)}')
    assert not is_full("IO Error: Input/output error")


def test_it_is_told_how_long_what_is_free_lasts(setting: Setting) -> None:
    assert setting.room.look().lasts_s is None
    setting.now, setting.free = 100.0, 9 * GB
    assert setting.room.look().lasts_s == 900
