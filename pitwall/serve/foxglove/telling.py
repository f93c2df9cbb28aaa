"""One Foxglove client that looks at what is recorded: its subscriptions, and what it is told until it goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pitwall.serve.foxglove import protocol
from pitwall.serve.foxglove.live import news, topics_of
from pitwall.serve.foxglove.messages import Message, between
from pitwall.serve.foxglove.topics import LAST_T_NS, Topic
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    import duckdb

    from pitwall.serve.serving import Serving
    from pitwall.serve.sockets import Socket

NAME: Final = "pitwall"

EVENTS_S: Final = 1.0
"""Laps, cues and incidents are looked up so often, for who has subscribed to them."""

LOOKED_UP: Final = ("log", "laps")
"""Kinds of topics that the picture does not hold."""


class Subscriptions:
    """Of one client: the place of a topic by subscription.  fresh: those it has not been told the newest state of."""

    def __init__(self) -> None:
        self.topics: dict[int, int] = {}
        self.fresh: set[int] = set()

    def take(self, said: protocol.Said | None) -> None:
        """What the client said of them.  SaidWrongError: more than one may have."""
        if isinstance(said, protocol.Subscribe):
            if len(self.topics.keys() | said.topics.keys()) > protocol.MOST_SUBSCRIPTIONS:
                raise protocol.SaidWrongError(f"one client may have {protocol.MOST_SUBSCRIPTIONS} subscriptions")
            self.topics.update(said.topics)
            self.fresh.update(said.topics)
        elif isinstance(said, protocol.Unsubscribe):
            for id in said.ids:
                self.topics.pop(id, None)
                self.fresh.discard(id)

    def of(self, place: int) -> list[int]:
        """Subscriptions to one topic."""
        return [id for id, topic in self.topics.items() if topic == place]

    def clear(self) -> None:
        """The topics are others now."""
        self.topics.clear()
        self.fresh.clear()


class Telling:
    """What one client is told of the session that is followed."""

    def __init__(self, serving: Serving, socket: Socket) -> None:
        self._serving = serving
        self._socket = socket
        self._subscribed = Subscriptions()
        self._topics: tuple[Topic, ...] = ()
        self._looked_t = 0  # laps, cues and incidents up to here have been told
        self._looked_s = -EVENTS_S

    async def hear(self, message: str | bytes) -> None:
        """What the client says."""
        try:
            self._subscribed.take(protocol.heard(message, len(self._topics)))
        except protocol.SaidWrongError as error:
            await self._socket.send(protocol.status(protocol.ERROR, str(error)))

    async def tell(self) -> None:
        """Until the server stops.  Raises StalledError."""
        broadcast = self._serving.broadcast
        cast, seen, introduced = None, 0, False
        while not broadcast.closing:
            picture, tick = broadcast.picture, broadcast.tick
            if picture.cast is not cast or not introduced:
                cast, seen, introduced = picture.cast, 0, True
                await self._introduce()
            old = frozenset(broadcast.changed(seen).tolist())
            for message in self._news(old):
                await self._send(message, self._subscribed.of(message.topic))
            await self._look_up()
            self._serving.streams.skipped += max(0, tick - seen - 1) if seen else 0
            seen = tick
            await self._wait(seen)

    async def _wait(self, seen: int) -> None:
        """Until there is a new tick, or somebody has subscribed."""
        while not self._subscribed.fresh:
            try:
                async with asyncio.timeout(0.1):
                    await self._serving.broadcast.after(seen)
                return
            except TimeoutError:
                continue

    def _news(self, changed: frozenset[int]) -> list[Message]:
        """What is new; and all there is, for topics that were subscribed to just now."""
        fresh = {self._subscribed.topics[id] for id in self._subscribed.fresh}
        picture = self._serving.broadcast.picture
        tables = {channel.table for place in fresh for channel in self._topics[place].channels}
        channels = picture.cast.channels if picture.cast is not None else ()
        all_of = {i for i, channel in enumerate(channels) if channel.table in tables and picture.t[i] >= 0}
        found = news(picture, sorted(changed | all_of), self._topics)
        wanted = set(self._subscribed.topics.values())
        self._subscribed.fresh.clear()
        return [message for message in found if message.topic in wanted]

    async def _introduce(self) -> None:
        cast = self._serving.broadcast.picture.cast
        if self._topics:
            await self._socket.send(protocol.unadvertise(len(self._topics)))
        self._subscribed.clear()
        self._looked_t = 0
        self._topics = topics_of(cast) if cast is not None else ()
        about = {"session": cast.session, "car": cast.car} if cast is not None else {}
        await self._socket.send(protocol.server_info(NAME, session=about.get("session", "-"), metadata=about))
        if self._topics:
            await self._socket.send(protocol.advertise(self._topics))

    async def _send(self, message: Message, subscriptions: list[int]) -> None:
        cast = self._serving.broadcast.picture.cast
        if cast is None:
            return
        at = cast.started_at_ns + message.t
        if subscriptions:
            await self._socket.send(protocol.time(at))
        for id in subscriptions:
            await self._socket.send(protocol.message_data(id, at, message.data))

    async def _look_up(self) -> None:
        """Laps, cues and incidents since the last look, by the projection; what it can't tell now it tells later."""
        cast, now_s = self._serving.broadcast.picture.cast, asyncio.get_running_loop().time()
        places = [i for i, topic in enumerate(self._topics) if topic.kind in LOOKED_UP and self._subscribed.of(i)]
        if cast is None or not places or now_s - self._looked_s < EVENTS_S:
            return
        self._looked_s = now_s
        asked, since, started = [self._topics[i] for i in places], self._looked_t, cast.started_at_ns

        def question(cursor: duckdb.DuckDBPyConnection) -> list[Message]:
            return between(cursor, asked, started, since, LAST_T_NS)

        try:
            found = (await self._serving.readings.ask(cast.session, question)).answer
        except Problem:
            return
        for message in found:
            self._looked_t = message.t + 1
            place = places[message.topic]
            await self._send(Message(message.t, place, message.data), self._subscribed.of(place))
