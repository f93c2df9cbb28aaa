"""The Sanic application: resources, guard, limits; whatever is raised becomes a problem document."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sanic import Config, Sanic
from sanic.exceptions import SanicException
from sanic.response import HTTPResponse

from pitwall.errors import PitwallError
from pitwall.serve import (
    archive,
    cars,
    channels,
    choosing,
    coach,
    compare,
    doctor,
    export,
    frames,
    guard,
    health,
    importing,
    jobs,
    laps,
    live,
    login,
    metrics,
    operations,
    page,
    pieces,
    query,
    reference,
    replaying,
    requests,
    sessions,
    signals,
    track,
    why,
)
from pitwall.serve.encoding import dumps
from pitwall.serve.foxglove import routes
from pitwall.serve.limits import MAX_REQUEST_BYTES, MAX_SAID_BYTES
from pitwall.serve.problem import Problem
from pitwall.serve.serving import UnchangedError

if TYPE_CHECKING:
    from pitwall.serve.serving import App, Request, Serving

logger = logging.getLogger("pitwall.serve")

RESOURCES: Final = (
    health, metrics, sessions, requests, channels, signals, frames, why, query, export, laps, track, compare, coach,
    live, choosing, routes, replaying, importing, archive, jobs, doctor, login, cars,
)  # fmt: skip
OPERATIONS: Final = tuple(each for resource in RESOURCES for each in resource.OPERATIONS)
"""All that can be asked."""

LIMITS: Final[dict[str, str | bool | int | float | None]] = {
    "AUTO_EXTEND": False,  # sanic-ext, if it happens to be installed, changes what routes do
    "MOTD": False,
    "ACCESS_LOG": False,
    "REQUEST_MAX_SIZE": MAX_REQUEST_BYTES,
    "REQUEST_TIMEOUT": 10,
    "RESPONSE_TIMEOUT": 30,  # idle, not total: a stream that pings lives on; a client that reads nothing is dropped
    "KEEP_ALIVE_TIMEOUT": 60,
    "WEBSOCKET_MAX_SIZE": MAX_SAID_BYTES,
    "FALLBACK_ERROR_FORMAT": "json",
}

NAMES: Final = {404: "unknown-path", 405: "wrong-method", 408: "too-slow", 413: "too-large"}
"""What Sanic finds out, by our names."""

COUNTED: Final = frozenset({401, 403, 408, 413, 421, 429, 503, 504, 507})
"""Refusals: what a limit or the guard answers with."""

METHODS: Final = ("GET", "HEAD", "POST")
"""All that any operation has."""

HINTS: Final = {
    408: "send the request at once",
    413: f"a head of 8 kB and a body of {MAX_REQUEST_BYTES:,} bytes are taken at most",
    404: "see /docs",
    405: "see /docs",
}


def build(serving: Serving) -> App:
    """The application over `serving`."""
    app: App = Sanic("pitwall", config=Config(LIMITS), ctx=serving, configure_logging=False, dumps=dumps)
    Sanic.unregister_app(app)  # a process may hold several, one a test
    for noisy in ("sanic.root", "sanic.server", "sanic.error"):
        logging.getLogger(noisy).setLevel(logging.ERROR)  # what it tells of clients, the answers do
    guard.add(app)
    metrics.guard(app)
    pieces.add(app)
    operations.add(app, (*OPERATIONS, *reference.of(OPERATIONS)))
    page.add(app)
    app.exception(UnchangedError)(_unchanged)
    app.exception(Exception)(_explain)
    return app


async def _unchanged(request: Request, error: Exception) -> HTTPResponse:
    return HTTPResponse(b"", 304)


async def _explain(request: Request, error: Exception) -> HTTPResponse:
    problem = _problem(request, error)
    if problem.status in COUNTED:
        request.app.ctx.refused[problem.name] += 1
    return problem.response()


def _problem(request: Request, error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, PitwallError):
        return Problem("no-projection", str(error), hint=error.hint)
    if isinstance(error, SanicException) and error.status_code < 500:
        hint = HINTS.get(error.status_code, "")
        name = NAMES.get(error.status_code, f"http-{error.status_code}")
        headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
        return Problem(name, str(error), hint=hint, headers=headers)
    if isinstance(error, SanicException):
        return Problem(f"http-{error.status_code}", str(error))
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return Problem("internal", f"{type(error).__name__} while answering", hint="what pitwall printed says more")


def _allowed(request: Request) -> str:
    """Methods by which that path can be asked: Sanic's own list is empty where several operations share one."""
    found = []
    for method in METHODS:
        with suppress(SanicException):
            request.app.router.get(request.path, method, request.headers.get("host"))
            found.append(method)
    return ", ".join(found)
