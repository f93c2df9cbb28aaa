"""What was called durable is there when the power has been cut: a moment of `make torture`."""

from __future__ import annotations

import pytest

from tests.torture.mounts import inside, why_not

pytestmark = pytest.mark.skipif(bool(why_not("ext4")), reason=why_not("ext4"))


def test_what_was_durable_is_there_behind_real_power_cuts():
    figures = list(inside("power", 8, 1, "recorder"))
    assert figures[0].startswith("8 cuts"), figures


def test_a_disk_that_lies_about_what_it_has_synced_is_found_out():
    with pytest.raises(AssertionError, match="durable"):
        list(inside("power", 8, 1, "liar"))
