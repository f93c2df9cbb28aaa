"""A request in, a response out, piece by piece: HTTP/1.1 over a connection of its own, and nothing of it unbounded.

Laws: what is received is at most MAX_BYTES, a line at most MAX_LINE; how long it may take is up to the caller, who
wraps it in `asyncio.timeout`; no redirect is followed and no proxy is used: only the machine named is talked to.
Whatever goes wrong is a `ModelError`.  RFC 9112: status line, fields, bodies by length, by chunks, or up to the end.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pitwall.serve.model.settings import Settings

MAX_BYTES: Final = 1 << 20
"""Of one response: an answer of 4,000 characters, each an event of 200 bytes, fits well."""
MAX_LINE: Final = 1 << 16
"""Of its head, and of one event: a buffer of the reader holds at most twice that."""
MAX_FIELDS: Final = 100
PIECE: Final = 1 << 14


class ModelError(Exception):
    """The model's server did not do what such a server does: `str` says what."""


@dataclass(slots=True)
class Response:
    """A response whose head is here.  fields: by their names in lower case."""

    status: int
    fields: dict[str, str]
    reader: asyncio.StreamReader
    has_body: bool = True
    received: int = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if not self.has_body:
            return
        if "chunked" in self.fields.get("transfer-encoding", "").lower():
            async for piece in self._chunks():
                yield piece
            return
        left = _length(self.fields.get("content-length"))
        while left is None or left > 0:
            piece = await self.reader.read(PIECE if left is None else min(PIECE, left))
            if not piece:
                if left:
                    raise ModelError("ended in the middle of an answer")
                return
            if left is not None:
                left -= len(piece)
            yield self._counted(piece)

    async def whole(self) -> bytes:
        """The body."""
        return b"".join([piece async for piece in self.pieces()])

    async def lines(self) -> AsyncIterator[bytes]:
        """The body, line by line, without their ends."""
        rest = b""
        async for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                yield line.rstrip(b"\r")
            if len(rest) > MAX_LINE:
                raise ModelError(f"sent a line of more than {MAX_LINE:,} bytes")
        if rest:
            yield rest

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            head = (await _line(self.reader)).partition(b";")[0].strip()
            if not head or len(head) > 8 or head.strip(b"0123456789abcdefABCDEF"):
                raise ModelError("sent a chunk without a length")
            left = int(head, 16)
            if left == 0:
                return
            while left:
                piece = await self.reader.read(min(PIECE, left))
                if not piece:
                    raise ModelError("ended in the middle of an answer")
                left -= len(piece)
                yield self._counted(piece)
            await _line(self.reader)

    def _counted(self, piece: bytes) -> bytes:
        self.received += len(piece)
        if self.received > MAX_BYTES:
            raise ModelError(f"sent more than {MAX_BYTES:,} bytes")
        return piece


@asynccontextmanager
async def exchange(settings: Settings, method: str, path: str, body: bytes = b"") -> AsyncIterator[Response]:
    """The response to a request for `path` below the settings' URL; its connection is closed with the context."""
    parts = settings.parts
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    try:
        reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure, limit=MAX_LINE)
    except (OSError, UnicodeError) as error:
        raise ModelError(f"can't be reached: {getattr(error, 'strerror', None) or error}") from error
    try:
        writer.write(_head(settings, method, path, len(body)) + body)
        await writer.drain()
        yield await _response(reader, method)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise ModelError(f"broke the connection: {getattr(error, 'strerror', None) or 'it ended early'}") from error
    finally:
        writer.transport.abort()  # nothing more is wanted of it, and a peer that hangs is not waited for


def _head(settings: Settings, method: str, path: str, length: int) -> bytes:
    parts = settings.parts
    lines = [
        f"{method} {parts.path}{path} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        "Connection: close",
        "Accept: text/event-stream, application/json",
        "User-Agent: pitwall",
    ]
    if settings.key:
        lines.append(f"Authorization: Bearer {settings.key}")
    if method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def _response(reader: asyncio.StreamReader, method: str) -> Response:
    for _ in range(MAX_FIELDS):
        version, _, rest = (await _line(reader)).partition(b" ")
        code = rest[:3]
        if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit():
            raise ModelError("does not speak HTTP")
        fields = await _fields(reader)
        status = int(code)
        if status >= 200:  # else an interim one: the response is still to come
            return Response(status, fields, reader, method != "HEAD" and status not in (204, 304))
    raise ModelError("never comes to its answer")


async def _fields(reader: asyncio.StreamReader) -> dict[str, str]:
    fields: dict[str, str] = {}
    for _ in range(MAX_FIELDS):
        line = await _line(reader)
        if not line:
            return fields
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    raise ModelError(f"sent more than {MAX_FIELDS} header fields")


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise ModelError(f"sent a line of more than {MAX_LINE:,} bytes") from error
    return line.rstrip(b"\r\n")


def _length(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ModelError("sent a length that is no number")
    return int(text)
