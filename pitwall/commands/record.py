"""`pitwall record`: live sources into the log, until stopped.  It imports nothing but what a phone can carry."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING

import click

from pitwall import logger
from pitwall.commands.amounts import span
from pitwall.commands.awake import awake, wake_lock_option
from pitwall.commands.encrypting import check_key
from pitwall.commands.keeping import Keeping, keep_options, kept
from pitwall.commands.notice import notice
from pitwall.commands.options import Places, option, places
from pitwall.commands.output import announce, number, plural
from pitwall.commands.reporting import end_with_losses
from pitwall.commands.sources import Wanted, source_options
from pitwall.resident import lean, watched

if TYPE_CHECKING:
    from pitwall.record import Status


@click.command
@places("logs", "cars", process="recorder")
@source_options
@keep_options
@option("--session", "session_id", metavar="ID", help="The session's id, instead of one made of time and car.")
@option(
    "--sync-interval",
    type=click.FloatRange(0.01, 60),
    default=0.1,
    metavar="S",
    help="Seconds until what is written is safe from a loss of power, too.",
)
@option(
    "--idle",
    type=span,
    default="30m",
    metavar="TIME",
    help="A session ends when no frame has come for so long; the next frame begins another.",
)
@wake_lock_option
@option("--supervised", is_flag=True, hidden=True, help="End when stdin is closed: for `pitwall run`.")
def record(
    places: Places,
    wanted: Wanted,
    keeping: Keeping,
    session_id: str | None,
    sync_interval: float,
    idle: float,
    wake_lock: bool | None,
    supervised: bool,
) -> None:
    """Write the frames of the car's buses into the log, until stopped (Ctrl-C).

    The session begins with the first frame; its id is printed then.  Every frame is
    kept, whether anybody can decode it or not.  One that was killed less than five
    minutes ago, on the same boot, is gone on with.  A bus whose adapter is pulled out, or
    hangs, is opened again for as long as this runs.  --keep and --keep-free let old sessions
    go, as `pitwall retain` does; without --archive-to, THEIR FRAMES ARE GONE THEN.

    \b
    Examples:
      pitwall record --simulate
      pitwall record --car bmw-e46-m3 --interface slcan --channel /dev/ttyACM0
      pitwall record --car bmw-e46-m3 --interface socketcan --channel can0
    """
    lean()
    from pitwall import record as recorder
    from pitwall.log.hold import RESERVE_BYTES, Hold
    from pitwall.log.writer import Pace

    if supervised:
        from pitwall.commands.children import end_with_supervisor

        end_with_supervisor()
    else:
        check_key()  # when started again by `run`, frames go before the key: their segments are sealed once it is back
    buses = wanted.buses(places)
    zero = time.monotonic_ns()
    wake_lock = False if supervised else wake_lock  # `run` has it, and outlives us
    with (
        kept(places, Keeping() if supervised else keeping),
        stop_on_signals() as stop,
        awake(wake_lock),
        notice(places.logs, wake_lock),
    ):
        plugs = wanted.plugs(buses, zero)
        with (
            closing(Hold(places.logs, reserve_bytes=RESERVE_BYTES)) as hold,
            Shown(announce=not supervised) as shown,
            nullcontext() if supervised else watched("recorder"),
        ):
            done = recorder.record(
                plugs,
                hold=hold,
                car=wanted.car_name,
                buses=[bus.name for bus in buses],
                zero=zero,
                stop=stop,
                session_id=session_id,
                pace=Pace(sync_interval_s=sync_interval),
                idle_s=idle,
                report=shown,
            )
    if done.sessions:
        logger.notice(f"{', '.join(done.sessions)}: {plural(done.frames, 'frame')}")
    else:
        logger.notice("no frame came, and there is no session")
    end_with_losses(done.problems, f"{', '.join(done.sessions)}: recorded, but not all went well")


class Shown:
    """How a recording goes: the session's id on stdout once, then a line on stderr where that is a terminal.

    announce: stdout is whoever's that started us; else what is said goes to where all is said.
    """

    def __init__(self, *, announce: bool = True) -> None:
        self._session = ""
        self._announce = announce
        self._line = sys.stderr.isatty() and not logger.is_json()

    def __enter__(self) -> Shown:
        return self

    def __call__(self, status: Status) -> None:
        if status.session and status.session != self._session:
            self._session = status.session
            logger.follow(status.session)
            if self._announce:
                announce(f"recording {status.session}")
            else:
                logger.notice(f"recording {status.session}")
        if self._line:
            lost = f", {plural(status.lost, 'frame')} LOST" if status.lost else ""
            waiting = f", {number(status.waiting)} WAIT FOR THE DISK" if status.problem else ""
            text = f"{number(status.frames)} frames, {number(status.frames_per_s)}/s{waiting}{lost}"
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def __exit__(self, *raised: object) -> None:
        if self._line and self._session:
            sys.stderr.write("\n")


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set, while the context lasts.

    A second Ctrl-C or SIGTERM ends the process at once, with 128 and its number: what is written, is safe from that.
    """
    stop = threading.Event()
    asked = 0

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if number != signal.SIGHUP:
            asked += 1
            if asked > 1:
                os._exit(128 + number)
        # not stop.set() here: the event's lock may be held by the very thread that this interrupts
        threading.Thread(target=stop.set).start()

    before = {one: signal.signal(one, ask) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
