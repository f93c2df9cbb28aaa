"""`/foxglove` and `/foxglove/<sid>`: what is recorded, and any past session, by Foxglove's WebSocket protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pitwall.serve.foxglove import protocol
from pitwall.serve.foxglove.playing import Playing, past
from pitwall.serve.foxglove.telling import Telling
from pitwall.serve.player import FASTEST, SLOWEST
from pitwall.serve.problem import Problem
from pitwall.serve.sockets import TRY_AGAIN, Socket, converse, opened

if TYPE_CHECKING:
    from sanic.server.websockets.impl import WebsocketImplProtocol

    from pitwall.serve.serving import App, Request

WRONG = 1008
"""Close code: what was asked for can't be had."""


async def live(request: Request, ws: WebsocketImplProtocol) -> None:
    """What is recorded, or was last: newest state wins."""
    async with opened(request, ws) as socket:
        if socket is not None:
            telling = Telling(request.app.ctx, socket)
            await converse(socket, telling.tell, telling.hear)


async def play(request: Request, ws: WebsocketImplProtocol, sid: str) -> None:
    """A past session, from its beginning, with playback control where the client can."""
    async with opened(request, ws) as socket:
        if socket is None:
            return
        try:
            playing = Playing(request.app.ctx, socket, await past(request.app.ctx, sid), speed=_speed(request))
            await converse(socket, playing.tell, playing.hear)
        except Problem as problem:
            await _refuse(socket, problem)


async def _refuse(socket: Socket, problem: Problem) -> None:
    words = ": ".join(filter(None, (problem.detail, problem.hint)))
    await socket.send(protocol.status(protocol.ERROR, words))
    code = TRY_AGAIN if problem.status >= 500 else WRONG
    await socket.close(code, problem.detail.encode()[:120].decode(errors="ignore"))


def _speed(request: Request) -> float:
    given = request.args.get("speed", "1")
    try:
        speed = float(given)
    except ValueError:
        speed = 0.0
    if not SLOWEST <= speed <= FASTEST:
        what = f"speed={given[:40]!r} is no number from {SLOWEST:g} to {FASTEST:g}"
        raise Problem("bad-parameter", what, hint="?speed=2 plays twice as fast")
    return speed


def add(app: App) -> None:
    """The two routes."""
    names = list(protocol.SUBPROTOCOLS)
    app.add_websocket_route(live, "/foxglove", subprotocols=names, name="foxglove_live")
    app.add_websocket_route(play, "/foxglove/<sid>", subprotocols=names, name="foxglove_play")
