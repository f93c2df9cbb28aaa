"""`/login` and `/token`: how a browser gets in, and who it then is.

A page can't put a header on an event stream or a WebSocket: it has a cookie that scripts can't read and that no other
site's page sends. `GET /login#CODE` is what a link opens; what stands behind `#` is sent to nobody, and the page there
posts it. A link's code is good once; a token, typed in, is good too.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from sanic.response import HTTPResponse

from pitwall.serve.access import COOKIE, NOBODY
from pitwall.serve.limits import MAX_QUESTION_BYTES
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer

if TYPE_CHECKING:
    from pitwall.serve.serving import App, Request

DAYS: Final = 90
"""A cookie lives so long: a season's weekends."""
HINT: Final = '{"code": "…"}, of a link that `pitwall token link` makes; or {"token": "…"}'


def add(app: App) -> None:
    """Adds the routes."""

    @app.post("/login")
    async def log_in(request: Request) -> HTTPResponse:
        access = request.app.ctx.access
        said = _said(request.body)
        secret = str(said.get("token", ""))
        who = access.holder(secret.encode("utf-8", "replace")) if secret and access.token else None
        if "code" in said and access.tokens is not None and access.token:
            code = str(said["code"]).encode("utf-8", "replace")
            found = await asyncio.to_thread(access.tokens.exchange, code)
            if found is not None:
                token, secret = found
                return _welcome(secret, token.name, token.read_only)
        if who is None:
            hint = "a link is good once and for ten minutes: `pitwall token link` makes another"
            headers = {"WWW-Authenticate": 'Bearer realm="pitwall"'}
            raise Problem(401, "no-token", "that is not, or no longer, good here", hint=hint, headers=headers)
        return _welcome(secret, who.name, who.read_only)

    @app.route("/token", methods=["GET", "HEAD"])
    async def token(request: Request) -> HTTPResponse:
        who = getattr(request.ctx, "who", NOBODY)
        return answer({"name": who.name or None, "read_only": who.read_only})


def _said(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body) if len(body) <= MAX_QUESTION_BYTES else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Problem(400, "bad-parameter", "the body is no JSON object", hint=HINT)
    return said


def _welcome(secret: str, name: str, read_only: bool) -> HTTPResponse:
    response = answer({"name": name, "read_only": read_only})
    # not `Secure`: on the pit's own network there is no TLS
    if not all(letter.isascii() and (letter.isalnum() or letter in "-_.~+/=") for letter in secret):
        raise Problem(400, "bad-parameter", "a token for a cookie has letters, digits and -_.~+/= only", hint=HINT)
    response.headers["Set-Cookie"] = f"{COOKIE}={secret}; Path=/; Max-Age={DAYS * 86_400}; HttpOnly; SameSite=Strict"
    return response
