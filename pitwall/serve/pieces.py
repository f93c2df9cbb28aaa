"""A table that is read piece by piece (`Range`, RFC 9110, 14): one answer kept for a while, its pieces out.

So polars and DuckDB read a URL: they ask for its head, then for the end of the file, then for what they want of it.

Laws:

1. Pieces that are asked for within PIECES_S of the first are of one answer, whatever was recorded meanwhile.
2. All that is kept takes PIECES_BYTES at most.  What is not kept, and a range that makes no sense, is answered whole.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sanic.response import HTTPResponse

from pitwall.serve.limits import PIECES_BYTES, PIECES_S
from pitwall.serve.tables import TABLED

if TYPE_CHECKING:
    from sanic.response import BaseHTTPResponse

    from pitwall.serve.serving import App, Request

READ_SO: Final = frozenset(TABLED[1:])
"""All but JSON, which nobody reads so."""

_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")

Key = tuple[str, str, str]
"""Path, query, and `Accept`."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, until `until_s`."""

    body: bytes
    media: str
    until_s: float


class Pieces:
    """The answers that are kept, the one asked for last behind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def find(self, key: Key) -> Kept | None:
        """What is still kept of it."""
        self._let_go(0)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Key, body: bytes, media: str) -> None:
        """For those who ask for pieces of it next."""
        if len(body) <= PIECES_BYTES:
            self._kept.pop(key, None)
            self._let_go(len(body))
            self._kept[key] = Kept(body, media, self._clock() + PIECES_S)

    def _let_go(self, more: int) -> None:
        now = self._clock()
        for key in [key for key, one in self._kept.items() if one.until_s <= now]:
            del self._kept[key]
        while self._kept and sum(len(one.body) for one in self._kept.values()) + more > PIECES_BYTES:
            self._kept.popitem(last=False)


def add(app: App) -> None:
    """Has tables answered piece by piece.  To be put behind the guard: who may not ask has no piece either."""
    pieces = Pieces()

    @app.on_request
    async def give(request: Request) -> HTTPResponse | None:
        kept = pieces.find(_key(request)) if request.method == "GET" and "range" in request.headers else None
        place = kept and _place(request, len(kept.body))
        if kept is None or not place:
            return None
        return HTTPResponse(kept.body[place], 206, _said(place, len(kept.body)), kept.media)

    @app.on_response  # type: ignore[untyped-decorator]  # Sanic leaves its return unannotated
    async def cut(request: Request, response: BaseHTTPResponse) -> None:
        if response.status != 200 or not isinstance(response, HTTPResponse) or response.content_type not in READ_SO:
            return
        response.headers["Accept-Ranges"] = "bytes"
        body = response.body or b""
        if request.method == "HEAD" or "range" in request.headers:
            pieces.keep(_key(request), body, response.content_type)
        if request.method == "GET" and (place := _place(request, len(body))):
            response.status, response.body = 206, body[place]
            response.headers.update(_said(place, len(body)))


def _key(request: Request) -> Key:
    return request.path, request.query_string, request.headers.get("accept", "")


def _place(request: Request, size: int) -> slice | None:
    """What of so many bytes is asked for; None: all of it, or nothing that there is."""
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if match is None or not size:
        return None
    first, last = match.groups()
    if not first:
        return slice(max(0, size - int(last)), size) if last and int(last) else None
    begin, end = int(first), min(size, int(last) + 1 if last else size)
    return slice(begin, end) if begin < end else None


def _said(place: slice, size: int) -> dict[str, str]:
    return {"Content-Range": f"bytes {place.start}-{place.stop - 1}/{size}", "Accept-Ranges": "bytes"}
