"""`GET /replay` and `/replay/ws`: a past session played as a stream of the form of `/live`; `POST /replay/<id>` steers.

Its first event, `replay`, says the id. Then it is what `/live` is, as of where it is played: the newest values, what
was said to the driver, the laps that were over, at most 50 a second; and in `replay` where that is, how fast, and
whether it rests. After a seek every channel has its last value before it at once. At its end it stays, for a seek back.
A replay lives as long as its stream. An event's id begins with `session@t`, t in ns.

Law: no more than WINDOW_NS of samples is held; who can't keep up gets the newest state, as on `/live`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from msgspec import UNSET, Meta, Struct, UnsetType

from pitwall.serve.broadcast import TICK_S, Broadcast, event
from pitwall.serve.choosing import Choice, Choosing, said
from pitwall.serve.encoding import dumps
from pitwall.serve.limits import MAX_REPLAYS
from pitwall.serve.live import PING_S, keep_buffers_small
from pitwall.serve.missed import left
from pitwall.serve.operations import EVENTS, REFUSES, Socket, operation, socket
from pitwall.serve.parameters import reader
from pitwall.serve.player import FASTEST, SLOWEST
from pitwall.serve.problem import Problem
from pitwall.serve.reading import had
from pitwall.serve.reel import Reel, reel_of
from pitwall.serve.serving import LIVE, answer
from pitwall.serve.signals import MAX_T_NS
from pitwall.serve.sockets import TRY_AGAIN, converse, opened

if TYPE_CHECKING:
    from sanic.response import HTTPResponse
    from sanic.server.websockets.impl import WebsocketImplProtocol

    from pitwall.serve.newest import Live
    from pitwall.serve.serving import Request, Serving
    from pitwall.serve.sockets import Socket as Line

WRONG: Final = 1008
"""Close code: what was asked for can't be had."""

Speed = Annotated[float, Meta(ge=SLOWEST, le=FASTEST, description=f"times as fast: {SLOWEST:g} to {FASTEST:g}")]
Seconds = Annotated[float, Meta(ge=-1e9, le=1e9, description="s since the session began")]


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be played."""

    session: Annotated[str, Meta(min_length=1, description="a session's id, or `_live`")] = LIVE
    speed: Speed = 1.0
    t_from: Annotated[int, Meta(gt=-MAX_T_NS, lt=MAX_T_NS, description="ns since the session began")] | None = None
    pause: Annotated[bool, Meta(description="true: it rests at first")] = False


class Steering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another way."""

    speed: Speed | None = None
    pause: bool | None = None
    seek_s: Seconds | None = None


class Said(Choice, frozen=True, forbid_unknown_fields=True):
    """What a client says on the WebSocket: of its choice as on `/live/ws`, and how it is to be played."""

    speed: Speed | UnsetType = UNSET
    pause: bool | UnsetType = UNSET
    seek_s: Seconds | UnsetType = UNSET


class Steered(Struct):
    """Where it goes on from now."""

    replay: str
    t: int
    speed: float
    paused: bool


PROBLEMS: Final = ("unknown-session", "no-live-session", "no-projection", "too-busy", "query-timeout")


@operation("GET", "/replay", takes=Wanted, answers=dict[str, Any], problems=PROBLEMS, media=(EVENTS,))
async def replay(request: Request, wanted: Wanted) -> None:
    """A past session, played as `/live` would show it: `replay` with its id, `state`, `values`, `closing`."""
    serving = request.app.ctx
    streams = serving.streams
    _check_room(serving, serving.is_full(len(serving.replays) >= MAX_REPLAYS))
    transport = cast("asyncio.Transport", request.transport)
    streams.open.add(transport)
    try:
        with _counted(serving) as id:
            serving.replays[id] = reel = await _reel(serving, wanted)
            before = left(request.headers.get("last-event-id", ""))
            if before is not None and before.session == reel.cast.session:
                reel.seek(before.place)  # a browser that takes its stream up again, by itself
            keep_buffers_small(transport)
            response = await request.respond(content_type=EVENTS, headers={"X-Accel-Buffering": "no"})
            async for chunk in _events(serving, id, reel):
                await response.send(chunk)
            await response.eof()
    finally:
        streams.open.discard(transport)


TOLD: Final = "`replay`, then what the events of `/replay` are, as on `/live/ws`; `problem` where something is wrong"
_taken = reader(Wanted, in_body=False)


@socket("/replay/ws", Socket(TOLD, hears=Said, closes=REFUSES), takes=Wanted)
async def replay_ws(request: Request, ws: WebsocketImplProtocol) -> None:
    """The same as a WebSocket, by which it is steered, too.

    What can't be had is told by a `problem`, and the socket is closed.
    """
    serving = request.app.ctx
    async with opened(request, ws) as one:
        if one is None:
            return
        try:
            wanted = _taken(request)
            _check_room(serving, len(serving.replays) >= MAX_REPLAYS)
            with _counted(serving) as id:
                serving.replays[id] = reel = await _reel(serving, wanted)
                async with _played(serving, reel) as broadcast:
                    client = Watching(id, reel, broadcast, serving, one)
                    await converse(one, client.tell, client.hear)
        except Problem as problem:
            await one.send(_message("-", "problem", problem.document()))
            code = TRY_AGAIN if problem.status >= 500 else WRONG
            await one.close(code, problem.detail.encode()[:120].decode(errors="ignore"))


@operation("POST", "/replay/<replay>", takes=Steering, answers=Steered, problems=("unknown-replay",))
async def steer(request: Request, wanted: Steering, replay: str) -> HTTPResponse:
    """Another speed, a pause, or another place, for a replay that is open."""
    reel = request.app.ctx.replays.get(replay)
    if reel is None:
        raise Problem(
            "unknown-replay", f"no replay {replay[:40]!r} is open", hint="its stream's first event says its id"
        )
    reel.steer(wanted.speed, wanted.pause, wanted.seek_s)
    return answer({"replay": replay, **reel.place(), "t": min(reel.player.at, reel.player.last)})


OPERATIONS: Final = (replay, replay_ws, steer)


class Watching(Choosing):
    """One client of a replay's WebSocket."""

    def __init__(self, id: str, reel: Reel, broadcast: Broadcast, serving: Serving, socket: Line) -> None:
        super().__init__(broadcast, serving.streams, socket)
        self._id = id
        self._reel = reel
        self._line = socket

    def take(self, message: str | bytes) -> None:
        wanted = said(message, Said)
        self.choose(wanted)
        given = [None if isinstance(one, UnsetType) else one for one in (wanted.speed, wanted.pause, wanted.seek_s)]
        self._reel.steer(*given)  # type: ignore[arg-type]  # each of its own type

    def also(self) -> dict[str, Any]:
        return {"replay": self._reel.place()}

    async def tell(self) -> None:
        await self._line.send(_message(*_first(self._id, self._reel)))
        await super().tell()
        if self._reel.trouble is not None:
            raise self._reel.trouble


def _check_room(serving: Serving, full: bool) -> None:
    if full:
        open_ = len(serving.streams.open)
        what = f"{len(serving.replays)} replays of at most {MAX_REPLAYS}, and {open_} streams, are open"
        raise Problem("too-busy", what, hint="close some, and try again", headers={"Retry-After": "5"})


@contextlib.contextmanager
def _counted(serving: Serving) -> Iterator[str]:
    """The id of a replay, counted before anything is waited for: others may begin meanwhile."""
    id = secrets.token_hex(8)
    serving.replays[id] = None
    try:
        yield id
    finally:
        serving.replays.pop(id, None)


async def _reel(serving: Serving, wanted: Wanted) -> Reel:
    with had():
        reel = await reel_of(serving, wanted.session, wanted.speed)
    reel.player.playing = not wanted.pause
    if wanted.t_from is not None:
        reel.seek(wanted.t_from)
    return reel


def _first(id: str, reel: Reel) -> tuple[str, str, dict[str, Any]]:
    player = reel.player
    facts = {"replay": id, "t_from": player.first, "t_to": player.last, "speed": player.speed}
    return f"{reel.cast.session}@{player.at}", "replay", facts


@contextlib.asynccontextmanager
async def _played(serving: Serving, reel: Reel) -> AsyncIterator[Broadcast]:
    """What it shows, while it is played; it closes where that can't go on, for the reel's `trouble`."""
    await _step(serving, reel)
    broadcast = Broadcast(cast("Live", reel))

    async def play() -> None:
        try:
            while not serving.broadcast.closing:
                await asyncio.sleep(TICK_S)
                await _step(serving, reel)
                broadcast.look(with_status=False)
        except Problem as problem:
            reel.trouble = problem
        finally:
            broadcast.close()

    playing = asyncio.create_task(play())
    try:
        yield broadcast
    finally:
        playing.cancel()
        (ended,) = await asyncio.gather(playing, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended


async def _step(serving: Serving, reel: Reel) -> None:
    """What is due by now.  Problem: it can't be had any more."""
    with had():
        await reel.step(serving.readings, time.monotonic())


async def _events(serving: Serving, id: str, reel: Reel) -> AsyncIterator[bytes]:
    first = about, *_ = _first(id, reel)
    yield event(*first)
    try:
        async with _played(serving, reel) as broadcast:
            seen = 0
            while not broadcast.closing:
                if broadcast.tick > seen:
                    about, kind, body = broadcast.told(seen)
                    seen = broadcast.tick
                    yield event(about, kind, {**body, "replay": reel.place()})
                try:
                    async with asyncio.timeout(PING_S):
                        await broadcast.after(seen)
                except TimeoutError:
                    yield b": ping\n\n"
    except Problem as problem:
        reel.trouble = problem
    if reel.trouble is not None:
        yield event(about, "problem", reel.trouble.document())
    yield event(about, "closing", {})


def _message(id: str, kind: str, body: dict[str, Any]) -> str:
    return dumps({"event": kind, "id": id, **body}).decode()
