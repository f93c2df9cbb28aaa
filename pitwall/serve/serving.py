"""What every handler may reach: the live picture, the stream of it, and past sessions. Handlers read; none writes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import sanic
from sanic.response import HTTPResponse

from pitwall.errors import UsageError
from pitwall.serve.encoding import dumps
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from pitwall.serve.broadcast import Broadcast
    from pitwall.serve.coaching import Coaching
    from pitwall.serve.newest import Live
    from pitwall.serve.reading import Readings

LIVE: Final = "_live"
"""Names the session being recorded, or else the newest, wherever a session's id may stand."""


@dataclass
class Streams:
    """The open live streams, and counts.  skipped: ticks that slow clients did not get one by one.

    stalled: WebSockets that were cut off, as they took nothing.
    """

    open: set[asyncio.Transport] = field(default_factory=set)
    refused: int = 0
    skipped: int = 0
    stalled: int = 0

    def abort(self) -> None:
        """Ends those that are still open, with whatever they have not read."""
        for transport in self.open:
            transport.abort()


@dataclass
class Serving:
    """One server's state, `app.ctx`."""

    live: Live
    broadcast: Broadcast
    readings: Readings
    coaching: Coaching
    streams: Streams = field(default_factory=Streams)
    started_s: float = field(default_factory=time.monotonic)

    async def session(self, name: str) -> str:
        """The id of the session that `name` stands for.  Problem: it is no session's, or tries to be a path."""
        cast = self.live.picture().cast
        if cast is not None and name in (LIVE, cast.session):
            return cast.session
        if not _is_name(name):
            raise Problem(404, "unknown-session", f"{name[:80]!r} can't be a session's name", hint="see /sessions")
        try:
            return (await self.readings.find(name)).id
        except UsageError as error:
            if name == LIVE:
                raise Problem(
                    404, "no-live-session", error.what, hint=error.hint or "start `pitwall record`"
                ) from error
            detail = f"{error.where}: {error.what}" if error.where else error.what
            raise Problem(404, "unknown-session", detail, hint=error.hint or "see /sessions") from error


App = sanic.Sanic[sanic.Config, Serving]
Request = sanic.Request[App, SimpleNamespace]


def answer(body: object) -> HTTPResponse:
    """`body` as JSON; numpy arrays become lists, NaN becomes null."""
    return HTTPResponse(dumps(body), content_type="application/json")


def _is_name(name: str) -> bool:
    """Letters, digits, `-`, `_` and `.`, not leading with a dot: what a folder of the logs can be called."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return 0 < len(name) <= 128 and name[0] != "." and plain.isascii() and plain.isalnum()
