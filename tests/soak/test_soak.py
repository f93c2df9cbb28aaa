"""A short drive of what `make soak` does for an hour: the same processes, the same adapters, the same checks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.soak.buses import IDS, LINE_BYTES, lines
from tests.soak.rig import Plan, soak

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are watched in /proc")


def test_what_a_fake_adapter_says_is_slcan() -> None:
    text = lines(np.arange(100))
    assert len(text) == 100 * LINE_BYTES
    for number, line in enumerate(text.split(b"\r")[:-1]):
        assert re.fullmatch(rb"t[0-9A-F]{3}8[0-9A-F]{16}", line)
        assert int(line[1:4], 16) == IDS[number % len(IDS)]
        assert int.from_bytes(bytes.fromhex(line[5:13].decode()), "little") == number


def test_a_short_drive_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    outcome = soak(Plan(seconds=12, buses=2, rate=2000, sample_s=3), tmp_path)
    assert outcome.kept == outcome.sent > 2 * 2000 * 10
    assert outcome.refused == 0
    assert outcome.met.events > 20
    assert outcome.met.answers > 5
    assert len(outcome.samples) == 5


def test_an_idle_drive_ends_as_a_loaded_one_does(tmp_path: Path) -> None:
    outcome = soak(Plan(seconds=2, rate=500, loaded=False, sample_s=1), tmp_path)
    assert outcome.kept == outcome.sent > 500
    assert outcome.met.events == outcome.met.edits == 0
