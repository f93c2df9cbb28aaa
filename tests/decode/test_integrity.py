"""Checksums against the public catalogue and crccheck; counters against a slow reference that goes frame by frame."""

from __future__ import annotations

from collections.abc import Callable

import crccheck.crc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car.checksums import METHODS
from pitwall.car.definition import Bus, Checksum, Counter, Message, Signal
from pitwall.decode import Plan, Rejected
from pitwall.frames import Frames
from tests.strategies import batches, log

JUDGES: dict[str, Callable[[bytes], int]] = {
    "sum8": sum,
    "xor8": lambda content: int(np.bitwise_xor.reduce(np.frombuffer(content, np.uint8), initial=0)),
    "crc8-smbus": crccheck.crc.Crc8Smbus.calc,
    "crc8-sae-j1850": crccheck.crc.Crc8SaeJ1850.calc,
    "crc8-autosar": crccheck.crc.Crc8Autosar.calc,
    "crc16-ibm-3740": crccheck.crc.Crc16Ibm3740.calc,
    "crc16-xmodem": crccheck.crc.Crc16Xmodem.calc,
}

# of the catalogue: what each makes of the nine characters 123456789
CHECK = {
    "crc8-smbus": 0xF4,
    "crc8-sae-j1850": 0x4B,
    "crc8-autosar": 0xDF,
    "crc16-ibm-3740": 0x29B1,
    "crc16-xmodem": 0x31C3,
}


@pytest.mark.parametrize(("method", "value"), CHECK.items())
def test_each_crc_gives_the_check_value_of_the_catalogue(method: str, value: int) -> None:
    assert METHODS[method](list(b"123456789"), 1).tolist() == [value]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=7, max_size=7), min_size=1, max_size=20))
def test_each_method_agrees_with_a_library_of_checksums(contents: list[bytes]) -> None:
    columns = list(np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 7).T)
    assert set(METHODS) == set(JUDGES)
    for method, judge in JUDGES.items():
        assert METHODS[method](columns, len(contents)).tolist() == [judge(content) for content in contents], method


def decoded(message: Message, frames: Frames):
    return Plan([Bus("can", (message,))]).decode(frames)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("big", [False, True])
def test_frames_whose_checksum_is_wrong_have_no_values(method: str, big: bool) -> None:
    bits = 16 if "16" in method else 8
    crc = Signal("crc", 7 if big else 0, bits, big_endian=big)
    over = tuple(range(bits // 8, 8))
    message = Message(
        "M", 1, False, 8, (crc, Signal("x", 24, 8)), checksum=Checksum("crc", method, over, b"\x12\x34", b"\x56")
    )
    rng = np.random.default_rng(1)
    payloads = []
    for right in [True, False] * 10:
        rest = rng.bytes(8 - bits // 8)
        value = JUDGES[method](b"\x12\x34" + rest + b"\x56") % 2**bits ^ (0 if right else 1 << int(rng.integers(bits)))
        payloads.append(value.to_bytes(bits // 8, "big" if big else "little") + rest)
    decoding = decoded(message, log([(0, 1, 0, payload) for payload in payloads]))
    for column in decoding.messages[0].values.values():
        assert np.isnan(column).tolist() == [False, True] * 10
    assert decoding.rejected == [Rejected(at, "wrong checksum") for at in range(1, 20, 2)]
    assert decoding.ids[0].rejected == 10


def test_the_bits_of_the_checksum_itself_count_as_nothing() -> None:
    """A nibble that is the exclusive or of the others', in a byte that holds something else too."""
    message = Message(
        "M", 1, False, 2, (Signal("x", 4, 4), Signal("sum", 0, 4)), checksum=Checksum("sum", "sum8", (0, 1))
    )
    payloads = [bytes([high << 4 | (low + (high << 4)) & 15, low]) for high in range(16) for low in range(256)]
    decoding = decoded(message, log([(0, 1, 0, payload) for payload in payloads]))
    assert not decoding.rejected
    wrong = decoded(message, log([(0, 1, 0, bytes([first ^ 1, second])) for first, second in payloads]))
    assert wrong.ids[0].rejected == len(payloads)


def test_a_frame_too_short_for_its_checksum_has_no_values() -> None:
    message = Message(
        "M", 1, False, 3, (Signal("x", 0, 8), Signal("sum", 8, 8)), checksum=Checksum("sum", "sum8", (0, 2))
    )
    decoding = decoded(message, log([(0, 1, 0, b"\x01\x04\x03"), (0, 1, 0, b"\x01\x01")]))
    np.testing.assert_array_equal(decoding.messages[0].values["x"], [1, np.nan])
    assert decoding.rejected == [Rejected(1, "too short for its checksum")]


def test_a_checksum_over_bytes_far_behind_every_signal_is_computed() -> None:
    checksum = Checksum("sum", "sum8", tuple(range(1, 64)))
    message = Message("M", 1, False, 64, (Signal("sum", 0, 8),), checksum=checksum)
    rest = bytes(range(1, 64))
    decoding = decoded(message, log([(0, 1, 8, bytes([sum(rest) % 256]) + rest), (0, 1, 8, b"\0" + rest)]))
    assert decoding.rejected == [Rejected(1, "wrong checksum")]


COUNTED = Message(
    "Counted",
    1,
    False,
    3,
    (Signal("sum", 0, 8), Signal("count", 8, 4), Signal("x", 16, 8)),
    counter=Counter("count", 5),
    checksum=Checksum("sum", "sum8", (1, 2)),
)


def frame_by_frame(payloads: list[bytes]) -> tuple[list[float], list[Rejected], int]:
    """x of every frame, what is told of, and how many were missed: the obvious way."""
    last, values, told, missed = None, [], [], 0
    for at, payload in enumerate(payloads):
        reason = ""
        if len(payload) < 3:
            reason = "too short for its checksum"
        elif payload[0] != (payload[1] + payload[2]) % 256:
            reason = "wrong checksum"
        elif (count := payload[1] & 15) >= 5:
            reason = "counter out of range"
        elif count == last:
            reason = "counter repeated"
        else:
            if last is not None:
                missed += (count - last) % 5 - 1
            last = count
        values.append(np.nan if reason else payload[2])
        told += [Rejected(at, reason)] if reason else []
    return values, told, missed


@st.composite
def counted(draw: st.DrawFn) -> bytes:
    count, x = draw(st.sampled_from([0, 1, 2, 3, 4, 4, 5, 15])), draw(st.integers(0, 255))
    right = bytes([(count + x) % 256, count, x])
    return draw(st.sampled_from([right, right, right, right[:2], bytes([right[0] ^ 1]) + right[1:]]))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_cut_judges_frames_as_looking_at_one_after_the_other_does(data: st.DataObject) -> None:
    payloads = data.draw(st.lists(counted(), min_size=1, max_size=40))
    values, told, missed = frame_by_frame(payloads)
    plan = Plan([Bus("can", (COUNTED,))])
    decodings = [plan.decode(part) for part in data.draw(batches(log([(0, 1, 0, payload) for payload in payloads])))]
    found = [value for decoding in decodings for one in decoding.messages for value in one.values["x"].tolist()]
    np.testing.assert_array_equal(found, values)
    assert [row for decoding in decodings for row in decoding.rejected] == told
    assert sum(seen.missed for decoding in decodings for seen in decoding.ids) == missed
    assert sum(seen.rejected for decoding in decodings for seen in decoding.ids) == len(told)


def test_two_senders_of_a_group_count_for_themselves() -> None:
    message = Message("M", 0x18F004FE, True, 1, (Signal("count", 0, 8),), pgn=0xF004, counter=Counter("count", 256))
    rows = log([(0, id, 1, bytes([count])) for count in (7, 8, 9) for id in (0x18F00400, 0x18F00403)])
    decoding = decoded(message, rows)
    assert not decoding.rejected
    assert decoding.messages[0].values["count"].tolist() == [7, 7, 8, 8, 9, 9]
