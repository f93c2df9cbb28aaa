"""`POST /import`: a capture's bytes in, as they come, onto the disk; a job's id out, which `/jobs` tells the rest of.

What is asked is looked at before a byte of the capture is taken: a wrong car costs nobody an upload.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from pitwall.errors import PitwallError
from pitwall.serve.jobs import Job, of_import
from pitwall.serve.limits import BLOCK_BYTES, CAPTURE_BYTES_PER_S, HEARD_OUT_BYTES
from pitwall.serve.operations import operation
from pitwall.serve.problem import Problem
from pitwall.serve.serving import answer
from pitwall.serve.uploads import check_length
from pitwall.track.definition import said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sanic.response import HTTPResponse

    from pitwall.serve.serving import Request
    from pitwall.serve.uploads import Upload

LINE: Final = "LAT,LON,LAT,LON in degrees: the two ends of a line across the track"


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a capture is of."""

    car: Annotated[str, Meta(min_length=1, max_length=128, description="the car that was recorded")]
    name: Annotated[
        str, Meta(min_length=1, max_length=1024, description="of the file; its end tells the format: drive.blf")
    ]
    start_line: Annotated[str | None, Meta(description=f"where laps begin: {LINE}")] = None


@operation("POST", "/import", takes=Wanted, answers=Job, problems=("unknown-car", "no-room"), upload=True)
async def upload(request: Request, wanted: Wanted) -> HTTPResponse:
    """Upload a capture, which becomes a session.

    The body is the file itself, in a format that `pitwall import` reads. The answer, 202, is a job: `/jobs/<job>` tells
    when it is done, its session, and what of a damaged file was lost.
    """
    importer = request.app.ctx.importer
    try:
        line = await _checked(request, wanted)
        taken = await _begun(request, wanted.name)
    except Problem:
        await _hear_out(request)
        raise
    handed = False
    try:
        await _take(request, taken)
        job = importer.put(taken, wanted.car, line)
        handed = True
    except Problem:
        await _hear_out(request)
        raise
    finally:
        if not handed:  # in a thread, and not waited for: who is gone, or the server's end, cancels what waits
            asyncio.get_running_loop().run_in_executor(None, taken.remove)
    return answer(msgspec.to_builtins(of_import(job)), 202)


OPERATIONS: Final = (upload,)


async def _checked(request: Request, wanted: Wanted) -> str:
    """The start line as `pitwall import` takes it.  Problem: there is no such car, no such line, or no file."""
    if length := _length(request):
        check_length(length)
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        raise Problem("bad-parameter", "the body is a form", hint="send the file itself: curl --data-binary @drive.blf")
    readings = request.app.ctx.readings
    names = await asyncio.to_thread(readings.cars)
    if wanted.car not in names:
        there = ", ".join(names) or "none"
        raise Problem("unknown-car", f"there is no car {wanted.car[:80]!r}", hint=f"there are {there}")
    try:
        await asyncio.to_thread(readings.car, wanted.car)
    except PitwallError as error:
        raise Problem("bad-parameter", f"car={wanted.car}: {error.what}", hint=f"see /car/{wanted.car}") from error
    return _line(wanted.start_line) if wanted.start_line is not None else ""


def _line(text: str) -> str:
    try:
        a, b, c, d = (float(part) for part in text.split(","))
    except ValueError:
        raise Problem("bad-parameter", f"start_line={text[:80]}: it is no line", hint=f"start_line: {LINE}") from None
    wrong = said({"line": [[a, b], [c, d]]})
    if isinstance(wrong, str):
        raise Problem("bad-parameter", f"start_line={text[:80]}: {wrong}", hint=f"start_line: {LINE}")
    return f"{a!r},{b!r},{c!r},{d!r}"


async def _begun(request: Request, name: str) -> Upload:
    """A file for it.  Who is gone by the time that it is there leaves none behind."""
    uploads = request.app.ctx.importer.uploads
    beginning = asyncio.ensure_future(asyncio.to_thread(uploads.begin, name, _length(request)))
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        beginning.add_done_callback(_unwanted)
        raise


def _unwanted(beginning: asyncio.Future[Upload]) -> None:
    if not beginning.cancelled() and beginning.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, beginning.result().remove)


async def _take(request: Request, upload: Upload) -> None:
    """All of the body into the file."""
    async for block in _blocks(request):
        await asyncio.to_thread(upload.write, block)
        _stream(request).protocol.expect(request, BLOCK_BYTES / CAPTURE_BYTES_PER_S)
    if not upload.bytes:
        raise Problem("bad-parameter", "there is no body", hint="send the file: curl --data-binary @drive.blf")
    await asyncio.to_thread(upload.finish)


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    block = bytearray()
    async for part in _stream(request):
        block += part
        if len(block) >= BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)


async def _hear_out(request: Request) -> None:
    """Takes what is still sent, within the time that a small body has: then its client reads why it was refused."""
    length = _length(request)
    if _stream(request).expecting_continue or (length or 0) > HEARD_OUT_BYTES:
        return
    heard = 0
    async for part in _stream(request):
        heard += len(part)
        if heard > HEARD_OUT_BYTES:
            return


def _length(request: Request) -> int | None:
    """What the head says that the body has; None: it comes in chunks."""
    stream = _stream(request)
    return stream.request_bytes if stream.request_body is True else None


def _stream(request: Request) -> Any:
    """Where its body comes from: HTTP/1 as Sanic has it, on a `Connection` of ours."""
    return request.stream
