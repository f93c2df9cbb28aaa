"""What may be wrong with a car's files: every problem at once, each at its line, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.car import load
from pitwall.errors import CarError
from tests.car.folders import A_DBC, car

HEAD = "car: {make: X}\nbuses: {can: {dbc: a.dbc}}\n"  # two lines

NEITHER = (
    "says neither expr: nor method: (the methods are gear_ratio, distance, position, g_from_yaw, fuel_used, wheel_slip)"
)

YAMLS: dict[str, tuple[str, list[str]]] = {
    "nothing": ("", ["1:1: holds no car (it begins with car: and buses:)"]),
    "a list": ("- car\n", ["1:1: holds no car (it begins with car: and buses:)"]),
    "no yaml": ("car: {\nbuses: [\n", ["3:1: is no valid YAML: expected the node content, but found '<stream end>'"]),
    "a bare percent": (
        HEAD + "channels:\n  plain: {unit: %}\n",
        ["4:17: is no valid YAML: found character '%' that cannot start any token (put a unit of % between quotes)"],
    ),
    "an anchor that nothing refers to": (
        HEAD + "channels:\n  speed: &one {from: speed_mph}\n  fast: {from: &two yaw, unit: *two}\n",
        [
            "4:10: nothing refers to the anchor &one (*one would)",
            "5:26: channels.fast.unit: unknown unit 'yaw' (units are spelt as in m/s, km/h, degC, bar, %, deg/s, g, V)",
        ],
    ),
    "no bus": ("car: {make: X}\n", ["1:1: a car has at least one bus (buses: {can: {dbc: car.dbc}})"]),
    "no car section": (
        "buses: {can: {dbc: a.dbc}}\n",
        ["1:1: the section car: is missing (car: {make: …, model: …})"],
    ),
    "misspelt sections and keys": (
        "car: {maek: X}\nbuses:\n  can: {dcb: a.dbc, bitrat: 5}\nchanels: {}\n",
        [
            "1:7: car.maek: unknown key 'car.maek' (did you mean 'make'?)",
            "3:21: unknown key 'buses.can.bitrat' (did you mean 'bitrate'?)",
            "3:9: unknown key 'buses.can.dcb' (did you mean 'dbc'?)",
            "4:1: unknown key 'chanels' (did you mean 'channels'?)",
        ],
    ),
    "a key given twice": (
        HEAD + "channels:\n  speed: {from: speed_mph}\n  speed: {from: yaw}\n",
        ["5:3: 'channels.speed' is given twice"],
    ),
    "misspelt keys of channels": (
        HEAD + "channels:\n  speed:\n    from: speed_mph\n    ofset: 3\n  yaw_rate: {form: yaw}\n",
        [
            "6:5: unknown key 'channels.speed.ofset' (did you mean 'offset'?)",
            "7:3: channels.yaw_rate: no DBC has a signal 'yaw_rate'",
            "7:14: unknown key 'channels.yaw_rate.form' (did you mean 'from'?)",
        ],
    ),
    "unknown signals": (
        HEAD + "channels:\n  speed: {from: sped_mph}\n  other: {from: Engine.yaw}\n",
        [
            "4:11: channels.speed.from: no DBC has a signal 'sped_mph' (did you mean 'speed_mph'?)",
            "5:11: channels.other.from: no DBC has a signal 'Engine.yaw' (did you mean 'Chassis.yaw'?)",
        ],
    ),
    "units": (
        HEAD
        + "channels:\n  speed: {from: speed_mph, unit: m/z}\n  temp: {from: water_temp, unit: bar}\n"
        + "  what: {from: odd, unit: bar}\n  plain: {unit: m/s}\n  odd2: {from: odd, signal_unit: psi, unit: bar}\n"
        + "  nothing: {from: plain, unit: qux}\n",
        [
            "4:28: channels.speed.unit: unknown unit 'm/z' (did you mean 'm/s'?)",
            "5:28: channels.temp.unit: signal water_temp is in 'degF': 'degF' does not convert to 'bar' "
            "(signal_unit: says which it is where the DBC does not)",
            "6:21: channels.what.unit: signal odd is in 'blorbs': unknown unit 'blorbs' "
            "(signal_unit: says which it is where the DBC does not)",
            "9:26: channels.nothing.unit: unknown unit 'qux' "
            "(units are spelt as in m/s, km/h, degC, bar, %, deg/s, g, V)",
        ],
    ),
    "numbers": (
        HEAD + "channels:\n  a: {from: yaw, sign: 2, scale: 0, offset: x}\n  b: {from: yaw, offset: .inf}\n",
        [
            "4:37: channels.a.offset: a number is expected here, not 'x'",
            "4:27: channels.a.scale: 0 would make every value 0",
            "4:18: channels.a.sign: must be 1 or -1, and is 2 (scale: takes any number)",
            "5:18: channels.b.offset: a number is expected here, not '.inf'",
        ],
    ),
    "names": (
        HEAD + "channels:\n  fast-speed: {from: yaw}\n  t: {from: yaw}\n  hypot: {from: yaw}\n  Yaw: {from: yaw}\n"
        "derived:\n  yAW: {expr: rpm, unit: none}\n  can_Engine: {expr: rpm, unit: none}\n"
        "  signals: {expr: rpm, unit: none}\n",
        [
            "4:3: channels.fast-speed: 'fast-speed' can't be a name "
            "(letters, digits and _, not beginning with a digit, at most 63)",
            "5:3: channels.t: 't' can't be a name: it means something else (choose another)",
            "6:3: channels.hypot: 'hypot' can't be a name: it means something else (choose another)",
            "9:3: derived.yAW: has the name of channels.Yaw "
            "(every channel has its own, whatever the case of its letters)",
            "10:3: derived.can_Engine: 'can_Engine' is the name of a table of the projection (choose another)",
            "11:3: derived.signals: 'signals' is the name of a table of the projection (choose another)",
        ],
    ),
    "expressions": (
        HEAD
        + 'derived:\n  a: {expr: "rpmm * 2 + spee", unit: none}\n  b: {expr: "hypott(rpm, 1)", unit: none}\n'
        + '  c: {expr: "rpm +", unit: none}\n'
        "  d: {unit: m}\n  e: {exp: rpm}\n  f: {expr: rpm, unit: furlongz}\n  g: 5\n"
        "  h: {expr: rpm}\n  i: {expr: rpm, unit: }\n",
        [
            "4:7: derived.a.expr: there is no channel 'rpmm' (did you mean 'rpm'?)",
            "4:7: derived.a.expr: there is no channel 'spee' (did you mean 'speed_mph'?)",
            "5:7: derived.b.expr: unknown function 'hypott' (did you mean 'hypot'?)",
            "6:7: derived.c.expr: the expression can't be read: invalid syntax",
            f"7:3: derived.d: {NEITHER}",
            f"8:3: derived.e: {NEITHER}",
            "8:7: unknown key 'derived.e.exp' (did you mean 'expr'?)",
            "9:18: derived.f.unit: unknown unit 'furlongz' "
            "(units are spelt as in m/s, km/h, degC, bar, %, deg/s, g, V)",
            "10:3: derived.g: a mapping (key: value) is expected here",
            f"10:3: derived.g: {NEITHER}",
            "11:3: derived.h: says no unit (unit: none, or the unit of the result)",
            "12:18: derived.i.unit: a unit is expected here (none, where it has none)",
        ],
    ),
    "circles": (
        HEAD
        + "derived:\n  a: {expr: b + 1, unit: none}\n  b: {expr: c + rpm, unit: none}\n"
        + "  c: {expr: a, unit: none}\n  d: {expr: d, unit: none}\n  e: {expr: a, unit: none}\n",
        ["4:3: derived.a: goes in a circle: a reads b reads c reads a", "7:3: derived.d: goes in a circle: d reads d"],
    ),
    "methods": (
        HEAD
        + "derived:\n  a: {method: gear_ration, rpm: rpm}\n"
        + "  b: {method: gear_ratio, rpm: rpm, speed: speed_mp, ratios: [3, x], final_drive: -1}\n"
        + "  c: {method: gear_ratio, rpm: speed_mph, speed: rpm, ratios: [], final_drive: 3, tyre_circumference: 2 s}\n"
        + "  d: {method: distance, speed: yaw}\n  e: {method: distance, speed: speed_mph, unit: degC}\n"
        + "  f: {method: distance, sped: speed_mph}\n",
        [
            "4:7: derived.a.method: there is no method 'gear_ration' (did you mean 'gear_ratio'?)",
            "4:28: unknown key 'derived.a.rpm' (there are expr, method, unit)",
            "5:70: derived.b.final_drive: must be greater than 0, and is -1",
            "5:66: derived.b.ratios[2]: a number is expected here, not 'x'",
            "5:37: derived.b.speed: there is no channel 'speed_mp' (did you mean 'speed_mph'?)",
            "5:3: derived.b: the key 'tyre_circumference' is missing",
            "6:55: derived.c.ratios: 1 to 16 numbers are expected here, not 0",
            "6:27: derived.c.rpm: 'speed_mph' is in 'mph', and must convert to 'rpm'",
            "6:43: derived.c.speed: 'rpm' is in 'rpm', and must convert to 'm/s'",
            "6:83: derived.c.tyre_circumference: 's' does not convert to 'm'",
            "7:25: derived.d.speed: 'yaw' is in 'deg/s', and must convert to 'm/s'",
            "8:43: derived.e.unit: 'degC' is no unit of distance",
            "9:3: derived.f: the key 'speed' is missing",
            "9:25: unknown key 'derived.f.sped' (did you mean 'speed'?)",
        ],
    ),
    "steps": (
        HEAD
        + "channels:\n  a: {from: yaw, limits: [3, 1], low_pass: 0, hold: 5 bar}\n"
        + "  b: {from: yaw, limits: 5, despike: {by: 1, off: 3}}\n"
        + "  c: {from: yaw, despike: {by: -1, of: 4}, hold: long}\n"
        + "  d: {from: yaw, zero: 2 min, hold: 1e-12}\n"
        + "  e: {from: plain, table: [[0, 1]], unit: bar}\n"
        + "  f: {from: plain, table: [[0, 1], [0, 2]], unit: bar}\n"
        + "  h: {from: plain, table: [[0, 1], [5, 1]], unit: bar}\n"
        + "  i: {from: plain, table: [[0, 1, 2], 4]}\n"
        + "  j: {from: plain, table: [[0, 1], [5, 2]]}\n",
        [
            "4:18: channels.a.limits: 3 is not below 1, so that every value would be missing ([low, high])",
            "4:34: channels.a.low_pass: must be greater than 0, and is 0",
            "4:47: channels.a.hold: 'bar' does not convert to 's'",
            "5:18: channels.b.limits: two numbers are expected here: [low, high]",
            "5:29: channels.b.despike: the key 'of' is missing ({by: how far off, of: the median of how many})",
            "5:46: unknown key 'channels.b.despike.off' (did you mean 'of'?)",
            "6:28: channels.c.despike.by: must be greater than 0, and is -1",
            "6:36: channels.c.despike.of: must be odd, 3 to 25, and is 4 (it is the middle one that counts)",
            "6:44: channels.c.hold: a number, with or without a unit, is expected here, not 'long' (1 s)",
            "7:18: channels.d.zero: must be at most 60 s, and is 2 min",
            "7:31: channels.d.hold: must be at least 1e-09 s, and is 1e-12",
            "8:20: channels.e.table: a table has 2 to 200 points, and this one 1 ([[raw, value], …])",
            "9:20: channels.f.table: raw values must rise, and 0 comes behind 0",
            "10:20: channels.h.table: would make every value 1",
            "11:28: channels.i.table[1]: pairs of numbers are expected here: [[raw, value], …]",
            "11:39: channels.i.table[2]: pairs of numbers are expected here: [[raw, value], …]",
            "11:3: channels.i: the values of its table have no unit (unit: none, or the unit that it has)",
            "12:3: channels.j: the values of its table have no unit (unit: none, or the unit that it has)",
        ],
    ),
    "what has no effect": (
        "car: {make: X}\nbuses: {can: {dbc: a.dbc, data_bitrate: 5}}\n"
        "channels:\n  rpm: {}\n  yaw: {from: Chassis.yaw}\n"
        "  a: {from: plain, unit: V, limits: [0, 255]}\n"
        "  b: {from: plain, unit: V, offset: 1, limits: [-9, 0.5]}\n"
        "  c: {from: plain, unit: V, despike: {by: 255, of: 3}}\n"
        "  d: {from: plain, unit: V, table: [[100, 5], [200, -5]], signal_unit: V, limits: [-5, 5]}\n"
        "  e: {from: speed_mph, unit: km/h}\n  f: {from: Chassis.speed_mph, sign: 1, unit: km/h}\n"
        "derived:\nroles: {}\n",
        [
            "2:27: buses.can.data_bitrate: has no effect: the bus is not CAN FD (fd: true)",
            "4:3: channels.rpm: has no effect: the signal is a channel of that name (say what is to be done to it)",
            "5:3: channels.yaw: has no effect: the signal is a channel of that name (say what is to be done to it)",
            "6:29: channels.a.limits: exclude nothing (the channel can be 0 to 255 V)",
            "7:40: channels.b.limits: exclude everything (the channel can be 1 to 256 V)",
            "8:29: channels.c.despike: no value can be more than 255 away from another (the channel can be 0 to 255 V)",
            "9:59: channels.d.signal_unit: has no effect: the table says what the signal's values mean",
            "9:75: channels.d.limits: exclude nothing (the channel can be -5 to 5 V)",
            "11:3: channels.f: is the same as 'e', but for its name",
            "12:1: derived: holds nothing (leave it out)",
            "13:1: roles: holds nothing (leave it out)",
        ],
    ),
    "a channel that says no unit": (
        HEAD + "channels:\n  a: {from: plain}\n  b: {from: plain, unit: }\n"
        "  c: {from: yaw, unit: ''}\n  d: {from: yaw, unit: none}\n  e: {from: yaw, signal_unit: blorb}\n",
        [
            "4:3: channels.a: signal plain has no unit, and the channel says none "
            "(unit: none, or the unit that it has)",
            "5:20: channels.b.unit: a unit is expected here (none, where it has none)",
            "6:18: channels.c.unit: a unit is expected here (none, where it has none)",
            "7:18: channels.d.unit: signal yaw is in 'deg/s': 'deg/s' does not convert to '' "
            "(signal_unit: says which it is where the DBC does not)",
            "8:18: channels.e.signal_unit: unknown unit 'blorb' "
            "(units are spelt as in m/s, km/h, degC, bar, %, deg/s, g, V)",
        ],
    ),
    "a zero without a standstill": (
        HEAD + "channels:\n  a: {from: yaw, zero: 3}\n",
        [
            "4:18: channels.a.zero: needs to know when the car stands (roles: {speed: …}, a channel of a signal)",
        ],
    ),
    "a zero and a derived speed": (
        HEAD + "channels:\n  a: {from: yaw, zero: 3}\nderived: {v: {expr: rpm, unit: none}}\nroles: {speed: v}\n",
        [
            "4:18: channels.a.zero: needs to know when the car stands (roles: {speed: …}, a channel of a signal)",
        ],
    ),
    "a zero and the speed": (
        HEAD + "channels:\n  speed: {from: speed_mph, unit: m/s, zero: 3}\n  a: {from: yaw, zero: 3}\n"
        "roles: {speed: speed}\n",
        [
            "4:39: channels.speed.zero: the speed itself says when the car stands (offset: says what is known of it)",
            "5:18: channels.a.zero: the speed 'speed' has a zero: of its own (it must say when the car stands)",
        ],
    ),
    "a zero and what is no speed": (
        HEAD + "channels: {a: {from: yaw, zero: 3}}\nroles: {speed: rpm}\n",
        ["3:27: channels.a.zero: the speed 'rpm' is in 'rpm': 'm/s' does not convert to 'rpm'"],
    ),
    "methods of the way and the wheels": (
        HEAD
        + "derived:\n  a: {method: gear_ratio, rpm: rpm, speed: speed_mph, ratios: [3, 2, 1.5], final_drive: 3, "
        + "tyre_circumference: 2, hysteresis: 0.3}\n"
        + "  b: {method: distance, speed: speed_mph, lat: yaw}\n"
        + "  c: {method: position, axis: north, speed: speed_mph, lat: yaw, lon: plain, unit: m}\n"
        + "  d: {method: g_from_yaw, axis: long, speed: speed_mph, yaw_rate: yaw, window: 90 s}\n"
        + "  e: {method: g_from_yaw, axis: lat, speed: speed_mph, window: 1 s, unit: furlongz}\n"
        + "  f: {method: fuel_used, fuel: rpm, window: 2 min}\n"
        + "  g: {method: wheel_slip, driven: speed_mph, free: yaw, min_speed: 3 s, unit: bar}\n",
        [
            "4:115: derived.a.hysteresis: must be less than 0.189, or some gear could never begin, and is 0.3",
            "5:43: derived.b.lat: 'yaw' is in 'deg/s', and must convert to 'deg'",
            "5:3: derived.b: the key 'lon' is missing",
            "6:25: derived.c.axis: lat or lon is expected here, not 'north'",
            "6:56: derived.c.lat: 'yaw' is in 'deg/s', and must convert to 'deg'",
            "6:66: derived.c.lon: 'plain' is in 'no unit', and must convert to 'deg'",
            "6:78: derived.c.unit: 'm' is no unit of position",
            "6:3: derived.c: the key 'yaw_rate' is missing",
            "7:72: derived.d.window: must be more than 0 and at most 60 s, and is 90 s",
            "7:57: derived.d.yaw_rate: is for axis: lat, and has no effect here",
            "8:69: derived.e.unit: unknown unit 'furlongz' "
            "(units are spelt as in m/s, km/h, degC, bar, %, deg/s, g, V)",
            "8:56: derived.e.window: is for axis: long, and has no effect here",
            "8:3: derived.e: the key 'yaw_rate' is missing",
            "9:26: derived.f.fuel: 'rpm' is in 'rpm', and must convert to 'l'",
            "9:37: derived.f.window: must be more than 0 and at most 60 s, and is 120 s",
            "10:46: derived.g.free: 'yaw' is in 'deg/s', and must convert to 'm/s'",
            "10:57: derived.g.min_speed: 's' does not convert to 'm/s'",
            "10:73: derived.g.unit: 'bar' is no unit of slip",
        ],
    ),
    "looking back": (
        HEAD
        + "derived:\n  a: {expr: 'lag(rpm, 61)', unit: none}\n"
        + "  b: {expr: 'rpm + unit(80, \"km/h\", speed)', unit: none}\n"
        "  c: {expr: 'rpm + unit(80, \"km/h\", water_temp)', unit: none}\n  d: {expr: rpm, unit: bar}\n"
        "  rate: {expr: rpm, unit: none}\n",
        [
            "4:7: derived.a.expr: lag looks back at least 1e-09 and at most 60 seconds, not 61",
            "5:7: derived.b.expr: there is no channel 'speed' (did you mean 'speed_mph'?)",
            "6:7: derived.c.expr: 'km/h' does not convert to 'degF'",
            "8:3: derived.rate: 'rate' can't be a name: it means something else (choose another)",
        ],
    ),
    "one mistake is said once": (
        HEAD + "channels:\n  speed: {from: nothing_like_it}\nderived:\n  fast: {expr: speed * 2, unit: none}\n"
        "  way: {method: distance, speed: speed}\nroles: {speed: speed}\n",
        [
            "4:11: channels.speed.from: no DBC has a signal 'nothing_like_it'",
        ],
    ),
    "roles": (
        HEAD + "roles: {speed: sped_mph, thottle: rpm, rpm: rpm}\n",
        [
            "3:9: roles.speed: there is no channel 'sped_mph' (did you mean 'speed_mph'?)",
            "3:26: unknown key 'roles.thottle' (did you mean 'throttle'?)",
        ],
    ),
    "buses": (
        "car:\nbuses:\n  can: {dbc: b.dbc, bitrate: fast, fd: maybe}\n  CAN: {dbc: [a.dbc, a.dbc]}\n",
        [
            "3:21: buses.can.bitrate: a number is expected here, not 'fast'",
            "3:9: buses.can.dbc: there is no file 'b.dbc' in {folder} (did you mean 'a.dbc'?)",
            "3:36: buses.can.fd: true or false is expected here, not 'maybe'",
            "4:3: buses.CAN: two buses are called 'CAN' (only letters, digits and _ tell buses apart, not case)",
            "4:22: buses.CAN.dbc[2]: a.dbc is listed twice",
        ],
    ),
}


def problems(cars: Path) -> list[str]:
    with pytest.raises(CarError) as raised:
        load(cars, "test")
    return raised.value.problems


@pytest.mark.parametrize("case", YAMLS)
def test_everything_that_is_wrong_with_a_definition_is_said_at_once(tmp_path: Path, case: str) -> None:
    yaml, expected = YAMLS[case]
    cars = car(tmp_path, yaml)
    folder = cars / "test"
    lines = [line.replace("{folder}", str(folder)) for line in expected]
    assert sorted(problems(cars)) == sorted(
        f"{folder}/{line}" if line.startswith("a.dbc") else f"{folder}/car.yaml:{line}" for line in lines
    )


MESSAGE = "\nBO_ 256 Engine: 8 X\n"

DBCS: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["1:1: is no valid DBC: invalid syntax: →"]),
    "no DBC at all": ("hello\n", ["1:1: is no valid DBC: invalid syntax: →hello"]),
    "binary": (bytes(range(256)), ["1:1: is no valid DBC: invalid syntax: →"]),
    "only a version": ('VERSION ""\n', ["1:1: holds no message (a message begins with BO_)"]),
    "a torn line": (
        A_DBC.replace('(1,0) [0|0] "rpm" X', "(1,0 [0|0]"),
        ["7:25: is no valid DBC: invalid syntax: SG_ rpm : 0|16@1+ (1,0 →[0|0]"],
    ),
    "two messages of one id": (
        A_DBC.replace("BO_ 257", "BO_ 256"),
        ["12:1: message Chassis has the id 0x100 of Engine at a.dbc:6 (one id on one bus is one message)"],
    ),
    "two messages of one name": (
        A_DBC.replace("Chassis", "Engine"),
        ["12:1: message Engine has the name of Engine at a.dbc:6"],
    ),
    "two signals of one name": (
        A_DBC.replace("BO_ 257", ' SG_ odd : 56|8@1+ (1,0) [0|0] "" X\nBO_ 257'),
        ["12:1: message Engine holds two signals named 'odd'"],
    ),
    "a float of 24 bits": (
        A_DBC.replace("yaw : 16|16", "yaw : 16|24") + "\nSIG_VALTYPE_ 257 yaw : 1;\n",
        ["14:1: signal yaw is a floating point number of 24 bits (there are 16, 32 and 64)"],
    ),
    "an id that is too large": (
        A_DBC.replace("BO_ 257", "BO_ 4000"),
        ["12:1: is no valid DBC: Standard frame id 0xfa0 is more than 11 bits in message Chassis."],
    ),
    "a signal without bits": (
        A_DBC.replace("16|16@1-", "16|0@1-"),
        ["12:1: is no valid DBC: The signal yaw length 0 is not greater than 0 in message Chassis."],
    ),
}


@pytest.mark.parametrize("case", DBCS)
def test_a_dbc_that_is_wrong_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    dbc, expected = DBCS[case]
    # the definition uses a signal of the DBC: that it can't be found then is no second mistake
    cars = car(tmp_path, HEAD + "channels: {speed: {from: speed_mph}}\nroles: {yaw_rate: yaw}\n", a=dbc)
    found = problems(cars)
    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(f"{tmp_path}/test/a.dbc:{start}")


def test_a_missing_and_an_unreadable_dbc_are_named(tmp_path: Path) -> None:
    cars = car(tmp_path, "car: {}\nbuses:\n  can:\n    dbc: [gone.dbc,\n      .]\n")
    folder = f"{tmp_path}/test"
    assert problems(cars) == [
        f"{folder}/car.yaml:4:11: buses.can.dbc[1]: there is no file 'gone.dbc' in {folder} (did you mean 'a.dbc'?)",
        f"{folder}/car.yaml:5:7: buses.can.dbc[2]: there is no file '.' in {folder} (there are a.dbc)",
    ]


def test_a_definition_in_another_encoding_is_refused(tmp_path: Path) -> None:
    cars = car(tmp_path, HEAD)
    (cars / "test" / "car.yaml").write_bytes("car: {make: Citroën}\n".encode("latin-1"))
    (problem,) = problems(cars)
    assert "car.yaml:1:1: is not UTF-8 text (byte 17) (save it as UTF-8)" in problem


def test_an_ambiguous_signal_is_answered_with_its_full_names(tmp_path: Path) -> None:
    yaml = "car: {}\nbuses: {x: {dbc: a.dbc}, y: {dbc: a.dbc}}\nchannels:\n  w: {from: yaw}\n  v: {from: Chassis.yaw}\n"
    hint = "names 2 signals (say x.Chassis.yaw or y.Chassis.yaw)"
    assert problems(car(tmp_path, yaml)) == [
        f"{tmp_path}/test/car.yaml:4:7: channels.w.from: 'yaw' {hint}",
        f"{tmp_path}/test/car.yaml:5:7: channels.v.from: 'Chassis.yaw' {hint}",
    ]


def test_the_error_is_one_line_for_whoever_prints_it(tmp_path: Path) -> None:
    with pytest.raises(CarError) as raised:
        load(car(tmp_path, "car: {}\nbuses: {can: {dbc: x.dbc}}\nroles: {gaer: x}\n"), "test")
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_what_is_a_problem_here_is_not_also_a_warning_of_cantools(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    twice = A_DBC.replace("BO_ 257", "BO_ 256")
    (problem,) = problems(car(tmp_path, HEAD, a=twice))
    assert "has the id 0x100 of Engine" in problem
    assert caplog.records == []
