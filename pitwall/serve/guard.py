"""Before every handler: is it us that are asked, on whose behalf, and may they?  And what a browser may do with it.

A page from elsewhere can make a browser resolve its own name to 127.0.0.1 and read what answers there (DNS rebinding);
the Host header then still has the foreign name. Sanic checks none, not even that there is one; nor does it look at who
opens a WebSocket, which browsers let any page do.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Final

from sanic.response import HTTPResponse

from pitwall.serve.page import is_open
from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from sanic.response import BaseHTTPResponse

    from pitwall.serve.serving import App, Request

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""

UNREAD: Final = "NONE"
"""The method of a request whose head could not be read, as Sanic has it: no handler is asked."""

ALLOWED: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, X-Pitwall-Token",
    "Access-Control-Max-Age": "600",
}
"""What pages that were named may do, as browsers ask beforehand."""


def add(app: App) -> None:
    """Puts the guard before every handler, and the headers on every response."""

    @app.on_request
    async def let_in(request: Request) -> HTTPResponse | None:
        if request.method == UNREAD:
            return None
        check_host(request)
        if _is_preflight(request):
            return HTTPResponse(b"", 204, ALLOWED | _private(request))
        check_origin(request)
        if _must_log_in(request):
            return HTTPResponse(b"", 303, {"Location": "/login"})
        check_token(request)
        check_rate(request)
        return None

    @app.on_response  # type: ignore[untyped-decorator]  # Sanic leaves its return unannotated
    async def add_headers(request: Request, response: BaseHTTPResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        tag = getattr(request.ctx, "tag", None)
        if tag is not None and response.status in (200, 304):
            response.headers["ETag"], response.headers["Vary"] = tag, "Accept"
            response.headers["Cache-Control"] = "private, no-cache"  # kept, and asked for again with its tag
        response.headers.setdefault("Cache-Control", "no-store")
        if request.app.ctx.access.origins:
            varies = response.headers.get("Vary")
            response.headers["Vary"] = f"{varies}, Origin" if varies else "Origin"
            origin = request.headers.get("origin", "")
            if origin.lower() in request.app.ctx.access.origins:
                response.headers["Access-Control-Allow-Origin"] = origin


def check_before_body(request: Request) -> None:
    """Problem: whoever asks so may not, whatever the body says: not a byte of it need be kept."""
    check_host(request)
    if not _is_preflight(request):
        check_origin(request)
        check_token(request)


def check_host(request: Request) -> None:
    """Problem: the Host header names somebody else."""
    host = request.headers.get("host", "")
    local = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if not request.app.ctx.access.knows_host(host, local[0] if local else ""):
        raise Problem(
            "foreign-host",
            f"the Host header says {host[:80]!r}" if host else "the Host header is missing",
            hint="open the address that pitwall printed, or name this one with --allow-host",
        )


def check_origin(request: Request) -> None:
    """Problem: a page from elsewhere wants to change something, or opens a WebSocket.

    A browser tells on whose behalf it asks; a program of the user's has no page.
    """
    origin = request.headers.get("origin")
    if origin is None or (request.method in READING and request.headers.get("upgrade") is None):
        return
    own = {f"{scheme}://{request.headers.get('host', '').lower()}" for scheme in ("http", "https")}
    if origin.lower() not in own | request.app.ctx.access.origins:
        raise Problem(
            "foreign-page",
            f"a page of {origin[:80]!r} asks",
            hint="ask from pitwall's own page, or name that one with --allow-origin",
        )


def check_token(request: Request) -> None:
    """Problem: nobody knows who asks, or they may only read."""
    if is_open(request.path):
        return
    who = request.app.ctx.access.who(request.headers)
    if who is None:
        raise Problem(
            "no-token",
            "the request carries no token that is good here",
            hint="X-Pitwall-Token: …, or Authorization: Bearer …; a browser goes to /login",
            headers={"WWW-Authenticate": 'Bearer realm="pitwall"'},
        )
    request.ctx.who = who
    if who.read_only and request.method not in READING:
        raise Problem("read-only", f"the token {who.name!r} may only read", hint="ask with one that may change")


def check_rate(request: Request) -> None:
    """Problem: this client has asked too often in the last seconds."""
    for kind, rates in request.app.ctx.rates.items():
        if not kind.takes(request.path):
            continue
        wait_s = rates.wait_s(request.ip, asyncio.get_running_loop().time())
        if wait_s:
            again_s = math.ceil(wait_s)
            raise Problem(
                "too-often",
                f"{kind.words} asked too often in the last seconds",
                hint=f"ask again in {again_s} s",
                headers={"Retry-After": str(again_s)},
            )


def _must_log_in(request: Request) -> bool:
    """Whether a browser without a good token opens the page."""
    wants_page = request.path == "/" and request.method in READING and "text/html" in request.headers.get("accept", "")
    return wants_page and request.app.ctx.access.who(request.headers) is None


def _is_preflight(request: Request) -> bool:
    return (
        request.method == "OPTIONS"
        and "access-control-request-method" in request.headers
        and request.headers.get("origin", "").lower() in request.app.ctx.access.origins
    )


def _private(request: Request) -> dict[str, str]:
    # Chrome asks so before a page of the internet reaches into a private network
    asked = request.headers.get("access-control-request-private-network") == "true"
    return {"Access-Control-Allow-Private-Network": "true"} if asked else {}
