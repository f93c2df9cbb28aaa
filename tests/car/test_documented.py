"""Whatever a definition may say is on its page, and the page's own example is a car."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pitwall.car import channels, checksums, derived, expression, load, messages
from pitwall.car.load import BUS_KEYS, ROLES
from tests.car.folders import car

PAGE = (Path(__file__).parents[2] / "docs" / "car-definitions.md").read_text()


def words(heading: str) -> set[str]:
    """The words in `code` of a section."""
    section = PAGE.split(f"## `{heading}`")[1].split("\n## ")[0]
    return {word for code in re.findall(r"`([^`\n]+)`", section) for word in re.findall(r"\w+", code)}


@pytest.mark.parametrize(
    ("heading", "known"),
    [
        ("buses", BUS_KEYS),
        ("buses", (*messages.PROTOCOLS, *messages.KEYS, *messages.COUNTER_KEYS, *messages.CHECKSUM_KEYS)),
        ("buses", {word for method in checksums.METHODS for word in method.split("-")}),
        ("channels", channels.KEYS),
        ("derived", ("unit", "expr", "method", *expression.WORDS, *derived.METHODS)),
        ("derived", {key for method in derived.METHODS.values() for key in method.keys}),
        ("roles", ROLES),
    ],
)
def test_every_key_is_documented(heading: str, known: set[str]) -> None:
    assert not set(known) - words(heading)


def test_every_function_and_role_of_the_page_exists() -> None:
    listed = PAGE.split("<!-- functions -->")[1].split("\n\n")[0]
    assert set(re.findall(r"\w+", listed)) == set(expression.FUNCTIONS)
    assert set(re.findall(r"\w+", PAGE.split("<!-- roles -->")[1])) == set(ROLES)


def test_the_smallest_car_of_the_page_is_one(tmp_path: Path) -> None:
    yaml = PAGE.split("```yaml\n")[1].split("```")[0].replace("mx5.dbc", "a.dbc")
    assert load(car(tmp_path, yaml), "test").channels
