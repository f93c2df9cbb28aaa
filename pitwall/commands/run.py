"""`pitwall run`: the recorder, the server and who sees to old sessions, each in a process of its own, until stopped.

The recorder is the first to start and the last to stop; nothing that the server does costs it a frame.
"""

from __future__ import annotations

import http.client
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType

import click

from pitwall.commands.awake import awake, wake_lock_option
from pitwall.commands.children import Child
from pitwall.commands.encrypting import check_key
from pitwall.commands.keeping import Keeping, keep_options, keeper
from pitwall.commands.notice import notice
from pitwall.commands.options import Places, places
from pitwall.commands.serve import server_options
from pitwall.commands.sources import Wanted, source_options
from pitwall.errors import PitwallError


@click.command
@places("logs", "projections", "cars")
@source_options
@server_options
@keep_options
@wake_lock_option
def run(places: Places, wanted: Wanted, keeping: Keeping, host: str, port: int, wake_lock: bool | None) -> int:
    """Record, project and serve a car, until stopped (Ctrl-C).

    Prints the page's address as soon as the page is there.  With --keep or --keep-free,
    old sessions go by themselves whenever no frame has come for a minute (`pitwall
    retain` tells more); without --archive-to, THEIR FRAMES ARE GONE THEN.

    \b
    Examples:
      pitwall run --simulate
      pitwall run --car bmw-e46-m3 --interface slcan --channel /dev/ttyACM0
      pitwall run --car bmw-e46-m3 --interface socketcan --channel can0
    """
    check_key()
    wanted.buses(places)
    port = _free(host, port)
    verbose = ["--verbose"] if places.verbose else []
    logs, cars = ["--logs", str(places.logs)], ["--cars", str(places.cars)]
    projections = ["--projections", str(places.projections)]
    record = [*verbose, "record", *logs, *cars, *wanted.arguments(), "--supervised"]
    serve = [*verbose, "serve", *logs, *projections, *cars, "--host", host, "--port", str(port), "--supervised"]
    others = []
    if keeping:
        click.echo(f"pitwall: {keeping}", err=True)
        others.append(Child("the keeper", keeper(places, keeping), patience_s=10))
    # what is on its way to the disk must get there: the recorder seals its session's last segment
    recorder = Child("the recorder", record, patience_s=60, descriptors=wanted.descriptors)
    server = Child("the server", serve, patience_s=10)
    with awake(wake_lock), notice(places.logs, wake_lock):
        return _supervise(recorder, server, others, host, port)


def _supervise(recorder: Child, server: Child, others: Sequence[Child], host: str, port: int) -> int:
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    code: int | None = None
    announced = False
    try:
        for child in (recorder, server, *others):
            child.start()
        while not asked and code is None:
            time.sleep(0.05)
            for child in (recorder, server, *others):
                code = child.tend() if code is None else code
            if not announced and server.running and _answers(host, port):
                announced = True
                click.echo(f"pitwall: the page is at http://{_shown(host, url=True)}:{port}/ (Ctrl-C stops)")
    finally:
        codes = [child.stop() for child in (*others, server, recorder)]
    return code if code is not None else max(codes)


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
