"""A car is edited while it is recorded at speed: a moment of `make torture`."""

from __future__ import annotations

import pytest

from tests.torture.edits import edit


@pytest.mark.slow
def test_edits_under_load_lose_no_frame_and_no_reader_sees_two_of_them_at_once(tmp_path):
    done = edit(8, 3, tmp_path, pause_s=0.8)
    assert done.edits + done.wrong == 8
    assert done.wrong
    assert done.shown >= 2
    assert done.answers
    assert done.frames > 10_000
