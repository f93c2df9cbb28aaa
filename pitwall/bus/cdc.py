"""A USB serial device (CDC-ACM) in, bytes out, and back, without a driver of the kernel: what a phone hasn't got.

Source: USB Communications Device Class, PSTN subclass 1.2, 6.3: SET_LINE_CODING, SET_CONTROL_LINE_STATE.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from typing import Final

from pitwall.bus.bytestream import WRITE_S
from pitwall.bus.libusb import Device, Inflow, Interface
from pitwall.errors import PitwallError

COMMUNICATION: Final = 0x02
DATA: Final = 0x0A
"""The classes of a serial device's two interfaces."""

_TO_INTERFACE: Final = 0x21
_SET_LINE_CODING: Final = 0x20
_SET_CONTROL_LINE_STATE: Final = 0x22
_8N1: Final = struct.pack("<IBBB", 115_200, 0, 0, 8)
"""The rate of a line that isn't there: an adapter takes any."""
_READY: Final = 0b11
"""DTR and RTS: many firmwares send nothing to a terminal that isn't ready."""


def pair(device: Device) -> tuple[Interface, Interface] | None:
    """The communication and the data interface of a serial device; None where it is none."""
    interfaces = device.interfaces()
    communication = next((one for one in interfaces if one.kind == COMMUNICATION), None)
    data = next((one for one in interfaces if one.kind == DATA and one.bulk_in and one.bulk_out), None)
    return (communication, data) if communication and data else None


class CdcStream:
    """A serial device on libusb as a `ByteStream`; the device is closed with it."""

    def __init__(self, device: Device) -> None:
        """Raises PitwallError where the device is no serial device, or won't be had."""
        self.name = device.name
        self._device = device
        self._closed = threading.Event()
        self._torn = False
        both = pair(device)
        if both is None:
            raise PitwallError("is no USB serial device", where=device.name, hint="gs_usb: for a gs_usb adapter")
        self._line, data = both
        assert data.bulk_in is not None
        assert data.bulk_out is not None
        self._out = data.bulk_out
        for interface in both:
            device.claim(interface.number)
        device.tell(_TO_INTERFACE, _SET_LINE_CODING, 0, self._line.number, _8N1)
        device.tell(_TO_INTERFACE, _SET_CONTROL_LINE_STATE, _READY, self._line.number, b"")
        self._inflow = Inflow(device, data.bulk_in)

    def read(self, timeout_s: float) -> bytes:
        """As `ByteStream.read`.  Bytes that we had no room for end the stream: what is left of it can't be trusted."""
        if self._torn and not self._closed.is_set():
            raise PitwallError("is lost: its bytes were not read for too long", where=self.name)
        arrived = self._inflow.take(timeout_s)
        self._torn = self._inflow.dropped > 0
        return b"".join(data for _, data in arrived)

    def write(self, data: bytes) -> None:
        """As `ByteStream.write`."""
        if not self._closed.is_set():
            self._device.write(self._out, data, WRITE_S)

    def overruns(self) -> int:
        """As `ByteStream.overruns`: no buffer but ours is below."""
        return self._inflow.dropped

    def close(self) -> None:
        """As `ByteStream.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        with contextlib.suppress(PitwallError):  # it may be gone
            self._device.tell(_TO_INTERFACE, _SET_CONTROL_LINE_STATE, 0, self._line.number, b"")
        self._inflow.close()
        self._device.close()
