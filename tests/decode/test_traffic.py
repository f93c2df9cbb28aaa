"""What is told of raw frames is what one would write down by hand, frame by frame, however the log is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.decode import traffic
from pitwall.decode.traffic import RECENT_S, Heard, Traffic
from pitwall.frames import STREAM_FLAGS, Flag, Frames, clustered, cut, frames, more_of
from tests.strategies import batches, log, logs

IDS = [(0, 0x100, 0), (0, 0x100, int(Flag.EXTENDED)), (1, 0x100, 0), (0, 0x7FF, int(Flag.FD)), (0, 5, int(Flag.TX))]
IDS += [(0, 0x100, int(Flag.REMOTE)), (1, 0, int(Flag.ERROR)), (0, 7, int(Flag.CONTROL))]


def by_hand(rows: Frames, now_t: int, most: int = 10**9) -> tuple[list[tuple], int]:
    """A row a stream: bus, id, flags, t, len, payload, count, rate, bits of 10 s, bits ever; and frames left out."""
    found: dict[tuple[int, int, int], dict] = {}
    left_out, newest_s, oldest_ns = 0, now_t // 10**9, (now_t // 10**9 - RECENT_S + 1) * 10**9
    for i, beyond in enumerate(more_of(rows).to_pylist()):
        flags = int(rows.flags[i])
        if flags & Flag.CONTROL:
            continue
        key = (int(rows.bus[i]), int(rows.id[i]), flags & STREAM_FLAGS)
        if key not in found and len(found) >= most:
            left_out += 1
            continue
        one = found.setdefault(key, {"count": 0, "recent": 0, "changed": 0, "ever": 0, "payload": None})
        size, t = int(rows.len[i]), int(rows.t[i])
        payload = rows.data[i].tobytes()[:size] + beyond
        is_recent = t // 10**9 > newest_s - RECENT_S
        if one["payload"] is not None:
            pairs = zip(payload, one["payload"], strict=False)
            bits = int.from_bytes(bytes(a ^ b for a, b in pairs).ljust(64, b"\0"), "big")
            one["ever"] |= bits
            one["changed"] |= bits if is_recent else 0
        one |= {"payload": payload, "t": t, "len": size, "flags": flags}
        one["count"] += 1
        one["recent"] += is_recent
    span_ns = now_t - max(0, oldest_ns)
    told = []
    for (bus, id, _), one in sorted(found.items()):
        rate_hz = one["recent"] / span_ns * 1e9 if span_ns > 0 else None
        masks = (one[name].to_bytes(64, "big") for name in ("changed", "ever"))
        newest = (one["flags"], one["t"], one["len"], one["payload"])
        told.append((bus, id, *newest, one["count"], rate_hz, *masks))
    return told, left_out


def told(heard: Heard) -> list[tuple]:
    wide = [one.tobytes().ljust(64, b"\0") for one in (*heard.changed, *heard.changed_ever)]
    half = len(heard.id)
    return [
        (
            *(int(column[i]) for column in (heard.bus, heard.id, heard.flags, heard.at, heard.len)),
            heard.payload[i].tobytes()[: heard.len[i]],
            int(heard.count[i]),
            None if np.isnan(heard.rate_hz[i]) else pytest.approx(float(heard.rate_hz[i])),
            wide[i],
            wide[half + i],
        )
        for i in range(half)
    ]


@settings(max_examples=150, deadline=None)
@given(data=st.data(), longest=st.sampled_from([8, 64]), gap_s=st.sampled_from([0, 0, 1, 4, 30]))
def test_it_is_what_one_would_write_down_however_the_log_is_cut(data, longest, gap_s) -> None:
    rows = data.draw(logs(IDS, longest=longest, min_size=1))
    rows.t[len(rows) // 2 :] += gap_s * 10**9
    rows.t[:] += data.draw(st.sampled_from([0, 999_999_999, 7 * 10**9]))
    folded = Traffic()
    for part in data.draw(batches(rows)):
        folded.take(part)
    now_t = int(rows.t[-1]) + data.draw(st.sampled_from([0, 1, 3 * 10**9, 60 * 10**9]))
    expected, left_out = by_hand(rows, now_t)
    heard = folded.heard(now_t)
    assert [one[:5] for one in told(heard)] == [one[:5] for one in expected]
    assert told(heard) == expected
    assert (heard.left_out, heard.t, heard.t_from) == (left_out, now_t, 0)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), most=st.integers(0, 6))
def test_of_too_many_ids_those_are_kept_that_came_first(data, most) -> None:
    rows = data.draw(logs(IDS, min_size=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traffic, "MAX_IDS", most)
        folded = Traffic()
        for part in data.draw(batches(rows)):
            folded.take(part)
    expected, left_out = by_hand(rows, int(rows.t[-1]), most)
    assert told(folded.heard()) == expected
    assert folded.heard().left_out == left_out


def test_the_bytes_of_a_message_that_grew_are_not_changed_bits() -> None:
    folded = Traffic()
    folded.take(log([(0, 1, 0, b"\x01\x02"), (0, 1, 0, b"\x01\x03\xff")]))
    (mask,) = folded.heard().changed
    assert mask.tobytes() == b"\0\x01" + b"\0" * 6


def test_a_fast_bus_of_random_ids_stays_within_its_bound() -> None:
    rng, folded = np.random.default_rng(1), Traffic()
    n = 20_000
    rows = frames(
        0,
        t=np.arange(n) * 100_000,
        id=rng.integers(0, 1 << 29, n),
        flags=int(Flag.EXTENDED),
        data=rng.integers(0, 256, (n, 8), np.uint8),
    )
    for first, last in pairwise(range(0, n + 1, 500)):
        part = cut(rows, first, last)
        folded.take(clustered(part) if first % 1000 else part)
    heard = folded.heard()
    assert len(heard.id) == traffic.MAX_IDS
    assert heard.count.sum() + heard.left_out == n
