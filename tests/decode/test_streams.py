"""Which frames belong together, which give signals, and what is said of those that don't."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.definition import Bus, Car, Message, Signal
from pitwall.decode import Plan
from pitwall.decode.plan import matched
from pitwall.decode.streams import streams
from pitwall.frames import Control, Flag, Frames, clustered, control, in_log_order, stream_key
from tests.strategies import log, logs

EXTENDED = int(Flag.EXTENDED)
SPEED = Message("Speed", 0x100, False, 4, (Signal("front", 0, 16), Signal("rear", 16, 16)))
SPEED_29 = Message("Speed29", 0x100, True, 2, (Signal("other", 0, 16),))

IDS = [
    (bus, id, flags)
    for bus in (0, 1, 255)
    for id, flags in [
        (0x100, 0),
        (0x7FF, 0),
        (0x100, EXTENDED),
        (0x1FFFFFFF, EXTENDED),
        (0x10100, EXTENDED),
        (0x100, int(Flag.TX)),
    ]
] + [(0, 0, int(Flag.ERROR)), (0, 1, int(Flag.CONTROL)), (0, 0x100, int(Flag.FD)), (1, 0x100, int(Flag.REMOTE))]


@settings(max_examples=100, deadline=None)
@given(logs(IDS, longest=64), st.booleans())
def test_streams_are_the_rows_of_each_key_in_log_order(rows: Frames, is_clustered: bool) -> None:
    in_order = in_log_order(rows)
    expected: dict[int, list[tuple[int, int, bytes]]] = {}
    for i, key in enumerate(stream_key(in_order).tolist()):
        more = b"" if in_order.more is None else in_order.more[i].as_py()
        payload = (in_order.data[i].tobytes() + more)[: int(in_order.len[i])]
        expected.setdefault(key, []).append((i, int(in_order.t[i]), payload))
    found = {}
    for stream in streams(clustered(rows) if is_clustered else rows):
        assert stream.key not in found
        assert stream.shortest == stream.len.min()
        payloads = [row.tobytes()[:n] for row, n in zip(stream.payloads(80), stream.len, strict=True)]
        found[stream.key] = list(zip(stream.at.tolist(), stream.t.tolist(), payloads, strict=True))
        assert stream.last_payload() == payloads[-1]
    assert found == expected


@pytest.mark.parametrize("other", [(0, 0x10100, EXTENDED), (0, 0x101, EXTENDED), (0, 0x100, 0), (1, 0x100, EXTENDED)])
def test_streams_that_take_turns_are_told_apart(other: tuple[int, int, int]) -> None:
    rows = log([(0, 0x100, EXTENDED, b""), (*other, b"")] * 3)
    assert sorted(stream.at.tolist() for stream in streams(rows)) == [[0, 2, 4], [1, 3, 5]]


def test_offsets_count_from_where_the_batch_begins() -> None:
    rows = log([(0, 2, 0, b"a"), (0, 1, 0, b"b"), (0, 2, 0, b"c")], start=1000)
    assert {stream.id: stream.at.tolist() for stream in streams(rows)} == {1: [1001], 2: [1000, 1002]}


def test_only_frames_that_were_heard_with_data_give_signals() -> None:
    payload = bytes([1, 0, 2, 0])
    silent = [Flag.TX, Flag.REMOTE, Flag.ERROR, Flag.CONTROL]
    rows = log([(0, 0x100, int(flag), payload) for flag in silent] + [(0, 0x100, 0, payload)])
    decoding = Plan([Bus("can", (SPEED,))]).decode(rows)
    (decoded,) = decoding.messages
    assert decoded.at.tolist() == [4]
    assert sorted((seen.flags, seen.decoded, seen.frames) for seen in decoding.ids) == [
        (0, True, 1),
        (Flag.REMOTE, False, 1),
        (Flag.ERROR, False, 1),
        (Flag.TX, False, 1),
    ]


def test_standard_and_extended_ids_and_buses_are_kept_apart() -> None:
    rows = log([(bus, 0x100, flags, bytes([10 * bus + flags, 0])) for bus in (0, 1, 2) for flags in (0, EXTENDED)])
    plan = Plan([Bus("a", (SPEED,)), Bus("b", (SPEED, SPEED_29)), None])
    found = {(d.bus, d.message.name): next(iter(d.values.values())).tolist() for d in plan.decode(rows).messages}
    assert found == {("a", "Speed"): [0], ("b", "Speed"): [10], ("b", "Speed29"): [11]}


def test_a_short_frame_gives_what_it_holds_and_a_long_one_what_the_message_names() -> None:
    rows = log(
        [(0, 0x100, 0, payload) for payload in (b"", b"\x01", b"\x01\0", b"\x01\0\x02", b"\x01\0\x02\0\xff\xff")]
    )
    decoding = Plan([Bus("can", (SPEED,))]).decode(rows)
    (decoded,) = decoding.messages
    np.testing.assert_array_equal(decoded.values["front"], [math.nan, math.nan, 1, 1, 1])
    np.testing.assert_array_equal(decoded.values["rear"], [math.nan, math.nan, math.nan, math.nan, 2])
    (seen,) = decoding.ids
    assert (seen.frames, seen.short, seen.payload) == (5, 4, b"\x01\0\x02\0\xff\xff")


def test_what_no_dbc_names_is_counted() -> None:
    rows = log([(0, 0x666, 0, b"x"), (0, 0x100, 0, b"1234"), (0, 0x666, 0, b"yz")])
    decoding = Plan([Bus("can", (SPEED,))]).decode(rows)
    unknown = next(seen for seen in decoding.ids if seen.id == 0x666)
    assert (unknown.message, unknown.decoded, unknown.frames) == (None, False, 2)
    assert (unknown.first_t, unknown.last_t, unknown.payload) == (0, 2_000_000, b"yz")
    assert next(seen for seen in decoding.ids if seen.id == 0x100).message == "Speed"


def test_no_frames_and_control_rows_alone_give_nothing() -> None:
    plan = Plan([Bus("can", (SPEED,))])
    for rows in (log([]), control(Control.NOTE, 5, b"{}")):
        decoding = plan.decode(rows)
        assert (decoding.messages, decoding.ids) == ([], [])


def test_a_signal_that_sticks_out_of_every_frame_is_missing() -> None:
    message = Message("M", 1, False, 8, (Signal("far", 60, 16), Signal("mux", 0, 8, multiplexer="gone")))
    (decoded,) = Plan([Bus("can", (message,))]).decode(log([(0, 1, 0, b"12345678")])).messages
    assert all(np.isnan(values).all() for values in decoded.values.values())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["dash", "body"], ["dash", "body"]),
        (["body", "dash"], ["body", "dash"]),
        (["can0", "can1", "can2"], ["dash", "body", None]),
        (["can1", "can0"], ["body", "dash"]),
        (["vcan7"], ["dash"]),
        (["body"], ["body"]),
        ([], []),
    ],
)
def test_a_logs_buses_are_the_cars_by_name_then_by_channel_then_in_order(
    names: list[str], expected: list[str | None]
) -> None:
    buses = (Bus("dash", (), channel="can0"), Bus("body", (), channel="can1"))
    car = Car("c", Path(), (), buses, (), (), (), "")
    assert [bus and bus.name for bus in matched(car, names)] == expected
