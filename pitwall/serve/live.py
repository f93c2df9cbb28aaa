"""`GET /live`: the newest value of every channel as server-sent events, as soon as there is one, at most 50 a second.

The first event, `state`, holds everything: the session, its channels with their units, all values. Then `values` holds
what changed since the event before; `closing` is the last one. An event's id is `session@offset`: the place in the
log that it shows. A new session, or a rebuild, comes as another `state`.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from pitwall.serve.broadcast import event
from pitwall.serve.limits import MAX_STREAMS, SEND_BYTES, WRITE_BYTES
from pitwall.serve.operations import EVENTS, operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pitwall.serve.broadcast import Broadcast
    from pitwall.serve.serving import Request, Streams


PING_S: Final = 5.0
"""A stream that has nothing to tell still shows that it is there."""


@operation("GET", "/live", answers=dict[str, Any], problems=("too-busy",), media=(EVENTS,))
async def live(request: Request, _: Nothing) -> None:
    """The newest value of every channel, as server-sent events: `state`, then `values`; `closing` is the last one."""
    serving = request.app.ctx
    streams = serving.streams
    if serving.broadcast.closing or len(streams.open) >= MAX_STREAMS:
        streams.refused += 1
        raise Problem(
            "too-busy",
            f"{len(streams.open)} live streams are open, of at most {MAX_STREAMS}",
            hint="close some pages, and try again",
            headers={"Retry-After": "5"},
        )
    transport = cast("asyncio.Transport", request.transport)
    keep_buffers_small(transport)
    streams.open.add(transport)
    try:
        response = await request.respond(content_type=EVENTS, headers={"X-Accel-Buffering": "no"})
        async for chunk in _events(serving.broadcast, streams):
            await response.send(chunk)
        await response.eof()
    finally:
        streams.open.discard(transport)


OPERATIONS: Final = (live,)


async def _events(broadcast: Broadcast, streams: Streams) -> AsyncIterator[bytes]:
    seen = 0
    while not broadcast.closing:
        now = broadcast.tick
        streams.skipped += max(0, now - seen - 1) if seen else 0
        yield broadcast.since(seen)
        seen = now
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    await broadcast.after(seen)
                break
            except TimeoutError:
                yield b": ping\n\n"
    yield event("-", "closing", {})


def keep_buffers_small(transport: asyncio.Transport) -> None:
    """What a client that stalls finds waiting, out of date, when it comes back, is little."""
    transport.set_write_buffer_limits(high=WRITE_BYTES)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
