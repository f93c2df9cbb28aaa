"""Adapters' stamps on the host's clock: against a slow reference, and against adapters whose true clock is known."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.bus.slcan import STAMPS
from pitwall.bus.stamps import MARGIN_NS, SLACK_NS, WINDOW_NS, AdapterClock, Ticks
from pitwall.frames import Control, Flag, frames

GS_USB = Ticks(1_000, 2**32)
CLOCKS = [STAMPS["ms"][1], STAMPS["us"][1], GS_USB]


class Slow:
    """Row by row, as the module's first page says it."""

    def __init__(self, ticks: Ticks) -> None:
        self.ticks, self.stamp, self.received, self.offset = ticks, None, 0, None
        self.begun = self.least = 0
        self.t = -(10**19)

    def lay(self, stamp: int, received: int) -> tuple[int, bool]:
        if not 0 <= stamp < self.ticks.period:
            self.t = max(self.t, received)
            return self.t, False
        ns, period = stamp * self.ticks.tick_ns, self.ticks.period * self.ticks.tick_ns
        if self.stamp is not None:
            # as many wraps as bring the stamps' step nearest to the time that has passed
            step = (ns - self.stamp) % period
            passed = received - self.received
            wraps = (passed - step) // period
            ns = self.stamp + min((step + k * period for k in (wraps, wraps + 1)), key=lambda s: (abs(passed - s), -s))
        self.stamp, self.received = ns, received
        late = received - ns
        if self.offset is None or late < self.offset:
            self.offset, self.begun, self.least, anchor = late - MARGIN_NS, received, late, True
        else:
            self.least, anchor = min(self.least, late), False
            if received - self.begun >= WINDOW_NS:
                if self.least - self.offset > SLACK_NS:
                    self.offset, anchor = self.least - MARGIN_NS, True
                self.begun, self.least = received, late
        self.t = max(self.t, ns + self.offset)
        return self.t, anchor


@st.composite
def rows(draw):
    """Any stamps at all, at times that never run backwards."""
    ticks = draw(st.sampled_from(CLOCKS))
    n = draw(st.integers(1, 40))
    steps = st.sampled_from([0, 1, 1000, 1_000_000, 999_999_999, WINDOW_NS, 10**11, 4 * 10**12])
    received = np.cumsum(draw(st.lists(steps, min_size=n, max_size=n)))
    stamps = st.one_of(st.integers(-1, ticks.period), st.sampled_from([0, 1, 2, ticks.period - 1]))
    return ticks, np.array(draw(st.lists(stamps, min_size=n, max_size=n)), np.int64), received.astype(np.int64)


@settings(max_examples=300, deadline=None)
@given(rows(), st.data())
def test_rows_are_laid_as_one_by_one_however_they_are_cut(made, data):
    ticks, stamps, received = made
    slow, clock = Slow(ticks), AdapterClock(ticks)
    theirs = [slow.lay(stamp, at) for stamp, at in zip(stamps.tolist(), received.tolist(), strict=True)]
    at = sorted(data.draw(st.lists(st.integers(0, len(stamps)), max_size=5)))
    t, anchors = [], []
    for first, last in pairwise([0, *at, len(stamps)]):
        laid, found = clock.lay(stamps[first:last], received[first:last])
        t += laid.tolist()
        anchors += [first + anchor.row for anchor in found]
    assert t == [one[0] for one in theirs]
    assert anchors == [i for i, one in enumerate(theirs) if one[1]]
    assert all(b >= a for a, b in pairwise(t))
    assert all(mine <= host for mine, host in zip(t, np.maximum.accumulate(received).tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CLOCKS),
    st.integers(-100, 100),
    st.integers(0, 2**40),
    st.integers(0, 2**32 - 1),
    st.sampled_from([200_000, 1_000_000, 50_000_000, 2_000_000_000]),
)
def test_an_adapter_that_drifts_and_wraps_is_followed_closely(ticks, drift_ppm, began, seed, mean_gap_ns):
    random = np.random.default_rng(seed)
    n = 3000
    true = began + np.cumsum(random.exponential(mean_gap_ns, n)).astype(np.int64)  # on the host's clock
    own = true + ((true - began) * drift_ppm) // 1_000_000 + int(random.integers(2**40))
    stamps = own // ticks.tick_ns % ticks.period
    # USB asks each ms; every few seconds the host has something else to do
    stalls = random.random(n) < min(0.002, mean_gap_ns / 5e9)
    stalls[0] = False
    delay = random.integers(50_000, 1_000_000, n) + np.where(stalls, random.integers(0, 300_000_000, n), 0)
    received = np.maximum.accumulate(true + delay)
    t, anchors = AdapterClock(ticks).lay(stamps, received)
    assert np.all(np.diff(t) >= 0)
    assert np.all(t <= received)
    # never further off than the stamps' own steps, the shortest delays, and what the margins allow
    assert np.all(
        np.abs(t - true)
        <= ticks.tick_ns + 1_000_000 + SLACK_NS + 2 * MARGIN_NS + 2 * WINDOW_NS // 10_000 + _gone(true, drift_ppm)
    )
    # no more anchors than the drift and the first delays ask for
    ran = int(true[-1] - true[0])
    assert len(anchors) <= 5 + ran // WINDOW_NS + ran * abs(drift_ppm) // 1_000_000 // MARGIN_NS
    # between two anchors the spacing is the adapter's, but for what would run backwards
    rows = [anchor.row for anchor in anchors]
    for first, last in pairwise([*rows, n]):
        spaced = np.diff(own[first:last] // ticks.tick_ns * ticks.tick_ns)
        free = t[first:last] > (t[first - 1] if first else t[0] - 1)
        both = free[1:] & free[:-1]
        assert np.array_equal(np.diff(t[first:last])[both], spaced[both])


def _gone(true, drift_ppm):
    """How far a clock drifts while nothing is heard: nobody can know of it before the next frames."""
    return int(np.diff(true).max() * abs(drift_ppm) // 1_000_000)


def test_stamps_are_unwrapped_over_a_silence_of_many_wraps():
    ticks = Ticks(1_000_000, 60_000)
    minute = 60_000_000_000
    t, _ = AdapterClock(ticks).lay(
        np.array([59_999, 1, 2, 500]), np.array([0, 2_000_000, 5 * minute + 3_000_000, 5 * minute + 501_000_000])
    )
    assert np.diff(t).tolist() == [2_000_000, 5 * minute + 1_000_000, 498_000_000]


def test_a_frame_without_a_stamp_is_at_its_reception():
    t, anchors = AdapterClock(GS_USB).lay(np.array([-1, 2**32]), np.array([5, 9]))
    assert t.tolist() == [5, 9]
    assert anchors == []


def test_the_log_tells_how_the_two_clocks_are_laid_together():
    n = 2000
    true = np.arange(n, dtype=np.int64) * 1_000_000
    random = np.random.default_rng(1)
    received = np.maximum.accumulate(true + 2_000_000 + random.integers(0, 3_000_000, n))
    stamps = (true // 1000 + 2**32 - 500_000) % 2**32
    heard = frames(0, t=np.zeros(n), id=np.arange(n), data=np.zeros((n, 8), np.uint8))
    rows = AdapterClock(GS_USB).laid(heard, stamps, received, "gs_usb 1")
    assert np.all(np.diff(rows.t) >= 0)
    fact, at, checked, clamped = None, 0, 0, 0
    for i in range(len(rows)):
        if rows.flags[i] & Flag.CONTROL:
            assert rows.id[i] == Control.CLOCKS
            fact, at = json.loads(rows.more[i].as_py()), int(rows.t[i])
            assert fact["source"] == "gs_usb 1"
            row = int(rows.id[i + 1])
            assert fact["stamp"] == stamps[row]
            assert at + fact["received_ns"] == received[row]
            continue
        assert fact is not None
        since = (int(stamps[rows.id[i]]) - fact["stamp"]) % fact["period"] * fact["tick_ns"]
        told = at + fact["laid_ns"] + since
        if rows.t[i] > rows.t[i - 1]:
            assert rows.t[i] == told
            checked += 1
        else:
            clamped += 1
    assert checked > 0.98 * n


@pytest.mark.parametrize("ticks", CLOCKS)
def test_no_rows_are_no_rows(ticks):
    t, anchors = AdapterClock(ticks).lay(np.empty(0, np.int64), np.empty(0, np.int64))
    assert len(t) == 0
    assert anchors == []
