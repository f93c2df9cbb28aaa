"""`pitwall play`: a session's frames in, the same frames on a bus out, in their own time."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from pitwall import logger
from pitwall.commands.options import Places, json_option, option, places, seconds
from pitwall.commands.output import duration, plural, print_json
from pitwall.commands.progress import Bar
from pitwall.commands.reporting import end_with_losses
from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from pitwall.bus.source import Sender, Source


@click.command
@click.argument("session")
@option("--interface", metavar="NAME", help="slcan, or python-can's: socketcan, …")
@option("--channel", multiple=True, metavar="[BUS=]VALUE", help="Its channel: can0, …; of a BUS of the session.")
@option("--bitrate", type=click.IntRange(1), metavar="B", help="Bits a second.")
@option("--speed", type=click.FloatRange(0, min_open=True), default=1.0, metavar="N", help="Times as fast as it was.")
@option("--from", "start", type=seconds, default=0.0, metavar="T", help="Begin there: 90.5 (s), or 1:30.")
@places("logs")
@json_option
def play(
    places: Places,
    session: str,
    interface: str | None,
    channel: tuple[str, ...],
    bitrate: int | None,
    speed: float,
    start: float,
    as_json: bool,
) -> None:
    """Put SESSION's frames back on a bus, each at its time.

    THIS SENDS: on a car's bus, whatever hears it takes the frames for the car's own.  It says so
    before the first one goes out.  A session of several buses takes `--channel BUS=CHANNEL` for each bus to be played;
    the others stay silent.

    \b
    Examples:
      pitwall play latest --interface socketcan --channel vcan0
      pitwall play drive --from 1:30 --interface socketcan --channel vcan0
    """
    from contextlib import ExitStack

    from pitwall.bus.play import play as put
    from pitwall.commands.record import stop_on_signals
    from pitwall.commands.sources import by_bus
    from pitwall.log.reader import read
    from pitwall.log.session import find

    if interface is None or not channel:
        raise UsageError("nobody says on which bus", hint="--interface socketcan --channel vcan0")
    found = find(places.logs, session)
    buses = found.header.buses
    if len(channel) == 1 and len(buses) > 1 and channel[0].partition("=")[0] not in buses:
        raise UsageError(f"{found.id} has several buses: {', '.join(buses)}", hint=f"--channel BUS={channel[0]}")
    problems: list[str] = []
    with stop_on_signals() as stop, ExitStack() as opened, Bar(f"playing {found.id}") as bar:
        onto = {}
        for name, value in by_bus("--channel", channel, buses).items():
            onto[buses.index(name)] = opened.enter_context(_sender(interface, value, bitrate))
            click.echo(f"pitwall: THIS SENDS on {interface} {value}: the frames of {name} in {found.id}", err=True)
        batches = bar.over(read(found.path, damaged=lambda damage: problems.append(str(damage))), found.rows)
        done = put(batches, onto, speed=speed, start_s=start, stop=stop)
    if as_json:
        print_json({"frames": done.frames, "left_out": done.left_out, "late_s": round(done.late_s, 6)})
    else:
        what = f"played {plural(done.frames, 'frame')}, left out {done.left_out}, at most {duration(done.late_s)} late"
        logger.notice(what)
    end_with_losses(problems, "played what could be read; what is above was lost")


@contextmanager
def _sender(interface: str, channel: str, bitrate: int | None) -> Iterator[Sender]:
    """A bus that may be sent on, while the `with` lasts.  Of our own sources `slcan` can; all else is python-can's."""
    from pitwall.bus.address import PYTHON_CAN, SCHEMES, Address, Settings
    from pitwall.bus.source import Sender

    module = importlib.import_module(SCHEMES["slcan"] if interface == "slcan" else PYTHON_CAN)
    source: Source = module.plug(Address(interface, channel, {}), Settings(bitrate=bitrate, sends=True), 0).open()
    assert isinstance(source, Sender)
    over = threading.Event()
    # an adapter that is not listened to stops listening itself, once all that lies between is full of what it heard
    hearing = threading.Thread(target=_pass_over, args=(source, over), name=f"hear {channel}", daemon=True)
    hearing.start()
    try:
        yield source
    finally:
        over.set()
        hearing.join()
        source.close()


def _pass_over(source: Source, over: threading.Event) -> None:
    with suppress(PitwallError):  # the next frame that can't be sent tells
        while not over.is_set() and source.read(0.1) is not None:
            pass
