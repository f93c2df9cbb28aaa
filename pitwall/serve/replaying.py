"""`GET /replay`: a past session played as a stream of the form of `/live`; `POST /replay/<id>` steers it.

Its first event, `replay`, says the id. Then it is what `/live` is, as of where it is played: a picture of the newest
values, at most 50 a second. After a seek every channel has its last value before it at once. At its end it stays, for
a seek back. A replay lives as long as its stream. An event's id begins with `session@t`, t in ns.

Law: no more than WINDOW_NS of samples is held; who can't keep up gets the newest state, as on `/live`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import numpy as np
from msgspec import Meta, Struct

from pitwall.serve.broadcast import TICK_S, Broadcast, event
from pitwall.serve.foxglove.messages import WINDOW_NS, Span, channels, span
from pitwall.serve.limits import MAX_REPLAYS
from pitwall.serve.live import keep_buffers_small
from pitwall.serve.newest import NEVER, Cast, LiveChannel, Picture, Status
from pitwall.serve.operations import EVENTS, operation
from pitwall.serve.player import FASTEST, SLOWEST, Player
from pitwall.serve.problem import Problem
from pitwall.serve.serving import LIVE, answer
from pitwall.serve.signals import MAX_T_NS

if TYPE_CHECKING:
    import duckdb
    from sanic.response import HTTPResponse

    from pitwall.serve.newest import Live
    from pitwall.serve.reading import Readings
    from pitwall.serve.serving import Request, Serving

Speed = Annotated[float, Meta(ge=SLOWEST, le=FASTEST, description=f"times as fast: {SLOWEST:g} to {FASTEST:g}")]


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be played."""

    session: Annotated[str, Meta(min_length=1, description="a session's id, or `_live`")] = LIVE
    speed: Speed = 1.0
    t_from: Annotated[int, Meta(gt=-MAX_T_NS, lt=MAX_T_NS, description="ns since the session began")] | None = None


class Steering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another way."""

    speed: Speed | None = None
    pause: bool | None = None
    seek_s: Annotated[float, Meta(ge=-1e9, le=1e9, description="s since the session began")] | None = None


class Steered(Struct):
    """Where it is played now."""

    replay: str
    t: int
    speed: float
    paused: bool


@dataclass(eq=False)
class Reel:
    """A session that is being played, as a broadcast's source: its picture, and what was read ahead."""

    cast: Cast
    player: Player
    sought: bool = True  # the values before where it is played have to be read
    shown: Picture = field(default_factory=Picture)
    _read: dict[str, Any] = field(default_factory=dict)
    _read_to: int = 0

    def picture(self) -> Picture:
        return self.shown

    def watch(self, told: Callable[[], None]) -> None:
        """Its broadcast looks by itself."""

    def problems(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def recorder(self) -> None:
        return None

    def seek(self, t: int) -> None:
        """Goes there."""
        self.player.seek(t)
        self.sought = True

    async def step(self, readings: Readings, now_s: float) -> None:
        """Shows what is due by now."""
        t, v = self.shown.t.copy(), self.shown.v.copy()
        if self.sought:
            self.sought, self._read_to = False, 0
            found = await self._ask(readings, _BEFORE, {"to": self.player.at})
            t, v = np.full(len(self.cast.channels), NEVER, np.int64), np.full(len(self.cast.channels), np.nan)
            t[found["place"]], v[found["place"]] = found["t"], found["value"]
        begin, end = self.player.step(now_s)
        while begin < end:
            if begin >= self._read_to or not self._read:
                stop = begin + WINDOW_NS
                self._read = await self._ask(readings, _BETWEEN, {"from": begin, "to": stop})
                self._read_to = stop
            stop = min(end, self._read_to)
            part = slice(*np.searchsorted(self._read["t"], [begin, stop]).tolist())
            places = self._read["place"][part]
            t[places], v[places] = self._read["t"][part], self._read["value"][part]
            begin = stop
        state = "ended" if self.player.ended else "playing" if self.player.playing else "paused"
        at = min(self.player.at, self.player.last)
        status = Status(state=state, heard_at_s=now_s, written=at, projected=at, committed=at)
        self.shown = Picture(self.shown.number + 1, self.cast, t, v, status)

    async def _ask(self, readings: Readings, sql: str, values: dict[str, int]) -> dict[str, Any]:
        places = {channel.name: i for i, channel in enumerate(self.cast.channels)}

        def question(cursor: duckdb.DuckDBPyConnection) -> dict[str, Any]:
            found = cursor.execute(sql, values).fetchnumpy()
            names, of = np.unique(np.asarray(found["channel"], dtype=str), return_inverse=True)
            known = np.array([places[name] for name in names.tolist()], np.intp)
            return {"t": np.asarray(found["t"]), "value": np.asarray(found["value"]), "place": known[of]}

        return (await readings.ask(self.cast.session, question)).answer


_BEFORE: Final = "SELECT channel, max(t) AS t, arg_max(value, t) AS value FROM signals WHERE t < $to GROUP BY channel"
_BETWEEN: Final = "SELECT channel, t, value FROM signals WHERE t >= $from AND t < $to ORDER BY t"


@operation(
    "GET",
    "/replay",
    takes=Wanted,
    answers=dict[str, Any],
    problems=("unknown-session", "no-live-session", "no-projection", "too-busy", "query-timeout"),
    media=(EVENTS,),
)
async def replay(request: Request, wanted: Wanted) -> None:
    """A past session, played as `/live` would show it: `replay` with its id, `state`, `values`, `closing`."""
    serving = request.app.ctx
    streams = serving.streams
    if serving.is_full(len(serving.replays) >= MAX_REPLAYS):
        what = f"{len(serving.replays)} replays of at most {MAX_REPLAYS}, and {len(streams.open)} streams, are open"
        raise Problem("too-busy", what, hint="close some, and try again", headers={"Retry-After": "5"})
    id = secrets.token_hex(8)
    transport = cast("asyncio.Transport", request.transport)
    serving.replays[id] = None  # counted before anything is waited for: others may begin meanwhile
    streams.open.add(transport)
    try:
        serving.replays[id] = reel = await _reel(serving, wanted)
        keep_buffers_small(transport)
        response = await request.respond(content_type=EVENTS, headers={"X-Accel-Buffering": "no"})
        async for chunk in _events(serving, id, reel):
            await response.send(chunk)
        await response.eof()
    finally:
        streams.open.discard(transport)
        serving.replays.pop(id, None)


@operation("POST", "/replay/<replay>", takes=Steering, answers=Steered, problems=("unknown-replay",))
async def steer(request: Request, wanted: Steering, replay: str) -> HTTPResponse:
    """Another speed, a pause, or another place, for a replay that is open."""
    reel = request.app.ctx.replays.get(replay)
    if reel is None:
        raise Problem(
            "unknown-replay", f"no replay {replay[:40]!r} is open", hint="its stream's first event says its id"
        )
    player = reel.player
    if wanted.speed is not None:
        player.set_speed(wanted.speed)
    if wanted.pause is not None:
        player.playing = not wanted.pause
    if wanted.seek_s is not None:
        reel.seek(round(wanted.seek_s * 1e9))
    return answer({"replay": replay, "t": player.at, "speed": player.speed, "paused": not player.playing})


OPERATIONS: Final = (replay, steer)


async def _reel(serving: Serving, wanted: Wanted) -> Reel:
    about = await serving.about(wanted.session)
    roles = await serving.readings.roles(about.id)

    def question(cursor: duckdb.DuckDBPyConnection) -> tuple[tuple[LiveChannel, ...], Span]:
        known = channels(cursor)
        return tuple(LiveChannel(c.name, c.unit, c.table, c.source) for c in known), span(cursor, known)

    told = await serving.readings.ask(about.id, question)
    known, ends = told.answer
    fingerprint = told.edition.fingerprint
    player = Player(ends.first, ends.last, ends.first, wanted.speed)
    if wanted.t_from is not None:
        player.seek(wanted.t_from)
    return Reel(Cast(about.id, about.car, about.started_at_ns, fingerprint, known, roles), player)


async def _events(serving: Serving, id: str, reel: Reel) -> AsyncIterator[bytes]:
    player = reel.player
    facts = {"replay": id, "t_from": player.first, "t_to": player.last, "speed": player.speed}
    yield event(f"{reel.cast.session}@{player.at}", "replay", facts)
    await reel.step(serving.readings, time.monotonic())
    broadcast, seen = Broadcast(cast("Live", reel)), 0
    while not serving.broadcast.closing:
        if broadcast.tick > seen:
            yield broadcast.since(seen)
            seen = broadcast.tick
        await asyncio.sleep(TICK_S)
        await reel.step(serving.readings, time.monotonic())
        broadcast.look(with_status=False)
    yield event("-", "closing", {})
