"""Odd, taken, read-only and vanishing logs folders: each once."""

from __future__ import annotations

import pytest

from tests.torture import folders
from tests.torture.mounts import inside, why_not


def test_where_nothing_can_be_recorded_one_line_says_so_and_nothing_is_left(tmp_path):
    folders.refusals(tmp_path)


def test_odd_names_are_names(tmp_path):
    folders.odd_ones(tmp_path, ("ünï-код-🏁 two\nlines", "--logs"))


def test_a_second_recorder_is_told_the_first_ones_pid_and_a_killed_one_leaves_no_lock(tmp_path):
    folders.two(tmp_path)


@pytest.mark.parametrize("how", folders.GOINGS)
def test_a_folder_that_goes_away_is_written_again(tmp_path, how):
    folders.disappears(tmp_path, how, 1)


@pytest.mark.skipif(bool(why_not("tmpfs")), reason=why_not("tmpfs"))
def test_a_read_only_disk_is_refused_in_a_line():
    assert list(inside("folders"))
