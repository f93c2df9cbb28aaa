"""What a definition gives: names, units, signs, and a fingerprint that says when it means something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.car import Car, load, names
from pitwall.car.definition import Measured
from pitwall.car.steps import Despike, Limits, LowPass, Table, Zero
from pitwall.errors import CarError, UsageError
from tests.car.folders import A_DBC, car

HEAD = "car: {make: X}\nbuses: {can: {dbc: a.dbc}}\n"

MUXED = """VERSION ""
NS_ :
BS_:
BU_:

BO_ 2566844926 Wide: 64 X
 SG_ page M : 7|8@0+ (1,0) [0|0] "" X
 SG_ half m0 : 39|16@0- (1,0) [0|0] "°C" X
 SG_ mode m1M : 8|8@1+ (1,0) [0|0] "" X
 SG_ deep m2 : 16|32@1- (0.5,-1) [0|0] "" X
 SG_ huge : 128|64@1+ (2,1) [0|0] "" X
 SG_ text : 192|128@1+ (1,0) [0|0] "" X

VAL_ 2566844926 page 0 "Zero" 1 "One" ;
SIG_VALTYPE_ 2566844926 deep : 1;
SG_MUL_VAL_ 2566844926 half page 0-0, 7-9;
SG_MUL_VAL_ 2566844926 mode page 1-1;
SG_MUL_VAL_ 2566844926 deep mode 2-2, 3-4, 10-10;
"""


def loaded(cars: Path, yaml: str, **files: str | bytes) -> Car:
    return load(car(cars, yaml, **files), "test")


def channel(of: Car, name: str) -> Measured:
    return next(channel for channel in of.channels if channel.name == name)


def test_a_car_needs_no_more_than_car_and_one_bus_with_a_dbc(tmp_path: Path) -> None:
    found = loaded(tmp_path, "car:\nbuses: {can: {dbc: a.dbc}}\n")
    assert [(each.name, each.unit) for each in found.channels] == [
        ("rpm", "rpm"),
        ("water_temp", "degF"),
        ("plain", ""),
        ("odd", "blorbs"),
        ("speed_mph", "mph"),
        ("yaw", "deg/s"),
    ]
    assert (found.derived, found.roles, found.notes) == ((), (), ())


def test_a_car_without_a_dbc_has_its_bus_and_no_channels(tmp_path: Path) -> None:
    found = loaded(tmp_path, "car: {make: X}\nbuses: {can: {interface: socketcan, channel: can0, bitrate: 500000}}\n")
    (bus,) = found.buses
    assert (bus.messages, bus.channel, bus.bitrate, found.channels) == ((), "can0", 500_000, ())


def test_what_the_definition_says_of_the_car_is_kept_as_text(tmp_path: Path) -> None:
    found = loaded(tmp_path, "car: {make: Skoda, year: 2003, nick: Yeti}\nbuses: {can: }\n")
    assert found.about == (("make", "Skoda"), ("year", "2003"), ("nick", "Yeti"))


def test_several_dbcs_on_a_bus_and_extended_multiplexing(tmp_path: Path) -> None:
    found = loaded(tmp_path, "car: {}\nbuses: {can: {dbc: [a.dbc, b.dbc], fd: true}}\n", b=MUXED.encode("cp1252"))
    (bus,) = found.buses
    assert [message.name for message in bus.messages] == ["Engine", "Chassis", "Wide"]
    wide = bus.messages[2]
    assert (wide.id, wide.extended, wide.length) == (419361278, True, 64)
    signals = {signal.name: signal for signal in wide.signals}
    assert signals["half"].multiplexer_ids == ((0, 0), (7, 9))
    assert (signals["half"].big_endian, signals["half"].signed, signals["half"].unit) == (True, True, "°C")
    assert (signals["deep"].multiplexer, signals["deep"].multiplexer_ids) == ("mode", ((2, 4), (10, 10)))
    assert signals["deep"].floating
    assert (signals["huge"].scale, signals["huge"].signal_offset) == (2, 1)
    assert isinstance(signals["huge"].scale, int)
    assert "text" not in signals
    assert found.notes == (f"{tmp_path}/test/b.dbc:12: signal text of 128 bits is not decoded: at most 64 are",)


def test_a_dbc_is_read_as_utf_8_or_windows_1252(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "cp1252"):
        found = loaded(tmp_path, HEAD, a=A_DBC.replace("blorbs", "°C").encode(encoding))
        assert channel(found, "odd").unit == "°C"


@pytest.mark.parametrize(
    ("keys", "raw", "expected"),
    [
        ("from: speed_mph, unit: km/h", 100.0, 160.9344),
        ("from: speed_mph, unit: m/s, sign: -1", 100.0, -44.704),
        ("from: water_temp, unit: degC", 212.0, 100.0),
        # in this order: unit, sign, scale, offset (which is in the channel's unit)
        ("from: water_temp, unit: degC, sign: -1, scale: 2, offset: 0.5", 212.0, -199.5),
        ("from: yaw, offset: -4.3", 4.3, 0.0),
        ("from: Chassis.yaw, unit: rad/s", 180.0, 3.141592653589793),
        ("from: can.Chassis.yaw", 7.0, 7.0),
        ("from: odd, signal_unit: psi, unit: bar", 10.0, 0.6894757293168361),
        ("from: plain, unit: V, scale: 0.01", 1234.0, 12.34),
    ],
)
def test_units_signs_scales_and_offsets_apply_in_that_order(
    tmp_path: Path, keys: str, raw: float, expected: float
) -> None:
    found = channel(loaded(tmp_path, HEAD + f"channels: {{new: {{{keys}}}}}\n"), "new")
    assert raw * found.factor + found.bias == pytest.approx(expected, rel=1e-14, abs=1e-12)


def test_a_channel_without_from_is_the_signal_of_its_name(tmp_path: Path) -> None:
    found = loaded(tmp_path, HEAD + "channels: {water_temp: {unit: degC}}\n")
    assert [each.name for each in found.channels].count("water_temp") == 1
    assert channel(found, "water_temp").unit == "degC"


def test_a_channel_that_says_it_has_no_unit_has_none(tmp_path: Path) -> None:
    yaml = HEAD + "channels: {a: {from: plain, unit: none}, b: {from: odd, signal_unit: None}, plain: {unit: none}}\n"
    with pytest.raises(CarError, match="is the same as 'a', but for its name"):
        loaded(tmp_path, yaml)
    found = loaded(tmp_path, yaml.replace(", plain: {unit: none}", ""))
    assert (channel(found, "a").unit, channel(found, "b").unit) == ("", "")


def test_steps_are_in_the_order_of_the_work_and_not_of_the_file(tmp_path: Path) -> None:
    keys = (
        "low_pass: 300 mHz, zero: 2 s, despike: {of: 5, by: 2}, limits: [-3, 3], hold: 20 ms, table: [[-1, 2], [1, 9]]"
    )
    yaml = HEAD + f"channels: {{y: {{from: yaw, unit: g, {keys}, sign: -1}}, v: {{from: speed_mph, unit: km/h}}}}\n"
    found = channel(loaded(tmp_path, yaml + "roles: {speed: v}\n"), "y")
    assert found.table == Table((-1.0, 1.0), (2.0, 9.0))
    assert found.steps == (Limits(-3.0, 3.0), Despike(2.0, 5), Zero(2_000_000_000, "v", 1.0), LowPass(0.3))
    assert (found.unit, found.factor, found.bias, found.hold_ns) == ("g", -1.0, 0.0, 20_000_000)


def test_the_dbc_says_how_often_a_message_is_sent(tmp_path: Path) -> None:
    said = 'BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;\nBA_DEF_DEF_ "GenMsgCycleTime" 0;\n'
    said += 'BA_ "GenMsgCycleTime" BO_ 256 20;\n'
    (bus,) = loaded(tmp_path, HEAD, a=A_DBC + said).buses
    assert [message.cycle_ms for message in bus.messages] == [20, None]


def test_one_signal_may_give_several_channels(tmp_path: Path) -> None:
    yaml = HEAD + "channels: {kmh: {from: speed_mph, unit: km/h}, mps: {from: speed_mph, unit: m/s}}\n"
    assert {each.name for each in loaded(tmp_path, yaml).channels if each.signal == "speed_mph"} == {"kmh", "mps"}


def test_signals_of_one_name_are_all_called_by_their_message(tmp_path: Path) -> None:
    dbc = A_DBC.replace("SG_ yaw", "SG_ PLAIN")
    assert [each.name for each in loaded(tmp_path, HEAD, a=dbc).channels] == [
        "rpm",
        "water_temp",
        "Engine_plain",
        "odd",
        "speed_mph",
        "Chassis_PLAIN",
    ]


def test_signals_of_one_message_that_differ_in_case_alone_are_numbered(tmp_path: Path) -> None:
    dbc = A_DBC.replace("SG_ odd", "SG_ RPM")
    found = [each.name for each in loaded(tmp_path, HEAD, a=dbc).channels]
    assert (found[0], found[3]) == ("can_Engine_rpm_2", "can_Engine_RPM_3")


def test_one_dbc_on_two_buses_is_told_apart_by_bus(tmp_path: Path) -> None:
    found = loaded(tmp_path, "car: {}\nbuses: {front-can: {dbc: a.dbc}, rear: {dbc: a.dbc}}\n")
    names_found = [each.name for each in found.channels]
    assert names_found[:2] == ["front_can_Engine_rpm", "front_can_Engine_water_temp"]
    assert names_found[6:8] == ["rear_Engine_rpm", "rear_Engine_water_temp"]


def test_names_of_the_definition_win_over_those_of_signals(tmp_path: Path) -> None:
    yaml = HEAD + "channels: {rpm: {from: plain, unit: none}}\nderived: {YAW: {expr: rpm, unit: none}}\n"
    assert {(each.signal, each.name) for each in loaded(tmp_path, yaml).channels} >= {
        ("plain", "rpm"),
        ("rpm", "Engine_rpm"),
        ("yaw", "Chassis_yaw"),
    }


def test_words_with_a_meaning_are_never_a_signals_name(tmp_path: Path) -> None:
    dbc = A_DBC.replace("SG_ plain", "SG_ t").replace("SG_ odd", "SG_ hypot")
    assert [each.name for each in loaded(tmp_path, HEAD, a=dbc).channels][2:4] == ["Engine_t", "Engine_hypot"]


def test_derived_channels_come_after_what_they_read(tmp_path: Path) -> None:
    yaml = (
        HEAD + "derived:\n  a: {expr: b + c, unit: none}\n  b: {expr: c * 2, unit: V}\n  c: {expr: rpm, unit: none}\n"
    )
    assert [each.name for each in loaded(tmp_path, yaml).derived] == ["c", "b", "a"]


def test_roles_name_channels(tmp_path: Path) -> None:
    found = loaded(tmp_path, HEAD + "derived: {way: {method: distance, speed: speed_mph}}\nroles: {distance: way}\n")
    assert (found.role("distance"), found.role("gear")) == ("way", None)


MEANINGLESS = {
    "a comment": lambda yaml: "# words\n" + yaml,
    "the car's name": lambda yaml: yaml.replace("make: X", "make: Y, model: Z"),
    "how the bus is opened": lambda yaml: yaml.replace("dbc: a.dbc", "dbc: a.dbc, interface: slcan, bitrate: 500000"),
    "another way to write it": lambda yaml: yaml.replace("offset: 1.0", "offset: 1"),
}
MEANINGFUL = {
    "a sign": lambda yaml: yaml.replace("offset: 1.0", "offset: 1.0, sign: -1"),
    "a unit": lambda yaml: yaml.replace("m/s", "km/h"),
    "an expression": lambda yaml: yaml.replace("rpm * 2", "rpm * 3"),
    "a name": lambda yaml: yaml.replace("speed:", "pace:"),
    "a table": lambda yaml: yaml.replace("offset: 1.0", "offset: 1.0, table: [[0, 1], [5, 3]]"),
    "limits": lambda yaml: yaml.replace("offset: 1.0", "offset: 1.0, limits: [0, 90]"),
    "despike": lambda yaml: yaml.replace("offset: 1.0", "offset: 1.0, despike: {by: 5, of: 3}"),
    "a low pass": lambda yaml: yaml.replace("offset: 1.0", "offset: 1.0, low_pass: 5"),
    "a hold": lambda yaml: yaml.replace("offset: 1.0", "offset: 1.0, hold: 0.5"),
    "a zero": lambda yaml: yaml.replace("}}\nder", "}, y: {from: yaw, zero: 2}}\nroles: {speed: speed}\nder"),
    "a role": lambda yaml: yaml + "roles: {rpm: rpm}\n",
    "a bus": lambda yaml: yaml.replace("can:", "dash:"),
}
YAML = (
    HEAD
    + "channels: {speed: {from: speed_mph, unit: m/s, offset: 1.0}}\nderived: {double: {expr: rpm * 2, unit: none}}\n"
)


@pytest.mark.parametrize("edit", MEANINGLESS)
def test_what_changes_no_channel_leaves_the_fingerprint(tmp_path: Path, edit: str) -> None:
    before = loaded(tmp_path / "one", YAML).fingerprint
    assert loaded(tmp_path / "two", MEANINGLESS[edit](YAML)).fingerprint == before


@pytest.mark.parametrize("edit", MEANINGFUL)
def test_what_changes_a_channel_changes_the_fingerprint(tmp_path: Path, edit: str) -> None:
    before = loaded(tmp_path, YAML).fingerprint
    assert loaded(tmp_path, MEANINGFUL[edit](YAML)).fingerprint != before


def test_any_edit_of_a_dbc_changes_the_fingerprint(tmp_path: Path) -> None:
    assert loaded(tmp_path, YAML).fingerprint != loaded(tmp_path, YAML, a=A_DBC + "\n").fingerprint


def test_cars_are_the_folders_that_hold_a_definition(tmp_path: Path) -> None:
    car(tmp_path, HEAD, name="b-car")
    car(tmp_path, HEAD, name="a-car")
    (tmp_path / "drafts").mkdir()
    assert names(tmp_path) == ["a-car", "b-car"]
    assert names(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("name", "hint"), [("a-cat", "did you mean 'a-car'?"), ("../a-car", "a-car"), ("", "there are a-car")]
)
def test_an_unknown_car_is_answered_with_those_there_are(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        load(car(tmp_path, HEAD, name="a-car"), name)
    assert f"there is no car {name!r}" in str(raised.value)
    assert hint in raised.value.hint


def test_a_car_that_ships_is_told_where_it_is_to_who_has_cars_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        load(car(tmp_path, HEAD, name="a-car"), "bmw-e46-m3")
    assert "it ships with pitwall: copy" in raised.value.hint
    assert load(Path(raised.value.hint.rpartition("--cars ")[2]), "bmw-e46-m3").name == "bmw-e46-m3"
