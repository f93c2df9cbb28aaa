"""The tables that reading follows in, a JSON Schema of car.yaml out: editors complete and check it while it is written.

Laws: every key that reading takes is in it and no other; what it refuses, reading refuses too, but for the quotes of a
number.  What needs the DBC, or another entry, to be told (names, conversions, circles) is `pitwall car check`'s.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pitwall.car.channels import NAME, RESERVED
from pitwall.car.kinds import TEXT, UNIT, closed
from pitwall.car.methods import METHODS
from pitwall.car.vocabulary import ABOUT, BUS, CHANNEL, ROLES, SECTIONS, alarm

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""The newest that editors' YAML servers know whole."""

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema of a car.yaml."""
    sections = {
        "car": _about(),
        "buses": _buses(),
        "channels": _channels(),
        "derived": _derived(),
        "roles": _roles(),
        "alarms": _alarms(),
    }
    return {
        "$schema": DIALECT,
        "title": "A car of pitwall",
        **_closed({name: {"description": about, **sections[name]} for name, about in SECTIONS.items()}),
        "required": ["car", "buses"],
    }


def _about() -> Schema:
    return {
        "type": ["object", "null"],
        "properties": dict.fromkeys(ABOUT, TEXT.schema),
        "additionalProperties": TEXT.schema,
    }


def _buses() -> Schema:
    bus = {
        **closed(BUS),
        "type": ["object", "null"],
        "if": {"required": ["data_bitrate"]},
        "then": {"required": ["fd"], "properties": {"fd": {"const": True}}},
    }
    return {"type": "object", "additionalProperties": bus, "minProperties": 1}


def _channels() -> Schema:
    return _named({**closed(CHANNEL), "minProperties": 1})


def _derived() -> Schema:
    unit = {"unit": {"description": "the unit of the result", **UNIT.schema}}
    expr = {"expr": {"description": "a formula of other channels", **TEXT.schema}}
    kinds = [_closed({**expr, **unit}, ["expr", "unit"])]
    for name, method in METHODS.items():
        parameters: dict[str, Any] = dict.fromkeys(method.keys, True)
        kinds.append(_closed({"method": {"const": name}, **parameters, **unit}, ["method"]))
    return _named({"anyOf": kinds})


def _roles() -> Schema:
    return {**_closed(dict.fromkeys(ROLES, TEXT.schema)), "minProperties": 1}


def _alarms() -> Schema:
    one = {**closed(alarm("s")), "anyOf": [{"required": ["below"]}, {"required": ["above"]}]}
    return {"type": "object", "additionalProperties": one, "minProperties": 1}


def _named(entry: Schema) -> Schema:
    """A section of channels by their names, at least one."""
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME}$", "not": {"enum": sorted(RESERVED)}},
        "additionalProperties": entry,
        "minProperties": 1,
    }


def _closed(properties: Mapping[str, Any], required: Iterable[str] = ()) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
    }
