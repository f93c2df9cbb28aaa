"""One Foxglove client that plays a past session: every message of it, at the speed that it asks for.

A client that can't keep up makes the playback slower. Where it is of `foxglove.sdk.v1` it may pause, seek, and set the
speed; after a seek the last value of every channel comes at once.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from pitwall.serve.foxglove import protocol
from pitwall.serve.foxglove.messages import WINDOW_NS, Message, Span, before, between, channels, span
from pitwall.serve.foxglove.protocol import Status
from pitwall.serve.foxglove.telling import NAME, Subscriptions
from pitwall.serve.foxglove.topics import Channel, Topic, topics
from pitwall.serve.player import Player

if TYPE_CHECKING:
    import duckdb

    from pitwall.serve.serving import Serving
    from pitwall.serve.sockets import Socket

STEP_S: Final = 0.02
"""Between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Past:
    """A session to be played.  first, last: t of its ends, ns."""

    session: str
    car: str
    started_at_ns: int
    topics: tuple[Topic, ...]
    first: int
    last: int


async def past(serving: Serving, name: str) -> Past:
    """The session that `name` stands for.  Raises Problem."""
    about = await serving.about(name)
    roles = await serving.readings.roles(about.id)

    def question(cursor: duckdb.DuckDBPyConnection) -> tuple[list[Channel], Span]:
        known = channels(cursor)
        return known, span(cursor, known)

    known, ends = (await serving.readings.ask(about.id, question)).answer
    return Past(about.id, about.car, about.started_at_ns, topics(known, roles), ends.first, ends.last)


class Playing:
    """What one client is told of a past session."""

    def __init__(self, serving: Serving, socket: Socket, past: Past, *, speed: float = 1.0) -> None:
        self._serving = serving
        self._socket = socket
        self._past = past
        self._player = Player(past.first, past.last, past.first, speed)
        self._controls = socket.subprotocol == protocol.SDK
        self._subscribed = Subscriptions()
        self._read: list[Message] = []  # of the stretch [_read_from, _read_to), and of the topics _read_of
        self._read_from = self._read_to = 0
        self._read_of: tuple[int, ...] = ()
        self._asked: list[protocol.Control] = []

    async def hear(self, message: str | bytes) -> None:
        """What the client says."""
        try:
            said = protocol.heard(message, len(self._past.topics))
            self._subscribed.take(said)
            if isinstance(said, protocol.Control) and self._controls:
                if len(self._asked) >= protocol.MOST_SUBSCRIPTIONS:
                    raise protocol.SaidWrongError("too many playback controls at once")
                self._asked.append(said)
        except protocol.SaidWrongError as error:
            await self._socket.send(protocol.status(protocol.ERROR, str(error)))

    async def tell(self) -> None:
        """Until the server stops.  Raises StalledError, Problem."""
        past, player, loop = self._past, self._player, asyncio.get_running_loop()
        ends = (past.started_at_ns + past.first, past.started_at_ns + past.last)
        about = {"session": past.session, "car": past.car}
        await self._socket.send(
            protocol.server_info(
                f"{NAME}: {past.session}",
                session=past.session,
                metadata=about,
                playback=ends if self._controls else None,
            )
        )
        await self._socket.send(protocol.advertise(past.topics))
        while not self._serving.broadcast.closing:
            for control in self._taken():
                await self._do(control)
            fresh = self._fresh()
            if fresh:
                await self._send_before(fresh)
            ended = player.ended
            # it waits for somebody to look: else who subscribes would have missed the beginning
            begin, end = player.step(loop.time()) if self._subscribed.topics else (player.at, player.at)
            if end > begin:
                for message in await self._due(begin, end):
                    await self._send(message)
                await self._socket.send(protocol.time(past.started_at_ns + end))
            if player.ended and not ended:
                await self._tell_state(Status.ENDED)
            await asyncio.sleep(STEP_S)

    def _taken(self) -> list[protocol.Control]:
        taken, self._asked = self._asked, []
        return taken

    def _fresh(self) -> set[int]:
        fresh = {self._subscribed.topics[id] for id in self._subscribed.fresh}
        self._subscribed.fresh.clear()
        return fresh

    async def _do(self, control: protocol.Control) -> None:
        player = self._player
        try:
            player.set_speed(control.speed)
        except ValueError as error:
            await self._socket.send(protocol.status(protocol.WARNING, str(error)))
        player.playing = control.play
        if control.seek_ns is not None:
            player.seek(control.seek_ns - self._past.started_at_ns)
            await self._send_before(set(self._subscribed.topics.values()))
        status = Status.PLAYING if control.play else Status.PAUSED
        await self._tell_state(status, did_seek=control.seek_ns is not None, request=control.request)

    async def _tell_state(self, status: Status, *, did_seek: bool = False, request: str = "") -> None:
        if self._controls:
            at = self._past.started_at_ns + min(self._player.at, self._past.last)
            speed = self._player.speed
            await self._socket.send(protocol.playback_state(status, at, speed, did_seek=did_seek, request=request))

    async def _send_before(self, places: set[int]) -> None:
        """The last values before where it is played, of these topics."""
        wanted, at, started = sorted(places), self._player.at, self._past.started_at_ns
        asked = [self._past.topics[place] for place in wanted]
        told = await self._serving.readings.ask(self._past.session, lambda cursor: before(cursor, asked, started, at))
        for message in told.answer:
            await self._send(Message(message.t, wanted[message.topic], message.data))

    async def _due(self, begin: int, end: int) -> list[Message]:
        """The messages of [begin, end), of the topics that are subscribed to."""
        found: list[Message] = []
        while begin < end:
            wanted = tuple(sorted(set(self._subscribed.topics.values())))
            if self._read_of != wanted or not self._read_from <= begin < self._read_to:
                await self._read_on(begin, wanted)
            stop = min(end, self._read_to)
            found += _cut(self._read, begin, stop)
            begin = stop
        return found

    async def _read_on(self, begin: int, wanted: tuple[int, ...]) -> None:
        asked, started = [self._past.topics[place] for place in wanted], self._past.started_at_ns
        told = await self._serving.readings.ask(
            self._past.session, lambda cursor: between(cursor, asked, started, begin, begin + WINDOW_NS)
        )
        self._read = [Message(t, wanted[topic], data) for t, topic, data in told.answer]
        self._read_from, self._read_to, self._read_of = begin, begin + WINDOW_NS, wanted

    async def _send(self, message: Message) -> None:
        at = self._past.started_at_ns + message.t
        for id in self._subscribed.of(message.topic):
            await self._socket.send(protocol.message_data(id, at, message.data))


def _cut(messages: Sequence[Message], begin: int, end: int) -> Sequence[Message]:
    by = attrgetter("t")
    return messages[bisect_left(messages, begin, key=by) : bisect_left(messages, end, key=by)]
