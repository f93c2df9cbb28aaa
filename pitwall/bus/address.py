"""Where a bus is heard, as people write it, in; what it is opened from, out.

    slcan:/dev/ttyACM0?bitrate=500000      scheme:place?option=value&option=value
    socketcan:can0                         any of python-can's interfaces is a scheme
    slcan://127.0.0.1:3333                 the slashes of a URL may stand before a place, and mean nothing
    socketcan:can0?poll=obd2               whatever the scheme: a bus on which pitwall sends, and asks for values

A scheme of pitwall's own is a line in `SCHEMES`; what serves it is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from pitwall.bus.source import Plug
from pitwall.errors import UsageError

SCHEMES: Final[Mapping[str, str]] = {
    "gs_usb": "pitwall.bus.usb",
    "nmea": "pitwall.bus.receiver",
    "sensorserver": "pitwall.bus.phone",
    "slcan": "pitwall.bus.slcan_source",
    "ubx": "pitwall.bus.receiver",
    "usb": "pitwall.bus.usb",
}
"""Scheme -> the module whose `plug(address, settings, zero)` serves it.  All others are python-can's."""

PYTHON_CAN: Final = "pitwall.bus.interface"

POLLS: Final = frozenset({"poll", "pids"})
"""The options of any scheme that ask for values, and so for frames to be sent: `pitwall.bus.polling`."""


@dataclass(frozen=True, slots=True)
class Address:
    """`scheme:place?options`."""

    scheme: str
    place: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a bus is to be opened, as its car says.  bitrate, data_bitrate: bits/s.  None: the adapter's own.

    sends: whether anything may ever be sent on it; else the adapter is told to listen only, where it can be.
    """

    bitrate: int | None = None
    data_bitrate: int | None = None
    fd: bool = False
    sends: bool = False


def parse(text: str) -> Address:
    """The address that `text` is.  UsageError where it is none."""
    scheme, colon, rest = text.partition(":")
    if not colon or not scheme:
        raise UsageError(f"{text!r} is no source", hint="scheme:place, as slcan:/dev/ttyACM0 or socketcan:can0")
    place, _, query = rest.partition("?")
    if place.startswith("//"):
        place = place[2:]
    return Address(scheme, place, dict(parse_qsl(query, keep_blank_values=True)))


def endpoint(text: str, where: str) -> tuple[str, int]:
    """`host:port`, or `[host]:port`, as host and port.  UsageError where it is none."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(f"{text!r} is no host:port", where=where, hint="192.168.1.20:10110")
    return host, int(port)


def of_descriptor(number: int) -> str:
    """The address of an open descriptor that we were started with: a raw USB device, as Android hands it over, or a
    stream of SLCAN."""
    try:
        target = str(Path(f"/proc/self/fd/{number}").readlink())
    except OSError:  # none is open, which opening it will tell; or a system without /proc, which has no such devices
        target = ""
    return f"{'usb' if target.startswith('/dev/bus/usb/') else 'slcan'}:fd:{number}"


def plug(address: Address, settings: Settings, zero: int) -> Plug:
    """What the bus at `address` is opened from.  zero: what `time.monotonic_ns()` was at t = 0.

    Raises UsageError where there is no such scheme, or an option makes no sense.
    """
    if POLLS & address.options.keys():
        polling = importlib.import_module("pitwall.bus.polling")
        polls, address = polling.asked(address)
        polled = polling.polled(_plug(address, replace(settings, sends=True), zero), polls, zero)
        assert isinstance(polled, Plug)
        return polled
    return _plug(address, settings, zero)


def _plug(address: Address, settings: Settings, zero: int) -> Plug:
    module = importlib.import_module(SCHEMES.get(address.scheme, PYTHON_CAN))
    made = module.plug(address, settings, zero)
    assert isinstance(made, Plug)
    return made
