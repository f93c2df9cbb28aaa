"""`/login`, `/token` and `/token/link`: how a browser gets in, and who it then is.

A page can't put a header on an event stream or a WebSocket: it has a cookie that scripts can't read and that no other
site's page sends. `GET /login#CODE` is what a link opens; what stands behind `#` is sent to nobody, and the page there
posts it. A link's code is good once; a token, typed in, is good too.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from pitwall.errors import UsageError
from pitwall.serve import inviting
from pitwall.serve.access import COOKIE, LOOPBACK_NAMES, NOBODY, bracketed, host_name, is_loopback
from pitwall.serve.operations import operation
from pitwall.serve.parameters import Nothing
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.serve.tokens import LINK_S

if TYPE_CHECKING:
    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request

DAYS: Final = 90
"""A cookie lives so long: a season's weekends."""


class Known(Struct):
    """Who asks.  name: of its token; null: none is demanded."""

    name: str | None
    read_only: bool


class Entering(Struct, frozen=True, forbid_unknown_fields=True):
    """One of them."""

    code: Annotated[str, Meta(description="what stands behind # of a link that `pitwall token link` makes")] = ""
    token: Annotated[str, Meta(description="a token, as it would stand in X-Pitwall-Token")] = ""


@operation("POST", "/login", takes=Entering, answers=Known)
async def log_in(request: Request, given: Entering) -> HTTPResponse:
    """A cookie, for a link's code or a token."""
    access = request.app.ctx.access
    if given.code and access.tokens is not None and access.token:
        found = await asyncio.to_thread(access.tokens.exchange, given.code.encode("utf-8", "replace"))
        if found is not None:
            token, secret = found
            return _welcome(secret, token.name, token.read_only)
    who = access.holder(given.token.encode("utf-8", "replace")) if given.token and access.token else None
    if who is None:
        hint = "a link is good once and for ten minutes: `pitwall token link` makes another"
        headers = {"WWW-Authenticate": 'Bearer realm="pitwall"'}
        raise Problem("no-token", "that is not, or no longer, good here", hint=hint, headers=headers)
    return _welcome(given.token, who.name, who.read_only)


@operation("GET", "/token", answers=Known)
async def token(request: Request, _: Nothing) -> HTTPResponse:
    """Who asks."""
    who = getattr(request.ctx, "who", NOBODY)
    return answer({"name": who.name or None, "read_only": who.read_only})


class Inviting(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom it is for."""

    read_only: Annotated[bool, Meta(description="true: for who may only look")] = False


class Link(Struct):
    """What opens the page on another device.  squares: its QR code, a string a row, `1` is dark."""

    url: str
    lasts_s: float
    squares: list[str]


@operation("POST", "/token/link", takes=Inviting, answers=Link, problems=("not-reachable",))
async def link(request: Request, wanted: Inviting) -> HTTPResponse:
    """A link that lets one browser in, once: what `pitwall token link` prints."""
    serving = request.app.ctx
    host, port = serving.address
    tokens = serving.access.tokens
    if tokens is None or not serving.access.token or is_loopback(host):
        hint = "start it with --host 0.0.0.0, and PITWALL_TOKEN from `pitwall token make` in its environment"
        raise Problem("not-reachable", f"it listens on {bracketed(host)}:{port}, for this machine alone", hint=hint)
    came = request.headers.get("host", "")
    name = host_name(came)
    is_local = name is None or name in LOOPBACK_NAMES or name.endswith(".localhost")
    try:
        url = await asyncio.to_thread(
            inviting.link, tokens, inviting.reached(host, port) if is_local else came, read_only=wanted.read_only
        )
    except UsageError as error:
        raise Problem("too-busy", error.what, hint=error.hint) from error
    squares = ["".join(map(str, row)) for row in inviting.code(url).matrix]
    return answer({"url": url, "lasts_s": LINK_S, "squares": squares})


OPERATIONS: Final = (log_in, token, link)


def _welcome(secret: str, name: str, read_only: bool) -> HTTPResponse:
    response = answer({"name": name, "read_only": read_only})
    # not `Secure`: on the pit's own network there is no TLS
    if not all(letter.isascii() and (letter.isalnum() or letter in "-_.~+/=") for letter in secret):
        raise Problem(
            "bad-parameter", "a cookie's token has letters, digits and -_.~+/= only", hint="pitwall token make"
        )
    response.headers["Set-Cookie"] = f"{COOKIE}={secret}; Path=/; Max-Age={DAYS * 86_400}; HttpOnly; SameSite=Strict"
    return response
