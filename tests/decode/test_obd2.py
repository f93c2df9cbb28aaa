"""OBD-II: answers in one frame and in several, from several control units at once, whole and damaged, in any pieces.

Judges: a slow state machine by the words of ISO 15765-2, can-isotp's sender for frames, cantools for a PID's values.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

import cantools
import isotp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import load
from pitwall.car.definition import Bus, Message, Signal
from pitwall.decode import Decoding, Plan, Rejected, plan
from pitwall.decode import isotp as ours
from pitwall.decode.obd2 import SHORT, UNKNOWN, sizes
from pitwall.frames import Flag, Frames
from tests.strategies import batches, log

CARS = Path(__file__).parents[2] / "cars"
OBD2 = load(CARS, "obd2")
ENGINE, GEARBOX = OBD2.buses[0].messages
DATABASE = cantools.database.load_file(CARS / "obd2" / "obd2.dbc")
SIZES = sizes(ENGINE).tolist()
PIDS = [pid for pid, size in enumerate(SIZES) if size]

WHOLE = Message("Whole", 0x7E8, False, 8, tuple(Signal(f"b{i}", 8 * i, 8) for i in range(200)), isotp=True)
"""An answer, byte by byte."""


def framed(answer: bytes) -> list[bytes]:
    """The frames of an answer, as can-isotp sends them to somebody who lets it send all."""
    sent: list[isotp.CanMessage] = []
    back = [isotp.CanMessage(arbitration_id=2, data=b"\x30\0\0", dlc=3)]
    stack = isotp.TransportLayerLogic(
        rxfn=lambda timeout: back.pop() if sent and back else None,
        txfn=sent.append,
        address=isotp.Address(isotp.AddressingMode.Normal_11bits, rxid=2, txid=1),
        params={"tx_padding": 0xAA},
    )
    stack.send(answer)
    while stack.transmitting():
        stack.process()
    return [bytes(message.data) for message in sent]


def state_machine(frames: list[tuple[int, bytes]]) -> tuple[dict[int, bytes], dict[int, str]]:
    """(t, payload) of one control unit's frames -> the answers, and what is rejected, by the frame's number."""
    answers: dict[int, bytes] = {}
    rejected: dict[int, str] = {}
    got, length, sequence, newest = b"", 0, 0, 0
    for number, (t, payload) in enumerate(frames):
        kind = payload[0] >> 4 if payload else 15
        if kind > 3:
            rejected[number] = ours.NO_FRAME
        elif kind == 0 and not 0 < payload[0] < len(payload):
            rejected[number] = ours.NO_LENGTH
        elif kind != 3:
            late = bool(got) and t - newest > 1_000_000_000
            if late:
                got = b""
                rejected[number] = ours.LATE
            if kind == 0:
                if got:
                    rejected[number] = ours.UNFINISHED
                got = b""
                answers[number] = payload[1 : 1 + payload[0]]
            elif kind == 1:
                if got:
                    rejected[number] = ours.UNFINISHED
                got, length, sequence, newest = payload[2:], (payload[0] & 15) << 8 | payload[1], 0, t
            elif late:
                pass
            elif not got:
                rejected[number] = ours.NO_FIRST
            elif payload[0] & 15 != (sequence + 1) % 16:
                rejected[number] = ours.MISSING
                got = b""
            else:
                got, sequence, newest = got + payload[1:], payload[0] & 15, t
                if len(got) >= length:
                    answers[number] = got[:length]
                    got = b""
    return answers, rejected


@st.composite
def conversations(draw: st.DrawFn) -> Frames:
    """Frames of a tester and two control units, taking turns; now and then one is lost, late, damaged or twice."""

    def unit() -> list[bytes]:
        sent: list[bytes] = []
        for answer in draw(st.lists(st.binary(min_size=1, max_size=150), max_size=5)):
            frames = framed(answer)
            damage = draw(st.sampled_from(["", "", "", "lost", "twice", "swapped", "noise"]))
            at = draw(st.integers(0, len(frames) - 1))
            if damage == "lost":
                del frames[at]
            elif damage == "twice":
                frames.insert(at, frames[at])
            elif damage == "swapped":
                frames[at], frames[at - 1] = frames[at - 1], frames[at]
            elif damage == "noise":
                frames.insert(
                    at, draw(st.sampled_from([b"", b"\x00\x41", b"\x07\x41", b"\x30\0\0", b"\x51\0", b"\x25\0"]))
                )
            sent += frames
        return sent

    first, second = unit(), unit()
    rows = [
        row
        for a, b in zip_longest(first, second)
        for row in (
            None if a is None else (0, 0x7E8, 0, a),
            None if b is None else (0, 0x18DAF1AA, int(Flag.EXTENDED), b),
            (0, 0x7E0, 0, b"\x30\0\0"),
        )
        if row is not None
    ]
    frames = log(rows)
    steps = draw(st.lists(st.sampled_from([1_000_000] * 30 + [999_000_000, 1_000_000_001]), max_size=len(frames)))
    frames.t[: len(steps)] = np.cumsum(np.array(steps, np.int64))
    frames.t[len(steps) :] += frames.t[len(steps) - 1] if steps else 0
    return frames


def of_unit(frames: Frames, id: int) -> tuple[list[int], list[tuple[int, bytes]]]:
    at = np.flatnonzero(frames.id == id).tolist()
    return at, [(int(frames.t[i]), frames.data[i].tobytes()[: int(frames.len[i])]) for i in at]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_pieces_of_any_conversation_give_the_answers_that_were_sent(data: st.DataObject) -> None:
    frames = data.draw(conversations())
    other = Message("Other", 0x18DAF1AA, True, 8, WHOLE.signals, isotp=True)
    plan = Plan([Bus("obd", (WHOLE, other))])
    decodings = [plan.decode(part) for part in data.draw(batches(frames))]
    told = {row.at: row.reason for decoding in decodings for row in decoding.rejected}
    expected_told: dict[int, str] = {}
    for message in (WHOLE, other):
        at, sent = of_unit(frames, message.id)
        answers, rejected = state_machine(sent)
        expected_told |= {at[number]: reason for number, reason in rejected.items()}
        found = {}
        for decoded in (one for decoding in decodings for one in decoding.messages if one.message == message):
            columns = np.stack([decoded.values[signal.name] for signal in message.signals], axis=1)
            for offset, row in zip(decoded.at.tolist(), columns, strict=True):
                found[offset] = bytes(row[~np.isnan(row)].astype(np.uint8).tolist())
        assert found == {at[number]: answer for number, answer in answers.items()}
    assert told == expected_told


# first bytes of every kind of frame, possible and not
_FIRST_BYTES = st.sampled_from([0x00, 0x02, 0x04, 0x07, 0x08, 0x10, 0x11, 0x1F, 0x20, 0x21, 0x22, 0x30, 0x40, 0xFF])


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_frame_whatever_it_holds_stops_decoding_or_depends_on_the_cut(data: st.DataObject) -> None:
    payload = st.builds(lambda first, rest: bytes([first]) + rest, _FIRST_BYTES, st.binary(max_size=11))
    rows = data.draw(st.lists(st.one_of(payload, st.binary(max_size=8)), max_size=30))
    frames = log([(0, 0x7E8, 0, row) for row in rows])

    def outcome(parts: list[Frames]) -> tuple[list, list, list]:
        decode = plan(OBD2, ["obd"])
        decodings = [decode.decode(part) for part in parts]
        values = [
            (int(one.at[i]), name, float(column[i]))
            for decoding in decodings
            for one in decoding.messages
            for i in range(len(one.at))
            for name, column in one.values.items()
            if not np.isnan(column[i])
        ]
        ids = [seen for decoding in decodings for seen in decoding.ids]
        counts = [sum(seen.frames for seen in ids), sum(seen.rejected for seen in ids)]
        return values, [row for decoding in decodings for row in decoding.rejected], counts

    assert outcome(data.draw(batches(frames))) == outcome([frames])


def test_what_can_isotp_sends_is_what_comes_out() -> None:
    for length in (1, 7, 8, 13, 14, 20, 150):
        answer = bytes(range(1, length + 1))
        decoding = Plan([Bus("obd", (WHOLE,))]).decode(log([(0, 0x7E8, 0, frame) for frame in framed(answer)]))
        (decoded,) = decoding.messages
        assert [decoded.values[f"b{i}"].tolist() for i in range(length)] == [[value] for value in answer]
        assert decoding.rejected == []


def decoded_obd2(payloads: list[bytes], id: int = 0x7E8, flags: int = 0) -> Decoding:
    return plan(OBD2, ["obd"]).decode(log([(0, id, flags, payload) for payload in payloads]))


def judged(records: list[bytes]) -> dict[str, float]:
    """What cantools says of each PID, the first of two that are the same."""
    values: dict[str, float] = {}
    for record in records:
        read = DATABASE.get_message_by_name("Engine").decode(
            b"\x41" + record + bytes(8), decode_choices=False, allow_truncated=True
        )
        values = {name: float(value) for name, value in read.items()} | values
    return values


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_pid_of_an_answer_has_the_value_that_cantools_gives(data: st.DataObject) -> None:
    pids = st.sampled_from(PIDS)
    answers = []
    for _ in range(data.draw(st.integers(1, 6))):
        chosen = data.draw(st.lists(pids, min_size=1, max_size=6))
        answers.append(
            [bytes([pid]) + data.draw(st.binary(min_size=SIZES[pid], max_size=SIZES[pid])) for pid in chosen]
        )
    decode = plan(OBD2, ["obd"])
    frames = log([(0, 0x7E8, 0, frame) for answer in answers for frame in framed(b"\x41" + b"".join(answer))])
    rows: list[dict[str, float]] = []
    for part in data.draw(batches(frames)):
        decoding = decode.decode(part)
        assert decoding.rejected == []
        for decoded in decoding.messages:
            rows += [
                {name: float(column[i]) for name, column in decoded.values.items() if not np.isnan(column[i])}
                for i in range(len(decoded.at))
            ]
    assert rows == [pytest.approx(judged(answer), rel=1e-15) for answer in answers]


def test_published_examples_of_formulas() -> None:
    """The worked values of the public table: 1726 rpm as 1A F8, 83 degC as 7B, 50 km/h as 32."""
    decoding = decoded_obd2([b"\x04\x41\x0c\x1a\xf8", b"\x03\x41\x05\x7b", b"\x03\x41\x0d\x32\xaa\xaa\xaa\xaa"])
    (decoded,) = decoding.messages
    np.testing.assert_array_equal(decoded.values["engine_speed"], [1726, np.nan, np.nan])
    np.testing.assert_array_equal(decoded.values["coolant_temp"], [np.nan, 83, np.nan])
    np.testing.assert_array_equal(decoded.values["vehicle_speed"], [np.nan, np.nan, 50])


def test_an_answer_that_ends_too_early_or_goes_on_with_the_unknown_keeps_what_is_before() -> None:
    decoding = decoded_obd2(
        [b"\x06\x41\x0d\x32\x0c\x1a\xaa", b"\x06\x41\x0d\x32\xee\x1a\x2b", b"\x03\x41\x0c\x1a", b"\x03\x41\xee\x1a"]
    )
    (decoded,) = decoding.messages
    np.testing.assert_array_equal(decoded.values["vehicle_speed"], [50, 50, np.nan, np.nan])
    np.testing.assert_array_equal(decoded.values["engine_speed"], [1706.5, np.nan, np.nan, np.nan])
    assert decoding.rejected == [Rejected(1, UNKNOWN), Rejected(2, SHORT)]


def test_a_refusal_and_the_number_of_the_vehicle_give_no_values_and_no_fault() -> None:
    vin = b"\x49\x02\x01WBSBL93486JR12345"
    decoding = decoded_obd2([b"\x03\x7f\x01\x12", *framed(vin)])
    (decoded,) = decoding.messages
    assert decoded.values["service"].tolist() == [0x7F, 0x49]
    assert all(np.isnan(column).all() for name, column in decoded.values.items() if name != "service")
    assert decoding.rejected == []


def test_control_units_are_kept_apart_and_answer_on_11_and_on_29_bits() -> None:
    speed = b"\x03\x41\x0d\x32"
    rows = log(
        [
            (0, 0x7E8, 0, speed),
            (0, 0x7E9, 0, speed),
            (0, 0x7EA, 0, speed),
            (0, 0x18DAF110, int(Flag.EXTENDED), speed),
            (0, 0x18DAF118, int(Flag.EXTENDED), speed),
            (0, 0x7E8, int(Flag.TX), speed),
        ]
    )
    decoding = plan(OBD2, ["obd"]).decode(rows)
    assert {one.message.name: one.at.tolist() for one in decoding.messages} == {"Engine": [0, 3], "Gearbox": [1, 4]}
    undecoded = [(seen.id, seen.flags, seen.message) for seen in decoding.ids if not seen.decoded]
    assert sorted(undecoded) == [(0x7E8, Flag.TX, "Engine"), (0x7EA, 0, None)]


@pytest.mark.parametrize(
    ("payloads", "reason"),
    [
        ([b"\x10\0\0\0\x10\0ab"], ours.TOO_LONG),
        ([b"\x10\0\0"], ours.NO_FRAME),
        ([b"\x10"], ours.NO_FRAME),
        ([b"\x10\x20abcdef", b"\x10\x20abcdef"], ours.UNFINISHED),
        ([b"\x10\x20abcdef", b"\x22abcdefg"], ours.MISSING),
    ],
)
def test_each_fault_of_a_frame_is_one_of_few_reasons(payloads: list[bytes], reason: str) -> None:
    """A reason is told of 100 times at most: it must not hold what a frame says."""
    assert decoded_obd2(payloads).rejected == [Rejected(len(payloads) - 1, reason)]


def test_a_library_that_raises_costs_the_answer_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def process(self: isotp.TransportLayerLogic, *_: object) -> None:
        raise IndexError

    monkeypatch.setattr(isotp.TransportLayerLogic, "process", process)
    decoding = decoded_obd2([b"\x10\x20abcdef", b"\x03\x41\x0d\x32"])
    assert decoding.rejected == [Rejected(0, "ISO-TP: IndexError")]
    assert decoding.messages[0].values["vehicle_speed"].tolist() == [50]


def test_the_library_is_as_good_as_silent(caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong with an answer is told of as rejected, not in the logger of somebody else."""
    assert decoded_obd2([b"\x21abcdefg"]).rejected == [Rejected(0, ours.NO_FIRST)]
    assert not caplog.records
