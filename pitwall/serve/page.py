"""`GET /`, `GET /login` and what they load: the page as it was built (hatch_build.py), from memory.

A file whose name has a hash of its content (`/assets/…`) is kept by browsers for good; the others are asked for again
with their ETag. All of it together is some hundred kilobytes, kept gzipped too.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from sanic.response import HTTPResponse

from pitwall.serve.serving import has

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from pitwall.serve.serving import App, Request

logger = logging.getLogger("pitwall.serve")

CONTENT_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}

PATHS: Final = {"/index.html": "/", "/login.html": "/login"}
HASHED: Final = "/assets/"

OPEN: Final = frozenset({"/health", "/login", "/icon.svg", "/docs.css", "/manifest.webmanifest", "/service-worker.js"})
"""What needs no token: whether the server is well, how to get in, what a browser asks for before it has a cookie."""

NOT_BUILT: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Pitwall</title>
<p>The page was not built with this pitwall: it needs Node.js 20.19 or newer, and <code>make page</code> in a checkout.
All else works: <a href="/docs">the API</a>.</p></html>
"""


@dataclass(frozen=True, slots=True)
class File:
    """One of them.  zipped: gzipped, where that is less."""

    body: bytes
    zipped: bytes | None
    content_type: str
    etag: str
    kept: bool


def files() -> dict[str, File]:
    """What was built, by its path; without a build a page that says so."""
    web = resources.files("pitwall") / "web"
    built = web / "built"
    found = dict(_files(built, "/")) if built.is_dir() else {}
    if "/" not in found:
        logger.warning("the page was not built: / says what to do, and all else works")
        # what needs no build is there all the same: /docs has a style sheet of its own
        found = dict(_files(web / "public", "/")) if (web / "public").is_dir() else {}
        found["/"] = found["/login"] = _file(NOT_BUILT, "html", kept=False)
    return found


def add(app: App) -> None:
    """Adds a route for each file of the page."""
    for path, file in files().items():
        _add_file(app, path, file)


def is_open(path: str) -> bool:
    """Whether it needs no token: how to get in, and what was built, which is everybody's."""
    return path in OPEN or path.startswith(HASHED)


def _files(folder: Traversable, at: str) -> list[tuple[str, File]]:
    made: list[tuple[str, File]] = []
    for one in folder.iterdir():
        path = at + one.name
        suffix = one.name.rpartition(".")[2]
        if one.is_dir():
            made += _files(one, f"{path}/")
        elif suffix in CONTENT_TYPES:
            made.append((PATHS.get(path, path), _file(one.read_bytes(), suffix, kept=path.startswith(HASHED))))
    return made


def _file(body: bytes, suffix: str, *, kept: bool) -> File:
    zipped = gzip.compress(body, 9, mtime=0)
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return File(body, zipped if len(zipped) < len(body) else None, CONTENT_TYPES[suffix], etag, kept)


def _add_file(app: App, path: str, file: File) -> None:
    lasting = "public, max-age=31536000, immutable" if file.kept else "no-cache"
    headers = {"ETag": file.etag, "Cache-Control": lasting, "Vary": "Accept-Encoding"}

    async def page(request: Request) -> HTTPResponse:
        if has(request, file.etag):
            return HTTPResponse(b"", 304, headers)
        if file.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return HTTPResponse(file.zipped, 200, {**headers, "Content-Encoding": "gzip"}, file.content_type)
        return HTTPResponse(file.body, 200, headers, file.content_type)

    name = "page " + (path.strip("/").replace("/", "_").replace(".", "_").replace("-", "_") or "index")
    app.add_route(page, path, methods=["GET", "HEAD"], name=name.replace(" ", "_"))
