"""A gs_usb adapter on libusb as a `Source` and a `Sender`: candleLight, CANable 2 with its firmware, CANnectivity, …

It is told to listen only, unless its bus may be sent on, and to stamp what it hears, where it can.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pitwall.bus import gs_usb
from pitwall.bus.bittiming import timing
from pitwall.bus.bytestream import WRITE_S
from pitwall.bus.gs_usb import Decoder, Mode, Request
from pitwall.bus.libusb import Device, Inflow, Interface
from pitwall.bus.source import Cause
from pitwall.bus.stamps import AdapterClock, Ticks
from pitwall.errors import PitwallError, UsageError
from pitwall.frames import Frames, empty

TICKS: Final = Ticks(1000, 1 << 32)
"""The adapter's clock: microseconds, which begin again after 71.6 minutes."""
GATHER_S: Final = 0.005
"""So long what comes is gathered before it is decoded at once; each transfer has its own time."""
_TELL: Final = 0x41
_ASK: Final = 0xC1
"""bmRequestType of a vendor's request to an interface, out and in."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Which of an adapter's channels, and how its bus is.

    bitrate, data_bitrate: bits/s.  sample_point: a part of a bit; None: the usual one.
    sends: whether it may do more than listen.
    """

    number: int = 0
    bitrate: int | None = None
    data_bitrate: int | None = None
    fd: bool = False
    sends: bool = False
    sample_point: float | None = None


class GsUsbSource:
    """One channel of an adapter as a `Source`, and as a `Sender` where it may send; the device is closed with it.

    zero: what `clock` (ns) was at t = 0.
    """

    def __init__(
        self, device: Device, channel: Channel, *, zero: int, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Raises UsageError where the adapter can't do what is wanted, PitwallError where it won't be had just now."""
        self.name = f"gs_usb {device.vendor:04x}:{device.product:04x}" + f" channel {channel.number}" * bool(
            channel.number
        )
        self._device, self._channel, self._zero = device, channel, zero
        self._closed = threading.Event()
        interface = _interface(device)
        assert interface.bulk_in is not None
        assert interface.bulk_out is not None
        self._index, self._out = interface.number, interface.bulk_out
        self._longer = False  # what is sent to it
        device.claim(interface.number)
        device.tell(_TELL, Request.HOST_FORMAT, 1, self._index, gs_usb.HOST_FORMAT)
        mode = self._prepare()
        self._decoder = Decoder(
            channel=channel.number, fd=channel.fd, stamped=bool(mode & Mode.HW_TIMESTAMP), sends=channel.sends
        )
        self._adapter_clock = AdapterClock(TICKS)
        self._inflow = Inflow(device, interface.bulk_in, clock)
        try:
            self._tell(Request.MODE, gs_usb.start(mode))
        except PitwallError:
            self._inflow.close()
            raise

    def read(self, timeout_s: float) -> Frames | None:
        """As `Source.read`."""
        if self._closed.is_set():
            return None
        arrived = self._inflow.take(timeout_s, GATHER_S)
        if not arrived:
            return None if self._closed.is_set() else empty()
        decoded = self._decoder.decode([data for _, data in arrived])
        received = np.fromiter((t for t, _ in arrived), np.int64, len(arrived))[decoded.transfer] - self._zero
        if decoded.stamp_us is None:
            return replace(decoded.rows, t=received)
        return self._adapter_clock.laid(decoded.rows, decoded.stamp_us.astype(np.int64), received, self.name)

    def counted(self) -> Mapping[Cause, int]:
        """As `Source.counted`."""
        return {
            Cause.ADAPTER: self._decoder.overruns,
            Cause.QUEUE: self._inflow.dropped,
            Cause.MALFORMED: self._decoder.malformed,
        }

    def send(self, rows: Frames) -> None:
        """As `Sender.send`.  An adapter whose queue is full takes no transfer until there is room again."""
        if not self._channel.sends:
            raise UsageError("was opened to listen only", where=self.name)
        wanted = self._channel
        for transfer in gs_usb.encode(rows, channel=wanted.number, fd=wanted.fd, longer=self._longer):
            self._device.write(self._out, transfer, WRITE_S)

    def close(self) -> None:
        """As `Source.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(PitwallError):  # it may be gone
            self._tell(Request.MODE, gs_usb.STOP)
        self._inflow.close()
        self._device.close()

    def _prepare(self) -> Mode:
        """Stop the channel and tell it its bit timing; the mode to start it in."""
        wanted, name = self._channel, self.name
        config = gs_usb.config(self._ask(Request.DEVICE_CONFIG, gs_usb.CONFIG_BYTES, 1))
        if not 0 <= wanted.number < config.channels:
            raise UsageError(f"has {config.channels} channels, counted from 0", where=name, hint="gs_usb:0")
        able = gs_usb.constants(self._ask(Request.BT_CONST, gs_usb.CONSTANTS_BYTES, wanted.number))
        if wanted.fd and able.features & Mode.BT_CONST_EXT:
            able = gs_usb.constants(self._ask(Request.BT_CONST_EXT, gs_usb.CONSTANTS_EXT_BYTES, wanted.number))
        if wanted.fd and not able.features & Mode.FD:
            raise UsageError("does no CAN FD", where=name, hint="fd: false")
        if not wanted.sends and not able.features & Mode.LISTEN_ONLY:
            raise UsageError("can't listen only", where=name, hint="it would acknowledge frames: allow its bus to send")
        if wanted.bitrate is None or (wanted.fd and wanted.data_bitrate is None):
            which = "bitrate" if wanted.bitrate is None else "data_bitrate"
            raise UsageError(f"must be told its {which}", where=name, hint=f"{which}: in car.yaml, or ?{which}=500000")
        self._tell(Request.MODE, gs_usb.STOP)
        nominal = timing(able.nominal, wanted.bitrate, wanted.sample_point)
        self._tell(Request.BITTIMING, gs_usb.bit_timing(nominal))
        if wanted.fd and wanted.data_bitrate is not None:
            self._tell(Request.DATA_BITTIMING, gs_usb.bit_timing(timing(able.data, wanted.data_bitrate)))
        self._longer = bool(able.features & Mode.LONGER)
        stamps = Mode(able.features) & Mode.HW_TIMESTAMP
        return stamps | (Mode.FD if wanted.fd else Mode(0)) | (Mode(0) if wanted.sends else Mode.LISTEN_ONLY)

    def _tell(self, request: Request, data: bytes) -> None:
        self._device.tell(_TELL, request, self._channel.number, self._index, data)

    def _ask(self, request: Request, length: int, value: int) -> bytes:
        return self._device.ask(_ASK, request, value, self._index, length)


def _interface(device: Device) -> Interface:
    for one in device.interfaces():
        if one.bulk_in is not None and one.bulk_out is not None:
            return one
    raise PitwallError("has no endpoints for CAN frames", where=device.name, hint="is it a gs_usb adapter?")
