"""A live picture and past sessions in, an HTTP server out: one process, one loop, stopped by SIGTERM or SIGINT.

Law: whoever stops it does not wait. Streams are told and closed at once, requests under way get GRACE_S, then it ends.
Sanic's own `run` is not used: open streams hold it up for all its grace, and its tasks end without their clean-up.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from pitwall.errors import PitwallError, UsageError
from pitwall.serve.access import Access, bracketed
from pitwall.serve.advising import FindingsOf, stored
from pitwall.serve.app import build
from pitwall.serve.broadcast import Broadcast
from pitwall.serve.coaching import Coaching
from pitwall.serve.connection import Connection
from pitwall.serve.doctor import Doctor
from pitwall.serve.model.settings import NONE, Settings
from pitwall.serve.reading import Garage, Readings
from pitwall.serve.serving import Serving

if TYPE_CHECKING:
    from sanic.server.async_server import AsyncioServer

    from pitwall.serve.doctor import Examine
    from pitwall.serve.importer import Importer
    from pitwall.serve.mover import Mover
    from pitwall.serve.newest import Live

GRACE_S: Final = 3.0
"""For requests under way when the server stops; a query that takes longer is interrupted."""

TOLD_S: Final = 0.2
"""For a stream's last event to leave: a client that has stalled is not waited for."""

STEP_S: Final = 0.02


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    UsageError: it is no address; who may ask there is for `access` to say.  PitwallError: the port is taken, or may not
    be used.
    """
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except (OSError, UnicodeError) as error:
        raise UsageError("it is no address of this machine", where=host, hint="127.0.0.1, 0.0.0.0") from error
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or "no such port"
        raise PitwallError(
            f"the port {port} can't be opened: {reason.lower()}",
            where=f"{host}:{port}",
            hint="stop what uses it, or choose another with --port; --port 0 takes any that is free",
        ) from error
    return sock


def serve(
    live: Live,
    garage: Garage,
    sock: socket.socket,
    *,
    importer: Importer,
    mover: Mover,
    examine: Examine | None = None,
    model: Settings = NONE,
    findings_of: FindingsOf = stored,
    access: Access | None = None,
    ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serves on `sock` until a signal (in the main thread) or `stop`; closes both when done.

    importer: of captures that are uploaded; mover: to the archive and back; whoever serves starts and stops them.
    examine: says what would keep this machine from recording; None: nobody can.
    model: that words what the rules say.  findings_of: where the rules' findings are.
    access: who may ask; None: whoever reaches the socket, by a name of loopback's.
    ready: called with the page's address once requests are answered.
    """
    readings = Readings(live, garage)
    coaching = Coaching(model, readings, live, findings_of)
    doctor = Doctor(examine) if examine is not None else Doctor()
    serving = Serving(live, Broadcast(live), readings, coaching, importer, mover, doctor, access=access or Access())
    serving.address = sock.getsockname()[:2]
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(serving, sock, ready or (lambda url: None), stop))


async def _serve(
    serving: Serving, sock: socket.socket, ready: Callable[[str], None], stop: threading.Event | None
) -> None:
    app = build(serving)
    ticking = asyncio.create_task(serving.broadcast.run())
    server = await app.create_server(
        sock=sock,
        backlog=128,
        protocol=Connection,
        return_asyncio_server=True,
        asyncio_server_kwargs={"start_serving": False},
    )
    assert server is not None
    try:
        await server.startup()  # type: ignore[no-untyped-call]
        stopped = _stopped_by_signal()
        serving.coaching.start()
        await server.start_serving()  # type: ignore[no-untyped-call]
        ready(_url(sock))
        await _wait(stopped, stop, ticking)
    finally:
        await _end(server, serving, ticking)
        serving.readings.close()


async def _wait(stopped: asyncio.Event, stop: threading.Event | None, ticking: asyncio.Task[None]) -> None:
    """Returns when asked to stop; raises what ended the stream, if anything did."""
    while not stopped.is_set() and not (stop is not None and stop.is_set()):
        if ticking.done():
            ticking.result()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await stopped.wait()


async def _end(server: AsyncioServer, serving: Serving, ticking: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    if server.server is not None:
        server.server.close()
    ticking.cancel()
    serving.broadcast.close()
    serving.coaching.stop()
    told, over = loop.time() + TOLD_S, loop.time() + GRACE_S
    while server.connections and loop.time() < over:
        for connection in list(server.connections):
            connection.close_if_idle()
        if loop.time() > told:
            serving.streams.abort()
        await asyncio.sleep(STEP_S)
    for connection in list(server.connections):
        connection.abort()
    while server.connections:
        await asyncio.sleep(STEP_S)
    await serving.coaching.closed()
    with suppress(asyncio.CancelledError):
        await ticking


def _stopped_by_signal() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; the second ends the process at once, with 128 and its number."""
    stopped = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        return stopped

    def ask(number: int) -> None:
        if not stopped.is_set():
            stopped.set()
        elif number != signal.SIGHUP:
            os._exit(128 + number)  # what is being built is thrown away, as after any death

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask, number)
    return stopped


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (Sanic brings it on Linux and macOS): half the CPU time with many streams."""
    if find_spec("uvloop") is None:
        return None
    import uvloop

    return uvloop.new_event_loop


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://{bracketed(host)}:{port}/"
