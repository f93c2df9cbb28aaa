"""One frame's bits agree with cantools, with what batches are decoded to, and with themselves when bits are turned."""

from __future__ import annotations

from dataclasses import replace

import cantools.database.can as cantools_can
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.dbc import message as message_of
from pitwall.car.definition import Bus
from pitwall.decode.one import absent, bits, mask
from pitwall.decode.plan import Plan
from tests.strategies import log, messages, payloads


@settings(max_examples=50, deadline=None)
@given(source=messages(), data=st.data())
def test_a_signals_bits_are_those_that_change_it(source: cantools_can.Message, data: st.DataObject) -> None:
    message = message_of(source)
    signal = data.draw(st.sampled_from(message.signals))
    signal = replace(signal, floating=False)  # a number that is none has many spellings
    payload = data.draw(st.binary(min_size=message.length, max_size=message.length))
    marked = mask(signal, len(payload))
    assert sum(byte.bit_count() for byte in marked) == signal.length
    before = bits(signal, payload).raw
    for place in range(8 * len(payload)):
        turned = bytearray(payload)
        turned[place // 8] ^= 1 << place % 8
        assert (bits(signal, bytes(turned)).raw != before) == bool(marked[place // 8] >> place % 8 & 1)


@settings(max_examples=60, deadline=None)
@given(source=messages(), data=st.data())
def test_raw_values_are_those_of_cantools(source: cantools_can.Message, data: st.DataObject) -> None:
    payload = data.draw(st.binary(min_size=source.length, max_size=source.length))
    message = message_of(source)
    expected = source.decode(payload, decode_choices=False, scaling=False)
    for signal in message.signals:
        if signal.name in expected:
            assert absent(message, signal, payload) == ""
            np.testing.assert_equal(bits(signal, payload).raw, expected[signal.name])
        else:
            assert "turn" in absent(message, signal, payload)


@settings(max_examples=60, deadline=None)
@given(source=messages(), data=st.data())
def test_one_frame_holds_what_a_batch_of_it_is_decoded_to(source: cantools_can.Message, data: st.DataObject) -> None:
    message = message_of(source)
    payload = data.draw(payloads(64))
    flags = 1 if message.extended else 0
    decoding = Plan([Bus("can", (message,))]).decode(log([(0, message.id, flags, payload)]))
    for signal in message.signals:
        (value,) = decoding.messages[0].values[signal.name]
        if absent(message, signal, payload):
            assert np.isnan(value)
        else:
            np.testing.assert_equal(bits(signal, payload).value, value)


def test_who_goes_in_circles_is_never_there() -> None:
    source = cantools_can.Message(1, "M", 8, [cantools_can.Signal("a", 0, 8), cantools_can.Signal("b", 8, 8)])
    message = message_of(source)
    a, b = message.signals
    a, b = (
        replace(a, multiplexer="b", multiplexer_ids=((0, 255),)),
        replace(b, multiplexer="a", multiplexer_ids=((0, 9),)),
    )
    turning = replace(message, signals=(a, b))
    assert absent(turning, a, bytes(8)) == "nothing says when it is the turn of a"
    assert absent(turning, b, bytes([10] * 8)) == "it is not the turn of b: a is 10"
    assert absent(turning, b, bytes(1)) == "the frame has 1 byte, and b needs 2"
