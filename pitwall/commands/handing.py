"""`pitwall hand-over`: the descriptor of a USB device, as Android gives it, to the recorder that runs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pitwall.commands.options import option
from pitwall.errors import PitwallError, UsageError


@click.command("hand-over")
@option("--fd", type=click.IntRange(0), metavar="N", help="The descriptor; else what TERMUX_USB_FD says.")
@option("--socket", type=click.Path(dir_okay=False, path_type=Path), metavar="PATH", help="Where the recorder listens.")
@option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=15.0,
    metavar="S",
    help="Seconds that the recorder may take to say what became of it.",
)
def hand_over(fd: int | None, socket: Path | None, wait: float) -> None:
    """Hand an open descriptor to the running recorder.

    The recorder, on the same machine and of the same user, records a bus with
    --source usb:handed.  What is handed over is a USB adapter, or a serial device.  A
    device that is plugged in again is another one: hand it over again.

    \b
    Examples:
      termux-usb -r -E -e 'pitwall hand-over' /dev/bus/usb/001/002
      pitwall hand-over --fd 3 3<>/dev/ttyACM0
    """
    from pitwall.bus import handed

    if fd is None:
        said = os.environ.get("TERMUX_USB_FD", "")
        if not said.isdecimal():
            raise UsageError("no descriptor is given", hint="--fd N, or run it by termux-usb -r -E -e")
        fd = int(said)
    path = socket or handed.socket_path()
    answer = handed.hand_over(fd, path, wait)
    if answer is None:
        click.echo("handed over; the recorder has not opened it yet: it still has another one")
    elif answer.taken:
        click.echo(f"handed over: {answer.said}")
    else:
        raise PitwallError(f"the recorder could not use it: {answer.said}")
