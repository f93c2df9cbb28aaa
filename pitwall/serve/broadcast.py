"""Pictures in, events out: the live stream, encoded once a tick for everybody who is up to date.

A new picture makes a tick at once, at most one in TICK_S.

Law: nothing queues. A client is a number, the tick it has seen; what it gets next is what changed since, as of now. A
client that stalled therefore comes back to the newest state, whatever it missed, and costs nobody anything.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pitwall.frames import Int64
from pitwall.serve.encoding import dumps
from pitwall.serve.limits import ENCODED, MOST_ERRORS
from pitwall.serve.newest import NEVER, Live, Picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pitwall.coach.cues import Cue
    from pitwall.log.published import Recorder

TICK_S: Final = 0.02
"""So much lies between two ticks at least: what the projector's pictures come in (`chase.TAKE_S`)."""

LEEWAY_S: Final = TICK_S / 2
"""A tick may be so much sooner, if those before it were later: pictures take longer to make at some times than at
others, and if one held up the next, all that follow would be as late."""

BEAT_S: Final = 0.05
"""And at most so much between two looks, news or not: an event tells the age of the newest data."""

STATUS_S: Final = 1.0
"""Rates and offsets go out so often; a change of state at once."""


class Broadcast:
    """The newest picture, as soon as there is one."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._picture = Picture()
        self._changed = np.empty(0, np.int64)  # (c,) tick at which each channel last changed
        self._tick = 1
        self._cast_tick = 1  # who has seen less must get everything
        self._status_tick = 1
        self._cue_tick = self._laps_tick = 0
        self._status: dict[str, Any] = {}
        self._told_state = ""
        self._encoded: dict[int, bytes] = {}  # of this look: since -> event
        self._ticked = asyncio.Event()
        self._news = asyncio.Event()
        self.closing = False
        self.look()

    @property
    def tick(self) -> int:
        """The number of the newest tick."""
        return self._tick

    @property
    def picture(self) -> Picture:
        """The newest picture."""
        return self._picture

    @property
    def id(self) -> str:
        """Of an event that shows the newest picture: `session@offset@t`; no t before the first value."""
        picture = self._picture
        newest = int(picture.t.max(initial=NEVER))
        place = f"{picture.cast.session if picture.cast else '-'}@{picture.status.projected}"
        return place if newest == NEVER else f"{place}@{newest}"

    def changed(self, since: int) -> Int64:
        """Places of the channels with values that a client which has seen the tick `since` has not."""
        return np.flatnonzero((self._changed > since) & (self._picture.t != NEVER))

    async def run(self) -> None:
        """Ticks until it is cancelled or closed."""
        loop = asyncio.get_running_loop()
        self._live.watch(lambda: _tell(loop, self._news))
        status_s = -STATUS_S
        free_s = 0.0  # from when on it may look again
        while not self.closing:
            self._news.clear()
            looked_s = time.monotonic()
            with_status = looked_s - status_s >= STATUS_S
            status_s = looked_s if with_status else status_s
            self.look(with_status)
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._news.wait()
            free_s = max(free_s, looked_s - LEEWAY_S) + TICK_S
            await asyncio.sleep(free_s - time.monotonic())

    def look(self, with_status: bool = True) -> None:
        """Takes the newest picture; wakes who waits, if there is anything new in it."""
        picture = self._live.picture()
        before, tick = self._picture, self._tick + 1
        new = False
        if picture.cast is not before.cast:
            self._changed = np.full(len(picture.t), tick, np.int64)
            self._cast_tick = tick
            new = True
        elif picture.number != before.number:
            moved = picture.t != before.t
            self._changed[moved] = tick
            new = bool(moved.any())
        if picture.cue is not None and picture.cue is not before.cue:
            self._cue_tick, new = tick, True
        if picture.laps is not before.laps and (picture.laps or before.laps):
            self._laps_tick, new = tick, True
        if with_status or picture.status.state != self._told_state:
            told = status_of(picture, self._live.problems(), self._live.recorder())
            if {**told, "age_s": None} != {**self._status, "age_s": None}:
                self._status_tick, new = tick, True
            self._status, self._told_state = told, picture.status.state
        self._picture = picture
        self._encoded.clear()  # with or without news: an event tells the age of the newest data
        if new:
            self._tick = tick
            self._wake()

    def close(self) -> None:
        """Ends every stream."""
        self.closing = True
        self._wake()

    async def after(self, tick: int) -> None:
        """Returns once there is a tick after `tick`, or the stream is closing."""
        while self._tick <= tick and not self.closing:
            await self._ticked.wait()

    def since(self, tick: int) -> bytes:
        """The event that brings a client that has seen `tick` (0: nothing) to the newest one."""
        if tick < self._cast_tick:
            tick = 0
        encoded = self._encoded.get(tick)
        if encoded is None:
            encoded = event(*self.told(tick))
            if len(self._encoded) < ENCODED:
                self._encoded[tick] = encoded
        return encoded

    def told(self, since: int, channels: frozenset[str] | None = None) -> tuple[str, str, dict[str, Any]]:
        """Id, kind and body of what brings a client that has seen `since` to the newest tick.  channels: only these."""
        if since < self._cast_tick:
            since = 0
        picture = self._picture
        cast = picture.cast
        body: dict[str, Any] = {"session": cast.session if cast else None, "age_s": age_s(picture)}
        if since == 0:
            body |= _cast(picture)
        if self._status_tick > since:
            body["status"] = self._status
        if picture.cue is not None and self._cue_tick > since:
            body["cue"] = _cue(picture.cue)
        if since == 0 or self._laps_tick > since:
            body["laps"] = picture.laps
        # a value that was forgotten is told to who may have seen it
        rows = np.flatnonzero((self._changed > since) & ((picture.t != NEVER) | (since > 0)))
        values = _values(picture, rows.tolist())
        body["values"] = values if channels is None else {name: v for name, v in values.items() if name in channels}
        return self.id, "values" if since else "state", body

    def _wake(self) -> None:
        self._ticked.set()
        self._ticked = asyncio.Event()


def _cue(cue: Cue) -> dict[str, Any]:
    return {
        "t": cue.t_ns,
        "lap": cue.lap,
        "distance_m": cue.distance_m,
        "priority": cue.priority.name.lower(),
        "what": cue.what,
        "corner": cue.corner or None,
        "ahead_m": cue.ahead_m,
        "worth_s": cue.worth_s,
        "words": {level.value: words for level, words in cue.words.items()},
    }


def _tell(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop has ended, and nobody looks any more
        loop.call_soon_threadsafe(news.set)


def event(id: str, kind: str, body: object) -> bytes:
    """One server-sent event."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (id.encode(), kind.encode(), dumps(body))


def age_s(picture: Picture) -> float | None:
    """Seconds since the newest batch of the log was seen."""
    heard = picture.status.heard_at_s
    return None if heard is None else round(max(0.0, time.monotonic() - heard), 3)


def status_of(
    picture: Picture, problems: Mapping[str, tuple[str, ...]], recorder: Recorder | None = None
) -> dict[str, Any]:
    """The status as the API shows it."""
    status = picture.status
    return {
        "state": status.state,
        "frames_per_s": status.frames_per_s,
        "age_s": age_s(picture),
        "offset": status.written,
        "lag": status.written - status.projected,
        "error": status.error or None,
        "car_errors": [line for lines in problems.values() for line in lines][:MOST_ERRORS],
        "sources": [
            {"bus": one.bus, "source": one.source, "state": one.state, "why": one.why or None}
            for one in (recorder.state.sources if recorder is not None else ())
        ],
    }


def _cast(picture: Picture) -> dict[str, Any]:
    cast = picture.cast
    if cast is None:
        return {"car": None, "fingerprint": None, "channels": {}, "roles": {}}
    channels = {
        c.name: {"unit": c.unit, "table": c.table, "source": c.source, "hold_s": c.hold_s} for c in cast.channels
    }
    return {
        "car": cast.car,
        "fingerprint": cast.fingerprint,
        "started_at_ns": cast.started_at_ns,
        "channels": channels,
        "roles": dict(cast.roles),
    }


def _values(picture: Picture, rows: Iterable[int]) -> dict[str, tuple[int, float] | None]:
    if picture.cast is None:
        return {}
    t, v, channels = picture.t.tolist(), picture.v.tolist(), picture.cast.channels
    return {channels[i].name: None if t[i] == NEVER else (t[i], v[i]) for i in rows}
