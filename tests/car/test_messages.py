"""What a car says of a bus's messages: protocol, counters, checksums; and what may be wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pitwall.car import load
from pitwall.car.definition import Checksum, Counter
from pitwall.errors import CarError
from tests.car.folders import A_DBC, car

FRAMED = """VERSION ""
BO_ 1 Brakes: 8 X
 SG_ crc : 0|8@1+ (1,0) [0|0] "" X
 SG_ alive : 8|4@1+ (1,0) [0|0] "" X
 SG_ wide : 16|32@1- (1,0) [0|0] "" X
 SG_ sometimes m1 : 48|8@1+ (1,0) [0|0] "" X
 SG_ mux M : 56|8@1+ (1,0) [0|0] "" X
"""
TRUCK = """VERSION ""
BO_ 2364540158 EEC1: 8 X
 SG_ rpm : 24|16@1+ (0.125,0) [0|0] "rpm" X
BO_ 2 Plain: 8 X
 SG_ plain : 0|8@1+ (1,0) [0|0] "" X
"""
SAME_GROUP = TRUCK + 'BO_ 2565866750 Again: 8 X\n SG_ again : 0|8@1+ (1,0) [0|0] "" X\n'


def brakes(tmp_path: Path, keys: str):
    yaml = f"car: {{}}\nbuses:\n  hs:\n    dbc: a.dbc\n    messages:\n      Brakes: {keys}\n"
    return load(car(tmp_path, yaml, a=FRAMED), "test").buses[0].messages[0]


@pytest.mark.parametrize(
    ("said", "counter"),
    [
        ("alive", Counter("alive", 16)),
        ("{signal: alive}", Counter("alive", 16)),
        ("{signal: alive, modulo: 15}", Counter("alive", 15)),
        ("wide", Counter("wide", 2**32)),
    ],
)
def test_a_counter_is_a_signal_with_as_many_values_as_it_says(tmp_path: Path, said: str, counter: Counter) -> None:
    assert brakes(tmp_path, f"{{counter: {said}}}").counter == counter


@pytest.mark.parametrize(
    ("said", "checksum"),
    [
        ("method: xor8", Checksum("crc", "xor8", (1, 2, 3, 4, 5, 6, 7))),
        ("method: sum8, over: 2", Checksum("crc", "sum8", (2,))),
        ("method: sum8, over: 0-3", Checksum("crc", "sum8", (0, 1, 2, 3))),
        (
            "method: crc8-autosar, over: [7, 1-3], before: [0x12, 255], after: 0xab",
            Checksum("crc", "crc8-autosar", (7, 1, 2, 3), b"\x12\xff", b"\xab"),
        ),
    ],
)
def test_a_checksum_is_over_the_bytes_that_it_says(tmp_path: Path, said: str, checksum: Checksum) -> None:
    assert brakes(tmp_path, f"{{checksum: {{signal: crc, {said}}}}}").checksum == checksum


PROBLEMS = {
    "unknown message": (
        "Breaks: {counter: alive}",
        "no DBC of this bus has a message 'Breaks' (did you mean 'Brakes'?)",
    ),
    "unknown key": (
        "Brakes: {conter: alive}",
        "unknown key 'buses.hs.messages.Brakes.conter' (did you mean 'counter'?)",
    ),
    "nothing": ("Brakes: {}", "says nothing (counter: Alive, or checksum: {signal: Crc, method: crc8-autosar})"),
    "unknown signal": ("Brakes: {counter: aliv}", "message Brakes has no signal 'aliv' (did you mean 'alive'?)"),
    "a signal of some frames": ("Brakes: {counter: sometimes}", "'sometimes' is not in every frame as a whole number"),
    "modulo": (
        "Brakes: {counter: {signal: alive, modulo: 17}}",
        "counter.modulo: alive of 4 bits has 16 values, not 17",
    ),
    "modulo 1": ("Brakes: {counter: {signal: alive, modulo: 1}}", "must be greater than 1, and is 1"),
    "no signal": ("Brakes: {counter: {modulo: 3}}", "says no signal (there are alive, crc, mux, sometimes, wide)"),
    "a checksum of a word": ("Brakes: {checksum: crc}", "a mapping (key: value) is expected here"),
    "no method": ("Brakes: {checksum: {signal: crc}}", "says no method (there are sum8, xor8, crc8-smbus,"),
    "unknown method": (
        "Brakes: {checksum: {signal: crc, method: crc8-autosr}}",
        "there is no method 'crc8-autosr' (did you mean 'crc8-autosar'?)",
    ),
    "bytes": (
        "Brakes: {checksum: {signal: crc, method: sum8, over: 1..6}}",
        "a byte is expected here, not '1..6' (3, 0x1F, 1-6, or a list of these)",
    ),
    "bytes backwards": ("Brakes: {checksum: {signal: crc, method: sum8, over: 6-1}}", "'6-1' is no part of 0 to 63"),
    "no bytes": ("Brakes: {checksum: {signal: crc, method: sum8, over: []}}", "no byte is left to compute it over"),
    "a byte too large": ("Brakes: {checksum: {signal: crc, method: sum8, after: 300}}", "'300' is no part of 0 to 255"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_wrong_is_said_with_its_line_and_a_hint(tmp_path: Path, name: str) -> None:
    said, what = PROBLEMS[name]
    yaml = f"car: {{}}\nbuses:\n  hs:\n    dbc: a.dbc\n    messages:\n      {said}\n"
    with pytest.raises(CarError) as caught:
        load(car(tmp_path, yaml, a=FRAMED), "test")
    (problem,) = caught.value.problems
    assert re.search(r"car\.yaml:6:\d+: (buses\.hs\.messages\.B|unknown key)", problem)
    assert what in problem


def test_a_bus_may_say_that_its_29_bit_messages_are_j1939(tmp_path: Path) -> None:
    yaml = "car: {}\nbuses: {truck: {dbc: a.dbc, protocol: j1939}}\n"
    first, second = load(car(tmp_path, yaml, a=TRUCK), "test").buses[0].messages
    assert (first.pgn, first.sender) == (0xF004, None)
    assert (second.pgn, second.sender) == (None, None)


def test_one_group_of_one_sender_is_one_message(tmp_path: Path) -> None:
    yaml = "car: {}\nbuses: {truck: {dbc: a.dbc, protocol: j1939}}\n"
    with pytest.raises(CarError) as caught:
        load(car(tmp_path, yaml, a=SAME_GROUP), "test")
    (problem,) = caught.value.problems
    assert problem.endswith(
        "a.dbc:6:1: message Again has the id 0x18f004fe (J1939: group 61444, any sender) of EEC1 at a.dbc:2 "
        "(one group of one sender is one message)"
    )
    assert load(car(tmp_path, yaml.replace(", protocol: j1939", ""), a=SAME_GROUP), "test")


@pytest.mark.parametrize(
    ("protocol", "what"),
    [
        ("j1938", "buses.obd.protocol: there is no protocol 'j1938' (did you mean 'j1939'?)"),
        ("obd2", "buses.obd.protocol: no message of a DBC of this bus is of it (they have the ids 0x7E8 to 0x7EF, or"),
        ("j1939", "buses.obd.protocol: no message of a DBC of this bus is of it (they have ids of 29 bits)"),
    ],
)
def test_a_protocol_that_can_not_be_is_a_problem(tmp_path: Path, protocol: str, what: str) -> None:
    with pytest.raises(CarError) as caught:
        load(car(tmp_path, f"car: {{}}\nbuses: {{obd: {{dbc: a.dbc, protocol: {protocol}}}}}\n", a=A_DBC), "test")
    (problem,) = caught.value.problems
    assert what in problem


def test_a_protocol_or_a_counter_without_a_dbc_has_no_effect_and_is_a_problem(tmp_path: Path) -> None:
    yaml = "car: {}\nbuses:\n  can:\n    protocol: j1939\n    messages: {Brakes: {counter: alive}}\n"
    with pytest.raises(CarError) as caught:
        load(car(tmp_path, yaml), "test")
    assert [problem.split("car.yaml:")[1] for problem in caught.value.problems] == [
        "4:5: buses.can.protocol: no message of a DBC of this bus is of it (they have ids of 29 bits)",
        "5:16: buses.can.messages.Brakes: no DBC of this bus has a message 'Brakes'",
    ]


def test_a_dbc_that_can_not_be_read_is_the_only_problem(tmp_path: Path) -> None:
    yaml = "car: {}\nbuses: {can: {dbc: a.dbc, protocol: j1939, messages: {Brakes: {counter: alive}}}}\n"
    with pytest.raises(CarError) as caught:
        load(car(tmp_path, yaml, a="BO_ nonsense"), "test")
    assert len(caught.value.problems) == 1


def test_what_a_message_has_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    yaml = "car: {}\nbuses:\n  hs:\n    dbc: a.dbc\n"
    plain = load(car(tmp_path, yaml, a=FRAMED), "test").fingerprint
    counted = load(car(tmp_path, yaml + "    messages: {Brakes: {counter: alive}}\n", a=FRAMED), "test").fingerprint
    assert plain != counted
