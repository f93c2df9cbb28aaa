"""What every handler may reach: the live picture, the stream of it, and past sessions. Handlers read; none writes."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, TypeVar

import sanic
from sanic.response import HTTPResponse

from pitwall.errors import UsageError
from pitwall.serve.access import Access
from pitwall.serve.counting import Requests
from pitwall.serve.encoding import dumps
from pitwall.serve.gate import Gate
from pitwall.serve.limits import MAX_STREAMS
from pitwall.serve.problem import Problem
from pitwall.serve.rates import KINDS, Kind, Rates

if TYPE_CHECKING:
    import duckdb

    from pitwall.serve.broadcast import Broadcast
    from pitwall.serve.coaching import Coaching
    from pitwall.serve.doctor import Doctor
    from pitwall.serve.importer import Importer
    from pitwall.serve.mover import Mover
    from pitwall.serve.newest import Live
    from pitwall.serve.reading import Edition, Readings, Told
    from pitwall.serve.reel import Reel

T = TypeVar("T")

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


@dataclass(frozen=True, slots=True)
class About:
    """A session, as far as an answer from its projection needs it."""

    id: str
    car: str
    started_at_ns: int


@dataclass
class Serving:
    """One server's state, `app.ctx`.  refused: how often, by problem.  rates: of clients, by what is asked.

    replays: by id; None: its beginning is still being read.  tracing: held while a log is replayed for one answer.
    """

    live: Live
    broadcast: Broadcast
    readings: Readings
    coaching: Coaching
    importer: Importer
    mover: Mover
    doctor: Doctor
    streams: Streams = field(default_factory=Streams)
    requests: Requests = field(default_factory=Requests)
    access: Access = field(default_factory=Access)
    gate: Gate = field(default_factory=Gate)
    refused: Counter[str] = field(default_factory=Counter)
    rates: dict[Kind, Rates] = field(default_factory=lambda: {kind: Rates(kind.burst, kind.every_s) for kind in KINDS})
    replays: dict[str, Reel | None] = field(default_factory=dict)
    tracing: asyncio.Lock = field(default_factory=asyncio.Lock)
    started_s: float = field(default_factory=time.monotonic)

    def is_full(self, more: bool = False) -> bool:
        """Whether one more stream is turned away, and counted so.  more: that there is another reason to."""
        full = self.broadcast.closing or more or len(self.streams.open) >= MAX_STREAMS
        self.streams.refused += full
        return full

    async def session(self, name: str) -> str:
        """The id of the session that `name` stands for.  Problem: it is no session's, or tries to be a path."""
        return (await self.about(name)).id

    async def about(self, name: str) -> About:
        """The session that `name` stands for.  Problem: it is no session's, or tries to be a path."""
        cast = self.live.picture().cast
        if cast is not None and name in (LIVE, cast.session):
            return About(cast.session, cast.car, cast.started_at_ns)
        if not is_name(name):
            raise Problem("unknown-session", f"{name[:80]!r} can't be a session's name", hint="see /sessions")
        try:
            found = await self.readings.find(name)
            return About(found.id, found.header.car, found.header.started_at_ns)
        except UsageError as error:
            if name == LIVE:
                raise Problem("no-live-session", error.what, hint=error.hint or "start `pitwall record`") from error
            detail = f"{error.where}: {error.what}" if error.where else error.what
            raise Problem("unknown-session", detail, hint=error.hint or "see /sessions") from error


App = sanic.Sanic[sanic.Config, Serving]
Request = sanic.Request[App, SimpleNamespace]


class UnchangedError(Exception):
    """The client has the very answer already; `tag` is its name."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


async def asked(request: Request, session: str, question: Callable[[duckdb.DuckDBPyConnection], T]) -> Told[T]:
    """The answer to `question`, asked of that session's projection.

    What can't change any more has a tag, by which it is not asked again.  Raises UnchangedError, Problem.
    """

    def of(edition: Edition) -> None:
        if edition.final:
            request.ctx.tag = _tag(request, session, edition)
            if has(request, request.ctx.tag):
                raise UnchangedError(request.ctx.tag)

    return await request.app.ctx.readings.ask(session, question, of=of)


def has(request: Request, tag: str) -> bool:
    """Whether the client has that very answer, as it says: also where somebody on the way weakened its tag (`W/`)."""
    said = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return tag in said or said == ["*"]


def _tag(request: Request, session: str, edition: Edition) -> str:
    parts = (session, edition.fingerprint, edition.tracks, edition.offset, request.path, request.query_string)
    said = "\n".join(map(str, (*parts, request.headers.get("accept", ""))))
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:20]}"'


def answer(body: object, status: int = 200) -> HTTPResponse:
    """`body` as JSON; numpy arrays become lists, NaN becomes null."""
    return HTTPResponse(dumps(body), status, content_type="application/json")


def is_name(name: str) -> bool:
    """Letters, digits, `-`, `_` and `.`, not leading with a dot: what a folder of the logs can be called."""
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return 0 < len(name) <= 128 and name[0] != "." and plain.isascii() and plain.isalnum()
