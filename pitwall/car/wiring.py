"""How a car's buses are opened, for who records: `buses:` of car.yaml in, names and settings out; DBCs stay unread.

Law: a mistake elsewhere in the definition, or in a DBC, never keeps a car from being recorded.  Needs yaml alone.
"""

from __future__ import annotations

from pathlib import Path

from pitwall.car import document
from pitwall.car.definition import Bus
from pitwall.car.document import Entry, Problems, suggestion
from pitwall.car.kinds import read
from pitwall.car.load import DEFINITION, names
from pitwall.car.vocabulary import BUS
from pitwall.errors import CarError, UsageError


def wiring(cars: Path, name: str) -> tuple[Bus, ...]:
    """The buses of the car `name`, without their messages.

    Raises UsageError where there is no such car, CarError where `buses:` can't be read.
    """
    known = names(cars)
    if name not in known:
        hint = suggestion(name, known) or f"a car is a folder with a {DEFINITION}"
        raise UsageError(f"there is no car {name!r}", where=cars, hint=hint)
    file = cars / name / DEFINITION
    problems = Problems()
    root = document.read(file, str(file), problems)
    section = root.mapping().get("buses") if root is not None else None
    buses = tuple(_bus(bus, entry) for bus, entry in section.mapping().items()) if section is not None else ()
    if root is not None and not buses:
        problems.add((str(file), 1), "a car has at least one bus", "buses: {can: {dbc: car.dbc}}")
    if problems:
        raise CarError(problems.lines())
    return buses


def _bus(name: str, entry: Entry) -> Bus:
    values = read(entry.mapping(), BUS)
    return Bus(
        name=name,
        messages=(),
        source=values.get("source"),
        interface=values.get("interface"),
        channel=values.get("channel"),
        bitrate=values.get("bitrate"),
        data_bitrate=values.get("data_bitrate"),
        fd=bool(values.get("fd")),
    )
