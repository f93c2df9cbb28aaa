"""`/live/ws`: the live stream as a WebSocket, where the client chooses channels, rate and form, and may at any time.

What it says is `{"channels": ["rpm"], "rate_hz": 10, "format": "json"}`, any of them; what is left out stays as it
was. It is told what the server-sent events of `/live` tell, of its channels: as text with `event` and `id`, or,
with `arrow`, as an Arrow IPC stream a message. A choice that can't be is answered by a `problem`; the one before stays.

Law: newest state wins. A client is the tick that it has seen; whatever it missed is one message.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, Meta, Struct, UnsetType

from pitwall.serve.encoding import dumps
from pitwall.serve.limits import MAX_CHANNELS
from pitwall.serve.live import PING_S
from pitwall.serve.operations import Socket, socket
from pitwall.serve.problem import Problem
from pitwall.serve.sockets import converse, opened

if TYPE_CHECKING:
    from sanic.server.websockets.impl import WebsocketImplProtocol

    from pitwall.serve.broadcast import Broadcast
    from pitwall.serve.newest import Picture
    from pitwall.serve.serving import Request, Streams
    from pitwall.serve.sockets import Socket as Line

FASTEST_HZ: Final = 50.0
"""What `/live` has at most."""


T = TypeVar("T", bound=Struct)


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says.  channels: null is all of them."""

    channels: Annotated[list[str], Meta(max_length=MAX_CHANNELS)] | UnsetType | None = UNSET
    rate_hz: Annotated[float, Meta(gt=0, le=FASTEST_HZ)] | UnsetType = UNSET
    format: Literal["json", "arrow"] | UnsetType = UNSET


TOLD: Final = "what the events of `/live` are, with their `event` and `id`: as JSON, or each as an Arrow IPC stream"


@socket("/live/ws", Socket(TOLD, hears=Choice))
async def live_ws(request: Request, ws: WebsocketImplProtocol) -> None:
    """The newest value of the channels that are chosen: all of them, until a choice comes."""
    async with opened(request, ws) as one:
        if one is not None:
            client = Choosing(request.app.ctx.broadcast, request.app.ctx.streams, one)
            await converse(one, client.tell, client.hear)


OPERATIONS: Final = (live_ws,)


class Choosing:
    """One client: what it has chosen, and what it has seen."""

    def __init__(self, broadcast: Broadcast, streams: Streams, socket: Line) -> None:
        self._broadcast = broadcast
        self._streams = streams
        self._socket = socket
        self._channels: frozenset[str] | None = None
        self._period_s = 1 / FASTEST_HZ
        self._as_arrow = False
        self._seen = 0
        self._chose = asyncio.Event()

    async def hear(self, message: str | bytes) -> None:
        """What the client says: a choice, taken or answered by a problem."""
        try:
            self.take(message)
        except Problem as problem:
            await self._socket.send(dumps({"event": "problem", **problem.document()}).decode())

    def take(self, message: str | bytes) -> None:
        """A message of a client.  Problem: it makes no sense."""
        self.choose(said(message, Choice))

    def also(self) -> dict[str, Any]:
        """What else stands in each message."""
        return {}

    def choose(self, choice: Choice) -> None:
        """From now on so.  Problem: it can't be."""
        if not isinstance(choice.channels, UnsetType):
            self._channels = self._known(choice.channels)
            self._seen = 0
        if not isinstance(choice.rate_hz, UnsetType):
            self._period_s = 1 / choice.rate_hz
        if not isinstance(choice.format, UnsetType):
            self._as_arrow = choice.format == "arrow"
            self._seen = 0
        self._chose.set()

    def _known(self, names: list[str] | None) -> frozenset[str] | None:
        cast = self._broadcast.picture.cast
        there = {channel.name for channel in cast.channels} if cast is not None else set(names or ())
        unknown = sorted(set(names or ()) - there)
        if unknown:
            raise Problem("unknown-channel", f"there is no channel {unknown[0][:80]!r}", hint="`state` lists them")
        return None if names is None else frozenset(names)

    async def tell(self) -> None:
        """Until the server stops.  Raises StalledError."""
        broadcast, loop = self._broadcast, asyncio.get_running_loop()
        while not broadcast.closing:
            self._chose.clear()
            told_s, now, seen = loop.time(), broadcast.tick, self._seen
            self._streams.skipped += max(0, now - seen - 1) if seen else 0
            self._seen = now
            await self._socket.send(self._message(broadcast, seen))
            await self._pause(told_s + self._period_s - loop.time())
            await self._news()

    async def _pause(self, seconds: float) -> None:
        """So long, or until there is another choice."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._chose.wait()
        except TimeoutError:
            return

    async def _news(self) -> None:
        """Until there is something new, another choice, or PING_S have passed: the client sees that it is there."""
        after = asyncio.create_task(self._broadcast.after(self._seen))
        chose = asyncio.create_task(self._chose.wait())
        try:
            await asyncio.wait((after, chose), timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            after.cancel()
            chose.cancel()

    def _message(self, broadcast: Broadcast, since: int) -> str | bytes:
        id, kind, body = broadcast.told(since, self._channels)
        if self._as_arrow:
            return _arrow(broadcast.picture, id, kind, body)
        return dumps({"event": kind, "id": id, **body, **self.also()}).decode()


def said(message: str | bytes, of: type[T]) -> T:
    """What a client said.  Problem: it is none of these."""
    try:
        return msgspec.json.decode(message, type=of)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        hint = '{"channels": ["rpm"], "rate_hz": 10, "format": "json"}, any of them'
        raise Problem("bad-parameter", str(error), hint=hint) from error


def _arrow(picture: Picture, id: str, kind: str, body: dict[str, Any]) -> bytes:
    """Values as an Arrow IPC stream: t (ns), channel, value; the schema's metadata say event, id, session and units."""
    told = {name: value for name, value in body["values"].items() if value is not None}
    units = {c.name: c.unit for c in picture.cast.channels if c.name in told} if picture.cast is not None else {}
    t, v = np.array([t for t, _ in told.values()], np.int64), np.array([v for _, v in told.values()], np.float64)
    names = pa.array(list(told), pa.string()).dictionary_encode()
    facts = {"event": kind, "id": id, "session": body["session"] or "", "units": dumps(units).decode()}
    batch = pa.RecordBatch.from_arrays([pa.array(t), names, pa.array(v)], names=["t", "channel", "value"])
    batch = batch.replace_schema_metadata(facts)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())
