"""A session's channels in, its topics with their JSON schemas out.  Pure.

One topic a table (`/dash_SmartyCam01`), one for the position (`/position`, a `foxglove.LocationFix`), one for what was
said or happened (`/log`, a `foxglove.Log`) and one for laps (`/laps`).  The WebSocket and MCAP files have the same.

Law: what is missing is left out of a message; no property of a channel is required.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pitwall.serve.encoding import dumps

NS: Final = 1_000_000_000

LAST_T_NS: Final = 2**62
"""Behind all that a session can hold: a century and a half."""


class Channel(NamedTuple):
    """A channel, and where it stands in a projection."""

    name: str
    unit: str
    source: str
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One stream of messages of one schema.  channels: of a table's topic, or latitude and longitude of the position.

    schema: of one message, as JSON Schema.  kind: what its messages are made of, one of `KINDS`.
    """

    name: str
    kind: str
    schema_name: str
    schema: Mapping[str, Any]
    channels: tuple[Channel, ...] = ()

    def schema_text(self) -> bytes:
        """The schema as JSON."""
        return dumps(self.schema)


KINDS: Final = ("table", "position", "log", "laps")

_TIME: Final = {
    "type": "object",
    "title": "time",
    "properties": {
        "sec": {"type": "integer", "minimum": 0},
        "nsec": {"type": "integer", "minimum": 0, "maximum": NS - 1},
    },
}

LOCATION_FIX: Final = {
    "title": "foxglove.LocationFix",
    "type": "object",
    "properties": {
        "timestamp": _TIME,
        "frame_id": {"type": "string"},
        "latitude": {"type": "number", "description": "degrees"},
        "longitude": {"type": "number", "description": "degrees"},
        "position_covariance": {"type": "array", "items": {"type": "number"}, "minItems": 9, "maxItems": 9},
        "position_covariance_type": {"type": "integer", "description": "0: it is not known how good the fix is"},
    },
    "required": ["timestamp", "frame_id", "latitude", "longitude"],
}
"""Of https://docs.foxglove.dev/docs/visualization/message-schemas/location-fix; an altitude is not made up."""

LOG: Final = {
    "title": "foxglove.Log",
    "type": "object",
    "properties": {
        "timestamp": _TIME,
        "level": {"type": "integer", "description": "1 debug, 2 info, 3 warning, 4 error, 5 fatal"},
        "message": {"type": "string"},
        "name": {"type": "string", "description": "what says it: cue, incident"},
        "file": {"type": "string"},
        "line": {"type": "integer", "minimum": 0},
    },
    "required": ["timestamp", "level", "message", "name", "file", "line"],
}
"""Of https://docs.foxglove.dev/docs/visualization/message-schemas/log."""

LAP: Final = {
    "title": "pitwall.Lap",
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "kind": {"type": "string"},
        "time_s": {"type": "number"},
        "valid": {"type": "boolean"},
        "best": {"type": "boolean"},
        "delta_s": {"type": "number"},
    },
    "required": ["number", "kind"],
}

WARNING: Final = 3
INFO: Final = 2
LEVELS: Final = {"safety": 4, "engine": 4, "time": INFO, "habit": WARNING}
"""Foxglove's level of each priority of a cue or an incident."""


def topics(channels: Iterable[Channel], roles: Mapping[str, str]) -> tuple[Topic, ...]:
    """All of a session's topics: its tables in their order, then the position where the car has one, log and laps."""
    by_table: dict[str, list[Channel]] = {}
    for channel in channels:
        by_table.setdefault(channel.table, []).append(channel)
    found = [_of_table(table, tuple(members)) for table, members in by_table.items()]
    by_name = {channel.name: channel for members in by_table.values() for channel in members}
    fix = [by_name[roles[role]] for role in ("lat", "lon") if roles.get(role) in by_name]
    if len(fix) == 2:
        found.append(Topic("/position", "position", "foxglove.LocationFix", LOCATION_FIX, tuple(fix)))
    found.append(Topic("/log", "log", "foxglove.Log", LOG))
    found.append(Topic("/laps", "laps", "pitwall.Lap", LAP))
    return tuple(found)


def _of_table(table: str, channels: tuple[Channel, ...]) -> Topic:
    properties = {
        channel.name: {"type": "number", "description": ", ".join(filter(None, (channel.unit, channel.source)))}
        | ({"unit": channel.unit} if channel.unit else {})
        for channel in channels
    }
    schema = {"title": f"pitwall.{table}", "type": "object", "properties": properties}
    return Topic(f"/{table}", "table", f"pitwall.{table}", schema, channels)


def stamp(unix_ns: int) -> dict[str, int]:
    """A time as Foxglove's schemas have it."""
    return {"sec": unix_ns // NS, "nsec": unix_ns % NS}


def row(names: Sequence[str], values: Sequence[float | None]) -> bytes | None:
    """A message of a table's topic; None: nothing is known.  What JSON can't say (NaN, infinities) is left out."""
    known = {n: v for n, v in zip(names, values, strict=True) if v is not None and v - v == 0}
    return dumps(known) if known else None


def fix(unix_ns: int, latitude: float | None, longitude: float | None) -> bytes | None:
    """A message of the position; None: one of the two is missing."""
    if latitude is None or longitude is None or latitude - latitude != 0 or longitude - longitude != 0:
        return None
    return dumps(
        {
            "timestamp": stamp(unix_ns),
            "frame_id": "car",
            "latitude": latitude,
            "longitude": longitude,
            "position_covariance": [0.0] * 9,
            "position_covariance_type": 0,
        }
    )


def said(unix_ns: int, name: str, priority: str, message: str) -> bytes:
    """A message of the log: a cue, or an incident."""
    level = LEVELS.get(priority, INFO)
    return dumps({"timestamp": stamp(unix_ns), "level": level, "message": message, "name": name, "file": "", "line": 0})


def lap(about: Mapping[str, Any]) -> bytes:
    """A message of the laps; what is missing of it is left out."""
    return dumps({name: value for name, value in about.items() if value is not None})
