"""The schema that editors check car.yaml by: what it refuses, loading refuses, and it knows every key."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.car import load, names, vocabulary
from pitwall.car.derived import METHODS
from pitwall.car.schema import schema
from pitwall.errors import CarError
from tests.car.folders import car

CARS = Path(__file__).parents[2] / "cars"
PAGE = CARS.parent / "docs" / "car-definitions.md"
VALIDATOR = jsonschema.Draft7Validator(schema())

HEAD = "car: {make: X}\nbuses: {can: {dbc: a.dbc}}\n"

WHOLE = """car: {make: X, number: 7, nick: Yeti}
buses:
  can:
    {dbc: [a.dbc], source: "slcan:/dev/ttyACM0", interface: socketcan, channel: can0, bitrate: 500000, fd: true,
     data_bitrate: 2000000}
  hs:
    dbc: b.dbc
    protocol: j1939
    messages:
      Brakes: {counter: {signal: alive, modulo: 15}, checksum: {signal: sum, method: xor8, over: [1-6], after: 0x1F}}
      Doors: {counter: alive}
channels:
  speed: {from: speed_mph, unit: m/s, hold: 0.5}
  yaw_rate: {from: yaw, limits: [-100, 100.5], despike: {by: 20, of: 5}, zero: 3 s, low_pass: 5 Hz, hold: 20 ms}
  temp: {from: odd, signal_unit: degF, unit: degC, sign: -1, scale: 2.5, offset: -3}
  bar: {from: plain, table: [[0, 0], [5, 1.5]], unit: bar}
  count: {from: plain, unit: none}
derived:
  sum: {expr: rpm + 1, unit: rpm}
  way: {method: distance, speed: speed, unit: km}
  gear: {method: gear_ratio, rpm: rpm, speed: speed, ratios: [3, 2], final_drive: 3, tyre_circumference: 2 m}
roles: {speed: speed, rpm: rpm}
alarms:
  temp: {above: 230 degF, over_rpm: 3000, for: 2 s}
  count: {below: 1}
"""

WHOLE_DBC = """VERSION ""
BO_ 2364540158 Group: 8 X
 SG_ load : 16|8@1+ (1,0) [0|0] "%" X
BO_ 1 Brakes: 8 X
 SG_ sum : 0|8@1+ (1,0) [0|0] "" X
 SG_ alive : 8|4@1+ (1,0) [0|0] "" X
BO_ 2 Doors: 1 X
 SG_ alive : 0|4@1+ (1,0) [0|0] "" X
"""

MISTAKES = {
    "a section": HEAD + "chanels: {speed: {from: speed_mph}}\n",
    "a bus's key": "car: {make: X}\nbuses: {can: {dcb: a.dbc}}\n",
    "a channel's key": HEAD + "channels: {speed: {form: speed_mph}}\n",
    "a despike's key": HEAD + "channels: {y: {from: yaw, despike: {by: 3, off: 3}}}\n",
    "a derived channel's key": HEAD + "derived: {y: {exp: yaw}}\n",
    "an expression without a unit": HEAD + "derived: {y: {expr: yaw}}\n",
    "a protocol": "car: {make: X}\nbuses: {can: {dbc: a.dbc, protocol: j1938}}\n",
    "a message's key": "car: {make: X}\nbuses: {can: {dbc: a.dbc, messages: {Engine: {conter: rpm}}}}\n",
    "a method of checksums": "car: {make: X}\nbuses: {can: {dbc: a.dbc, messages: "
    "{Engine: {checksum: {signal: rpm, method: crc9}}}}}\n",
    "a method": HEAD + "derived: {y: {method: distanse, speed: speed_mph}}\n",
    "a method's key": HEAD + "derived: {y: {method: distance, speed: speed_mph, sped: 3}}\n",
    "a role": HEAD + "roles: {sped: speed_mph}\n",
    "a name": HEAD + "channels: {fast-speed: {from: yaw}}\n",
    "a word of expressions": HEAD + "channels: {hypot: {from: yaw}}\n",
    "no bus": "car: {make: X}\nbuses: {}\n",
    "no car": "buses: {can: {dbc: a.dbc}}\n",
    "nothing in a section": HEAD + "channels: {}\n",
    "no key in a channel": HEAD + "channels: {yaw: {}}\n",
    "a sign of 2": HEAD + "channels: {y: {from: yaw, sign: 2}}\n",
    "a scale of 0": HEAD + "channels: {y: {from: yaw, scale: 0}}\n",
    "an offset that is a text": HEAD + "channels: {y: {from: yaw, offset: x}}\n",
    "a unit that says nothing": HEAD + "channels: {y: {from: yaw, unit: ''}}\n",
    "limits of three": HEAD + "channels: {y: {from: yaw, limits: [1, 2, 3]}}\n",
    "a table of one point": HEAD + "channels: {y: {from: yaw, unit: V, table: [[0, 1]]}}\n",
    "an even median": HEAD + "channels: {y: {from: yaw, despike: {by: 3, of: 4}}}\n",
    "a cut-off of nothing": HEAD + "channels: {y: {from: yaw, low_pass: 0}}\n",
    "a hold that is no time": HEAD + "channels: {y: {from: yaw, hold: long}}\n",
    "a data bitrate without fd": "car: {make: X}\nbuses: {can: {dbc: a.dbc, data_bitrate: 5}}\n",
    "a bitrate of a half": "car: {make: X}\nbuses: {can: {dbc: a.dbc, bitrate: 0.5}}\n",
}


def read(text: str) -> Any:
    return yaml.safe_load(text)


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


def test_the_file_that_ships_is_what_the_program_prints() -> None:
    assert json.loads((CARS / "car.schema.json").read_text()) == schema(), "run: make docs"


@pytest.mark.parametrize("name", names(CARS))
def test_every_car_that_ships_is_valid_and_says_which_schema_checks_it(name: str) -> None:
    text = (CARS / name / "car.yaml").read_text()
    VALIDATOR.validate(read(text))
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../car.schema.json"


def test_the_smallest_car_of_the_page_is_valid() -> None:
    text = PAGE.read_text().split("```yaml\n")[1].split("```")[0]
    VALIDATOR.validate(read(text))
    assert text.startswith("# yaml-language-server: $schema=../car.schema.json\n")


def test_a_car_that_says_everything_is_taken_by_schema_and_loader(tmp_path: Path) -> None:
    """Every key of every table is in it, so that none can be missing in the schema."""
    document = read(WHOLE)
    said = {key for channel in document["channels"].values() for key in channel}
    assert said == set(vocabulary.CHANNEL)
    assert {key for bus in document["buses"].values() for key in bus} == set(vocabulary.BUS)
    VALIDATOR.validate(document)
    assert load(car(tmp_path, WHOLE, b=WHOLE_DBC), "test").channels


@pytest.mark.parametrize("mistake", MISTAKES)
def test_schema_and_loader_refuse_the_same(tmp_path: Path, mistake: str) -> None:
    assert not VALIDATOR.is_valid(read(MISTAKES[mistake]))
    with pytest.raises(CarError):
        load(car(tmp_path, MISTAKES[mistake]), "test")


@pytest.mark.parametrize("key", [*vocabulary.CHANNEL, *vocabulary.BUS])
def test_no_key_is_known_with_a_letter_too_many(tmp_path: Path, key: str) -> None:
    text = HEAD.replace("a.dbc", f"a.dbc, {key}s: 1") if key in vocabulary.BUS else ""
    text = text or HEAD + f"channels: {{y: {{from: yaw, {key}s: 1}}}}\n"
    assert not VALIDATOR.is_valid(read(text))
    with pytest.raises(CarError, match=f"unknown key '[a-z.]*{key}s' \\(did you mean '{key}'"):
        load(car(tmp_path, text), "test")


@pytest.mark.parametrize("method", METHODS)
def test_the_schema_knows_every_key_of_every_method(method: str) -> None:
    keys = dict.fromkeys(METHODS[method].keys, "1")
    assert VALIDATOR.is_valid(read(HEAD) | {"derived": {"x": {"method": method, **keys}}})


def is_no_number(text: str) -> bool:
    try:
        float(text.strip().partition(" ")[0])
    except ValueError:
        return text.lower() not in ("true", "false")
    return False


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**7),
    st.floats(-100, 100, width=16),
    st.sampled_from(["none", "m/s", "degC", "yaw", "plain", "Chassis.yaw", "5 Hz", "3 s", "20 ms", ".5 kHz"]),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Z")), max_size=5).filter(is_no_number),
)
PAIRS = st.lists(st.integers(-9, 9), min_size=1, max_size=3)
VALUES = st.one_of(
    SCALARS,
    SCALARS,
    PAIRS,
    st.lists(PAIRS, max_size=3),
    st.lists(SCALARS, max_size=3),
    st.fixed_dictionaries({}, optional={"by": SCALARS, "of": st.integers(1, 9), "off": SCALARS}),
)
KEYS = st.sampled_from([*vocabulary.CHANNEL, *vocabulary.CHANNEL, "form"])


@settings(max_examples=150, deadline=None)
@given(
    channel=st.dictionaries(KEYS, VALUES, max_size=4),
    bus=st.dictionaries(st.sampled_from([*vocabulary.BUS][1:]), SCALARS, max_size=3),
    role=st.dictionaries(st.sampled_from(["speed", "rpm", "sped"]), SCALARS, max_size=2),
)
def test_any_values_are_a_car_or_its_problems_and_what_the_schema_refuses_the_loader_refuses(
    tmp_path_factory: pytest.TempPathFactory, channel: dict[str, Any], bus: dict[str, Any], role: dict[str, Any]
) -> None:
    document = {
        "car": {"make": "X"},
        "buses": {"can": {"dbc": "a.dbc", **bus}},
        "channels": {"speed": {"from": "speed_mph", "unit": "m/s"}, "y": {"from": "yaw", **channel}},
        "roles": {"rpm": "rpm", **role},
    }
    found = problems(car(tmp_path_factory.getbasetemp() / "fuzzed", yaml.safe_dump(document)))
    assert all(re.search(r"car\.yaml:\d+:\d+: ", line) for line in found)
    assert found or VALIDATOR.is_valid(document)


def problems(cars: Path) -> list[str]:
    try:
        load(cars, "test")
    except CarError as error:
        return error.problems
    return []
