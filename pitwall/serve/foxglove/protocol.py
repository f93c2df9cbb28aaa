"""Foxglove's WebSocket protocol: what is said to a client as text or bytes, and what a client says as records.  Pure.

Of https://github.com/foxglove/ws-protocol/blob/main/docs/spec.md, and, for `foxglove.sdk.v1`, of
https://github.com/foxglove/foxglove-sdk (rust/foxglove/src/protocol): the same, and playback control. All numbers are
little-endian.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from pitwall.serve.encoding import dumps
from pitwall.serve.foxglove.topics import Topic, stamp

SDK: Final = "foxglove.sdk.v1"
SUBPROTOCOLS: Final = (SDK, "foxglove.websocket.v1")

MESSAGE_DATA: Final = 1
TIME: Final = 2
PLAYBACK_STATE: Final = 5
PLAYBACK_CONTROL: Final = 3
"""Of a client's binary messages; the others of ours."""

_MESSAGE: Final = struct.Struct("<BIQ")
_TIME: Final = struct.Struct("<BQ")
_STATE: Final = struct.Struct("<BBQfBI")
_CONTROL: Final = struct.Struct("<BBfBQI")

WARNING: Final = 1
ERROR: Final = 2
"""Levels of a status."""

MOST_SUBSCRIPTIONS: Final = 1024
"""Of one client; a car has a tenth of it in topics."""


class SaidWrongError(Exception):
    """A client said what can't be understood, or not be done; its words go back to it as a status."""


class Status(IntEnum):
    """How a playback is doing."""

    PLAYING = 0
    PAUSED = 1
    BUFFERING = 2
    ENDED = 3


@dataclass(frozen=True, slots=True)
class Subscribe:
    """By subscription: the place of the topic."""

    topics: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Subscriptions that end."""

    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """A request to the playback.  seek_ns: unix time to go to; None: none.  request: its name, to be said again."""

    play: bool
    speed: float
    seek_ns: int | None
    request: str


Said = Subscribe | Unsubscribe | Control


def server_info(
    name: str, *, session: str, metadata: Mapping[str, str], playback: tuple[int, int] | None = None
) -> str:
    """The first message.  playback: unix ns of its beginning and end, where the client may control it."""
    body: dict[str, Any] = {
        "op": "serverInfo",
        "name": name,
        "capabilities": ["time"],
        "metadata": dict(metadata),
        "sessionId": session,
    }
    if playback is not None:
        body["capabilities"] = ["time", "playbackControl"]
        body["dataStartTime"], body["dataEndTime"] = map(stamp, playback)
    return dumps(body).decode()


def advertise(topics: Iterable[Topic]) -> str:
    """The topics, each with the id 1 + its place."""
    channels = [
        {
            "id": place,
            "topic": topic.name,
            "encoding": "json",
            "schemaName": topic.schema_name,
            "schema": topic.schema_text().decode(),
            "schemaEncoding": "jsonschema",
        }
        for place, topic in enumerate(topics, 1)
    ]
    return dumps({"op": "advertise", "channels": channels}).decode()


def unadvertise(count: int) -> str:
    """All of `count` topics are gone."""
    return dumps({"op": "unadvertise", "channelIds": list(range(1, count + 1))}).decode()


def status(level: int, message: str) -> str:
    """Words for the person who looks at the client."""
    return dumps({"op": "status", "level": level, "message": message}).decode()


def message_data(subscription: int, unix_ns: int, data: bytes) -> bytes:
    """A message, to one subscription."""
    return _MESSAGE.pack(MESSAGE_DATA, subscription, unix_ns) + data


def time(unix_ns: int) -> bytes:
    """What time it is in what is played."""
    return _TIME.pack(TIME, unix_ns)


def playback_state(status: Status, unix_ns: int, speed: float, *, did_seek: bool, request: str = "") -> bytes:
    """How the playback is doing.  request: what it answers."""
    name = request.encode()
    return _STATE.pack(PLAYBACK_STATE, status, unix_ns, speed, did_seek, len(name)) + name


def heard(message: str | bytes, topics: int) -> Said | None:
    """What a client said; None: what this server has no use for.  topics: how many there are.  SaidWrongError."""
    return _heard_binary(message) if isinstance(message, bytes) else _heard_text(message, topics)


def _heard_text(message: str, topics: int) -> Said | None:
    try:
        said = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise SaidWrongError(f"that is no JSON: {error}") from error
    if not isinstance(said, dict) or not isinstance(said.get("op"), str):
        raise SaidWrongError("a message is an object with an `op`")
    if said["op"] == "unsubscribe":
        return Unsubscribe(tuple(_whole(id, 0, 2**32) for id in _list(said, "subscriptionIds")))
    if said["op"] != "subscribe":
        return None
    found: dict[int, int] = {}
    for one in _list(said, "subscriptions"):
        if not isinstance(one, dict):
            raise SaidWrongError("a subscription is an object with an `id` and a `channelId`")
        found[_whole(one.get("id"), 0, 2**32)] = _whole(one.get("channelId"), 1, topics + 1) - 1
    return Subscribe(found)


def _list(said: Mapping[str, Any], name: str) -> list[Any]:
    found = said.get(name)
    if not isinstance(found, list) or len(found) > MOST_SUBSCRIPTIONS:
        raise SaidWrongError(f"{name} is a list of at most {MOST_SUBSCRIPTIONS}")
    return found


def _whole(value: Any, first: int, stop: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not first <= value < stop:
        raise SaidWrongError(f"{str(value)[:40]!r} is no whole number from {first} to {stop - 1}")
    return value


def _heard_binary(message: bytes) -> Said | None:
    if not message or message[0] != PLAYBACK_CONTROL:
        return None
    if len(message) < _CONTROL.size:
        raise SaidWrongError(f"a playback control has at least {_CONTROL.size} bytes, not {len(message)}")
    _, command, speed, seeks, seek_ns, length = _CONTROL.unpack_from(message)
    name = message[_CONTROL.size : _CONTROL.size + length]
    if command > 1 or len(name) < length or length > 256:
        raise SaidWrongError("that is no playback control")
    return Control(command == 0, speed, seek_ns if seeks else None, name.decode(errors="replace"))
