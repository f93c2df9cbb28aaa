"""What processes take of the memory is told of any, and a leak is told from what is taken once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitwall.resident import GROWTH_BYTES, MINUTES, Growth, MemoryWatch, rss_bytes, since_ns

MB = 1_000_000


def said(minutes: list[list[int]]) -> list[int]:
    growth = Growth()
    return [growth.minute(seen) for seen in minutes]


def test_a_process_that_only_grows_is_told_with_how_fast():
    told = said([[(100 + 12 * minute + s) * MB for s in (0, 3, 6, 9)] for minute in range(6)])
    assert told[: MINUTES + 1] == [0] * (MINUTES + 1)  # the first minute is left out, and three steps are wanted
    assert all(11 * MB <= grown <= 13 * MB for grown in told[MINUTES + 1 :])


def test_what_is_taken_once_or_given_back_is_no_leak():
    assert not any(said([[100 * MB], [100 * MB], [400 * MB], [400 * MB], [400 * MB], [700 * MB], [700 * MB]]))
    peaks = [[100 * MB, 100 * MB, (300 + 50 * minute) * MB, 100 * MB] for minute in range(8)]
    assert not any(said(peaks))
    assert not any(said([[], [], []]))


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=12), st.integers(0, GROWTH_BYTES))
def test_nothing_is_told_of_what_stays_within_the_bound(first, step):
    assert not any(said([[value + minute * step for value in first] for minute in range(8)]))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells of others")
def test_any_process_of_ours_is_told_of():
    code = "import sys; print(flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert 1 * MB < rss_bytes(child.pid) < rss_bytes() * 2
        assert abs(since_ns(child.pid) - time.time_ns()) < 60 * 10**9
    finally:
        child.communicate()
    assert rss_bytes(child.pid) is None
    assert since_ns(child.pid) is None


def test_all_processes_are_told_of_in_one_line_a_minute_and_one_that_is_gone_in_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pitwall.resident.TELL_S", 0.0)
    told: list[str] = []
    pids = {"the recorder": os.getpid(), "the server": os.getpid()}
    watch = MemoryWatch(lambda: pids, told.append)
    watch.look()
    assert re.fullmatch(r"memory: the recorder \d+ MB, the server \d+ MB", told[0])
    del pids["the server"]
    watch.look()
    assert re.fullmatch(r"memory: the recorder \d+ MB", told[1])
    pids.clear()
    watch.look()
    assert len(told) == 2
