"""USB adapters by their address, in; what they are opened from, out.  No driver of the kernel's is needed.

    usb:                     the adapter that is plugged in, whatever it speaks
    usb:1d50:606f            the one with these ids; ?serial=… where there are two of them
    usb:fd:7                 the descriptor of a device that somebody opened for us
    usb:handed               whatever `pitwall hand-over` hands to the running recorder, again after each replug
    gs_usb:0                 channel 0 of a gs_usb adapter; gs_usb: takes what usb: takes, and ?channel=

What speaks gs_usb is known by its ids, or said by the scheme; a serial device (CDC-ACM) that is known by its ids, or
was named, is taken to speak SLCAN.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pitwall.bus import cdc, libusb, slcan_source
from pitwall.bus.address import Address, Settings
from pitwall.bus.bytestream import ByteStream, inherited
from pitwall.bus.candlelight import Channel, GsUsbSource
from pitwall.bus.handed import Handed, socket_path
from pitwall.bus.libusb import Device, Wanted
from pitwall.bus.slcan_source import SlcanSource
from pitwall.bus.source import Plug, Source
from pitwall.errors import PitwallError, UsageError

GS_USB: Final = {
    (0x1D50, 0x606F): "candleLight, CANable, budgetCAN",
    (0x1209, 0x2323): "candleLight",
    (0x1CD2, 0x606F): "CES CANext FD",
    (0x16D0, 0x10B8): "ABE CAN Debugger FD",
    (0x16D0, 0x0F30): "Xylanta SAINT3",
    (0x1209, 0xCA01): "CANnectivity",
}
"""Vendor and product of what speaks gs_usb, as Linux' driver and the gs_usb package list them."""
SLCAN: Final = {
    (0xAD50, 0x60C4): "CANable",
    (0x16D0, 0x117E): "CANable 2",
}
"""Of what speaks SLCAN, those who have ids of their own."""
USB_MAJOR: Final = 189
"""The number of /dev/bus/usb, by Linux' admin-guide/devices.txt; any other character device is a serial one."""
OPTIONS: Final = ("channel", "serial", "sample_point", "socket")
"""Those that SLCAN has no use for."""


class _Opening:
    """How a source is made of a device, or of a descriptor: what the address and the settings say."""

    def __init__(self, address: Address, settings: Settings, zero: int, usb1: Callable[[], Any]) -> None:
        self._usb1 = usb1
        self.name = f"{address.scheme}:{address.place}"
        self.place, options = address.place, dict(address.options)
        self._zero, self._settings, self._gs_usb = zero, settings, address.scheme == "gs_usb"
        if self._gs_usb and self.place.isdecimal():
            self.place = ""
            options["channel"] = address.place
        for name in options:
            if name not in (*OPTIONS, *slcan_source.OPTIONS):
                known = ", ".join((*OPTIONS, *slcan_source.OPTIONS))
                raise UsageError(f"has no option {name!r}", where=self.name, hint=f"one of {known}")
        self.socket, self._serial_number = options.get("socket"), options.get("serial")
        self._slcan = {name: value for name, value in options.items() if name not in OPTIONS}
        self._channel = Channel(
            number=self._counted(options.get("channel", "0"), "channel"),
            bitrate=self._whole(options, "bitrate") or settings.bitrate,
            data_bitrate=self._whole(options, "data_bitrate") or settings.data_bitrate,
            fd=settings.fd or "data_bitrate" in options,
            sends=settings.sends,
            sample_point=self._sample_point(options.get("sample_point")),
        )

    def opener(self) -> Callable[[], Source]:
        """What opens the source that the place says.  UsageError where it says none."""
        if self.place == "":
            return lambda: self.search(Wanted(serial=self._serial_number))
        if self.place.startswith("fd:"):
            fd = self._counted(self.place[3:], "descriptor")
            return lambda: self.wrap(fd)
        ids = re.fullmatch(r"([0-9a-fA-F]{4}):([0-9a-fA-F]{4})", self.place)
        if ids is None:
            hint = "usb:, usb:1d50:606f, usb:fd:7 or usb:handed"
            raise UsageError(f"{self.place!r} is no USB device", where=self.name, hint=hint)
        wanted = Wanted(int(ids[1], 16), int(ids[2], 16), self._serial_number)
        return lambda: self.search(wanted)

    def search(self, wanted: Wanted) -> Source:
        """The device that is plugged in."""
        return self._of(libusb.found(self._usb1(), wanted, self._is_adapter))

    def wrap(self, fd: int) -> Source:
        """The device, or the serial line, behind a descriptor."""
        try:
            kind = os.fstat(fd)
        except OSError as error:
            what = f"is no open descriptor: {error.strerror}"
            raise UsageError(what, where=f"fd {fd}", hint="whoever starts pitwall hands one over") from error
        if stat.S_ISCHR(kind.st_mode) and os.major(kind.st_rdev) != USB_MAJOR:  # also one that has hung up
            return self._serial(inherited(fd))
        return self._of(libusb.wrapped(self._usb1(), fd))

    def _of(self, device: Device) -> Source:
        try:
            if self._gs_usb or (device.vendor, device.product) in GS_USB:
                return GsUsbSource(device, self._channel, zero=self._zero)
            if cdc.pair(device):
                return self._serial(cdc.CdcStream(device))
            what = f"{device.vendor:04x}:{device.product:04x} is no CAN adapter that pitwall knows"
            raise PitwallError(what, where=device.name, hint="gs_usb: where it speaks gs_usb")
        except BaseException:
            device.close()
            raise

    def _serial(self, stream: ByteStream) -> Source:
        name = f"slcan {stream.name}"
        try:
            channel = slcan_source.channel_of(self._slcan, self._settings, name)
        except BaseException:
            stream.close()
            raise
        return SlcanSource(stream, channel, name, zero=self._zero)

    def _counted(self, text: str, what: str) -> int:
        if not re.fullmatch(r"\d{1,6}", text):
            raise UsageError(f"{text!r} is no {what}", where=self.name, hint="a number, counted from 0")
        return int(text)

    def _whole(self, options: Mapping[str, str], option: str) -> int | None:
        return slcan_source.whole(options[option], option, self.name) if option in options else None

    def _sample_point(self, text: str | None) -> float | None:
        if text is None:
            return None
        if not re.fullmatch(r"0?\.\d{1,4}", text):
            raise UsageError(f"sample_point={text} is no part of a bit", where=self.name, hint="sample_point=0.875")
        return float(text)

    def _is_adapter(self, device: Device) -> bool:
        """By its ids, unless they were said: another serial device (a modem, a GPS) must not be talked to."""
        ids = (device.vendor, device.product)
        return self.place != "" or ids in GS_USB or (ids in SLCAN and not self._gs_usb)


def plug(address: Address, settings: Settings, zero: int, *, usb1: Callable[[], Any] = libusb.library) -> Plug:
    """A USB adapter.  usb1: gives libusb's objects.  UsageError where the address names no device."""
    opening = _Opening(address, settings, zero, usb1)
    if opening.place == "handed":
        handed = Handed(Path(opening.socket) if opening.socket else socket_path(), opening.name, opening.wrap)
        return Plug(opening.name, handed.open, handed.marker)
    return Plug(opening.name, opening.opener())
