"""A CAN adapter in, frames out: any interface that python-can knows, as a `Source`.

Laws: `t` is when a frame was handed to us, on the monotonic clock; adapters' own stamps differ in zero, unit and drift.
A bus that nothing is to be sent on is only listened to, wherever python-can can have the adapter do so (`SILENT`).
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from pitwall.bus.address import Address, Settings
from pitwall.bus.message import impossible, to_frames, to_messages
from pitwall.bus.pythoncan import can
from pitwall.bus.source import Cause, Plug
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Flag, Frames, empty, take

logger = logging.getLogger(__name__)

SILENT: Final[Mapping[str, Mapping[str, Any]]] = {
    "cantact": {"monitor": True},
    "kvaser": {"driver_mode": False},  # its DRIVER_MODE_SILENT
    "nixnet": {"listen_only": True},
    "pcan": {"state": can.BusState.PASSIVE},
    "seeedstudio": {"operation_mode": "silent"},
    "systec": {"state": can.BusState.PASSIVE},
    "vector": {"listen_only": True},
}
"""What python-can's interfaces are told so that they acknowledge nothing, by their documentation."""

OTHERS: Final = frozenset({"socketcan", "socketcand", "udp_multicast", "virtual"})
"""Those whose adapter is somebody else's affair (`ip link set … listen-only on`), or that have none."""

READ_FRAMES = 4096
"""Frames taken in one read: as many as the recorder gathers before it writes."""
GATHER_NS: Final = 5_000_000
"""And for no longer than this: a driver that always has one more to give, in its own time, keeps nobody waiting."""

SO_MEMINFO: Final = 55
"""Linux, asm-generic/socket.h: a socket's memory as nine numbers, of which the last is what it dropped (sk_meminfo in
linux/sock_diag.h, SK_MEMINFO_DROPS).  python-can's socketcan refuses the ancillary message of SO_RXQ_OVFL."""
_MEMINFO: Final = struct.Struct("=9I")


def open_bus(interface: str, channel: str | None = None, **options: Any) -> can.BusABC:
    """python-can's bus for an adapter.  options: what python-can takes for it, `bitrate=500_000` above all.

    Raises UsageError for an unknown interface, one whose driver is missing, or an option that it doesn't take, and
    PitwallError where the device can't be opened.
    """
    if interface not in can.interfaces.VALID_INTERFACES:
        close = difflib.get_close_matches(interface, can.interfaces.VALID_INTERFACES)
        hint = f"did you mean {', '.join(close)}?" if close else f"known: {', '.join(sorted(can.VALID_INTERFACES))}"
        raise UsageError(f"no CAN interface is called {interface!r}", hint=hint)
    where = f"{interface} {channel}" if channel else interface
    given = {name: value for name, value in options.items() if value is not None}
    try:
        # ignore_config: what isn't said on our command line must not come from a file in someone's home
        with _muttering():
            return can.Bus(channel, interface, ignore_config=True, **given)
    except (can.CanInterfaceNotImplementedError, ImportError, NameError) as error:  # NameError: called all the same
        hint = "`pip install pyserial`" if "serial module" in str(error) else "install what it needs"
        raise UsageError(f"its driver is missing: {error}", where=where, hint=hint) from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"can't be opened like this: {error}", where=where, hint="channel and bitrate?") from error
    except Exception as error:  # two dozen drivers, each with exceptions of its own
        raise PitwallError(f"can't be opened: {error}", where=where, hint="is it plugged in, and yours?") from error


@contextlib.contextmanager
def _muttering() -> Iterator[None]:
    """What python-can says while it opens a bus is for its debugging: what matters of it, it raises."""
    logger = logging.getLogger("can")
    before = logger.level
    if logger.getEffectiveLevel() > logging.DEBUG:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


class InterfaceSource:
    """An open python-can bus as a `Source`; it is shut down with it.

    zero: what `time.monotonic_ns()` was at t = 0.  clock: reads that clock.
    """

    def __init__(self, bus: can.BusABC, name: str, *, zero: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.name = name
        self._bus, self._zero, self._clock = bus, zero, clock
        self._closed = threading.Event()
        self._malformed = 0
        at = getattr(bus, "socket", None)
        self._socket = at if isinstance(at, socket.socket) else None

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`; of a socket, what the kernel had no room for."""
        counted = {Cause.MALFORMED: self._malformed}
        dropped = drops(self._socket) if self._socket is not None else None
        return counted if dropped is None else {**counted, Cause.KERNEL: dropped}

    def read(self, timeout_s: float) -> Frames | None:
        """As `Source.read`: waits for a first frame, then takes what has gathered behind it."""
        messages: list[can.Message] = []
        nonsense = 0
        times: list[int] = []
        try:
            message = self._bus.recv(timeout_s)
            while message is not None:
                if impossible(message):
                    nonsense += 1
                    self._malformed += 1
                else:
                    messages.append(message)
                    times.append(self._clock() - self._zero)
                late = bool(times) and times[-1] - times[0] >= GATHER_NS
                message = None if late or len(messages) + nonsense >= READ_FRAMES else self._bus.recv(0)
        except Exception as error:  # as above: unplugged looks different with every driver
            if self._closed.is_set():
                return None
            if not messages:
                raise PitwallError(f"can't be read: {error}", where=self.name, hint="plug it in again") from error
            # what came before is given first; the next read meets the same error
        return to_frames(messages, times, 0) if messages else empty()

    def send(self, rows: Frames) -> None:
        """As `Sender.send`."""
        rows = take(rows, np.flatnonzero(rows.flags & np.uint8(Flag.CONTROL | Flag.ERROR) == 0))
        for message in to_messages(rows, np.zeros(len(rows)), [None]):
            try:
                self._bus.send(message)
            except Exception as error:  # as above: nobody acknowledges, no room, switched off
                what = f"frame {message.arbitration_id:#x} can't be sent: {error}"
                raise PitwallError(what, where=self.name, hint="is anything else on the bus?") from error

    def close(self) -> None:
        """As `Source.close`."""
        if not self._closed.is_set():
            self._closed.set()
            self._bus.shutdown()


def drops(at: socket.socket) -> int | None:
    """Messages for which a socket had no room; None where this system doesn't tell."""
    try:
        told = at.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
        return int(_MEMINFO.unpack(told)[-1])
    except (OSError, struct.error):
        return None


def plug(address: Address, settings: Settings, zero: int) -> Plug:
    """Any of python-can's interfaces, by its name; its channel is the address's place."""
    interface, channel = address.scheme, address.place or None
    options: dict[str, Any] = {
        "bitrate": settings.bitrate,
        "data_bitrate": settings.data_bitrate,
        "fd": settings.fd or None,
        **({} if settings.sends else SILENT.get(interface, {})),
        **address.options,
    }
    name = f"{interface} {channel}" if channel else interface
    if not settings.sends and interface in can.VALID_INTERFACES and interface not in {*SILENT, *OTHERS}:
        logger.warning("%s: python-can has no way to have it listen only: it acknowledges what it hears", name)

    def opened() -> InterfaceSource:
        return InterfaceSource(open_bus(interface, channel, **options), name, zero=zero)

    node = Path(channel) if channel and channel.startswith("/") else None  # of a serial adapter
    return Plug(name, opened, node)
