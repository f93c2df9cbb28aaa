"""`/foxglove` and `/foxglove/<sid>`: what is recorded, and any past session, by Foxglove's WebSocket protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from pitwall.serve.foxglove import protocol
from pitwall.serve.foxglove.playing import Playing, past
from pitwall.serve.foxglove.telling import Telling
from pitwall.serve.operations import REFUSES, socket
from pitwall.serve.operations import Socket as Spoken
from pitwall.serve.parameters import reader
from pitwall.serve.player import FASTEST, SLOWEST
from pitwall.serve.problem import Problem
from pitwall.serve.reading import had
from pitwall.serve.sockets import TRY_AGAIN, Socket, converse, opened

if TYPE_CHECKING:
    from sanic.server.websockets.impl import WebsocketImplProtocol

    from pitwall.serve.serving import Request

WRONG = 1008
"""Close code: what was asked for can't be had."""

TOLD: Final = "what docs/foxglove.md tells"
LIVE: Final = Spoken(TOLD, protocols=protocol.SUBPROTOCOLS)
PAST: Final = Spoken(TOLD, protocols=protocol.SUBPROTOCOLS, closes=REFUSES)


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is played."""

    speed: Annotated[float, Meta(ge=SLOWEST, le=FASTEST, description="times as fast")] = 1.0


_taken = reader(Wanted, in_body=False)


@socket("/foxglove", LIVE)
async def foxglove_live(request: Request, ws: WebsocketImplProtocol) -> None:
    """What is recorded, or was last, by Foxglove's protocol: newest state wins."""
    async with opened(request, ws) as one:
        if one is not None:
            telling = Telling(request.app.ctx, one)
            await converse(one, telling.tell, telling.hear)


@socket("/foxglove/<sid>", PAST, takes=Wanted)
async def foxglove_play(request: Request, ws: WebsocketImplProtocol, sid: str) -> None:
    """A past session, from its beginning, with playback control where the client can.

    What can't be had is told by the protocol's own status, and the socket is closed.
    """
    async with opened(request, ws) as one:
        if one is None:
            return
        try:
            with had():
                playing = Playing(request.app.ctx, one, await past(request.app.ctx, sid), speed=_taken(request).speed)
                await converse(one, playing.tell, playing.hear)
        except Problem as problem:
            await _refuse(one, problem)


OPERATIONS: Final = (foxglove_live, foxglove_play)


async def _refuse(socket: Socket, problem: Problem) -> None:
    words = ": ".join(filter(None, (problem.detail, problem.hint)))
    await socket.send(protocol.status(protocol.ERROR, words))
    code = TRY_AGAIN if problem.status >= 500 else WRONG
    await socket.close(code, problem.detail.encode()[:120].decode(errors="ignore"))
