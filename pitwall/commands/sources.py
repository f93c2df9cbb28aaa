"""What to record, as the command line and the car's definition say it: flags in, open sources out.

A car with several buses takes `--source BUS=ADDRESS`, `--can-fd BUS=N`, or `--channel BUS=CHANNEL` (and `--interface`,
`--bitrate` likewise), once a bus; a value without a bus's name holds for the car's only bus, or for all of them.
Any car takes `--source gps=ADDRESS`: a GPS receiver, or a phone's sensors, on a bus beside its own.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pitwall.commands.options import Places, option
from pitwall.errors import UsageError

if TYPE_CHECKING:
    from pitwall.bus.source import Plug
    from pitwall.car.definition import Bus

logger = logging.getLogger(__name__)

SIMULATED_CAR: Final = "bmw-e46-m3"
"""The car whose logger the simulator speaks for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be recorded, as it was asked for.  source, interface, channel, bitrate: `VALUE` or `BUS=VALUE`."""

    car: str | None
    simulate: bool
    seed: int
    interface: tuple[str, ...]
    channel: tuple[str, ...]
    bitrate: tuple[str, ...]
    source: tuple[str, ...] = ()
    can_fd: tuple[str, ...] = ()

    @property
    def car_name(self) -> str:
        """The car, which the simulator's is unless another is named.  UsageError where none is known."""
        if self.car is None and not self.simulate:
            raise UsageError("no car is named", hint="--car CAR, or --simulate for a simulated one")
        return self.car or SIMULATED_CAR

    def arguments(self) -> list[str]:
        """The same wishes, as arguments of `pitwall record`."""
        lists = {
            "--source": self.source,
            "--can-fd": self.can_fd,
            "--interface": self.interface,
            "--channel": self.channel,
            "--bitrate": self.bitrate,
        }
        return [
            *(["--car", self.car] if self.car else []),
            *(["--simulate", "--seed", str(self.seed)] if self.simulate else []),
            *(word for name, values in lists.items() for value in values for word in (name, value)),
        ]

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The open descriptors that are meant: whoever has another process record must hand them on.

        Raises UsageError where one is not open.
        """
        said = [f":fd:{value.rpartition('=')[2]}" for value in self.can_fd] + list(self.source)
        numbers = tuple(int(match[1]) for value in said if (match := re.search(r":fd:(\d{1,9})(\?|$)", value)))
        for number in numbers:
            try:
                os.fstat(number)
            except OSError as error:
                raise UsageError("is no open descriptor", where=f"fd {number}", hint="--can-fd") from error
        return numbers

    def buses(self, places: Places) -> tuple[Bus, ...]:
        """The buses of the car, as they are to be opened.  UsageError where something is missing or misspelt."""
        from dataclasses import replace

        from pitwall.bus.address import of_descriptor
        from pitwall.car.wiring import wiring

        buses = wiring(places.cars, self.car_name)
        names = [bus.name for bus in buses]
        beside, sources = _beside(self.source, names)
        if self.simulate:
            for said in (*sources, *self.can_fd):
                logger.warning("%s is not heard: the simulator has the place of the car's own bus", said)
            return (*buses[:1], *beside)
        source = by_bus("--source", sources, names)
        for name, number in by_bus("--can-fd", self.can_fd, names).items():
            if name in source:
                raise UsageError(f"--source and --can-fd both say where {name!r} is heard", hint="leave one out")
            source[name] = of_descriptor(_whole("--can-fd", number, "a descriptor's number, as 3"))
        interface = by_bus("--interface", self.interface, names)
        channel = by_bus("--channel", self.channel, names)
        bitrate = by_bus("--bitrate", self.bitrate, names)
        opened = [
            replace(
                bus,
                source=source.get(bus.name, bus.source),
                interface=interface.get(bus.name, bus.interface),
                channel=channel.get(bus.name, bus.channel),
                bitrate=_whole("--bitrate", bitrate[bus.name], "bits a second: 500000")
                if bus.name in bitrate
                else bus.bitrate,
            )
            for bus in buses
        ]
        for bus in opened:
            for value, flag in ((bus.interface, "--interface"), (bus.channel, "--channel")):
                if not value and not bus.source:
                    what = f"nobody says how to open the bus {bus.name!r} of {self.car_name}"
                    raise UsageError(what, hint=f"give {flag} or --source, or {flag[2:]}: in car.yaml")
        return (*opened, *beside)

    def plugs(self, buses: Sequence[Bus], zero: int) -> list[Plug]:
        """What each bus is opened from.  zero: what `time.monotonic_ns()` was at t = 0."""
        from pitwall.bus.address import Address, Settings, parse, plug
        from pitwall.bus.source import Plug

        plugs = []
        if self.simulate:
            from pitwall.bus.simulator.drive import simulate
            from pitwall.bus.simulator.realtime import SimulatorSource

            plugs.append(Plug("simulator", lambda: SimulatorSource(simulate(seed=self.seed), zero_ns=zero)))
        for bus in buses[len(plugs) :]:
            address = parse(bus.source) if bus.source else Address(bus.interface or "", bus.channel or "", {})
            plugs.append(plug(address, Settings(bus.bitrate, bus.data_bitrate, bus.fd), zero))
        return plugs


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that records; it gets them as `wanted`."""

    @functools.wraps(function)
    def call(
        *,
        car: str | None,
        simulate: bool,
        seed: int,
        interface: tuple[str, ...],
        channel: tuple[str, ...],
        bitrate: tuple[str, ...],
        source: tuple[str, ...],
        can_fd: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        return function(wanted=Wanted(car, simulate, seed, interface, channel, bitrate, source, can_fd), **rest)

    of_a_bus: dict[str, Any] = {"multiple": True, "metavar": "[BUS=]VALUE"}
    for decorate in reversed(
        (
            option("--car", metavar="CAR", help="The car: a folder's name in --cars."),
            option("--simulate", is_flag=True, help="Record a simulated car instead of a bus."),
            option("--seed", type=int, default=1, help="Another seed is another drive of the simulated car."),
            option(
                "--source",
                multiple=True,
                metavar="[BUS=]ADDRESS",
                help="Where a bus is heard: slcan:/dev/ttyACM0, gps=nmea:HOST:PORT, …",
            ),
            option(
                "--can-fd",
                multiple=True,
                metavar="[BUS=]N",
                help="The same, as an open descriptor: a USB device, a tty or a socket.",
            ),
            option("--interface", **of_a_bus, help="slcan, or python-can's: socketcan, …"),
            option("--channel", **of_a_bus, help="Its channel: /dev/ttyACM0, can0, …"),
            option("--bitrate", **of_a_bus, help="Bits a second; car.yaml usually says it."),
        )
    ):
        call = decorate(call)
    return call


def _beside(values: Sequence[str], names: Sequence[str]) -> tuple[list[Bus], list[str]]:
    """Buses that any car may have beside its own, where it defines none of that name; and the values for its own."""
    from pitwall.car.definition import Bus
    from pitwall.frames import LOGGER_BUS

    if LOGGER_BUS in names:
        return [], list(values)
    said = [value for value in values if value.startswith(f"{LOGGER_BUS}=")]
    if len(said) > 1:
        raise UsageError(f"--source says {len(said)} times where the bus {LOGGER_BUS!r} is heard", hint="one at a time")
    beside = [Bus(LOGGER_BUS, (), source=value.removeprefix(f"{LOGGER_BUS}=")) for value in said]
    return beside, [value for value in values if value not in said]


def by_bus(flag: str, values: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """What each bus was given.  A `=` behind what is no bus's name belongs to the value."""
    said: dict[str, str] = {}
    for value in values:
        bus, equals, rest = value.partition("=")
        if equals and bus in names:
            said[bus] = rest
        elif len(values) > 1:
            hint = f"{flag} BUS={value}; the car's buses are {', '.join(names)}"
            raise UsageError(f"{flag} {value} doesn't say for which bus", hint=hint)
        else:
            said = dict.fromkeys(names, value)
    return said


def _whole(flag: str, text: str, hint: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise UsageError(f"{flag} {text} is no whole number", hint=hint)
    return int(text)
