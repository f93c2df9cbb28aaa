"""What the gauges show is the last value that was there, however the log is cut into batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.derive import Channel, Rows, Table
from pitwall.frames import Flag, Frames, clustered, frames
from pitwall.serve.gauges import RATE_NS, Gauges
from pitwall.serve.newest import NEVER, Status
from tests.serve.stand import CAST

TABLES = (
    Table("m", (Channel("a", "V", ""), Channel("b", "V", ""))),
    Table("n", (Channel("c", "V", ""),)),
)


def rows_of(table: Table, samples: list[tuple]) -> Rows:
    t = np.array([sample[0] for sample in samples], np.int64)
    values = tuple(np.array([s[1][i] for s in samples], float) for i in range(len(table.channels)))
    return Rows(table, np.arange(len(t), dtype=np.int64), t, values)


def heard(t: list[int], control: bool = False) -> Frames:
    n = len(t)
    flags = int(Flag.CONTROL) if control else 0
    return frames(0, t=np.array(t, np.int64), id=np.arange(n), data=np.zeros((n, 8), np.uint8), flags=flags)


def shown(gauges: Gauges) -> dict[str, tuple[int, float]]:
    picture = gauges.picture(1, CAST, Status())
    names = [channel.name for channel in gauges.channels]
    return {
        name: (t, v) for name, t, v in zip(names, picture.t.tolist(), picture.v.tolist(), strict=True) if t != NEVER
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 1]), *[st.one_of(st.just(np.nan), st.floats(-9, 9))] * 2), max_size=30),
    st.data(),
)
def test_a_value_stays_until_another_comes(samples, data):
    gauges = Gauges(TABLES)
    truth: dict[str, tuple[int, float]] = {}
    at = 0
    while at < len(samples):
        stop = data.draw(st.integers(at + 1, len(samples)))
        batch: list[list[tuple]] = [[], []]
        for t, (which, *values) in enumerate(samples[at:stop], at):
            batch[which].append((t, values[: len(TABLES[which].channels)]))
            for channel, value in zip(TABLES[which].channels, values, strict=False):
                if not np.isnan(value):
                    truth[channel.name] = (t, value)
        gauges.take(heard(list(range(at, stop))), [rows_of(TABLES[i], batch[i]) for i in (0, 1) if batch[i]])
        at = stop
    assert shown(gauges) == truth


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3 * RATE_NS), min_size=1, max_size=50).map(sorted), st.integers(1, 49), st.booleans())
def test_frames_a_second_are_those_of_the_last_two(times, cut, by_cluster):
    gauges = Gauges(TABLES)
    for part in (times[:cut], times[cut:]):
        gauges.take(clustered(heard(part)) if by_cluster and part else heard(part), [])
    newest = times[-1]
    inside = sum(t > newest - RATE_NS for t in times)
    assert gauges.frames_per_s() == pytest.approx(inside / min(RATE_NS, newest) * 1e9 if newest else 0, abs=0.1)


def test_control_rows_are_no_frames():
    gauges = Gauges(TABLES)
    gauges.take(heard([10**9]), [])
    gauges.take(heard([10**9] * 5, control=True), [])
    assert gauges.frames_per_s() == 1.0
