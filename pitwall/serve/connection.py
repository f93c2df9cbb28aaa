"""Bytes of a client in, its requests out, within a time in all: HTTP as Sanic speaks it, for those who do not hurry.

Sanic's own time-outs begin anew with every byte, so that a byte a second keeps a connection for ever. Here a head has
HEAD_S, a body what its length asks for, and a connection that asks nothing makes room when there are too many.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from sanic.exceptions import RequestTimeout
from sanic.http import Stage
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from pitwall.serve.gate import BODY, HEAD, Gate
from pitwall.serve.guard import check_before_body
from pitwall.serve.limits import BODY_BYTES_PER_S, BODY_S, HEAD_S, MAX_REQUEST_BYTES, MAX_UNDER_WAY
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from pitwall.serve.serving import Request

LEAVE_S: Final = 1.0
"""For the answer to one that was too slow to get on its way; what it still sends is not waited for."""

NO_ROOM: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 5\r\n\r\n"


class Connection(WebSocketProtocol):
    """One client's."""

    __slots__ = ("_gate", "_inside", "_timer", "client")

    def _setup(self) -> None:
        super()._setup()  # type: ignore[no-untyped-call]
        self.request_handler = self._answer
        self._gate: Gate = self.app.ctx.gate
        self._timer: asyncio.TimerHandle | None = None
        self._inside = False
        self.client = ""

    def connection_made(self, transport: Any) -> None:
        peer = transport.get_extra_info("peername")
        self.client = str(peer[0]) if peer else ""
        self._inside = self._gate.enter(self)
        if not self._inside:
            transport.write(NO_ROOM)
            transport.close()
            return
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timing()
        if self._inside:
            self._gate.exit(self)
            super().connection_lost(exc)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        if not self._inside:
            return
        # what comes over a socket that was a request once is no head of another
        if self.websocket is None and self._timer is None and self._stage() in (None, Stage.IDLE, Stage.REQUEST):
            self._time_head()
        super().data_received(data)  # type: ignore[no-untyped-call]

    def leave(self) -> None:
        """Ends at once."""
        if self.transport is not None:
            self.transport.abort()

    def expect(self, request: Request, more_s: float) -> None:
        """From now on the rest of the request's body has BODY_S, and so much more."""
        self._stop_timing()
        self._timer = self.loop.call_later(BODY_S + more_s, self._late_body, request)

    async def _answer(self, request: Request) -> None:
        self._stop_timing()
        self._gate.asks(self)
        try:
            http = self._http
            if http.request_body:
                length = http.request_bytes_left if http.request_body is True else MAX_REQUEST_BYTES
                self.expect(request, min(length, MAX_REQUEST_BYTES) / BODY_BYTES_PER_S)
            if self._gate.under_way > MAX_UNDER_WAY and request.path != "/health":
                raise Problem(
                    "too-busy",
                    f"{MAX_UNDER_WAY} requests are under way",
                    hint="ask again in a second",
                    headers={"Retry-After": "1"},
                )
            if http.request_body:  # Sanic reads it before it asks the guard
                check_before_body(request)
            await self.app.handle_request(request)  # type: ignore[arg-type]  # Sanic forgets what its ctx is
        finally:
            self._gate.answered(self)

    def _time_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_S, self._late_head)

    def _stop_timing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late_head(self) -> None:
        self._timer = None
        stage = self._stage()
        if stage is Stage.REQUEST:
            self._too_slow(HEAD, f"the request's head was not there within {HEAD_S:g} s")
        elif stage in (None, Stage.IDLE):
            self._gate.closed[HEAD] += 1
            self.close()

    def _late_body(self, request: Request) -> None:
        self._timer = None
        http = self.http
        if http is not None and http.request is request and http.request_body:
            self._too_slow(BODY, "the request's body came too slowly")

    def _too_slow(self, why: str, words: str) -> None:
        self._gate.closed[why] += 1
        self._http.exception = RequestTimeout(words)
        if self._task is not None:
            self._task.cancel()
        self.loop.call_later(LEAVE_S, self.leave)

    def _stage(self) -> Stage | None:
        http = self.http
        return http.stage if http is not None else None
