"""`pitwall run`: the recorder, the server and who sees to old sessions, each in a process of its own, until stopped.

The recorder is the first to start and the last to stop; nothing that the server does costs it a frame.
"""

from __future__ import annotations

import http.client
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from pitwall import logger, resident
from pitwall.commands.awake import awake, wake_lock_option
from pitwall.commands.children import Child
from pitwall.commands.encrypting import check_key
from pitwall.commands.inviting import invite
from pitwall.commands.keeping import Keeping, keep_options, keeper
from pitwall.commands.notice import notice
from pitwall.commands.options import Places, memory_option, places
from pitwall.commands.output import announce
from pitwall.commands.serve import Door, address_options, door_options, speak_options
from pitwall.commands.sources import Wanted, source_options
from pitwall.errors import PitwallError
from pitwall.resident import MemoryWatch

if TYPE_CHECKING:
    from pitwall.serve.access import Access

LOOK_S: Final = 0.05
SERVER_NICE: Final = 5
"""On a machine that has too little for both, the recorder has its turn first."""
KEEPER_NICE: Final = 10
RECORDER_HANGS_S: Final = 4.5
"""As long as it bears a source of its own that hangs; with a beat and a look less than five seconds."""


@click.command
@places("logs", "projections", "cars", process="supervisor")
@source_options
@address_options
@door_options
@speak_options
@memory_option
@keep_options
@wake_lock_option
def run(
    places: Places,
    wanted: Wanted,
    keeping: Keeping,
    host: str,
    port: int,
    door: Door,
    speak: str | None,
    level: str,
    wake_lock: bool | None,
) -> int:
    """Record, project and serve a car, until stopped (Ctrl-C).

    Prints the page's address as soon as the page is there.  A second Ctrl-C ends it at
    once; nothing that was written is lost, and the session is gone on with.  With --keep or --keep-free,
    old sessions go by themselves whenever no frame has come for a minute (`pitwall
    retain` tells more); without --archive-to, THEIR FRAMES ARE GONE THEN.

    \b
    Examples:
      pitwall run --simulate
      pitwall run --car bmw-e46-m3 --interface slcan --channel /dev/ttyACM0
      pitwall run --car bmw-e46-m3 --interface socketcan --channel can0
      pitwall run --car gps-logger --source sensorserver:127.0.0.1:8080
      pitwall run --car obd2 --source 'socketcan:can0?poll=obd2'
    """
    check_key()
    access = door.access(host)
    wanted.buses(places)
    port = _free(host, port)
    said = places.said.arguments()
    logs, cars = ["--logs", str(places.logs)], ["--cars", str(places.cars)]
    projections = ["--projections", str(places.projections)]
    record = [*said, "record", *logs, *cars, *wanted.arguments(), "--supervised"]
    serve = [*said, "serve", *logs, *projections, *cars, "--host", host, "--port", str(port)]
    serve += [*door.arguments(), "--supervised"]
    serve += ["--archive-to", keeping.archive_to] if keeping.archive_to else []
    serve += ["--speak", speak, "--level", level] if speak else []
    others = []
    if keeping:
        logger.notice(str(keeping))
        others.append(Child("the keeper", keeper(places, keeping), patience_s=10, nice=KEEPER_NICE))
    # what is on its way to the disk must get there: the recorder seals its session's last segment
    recorder = Child("the recorder", record, patience_s=60, descriptors=wanted.descriptors, hang_s=RECORDER_HANGS_S)
    server = Child("the server", serve, patience_s=10, nice=SERVER_NICE)
    with awake(wake_lock), notice(places.logs, wake_lock):  # let go of however it ends
        return _supervise([recorder, server, *others], _Page(server, host, port, access), places.logs)


def _supervise(children: Sequence[Child], page: _Page, logs: Path) -> int:
    """Keeps the children, the recorder first, running until asked; the exit code of all."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP or not asked:
            asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    code: int | None = None
    recorded = False
    watch = MemoryWatch(lambda: {child.name: child.pid for child in children if child.pid is not None})
    watched_s = time.monotonic()
    try:
        for child in children:
            child.start()
        while not asked and code is None:
            time.sleep(LOOK_S)
            recorded = recorded or _records(children[0], logs)  # before anybody may give up
            for child in children:
                code = child.tend(may_give_up=not recorded) if code is None else code
            page.announce()
            if time.monotonic() - watched_s >= resident.LOOK_S:
                watched_s = time.monotonic()
                watch.look()
    finally:
        # all at once; the recorder first, as its session's end is what the server's projection is made whole by
        for child in children:
            child.ask()
        codes = [child.wait(lambda: len(asked) > 1) for child in reversed(children)]
    if len(asked) > 1:
        return 128 + asked[-1]
    return code if code is not None else max(codes)


def _records(recorder: Child, logs: Path) -> bool:
    """Whether frames of ours are in the log."""
    from pitwall.log import lock

    found = lock.recorder(logs)
    return found is not None and found.pid == recorder.pid and bool(found.state.session)


class _Page:
    """The page's address, told once, as soon as it answers."""

    def __init__(self, server: Child, host: str, port: int, access: Access) -> None:
        self._server, self._host, self._port, self._access = server, host, port, access
        self._told = False

    def announce(self) -> None:
        """A look."""
        if not self._told and self._server.running and _answers(self._host, self._port):
            self._told = True
            announce(f"pitwall: the page is at http://{_shown(self._host, url=True)}:{self._port}/ (Ctrl-C stops)")
            if self._access.token and self._access.tokens is not None:
                invite(self._access.tokens, self._host, self._port)


def _free(host: str, port: int) -> int:
    """The port, or any that is free where it is 0.  PitwallError where it is taken, or there is no such host."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # as servers do: a port whose last connection is just closing is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        what = f"the port can't be opened: {(error.strerror or str(error)).lower()}"
        hint = "stop what uses it, or choose another with --port; --port 0 takes any that is free"
        raise PitwallError(what, where=f"{host}:{port}", hint=hint) from error


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(_shown(host), port, timeout=1)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _shown(host: str, *, url: bool = False) -> str:
    """The host as a browser on this machine reaches it."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if url and ":" in host else host
