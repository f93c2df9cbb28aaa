"""A WebSocket as one of the live streams: counted, with small buffers, never waited for longer than SEND_S.

Law: nothing queues here. Who sends waits until the client has taken what came before; one that takes nothing for
SEND_S is cut off (Sanic's pings do not notice it). At shutdown whoever sends ends, and the client is told so by 1001.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from pitwall.serve.limits import MAX_STREAMS, SEND_S
from pitwall.serve.live import keep_buffers_small

if TYPE_CHECKING:
    from sanic.server.websockets.impl import WebsocketImplProtocol

    from pitwall.serve.serving import Request

GOING_AWAY: Final = 1001
TRY_AGAIN: Final = 1013
"""Close codes (RFC 6455, and IANA's registry)."""

LEAVE_S: Final = 5.0
"""For a client to say that it has heard that it is closed: a phone with a bad network needs so long."""


class StalledError(Exception):
    """The client took nothing for SEND_S."""


class Socket:
    """One open WebSocket, for one sender and one reader."""

    def __init__(self, socket: WebsocketImplProtocol, transport: asyncio.Transport) -> None:
        self._socket = socket
        self._transport = transport

    @property
    def subprotocol(self) -> str | None:
        """The one that was agreed on."""
        agreed: str | None = self._socket.subprotocol
        return agreed

    async def send(self, message: str | bytes) -> None:
        """Returns when the client has room for more.  Raises StalledError."""
        try:
            async with asyncio.timeout(SEND_S):
                await self._socket.send(message)
        except TimeoutError as error:
            self._transport.abort()
            raise StalledError from error

    async def close(self, code: int, reason: str = "") -> None:
        """Tells the client why it ends; one that does not listen is not waited for.

        What it says meanwhile is taken in for LEAVE_S: a connection that is closed over unread bytes is reset, and who
        was just speaking would not hear why.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEND_S):
                await self._socket.close(code, reason)
        hearing = asyncio.create_task(self._hear_out())
        try:
            await self._socket.wait_for_connection_lost(LEAVE_S)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)  # that it has gone, or that somebody listens already

    async def _hear_out(self) -> None:
        async for _ in self.messages():
            pass

    async def messages(self) -> AsyncIterator[str | bytes]:
        """What the client says, until it goes."""
        while True:
            message = await self._socket.recv()
            if message is None:
                return
            yield message


@contextlib.asynccontextmanager
async def opened(request: Request, socket: WebsocketImplProtocol) -> AsyncIterator[Socket | None]:
    """The socket among the streams; None: there are too many, and the client has been told."""
    serving = request.app.ctx
    streams = serving.streams
    transport = cast("asyncio.Transport", request.transport)
    one = Socket(socket, transport)
    if serving.is_full():
        await one.close(TRY_AGAIN, f"{len(streams.open)} streams are open, of at most {MAX_STREAMS}")
        yield None
        return
    keep_buffers_small(transport)
    streams.open.add(transport)
    try:
        yield one
    except StalledError:
        streams.stalled += 1
    finally:
        streams.open.discard(transport)


async def converse(
    socket: Socket,
    tell: Callable[[], Coroutine[Any, Any, None]],
    hear: Callable[[str | bytes], Coroutine[Any, Any, None]],
) -> None:
    """Tells and hears at once, until either ends: the client goes, or there is nothing left to tell.

    Raises what went wrong while telling; whoever it was that stopped hearing, went.
    """

    async def listen() -> None:
        async for message in socket.messages():
            await hear(message)

    telling, listening = asyncio.create_task(tell()), asyncio.create_task(listen())
    try:
        await asyncio.wait((telling, listening), return_when=asyncio.FIRST_COMPLETED)
        if telling.done() and not telling.cancelled():
            telling.result()
            await socket.close(GOING_AWAY, "the server is stopping")
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)
