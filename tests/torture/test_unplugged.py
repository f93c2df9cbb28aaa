"""Adapters are pulled out and put in again while they are recorded: a moment of `make torture`."""

from __future__ import annotations

import pytest

from tests.torture.unplugged import pull


@pytest.mark.slow
@pytest.mark.parametrize(("over", "times"), [("pty", 12), ("tcp", 3), ("serial", 12), ("gs_usb", 12)])
def test_what_was_sent_whole_before_a_plug_is_pulled_is_in_the_log_once(over, times, tmp_path):
    done = pull(over, times, 7, tmp_path)
    assert done.pulls == times
    assert done.frames > 100
