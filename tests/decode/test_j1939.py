"""J1939: frames find their message by group and sender; cantools' reading of ids and payloads is the judge."""

from __future__ import annotations

import cantools
import numpy as np
from cantools import j1939 as judge
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import dbc, j1939
from pitwall.car.definition import Bus, Message, Signal
from pitwall.decode import Plan
from pitwall.frames import Flag
from tests.strategies import batches, log

EXTENDED = int(Flag.EXTENDED)

DBC = """VERSION ""
BU_: X
BO_ 2364540158 EEC1: 8 X
 SG_ torque_mode : 0|4@1+ (1,0) [0|0] "" X
 SG_ torque : 8|8@1+ (1,-125) [0|0] "%" X
 SG_ speed : 24|16@1+ (0.125,0) [0|0] "rpm" X
BO_ 2566844672 EngineTempsOfOne: 8 X
 SG_ coolant : 0|8@1+ (1,-40) [0|0] "degC" X
BO_ 2566844926 EngineTemps: 8 X
 SG_ coolant_of_others : 0|8@1+ (1,-40) [0|0] "degC" X
BO_ 2348745214 ToOne: 8 X
 SG_ asked : 0|16@1+ (1,0) [0|0] "" X
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";
BA_DEF_ "ProtocolType" STRING;
BA_DEF_DEF_ "VFrameFormat" "J1939PG";
BA_DEF_DEF_ "ProtocolType" "";
BA_ "ProtocolType" "J1939";
"""
DATABASE = cantools.database.load_string(DBC, "dbc")
BUS = Bus("truck", tuple(dbc.message(message) for message in DATABASE.messages))
GROUPS = {message.name: judge.pgn_from_frame_id(message.frame_id) for message in DATABASE.messages}


@given(st.integers(0, 0x1FFFFFFF))
def test_a_frames_group_and_sender_are_those_that_cantools_says(id: int) -> None:
    assert j1939.group(id) == judge.pgn_from_frame_id(id)
    assert j1939.sender(id) == judge.frame_id_unpack(id).source_address


def expected(id: int) -> str | None:
    """The message of a frame, by the standard's words."""
    group, sender = judge.pgn_from_frame_id(id), judge.frame_id_unpack(id).source_address
    if group == GROUPS["EngineTemps"]:
        return "EngineTempsOfOne" if sender == 0 else "EngineTemps"
    return {GROUPS["EEC1"]: "EEC1", GROUPS["ToOne"]: "ToOne"}.get(group)


def ids() -> st.SearchStrategy[int]:
    """Ids of the groups of the DBC from a few senders, to a few addressees, of every priority; and any others."""

    def packed(name: str, priority: int, to: int, sender: int) -> int:
        group = judge.pgn_unpack(GROUPS[name])
        specific = to if judge.is_pdu_format_1(group.pdu_format) else group.pdu_specific
        return judge.frame_id_pack(priority, group.reserved, group.data_page, group.pdu_format, specific, sender)

    few = st.sampled_from([0, 3, 0x21, 0xFE, 0xFF])
    known = st.builds(packed, st.sampled_from(sorted(GROUPS)), st.integers(0, 7), few, few)
    return st.one_of(known, known, st.integers(0, 0x1FFFFFFF))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_frames_of_every_id_give_what_cantools_says_of_their_message(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.tuples(ids(), st.binary(min_size=8, max_size=8)), max_size=20))
    frames = log([(0, id, EXTENDED, payload) for id, payload in rows])
    plan = Plan([BUS])
    found: dict[int, tuple[str, dict[str, float]]] = {}
    for part in data.draw(batches(frames)):
        for decoded in plan.decode(part).messages:
            assert (np.diff(decoded.at) > 0).all()
            for i, at in enumerate(decoded.at.tolist()):
                found[at] = (decoded.message.name, {name: column[i] for name, column in decoded.values.items()})
    assert {at: name for at, (name, _) in found.items()} == {
        at: expected(id) for at, (id, _) in enumerate(rows) if expected(id)
    }
    for at, (name, values) in found.items():
        message = DATABASE.get_message_by_name(name)
        raws = message.decode(rows[at][1], decode_choices=False, scaling=False)
        physical = message.decode(rows[at][1], decode_choices=False)
        for signal in message.signals:
            raw, bits = raws[signal.name], signal.length
            void = {4: raw == 15, 8: raw >= 0xFE, 16: raw >= 0xFE00}[bits]
            np.testing.assert_array_equal(values[signal.name], np.nan if void else physical[signal.name])


def test_a_standard_id_is_no_j1939_and_an_echo_gives_nothing() -> None:
    rows = log([(0, 0x0CF00400 & 0x7FF, 0, b"12345678"), (0, 0x0CF00400, EXTENDED | int(Flag.TX), b"12345678")])
    decoding = Plan([BUS]).decode(rows)
    assert decoding.messages == []
    assert {seen.flags: (seen.message, seen.decoded) for seen in decoding.ids} == {
        0: (None, False),
        EXTENDED | int(Flag.TX): ("EEC1", False),
    }


def test_two_senders_of_a_group_are_two_ids_of_one_message_in_log_order() -> None:
    first, second = 0x18F00400, 0x0CF00403
    rows = log([(0, id, EXTENDED, bytes([0, 125 + i, 0, 0, 0, 0, 0, 0])) for i, id in enumerate([first, second] * 3)])
    decoding = Plan([BUS]).decode(rows)
    (decoded,) = decoding.messages
    assert decoded.values["torque"].tolist() == [0, 1, 2, 3, 4, 5]
    assert {(seen.id, seen.message, seen.frames) for seen in decoding.ids} == {
        (first, "EEC1", 3),
        (second, "EEC1", 3),
    }


def test_values_that_say_error_or_not_available_are_missing_by_the_length_of_their_signal() -> None:
    lengths = {1: [], 2: [2, 3], 3: [7], 4: [15], 7: [127], 8: [0xFE, 0xFF], 10: range(0xFE << 2, 1 << 10)}
    lengths |= {16: range(0xFE00, 1 << 16), 12: range(0xFE0, 1 << 12)}
    for length, missing in lengths.items():
        for signed in (False, True):
            message = Message("M", 0x18F00400, True, 8, (Signal("s", 0, length, signed=signed),))
            plan = Plan([Bus("b", (j1939.message(message),))])
            raws = range(1 << length)
            (decoded,) = plan.decode(
                log([(0, 0x18F00400, EXTENDED, raw.to_bytes(8, "little")) for raw in raws])
            ).messages
            assert np.flatnonzero(np.isnan(decoded.values["s"])).tolist() == list(missing), length


def test_numbers_of_32_bits_have_such_values_and_longer_ones_have_none() -> None:
    signals = (Signal("trip", 0, 32), Signal("more", 0, 40), Signal("name", 0, 64))
    plan = Plan([Bus("b", (j1939.message(Message("M", 0x18F00400, True, 8, signals)),))])
    payloads = [raw.to_bytes(8, "little") for raw in (0xFDFFFFFF, 0xFE000000, 0xFFFFFFFF, 2**64 - 1)]
    (decoded,) = plan.decode(log([(0, 0x18F00400, EXTENDED, payload) for payload in payloads])).messages
    assert np.isnan(decoded.values["trip"]).tolist() == [False, True, True, True]
    assert not np.isnan(decoded.values["more"]).any()
    assert not np.isnan(decoded.values["name"]).any()
