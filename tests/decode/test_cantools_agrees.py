"""Random messages, random payloads: cantools decodes the same frames one by one, and is the judge."""

from __future__ import annotations

import math

import cantools.database.can as cantools_can
import numpy as np
import pytest
from cantools.database.conversion import BaseConversion
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import dbc
from pitwall.car.definition import Bus
from pitwall.decode import Decoded, Plan
from pitwall.frames import Flag, Frames, clustered
from tests.strategies import HEARD, NOT_HEARD, log, messages, payloads


def decoded(message: cantools_can.Message, frames: Frames) -> Decoded | None:
    decoding = Plan([Bus("bus", (dbc.message(message),))]).decode(frames)
    return decoding.messages[0] if decoding.messages else None


def judged(message: cantools_can.Message, payload: bytes) -> dict[str, float]:
    """What cantools says of one frame.  allow_truncated: the signals that a short frame holds, and no others."""
    values = message.decode(payload, decode_choices=False, allow_truncated=True)
    return {name: float(value) for name, value in values.items()}


def assert_agrees(message: cantools_can.Message, heard: list[bytes], ours: Decoded | None) -> None:
    assert (ours is None) == (not heard)
    if ours is None:
        return
    for row, payload in enumerate(heard):
        expected = judged(message, payload)
        for signal in message.signals:
            value = ours.values[signal.name][row]
            wanted = expected.get(signal.name, math.nan)
            assert value == wanted or (math.isnan(value) and math.isnan(wanted)), (signal, payload.hex())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_every_signal_of_every_frame_has_the_value_that_cantools_gives(data: st.DataObject) -> None:
    message = data.draw(messages())
    extended = int(Flag.EXTENDED) if message.is_extended_frame else 0
    rows = data.draw(st.lists(st.tuples(st.one_of(HEARD, HEARD, NOT_HEARD), payloads(64)), min_size=1, max_size=12))
    frames = log([(0, message.frame_id, flags | extended, payload) for flags, payload in rows])
    heard = [payload for flags, payload in rows if flags in (0, Flag.FD, Flag.FD | Flag.BRS)]
    assert_agrees(message, heard, decoded(message, frames))
    assert_agrees(message, heard, decoded(message, clustered(frames)))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("columns", [8, 64])
def test_every_start_bit_and_length_is_read(big: bool, signed: bool, columns: int) -> None:
    rng = np.random.default_rng(4)
    payload = rng.integers(0, 256, columns, dtype=np.uint8).tobytes()
    for first in [*range(64), *range(max(64, 8 * columns - 72), 8 * columns)]:
        for length in range(1, min(64, 8 * columns - first) + 1):
            start = 8 * (first // 8) + 7 - first % 8 if big else first
            order = "big_endian" if big else "little_endian"
            message = cantools_can.Message(
                1, "M", columns, [cantools_can.Signal("S", start, length, order, is_signed=signed)]
            )
            if first % 3 == 0 or length > 56:
                assert_agrees(message, [payload], decoded(message, log([(0, 1, 0, payload)])))


@pytest.mark.parametrize(
    ("scale", "offset"), [(1, 0), (3, 0), (1, 1), (1, 0.5), (7, -9), (10**9, 1), (0.1, 3), (3, 0.5)]
)
@pytest.mark.parametrize("signed", [False, True])
def test_whole_numbers_beyond_2_to_the_53_are_rounded_once(scale: float, offset: float, signed: bool) -> None:
    conversion = BaseConversion.factory(scale=scale, offset=offset)
    message = cantools_can.Message(
        1, "M", 8, [cantools_can.Signal("S", 0, 64, is_signed=signed, conversion=conversion)]
    )
    heard = [
        (value % 2**64).to_bytes(8, "little")
        for base in (2**53, 2**54, 2**61, 2**63, 2**64)
        for value in range(base - 3, base + 4)
    ]
    assert_agrees(message, heard, decoded(message, log([(0, 1, 0, payload) for payload in heard])))


def test_a_multiplexer_value_that_no_signal_has_leaves_the_other_signals() -> None:
    """cantools refuses such a frame as a whole; a frame that a newer firmware sends still has its other values."""
    message = cantools_can.Message(
        1,
        "M",
        3,
        [
            cantools_can.Signal("mode", 0, 8, is_multiplexer=True),
            cantools_can.Signal("always", 8, 8),
            cantools_can.Signal("sometimes", 16, 8, multiplexer_signal="mode", multiplexer_ids=[1, 2]),
        ],
    )
    ours = decoded(message, log([(0, 1, 0, bytes([mode, 7, 9])) for mode in (1, 3, 2)]))
    assert ours is not None
    np.testing.assert_array_equal(ours.values["always"], [7, 7, 7])
    np.testing.assert_array_equal(ours.values["sometimes"], [9, np.nan, 9])


def test_a_multiplexer_is_compared_before_it_is_scaled() -> None:
    """A DBC's m-values are raw."""
    message = cantools_can.Message(
        1,
        "M",
        2,
        [
            cantools_can.Signal("mode", 0, 8, conversion=BaseConversion.factory(scale=10), is_multiplexer=True),
            cantools_can.Signal("sometimes", 8, 8, multiplexer_signal="mode", multiplexer_ids=[2]),
        ],
    )
    ours = decoded(message, log([(0, 1, 0, bytes([mode, 9])) for mode in (2, 20)]))
    assert ours is not None
    np.testing.assert_array_equal(ours.values["sometimes"], [9, np.nan])


def test_hundreds_of_multiplexer_values_and_ranges_of_them() -> None:
    ids = [*range(0, 300, 3), *range(1000, 2000)]
    message = cantools_can.Message(
        1,
        "M",
        3,
        [
            cantools_can.Signal("mode", 0, 16, is_multiplexer=True),
            cantools_can.Signal("value", 16, 8, multiplexer_signal="mode", multiplexer_ids=ids),
        ],
    )
    modes = list(range(2100))
    ours = decoded(message, log([(0, 1, 0, mode.to_bytes(2, "little") + b"\x05") for mode in modes]))
    assert ours is not None
    np.testing.assert_array_equal(~np.isnan(ours.values["value"]), np.isin(modes, ids))
