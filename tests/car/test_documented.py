"""Whatever a definition may say is on its page, and the page's own example is a car."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pitwall.car import checksums, expression, load, messages, methods, parsing
from pitwall.car.kinds import DESPIKE_KEYS
from pitwall.car.vocabulary import BUS, CHANNEL, ROLES
from tests.car.folders import car

PAGE = (Path(__file__).parents[2] / "docs" / "car-definitions.md").read_text()
EXAMPLES = "car: {}\nbuses: {can: {dbc: a.dbc}}\nderived:\n"
EXAMPLES_DBC = 'VERSION ""\n' + "".join(
    f'BO_ {id} M{id}: 8 X\n SG_ {name} : 0|16@1+ (1,0) [0|0] "{unit}" X\n'
    for id, (name, unit) in enumerate(
        {
            "rpm": "rpm",
            "speed": "km/h",
            "wheel_speed_front": "m/s",
            "wheel_speed_rear": "m/s",
            "lat": "deg",
            "lon": "deg",
            "yaw_rate": "deg/s",
            "fuel": "gal",
        }.items()
    )
)


def words(heading: str) -> set[str]:
    """The words in `code` of a section."""
    section = PAGE.split(f"\n## `{heading}`")[1].split("\n## ")[0]
    blocks = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
    codes = [*blocks.findall(section), *re.findall(r"`([^`\n]+)`", blocks.sub("", section))]
    return {word for code in codes for word in re.findall(r"\w+", code)}


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("buses", BUS),
        ("buses", (*messages.PROTOCOLS, *messages.KEYS, *messages.COUNTER_KEYS, *messages.CHECKSUM_KEYS)),
        ("buses", {word for method in checksums.METHODS for word in method.split("-")}),
        ("channels", CHANNEL),
        ("channels", DESPIKE_KEYS),
        ("derived", ("unit", "expr", "method", *expression.WORDS, *methods.METHODS)),
        ("derived", {key for method in methods.METHODS.values() for key in method.keys}),
        ("roles", ROLES),
    ],
)
def test_every_key_is_documented(heading: str, known: set[str]) -> None:
    assert not set(known) - words(heading)


def test_every_method_of_the_page_has_an_example_that_is_one(tmp_path: Path) -> None:
    section = PAGE.split("## `derived`")[1].split("\n## ")[0]
    examples = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    given = re.findall(r"### `(\w+)`", section)
    assert sorted(given) == sorted(methods.METHODS)
    yaml = "".join("  " + line + "\n" for example in examples for line in example.splitlines())
    made = load(car(tmp_path, EXAMPLES + yaml, a=EXAMPLES_DBC), "test").derived
    assert {channel.source.split("(")[0] for channel in made} == set(methods.METHODS)


def test_every_example_of_a_function_is_one() -> None:
    section = PAGE.split("| function | gives | example |")[1].split("\n\n")[0]
    examples = [code for line in section.splitlines()[2:] for code in re.findall(r"`([^`]+)`", line.split("|")[3])]
    assert len(examples) >= 9
    for example in examples:
        reads = example if "unit(1" not in example else f"speed * {example}"
        assert parsing.parse(reads, {"speed": "m/s"}.get).inputs


def test_every_function_and_role_of_the_page_exists() -> None:
    listed = PAGE.split("<!-- functions -->")[1].split("\n\n")[0]
    assert set(re.findall(r"\w+", listed)) == set(expression.FUNCTIONS)
    assert set(re.findall(r"\w+", PAGE.split("<!-- roles -->")[1].split("\n\n")[0])) == set(ROLES)


def test_the_smallest_car_of_the_page_is_one(tmp_path: Path) -> None:
    yaml = PAGE.split("```yaml\n")[1].split("```")[0].replace("mx5.dbc", "a.dbc")
    assert load(car(tmp_path, yaml), "test").channels
