"""`GET /`, `GET /login` and their files: what is in pitwall/web, as it is, with an ETag each."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Final

from sanic.response import HTTPResponse

if TYPE_CHECKING:
    from pitwall.serve.serving import App, Request

CONTENT_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

PATHS: Final = {"index.html": "/", "login.html": "/login"}


def add(app: App) -> None:
    """Adds a route for each file of the page; `PATHS` says of some where they are."""
    for file in sorted((resources.files("pitwall") / "web").iterdir(), key=lambda file: file.name):
        suffix = file.name.rpartition(".")[2]
        if suffix in CONTENT_TYPES:
            _add_file(app, PATHS.get(file.name, f"/{file.name}"), file.read_bytes(), CONTENT_TYPES[suffix])


def _add_file(app: App, path: str, body: bytes, content_type: str) -> None:
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}

    async def page(request: Request) -> HTTPResponse:
        if request.headers.get("if-none-match") == etag:
            return HTTPResponse(b"", 304, headers)
        return HTTPResponse(body, 200, headers, content_type)

    app.add_route(
        page, path, methods=["GET", "HEAD"], name=f"page {path}".replace("/", "").replace(".", "_") or "index"
    )
