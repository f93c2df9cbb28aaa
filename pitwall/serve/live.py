"""`GET /live`: the newest value of every channel as server-sent events, as soon as there is one, at most 50 a second.

The first event, `state`, holds everything: the session, its channels with their units, all values. Then `values` holds
what changed since the event before; `closing` is the last one. An event's id is `session@offset@t`: the place in the
log that it shows. A new session, or a rebuild, comes as another `state`. Who comes back with the id that it had last
gets `missed`, once the projection holds all that came before this stream.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from msgspec import Meta, Struct

from pitwall.serve.broadcast import event
from pitwall.serve.limits import MAX_STREAMS, SEND_BYTES, WRITE_BYTES
from pitwall.serve.missed import Left, is_caught_up, left, missed
from pitwall.serve.operations import EVENTS, operation
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pitwall.serve.serving import Request, Serving


PING_S: Final = 5.0
"""A stream that has nothing to tell still shows that it is there."""
BEHIND_S: Final = 0.25
"""And one that is owed what was missed looks so often whether it is there."""


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the client left."""

    last_event_id: Annotated[
        str, Meta(description="the id of the last event that was seen, where no header `Last-Event-ID` can say it")
    ] = ""


@operation("GET", "/live", takes=Wanted, answers=dict[str, Any], problems=("too-busy",), media=(EVENTS,))
async def live(request: Request, wanted: Wanted) -> None:
    """The newest value of every channel, as server-sent events: `state`, then `values`; `closing` is the last one."""
    serving = request.app.ctx
    streams = serving.streams
    if serving.is_full():
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
        since = left(request.headers.get("last-event-id") or wanted.last_event_id)
        async for chunk in _events(serving, since):
            await response.send(chunk)
        await response.eof()
    finally:
        streams.open.discard(transport)


OPERATIONS: Final = (live,)


async def _events(serving: Serving, since: Left | None) -> AsyncIterator[bytes]:
    """since: where the client left, until it has what it missed."""
    broadcast, streams = serving.broadcast, serving.streams
    seen, shown, id = 0, None, "-"
    while not broadcast.closing:
        now = broadcast.tick
        if now > seen:
            streams.skipped += max(0, now - seen - 1) if seen else 0
            id = broadcast.id
            yield broadcast.since(seen)
            seen = now
        picture = broadcast.picture
        if since is not None and not since.is_of(picture):
            since = None
        if since is not None and is_caught_up(picture):
            shown = picture.status.projected if shown is None else shown
            if picture.status.committed >= shown:  # questions see all that came before this stream did
                yield await missed(serving.readings, since, id)
                since = None
                continue
        try:
            async with asyncio.timeout(PING_S if since is None else BEHIND_S):
                await broadcast.after(seen)
        except TimeoutError:
            yield b": ping\n\n"
    yield event(id, "closing", {})  # by which who comes back to the next server is told what it missed


def keep_buffers_small(transport: asyncio.Transport) -> None:
    """What a client that stalls finds waiting, out of date, when it comes back, is little."""
    transport.set_write_buffer_limits(high=WRITE_BYTES)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
