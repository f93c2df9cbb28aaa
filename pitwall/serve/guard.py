"""Only this machine's own names are answered to, and headers tell the browser what the page may do.

A page from elsewhere can make a browser resolve its own name to 127.0.0.1 and read what answers there (DNS rebinding);
the Host header then still has the foreign name. Sanic checks none, not even that there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pitwall.serve.problem import Problem

if TYPE_CHECKING:
    from sanic.response import BaseHTTPResponse

    from pitwall.serve.serving import App, Request

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""


def _is_own_page(origin: str) -> bool:
    """Whether an Origin header names this machine, as plain http does."""
    return origin.startswith("http://") and is_own(origin.removeprefix("http://"))


def is_own(host: str) -> bool:
    """Whether a Host header names this machine by a loopback name, with or without a port."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or name.count(":") != host.count(":") - 1 or host.endswith("]"):
        name, port = host.lower(), "0"
    return port.isdigit() and (name in LOOPBACK_NAMES or name.endswith(".localhost"))


def add(app: App) -> None:
    """Puts the guard before every handler, and the headers on every response."""

    @app.on_request
    async def refuse_foreign_hosts(request: Request) -> None:
        host = request.headers.get("host", "")
        if not is_own(host):
            raise Problem(
                "foreign-host",
                f"the Host header says {host[:80]!r}" if host else "the Host header is missing",
                hint="open http://localhost with the port that pitwall printed",
            )

    @app.on_request
    async def refuse_foreign_pages(request: Request) -> None:
        # a browser tells on whose behalf it sends what may change something; a program of the user's has no page
        origin = request.headers.get("origin")
        if request.method not in READING and origin is not None and not _is_own_page(origin):
            raise Problem("foreign-page", f"a page of {origin[:80]!r} asks", hint="ask from pitwall's own page")

    @app.on_response  # type: ignore[untyped-decorator]  # Sanic leaves its return unannotated
    async def add_headers(request: Request, response: BaseHTTPResponse) -> None:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        tag = getattr(request.ctx, "tag", None)
        if tag is not None and response.status in (200, 304):
            response.headers["ETag"], response.headers["Vary"] = tag, "Accept"
            response.headers["Cache-Control"] = "private, no-cache"  # kept, and asked for again with its tag
        response.headers.setdefault("Cache-Control", "no-store")
