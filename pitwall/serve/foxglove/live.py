"""Pictures in, Foxglove's messages out: what is new since a client last looked, newest state only.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pitwall.serve.foxglove.messages import Message
from pitwall.serve.foxglove.topics import Channel, Topic, fix, row, topics
from pitwall.serve.newest import NEVER

if TYPE_CHECKING:
    from pitwall.serve.newest import Cast, Picture


def topics_of(cast: Cast) -> tuple[Topic, ...]:
    """The topics of the session that is followed."""
    channels = (Channel(one.name, one.unit, one.source, one.table, one.name) for one in cast.channels)
    return topics(channels, cast.roles)


def news(picture: Picture, changed: Iterable[int], known: Sequence[Topic]) -> list[Message]:
    """Messages of the values at the places `changed`, each at the time that it was true, by time.

    known: the topics of the picture's cast.
    """
    cast = picture.cast
    if cast is None:
        return []
    table = {topic.channels[0].table: place for place, topic in enumerate(known) if topic.kind == "table"}
    position = next((place for place, topic in enumerate(known) if topic.kind == "position"), None)
    values: dict[tuple[int, int], dict[str, float]] = {}
    t, v = picture.t.tolist(), picture.v.tolist()
    for i in changed:
        one = cast.channels[i]
        values.setdefault((t[i], table[one.table]), {})[one.name] = v[i]
    found = [
        Message(at, place, data)
        for (at, place), known_now in values.items()
        for data in [row(list(known_now), list(known_now.values()))]
        if data is not None
    ]
    if position is not None:
        found += _fix(picture, cast, known[position], position, set(changed))
    return sorted(found, key=lambda message: message.t)


def _fix(picture: Picture, cast: Cast, topic: Topic, place: int, changed: set[int]) -> list[Message]:
    names = [channel.name for channel in cast.channels]
    latitude, longitude = (names.index(channel.name) for channel in topic.channels)
    at = int(picture.t[latitude])
    if latitude not in changed or NEVER in (at, int(picture.t[longitude])):
        return []
    data = fix(cast.started_at_ns + at, float(picture.v[latitude]), float(picture.v[longitude]))
    return [] if data is None else [Message(at, place, data)]
