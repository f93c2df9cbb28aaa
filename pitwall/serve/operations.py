"""What can be asked of the API, as data: a method, a path, what it takes, what it answers with, what may go wrong.

Routes, the reading of what comes and the OpenAPI document are all made from the same list of operations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.limits import MAX_REQUEST_BYTES, MAX_SAID_BYTES
from pitwall.serve.parameters import JSON as JSON
from pitwall.serve.parameters import Nothing, reader
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from msgspec import Struct
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import App, Request

Handler = Callable[..., Coroutine[Any, Any, "HTTPResponse | None"]]
"""Given the request, what it takes as a Struct, and the path's names by keyword; None: it has answered by itself."""

EVENTS: Final = "text/event-stream"

ALWAYS: Final = ("foreign-host", "no-token", "read-only", "too-busy", "too-slow", "too-large", "internal")
"""Whatever is asked may end so."""
OF_A_SESSION: Final = ("unknown-session", "no-live-session", "no-projection", "too-busy", "query-timeout")
"""Whoever asks a session's projection may be told so."""


CLOSES: Final = {
    1001: "the server stops",
    1002: "what came is no WebSocket's",
    1007: "a text that came is no UTF-8",
    1009: f"a message that came has more than {MAX_SAID_BYTES:,} bytes",
    1011: "no answer to a ping came within 20 s",
    1013: "there are too many streams: try again later",
}
"""Codes by which a WebSocket is closed from here (RFC 6455, and IANA's registry)."""
REFUSES: Final = CLOSES | {1008: "what was asked for can't be had, as the message before says"}


@dataclass(frozen=True, slots=True)
class Socket:
    """What is spoken on a WebSocket.  hears: the type of what a client says, as JSON; None: another protocol's.

    tells: in words, what it is told.  protocols: names of sub-protocols, of which a client asks for one; none: there
    are none.  closes: why, by code.
    """

    tells: str
    hears: type[Struct] | None = None
    protocols: tuple[str, ...] = ()
    closes: Mapping[int, str] = field(default_factory=lambda: CLOSES)


@dataclass(frozen=True, slots=True)
class Operation:
    """takes: of the query, or, where the method is POST, of the body as JSON.  answers: the type of the JSON.

    upload: the body is a file, which the handler reads as it comes, and `takes` is of the query; what becomes of it is
    told later (202).
    socket: it is a WebSocket's, that is opened by it; the handler is given that, too, and reads `takes` by itself.
    most_bytes: of the body.
    problems: names of `problem.PROBLEMS`.  media: what it may answer in, the default first.
    """

    method: str
    path: str
    handler: Handler
    takes: type[Struct]
    answers: Any
    problems: tuple[str, ...]
    media: tuple[str, ...]
    upload: bool = False
    most_bytes: int = MAX_REQUEST_BYTES
    socket: Socket | None = None

    @property
    def in_body(self) -> bool:
        """Whether what it takes is its body."""
        return self.method == "POST" and not self.upload

    @property
    def status(self) -> int:
        """Of its answer."""
        return 101 if self.socket is not None else 202 if self.upload else 200

    @property
    def name(self) -> str:
        """Of the operation, for programs: stable."""
        return self.handler.__name__

    @property
    def about(self) -> tuple[str, str]:
        """A line, and what more there is to say."""
        summary, _, more = (inspect.getdoc(self.handler) or "").partition("\n")
        return summary, more.strip()


def operation(
    method: str,
    path: str,
    *,
    answers: Any,
    takes: type[Struct] = Nothing,
    problems: Iterable[str] = (),
    media: tuple[str, ...] = (JSON,),
    upload: bool = False,
    most_bytes: int = MAX_REQUEST_BYTES,
) -> Callable[[Handler], Operation]:
    """Makes an operation of a handler."""

    def of(handler: Handler) -> Operation:
        named = (*problems, *OF_A_SESSION) if "<sid>" in path else tuple(problems)
        if method == "POST" and not upload:
            named = (*named, "not-json")
        named = (*named, "bad-parameter", *ALWAYS)
        return Operation(method, path, handler, takes, answers, named, media, upload, most_bytes)

    return of


def socket(
    path: str, spoken: Socket, *, takes: type[Struct] = Nothing, problems: Iterable[str] = ()
) -> Callable[[Handler], Operation]:
    """Makes an operation of the handler of a WebSocket."""

    def of(handler: Handler) -> Operation:
        named = (*problems, "not-a-websocket", "bad-parameter", *ALWAYS)
        return Operation("GET", path, handler, takes, None, named, (), socket=spoken)

    return of


def add(app: App, operations: Iterable[Operation]) -> None:
    """Their routes; what can be got can be asked for its head, too."""

    @app.on_request
    async def check_upgrade(request: Request) -> None:
        asked = request.headers.get("upgrade", "").lower()
        if request.route is not None and request.route.extra.websocket and asked != "websocket":
            raise Problem(
                "not-a-websocket",
                "it is a WebSocket, and was asked for as a resource",
                hint=f"ws://{request.host}{request.path}",
                headers={"Upgrade": "websocket", "Connection": "Upgrade"},
            )

    for each in operations:
        if each.socket is not None:
            spoken = list(each.socket.protocols) or None
            app.add_websocket_route(each.handler, each.path, subprotocols=spoken, name=each.name)
            continue
        methods = ["GET", "HEAD"] if each.method == "GET" and EVENTS not in each.media else [each.method]
        app.add_route(_route(each), each.path, methods=methods, name=each.name, stream=each.upload)


def _route(one: Operation) -> Handler:
    taken, handler = reader(one.takes, in_body=one.in_body), one.handler

    async def handle(request: Request, **names: str) -> HTTPResponse | None:
        if one.in_body and len(request.body) > one.most_bytes:
            raise Problem("too-long", f"the body has {len(request.body):,} bytes", hint=f"at most {one.most_bytes:,}")
        return await handler(request, taken(request), **names)

    return handle
