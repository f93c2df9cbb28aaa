"""A USB device in, its requests and its bytes out: the one place where libusb's objects (PyPI's `libusb1`) enter.

Laws: a device that is gone raises at once, and never looks like silence; what came before is given first.  It is never
reset: that would drop what its queue holds, and on a phone the permission to use it.  Bytes are taken off the device by
a thread that waits for nobody; what finds no room is counted.

`usb1` below is the package, or what stands for it in a test: contexts, handles and transfers, and `USBError`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from pitwall.errors import PitwallError, UsageError

TRANSFERS: Final = 16
"""Bulk reads that wait at the device: a stall of ours of 16 ms costs nothing where each brings one frame of 8,000/s,
and the device's own queue (64 frames in candleLight) is untouched till then."""
TRANSFER_BYTES: Final = 512
"""Of one of them: the largest packet of USB 2, so that none is ever longer than what it was given."""
WAITING: Final = 65_536
"""Transfers that may wait for whoever reads them: 8 s of a saturated 1 Mbit/s bus whose frames come one by one."""
EVENTS_S: Final = 0.1
"""libusb is asked for events for so long at once: so soon the thread hears that it shall end, whatever it was told."""
CLOSE_S: Final = 2.0
"""A device that hasn't given its transfers back by then hangs; it is left alone."""
REQUEST_MS: Final = 1000
"""A request takes a millisecond; Linux' drivers wait as long."""
STALLS: Final = 3
"""A halted endpoint is set going again so often without a byte, and then the device is given up."""

NO_DISCOVERY: Final = 2
"""LIBUSB_OPTION_NO_DEVICE_DISCOVERY, of libusb.h."""


class Code(IntEnum):
    """libusb's errors that mean something here (`enum libusb_error`)."""

    ACCESS = -3
    NO_DEVICE = -4
    NOT_FOUND = -5
    BUSY = -6
    TIMEOUT = -7
    INTERRUPTED = -10
    NOT_SUPPORTED = -12


class Status(IntEnum):
    """How a transfer ended (`enum libusb_transfer_status`)."""

    COMPLETED = 0
    ERROR = 1
    TIMED_OUT = 2
    CANCELLED = 3
    STALL = 4
    NO_DEVICE = 5
    OVERFLOW = 6


_WHY: Final = {
    Status.ERROR: "its transfers fail",
    Status.STALL: "its endpoint stays halted",
    Status.NO_DEVICE: "it is unplugged",
    Status.CANCELLED: "its transfers were cancelled",
}
_HINTS: Final = {
    Code.ACCESS: "may you use it? A udev rule on Linux, termux-usb -r on a phone",
    Code.NO_DEVICE: "plug it in again",
    Code.NOT_FOUND: "plug it in again",
    Code.BUSY: "does another program use it?",
    Code.TIMEOUT: "is anybody on the bus who acknowledges frames?",
}


@dataclass(frozen=True, slots=True)
class Interface:
    """One of the device's: its number, its USB class, and its bulk endpoints' addresses."""

    number: int
    kind: int
    bulk_in: int | None
    bulk_out: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which device.  None: whatever there is."""

    vendor: int | None = None
    product: int | None = None
    serial: str | None = None


def library() -> Any:
    """The package usb1, with libusb loaded.  UsageError that says what to install, where one is missing."""
    try:
        usb1 = importlib.import_module("usb1")
    except ImportError as error:
        raise UsageError("USB adapters need the package libusb1", hint="pip install 'pitwall[usb]'") from error
    try:
        usb1.loadLibrary()
    except OSError as error:
        hint = "apt install libusb-1.0-0, on a phone pkg install libusb"
        raise UsageError("USB adapters need the library libusb", hint=hint) from error
    return usb1


def wrapped(usb1: Any, fd: int) -> Device:
    """The device behind a descriptor that somebody else opened, as Android hands them over; it stays the caller's.

    Raises PitwallError where it is no USB device, or gone.
    """
    name = f"usb fd {fd}"
    context = _context(usb1, discovers=False)
    try:
        handle = context.wrapSysDevice(fd)
    except BaseException as error:
        context.close()
        if isinstance(error, usb1.USBError):
            raise _said(error, "is no USB device that can be used", name) from error
        raise
    return Device(usb1, context, handle, name)


def found(usb1: Any, wanted: Wanted, is_ours: Callable[[Device], bool]) -> Device:
    """The one device that is wanted, and that `is_ours` takes for an adapter.

    Raises PitwallError where there is none, or more than one, or it can't be opened.
    """
    context = _context(usb1, discovers=True)
    fitting: list[Device] = []
    refused: list[Exception] = []
    try:
        for device in context.getDeviceIterator(skip_on_error=True):
            if wanted.vendor is not None and wanted.vendor != device.getVendorID():
                continue
            if wanted.product is not None and wanted.product != device.getProductID():
                continue
            one = Device(usb1, context, None, f"usb {device.getVendorID():04x}:{device.getProductID():04x}", device)
            try:
                if is_ours(one) and wanted.serial in (None, device.getSerialNumber() if wanted.serial else None):
                    fitting.append(one)
            except usb1.USBError as error:
                refused.append(_said(error, "can't be opened", one.name))
        if not fitting:
            hint = "usb:VID:PID, where pitwall doesn't know it by its ids"
            raise refused[0] if refused else PitwallError("no USB adapter is plugged in", hint=hint)
        if len(fitting) > 1:
            names = ", ".join(one.name for one in fitting)
            raise PitwallError(f"several USB adapters are plugged in: {names}", hint="usb:VID:PID, or ?serial=")
        fitting[0].open()
    except BaseException:
        context.close()
        raise
    return fitting[0]


class Device:
    """An open USB device."""

    def __init__(self, usb1: Any, context: Any, handle: Any, name: str, device: Any = None) -> None:
        self.usb1, self.context, self.name = usb1, context, name
        self._handle = handle
        self._device = handle.getDevice() if device is None else device
        self.vendor, self.product = self._device.getVendorID(), self._device.getProductID()
        self._closed = False
        self._writing = threading.Lock()
        self._claimed: list[int] = []
        self._detached: list[int] = []

    def open(self) -> None:
        """Open a device that was found.  Raises PitwallError where it can't be had."""
        with self._saying("can't be opened"):
            self._handle = self._device.open()

    def interfaces(self) -> list[Interface]:
        """What the device's descriptors say, of each interface its first setting."""
        seen: dict[int, Interface] = {}
        for setting in self._device.iterSettings():
            bulk: dict[bool, int] = {}
            for endpoint in setting:
                if endpoint.getAttributes() & 3 == 2:  # bulk, by USB 2.0, 9.6.6
                    bulk.setdefault(bool(endpoint.getAddress() & 0x80), endpoint.getAddress())
            one = Interface(setting.getNumber(), setting.getClass(), bulk.get(True), bulk.get(False))
            # a setting without endpoints is how a device says that it is idle
            if one.number not in seen or (seen[one.number].bulk_in is None and one.bulk_in is not None):
                seen[one.number] = one
        return list(seen.values())

    def claim(self, interface: int) -> None:
        """Have an interface for us alone; a kernel driver that has it gives way until we close."""
        with self._saying("can't be claimed"):
            try:
                self._handle.claimInterface(interface)
            except self.usb1.USBError as error:
                if error.value != Code.BUSY:
                    raise
                self._handle.detachKernelDriver(interface)
                self._detached.append(interface)
                self._handle.claimInterface(interface)
        self._claimed.append(interface)

    def ask(self, kind: int, request: int, value: int, index: int, length: int) -> bytes:
        """A control request that is answered.  Raises PitwallError."""
        with self._saying("doesn't answer"):
            return bytes(self._handle.controlRead(kind, request, value, index, length, REQUEST_MS))

    def tell(self, kind: int, request: int, value: int, index: int, data: bytes) -> None:
        """A control request that tells something.  Raises PitwallError."""
        with self._saying("takes no request"):
            self._handle.controlWrite(kind, request, value, index, data, REQUEST_MS)

    def write(self, endpoint: int, data: bytes, timeout_s: float) -> None:
        """All of `data` to a bulk endpoint; for any thread.  Raises PitwallError, also where it is closed."""
        with self._writing, self._saying("takes no bytes"):
            if self._closed:  # libusb would touch what it has freed
                raise PitwallError("is closed", where=self.name)
            sent = self._handle.bulkWrite(endpoint, data, int(timeout_s * 1000))
        if sent != len(data):
            raise PitwallError(f"took {sent} of {len(data)} bytes", where=self.name, hint="does it hang?")

    def resume(self, endpoint: int) -> None:
        """Set a halted endpoint going again."""
        self._handle.clearHalt(endpoint)

    def transfer(self, endpoint: int, done: Callable[[Any], None]) -> Any:
        """A bulk read, not yet under way; `done` gets it once it is over."""
        transfer = self._handle.getTransfer()
        transfer.setBulk(endpoint, TRANSFER_BYTES, callback=done)
        return transfer

    def close(self) -> None:
        """Let go of the device, unless it was left; a write under way ends first.  Once more does nothing."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
        gone = self.usb1.USBError
        for interface in self._claimed:
            with contextlib.suppress(gone):
                self._handle.releaseInterface(interface)
        for interface in self._detached:
            with contextlib.suppress(gone):
                self._handle.attachKernelDriver(interface)
        with contextlib.suppress(gone):
            if self._handle is not None:
                self._handle.close()
        with contextlib.suppress(gone):
            self.context.close()

    def leave(self) -> None:
        """Leave it as it is, for good: transfers of it are under way, and don't come back."""
        self._closed = True

    @contextlib.contextmanager
    def _saying(self, what: str) -> Iterator[None]:
        try:
            yield
        except self.usb1.USBError as error:
            raise _said(error, what, self.name) from error


class Inflow:
    """What comes in by one bulk endpoint: `TRANSFERS` reads wait at the device, and a thread of its own takes what they
    bring.

    clock: ns, when a transfer was over.
    """

    def __init__(self, device: Device, endpoint: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.dropped = 0
        """Transfers that found no room."""
        self._device, self._endpoint, self._clock = device, endpoint, clock
        self._changed = threading.Condition()
        self._arrived: list[tuple[int, bytes]] = []
        self._why = ""
        self._closing = False
        self._stalls = 0
        self._halted: list[Any] = []
        self._flying = {device.transfer(endpoint, self._done) for _ in range(TRANSFERS)}
        self._over: list[Any] = []
        for transfer in list(self._flying):
            self._submit(transfer)
        self._thread = threading.Thread(target=self._run, name=f"usb {device.name}", daemon=True)
        self._thread.start()

    def take(self, timeout_s: float, gather_s: float = 0.0) -> list[tuple[int, bytes]]:
        """All transfers that wait, each with the time it was over at, `gather_s` after the first; none where none came.

        Raises PitwallError where the device is gone and nothing waits any more.
        """
        with self._changed:
            if not self._arrived and not self._why and not self._closing:
                self._changed.wait(timeout_s)
                if self._arrived and gather_s:
                    self._changed.wait_for(lambda: bool(self._why) or self._closing, gather_s)
            arrived, self._arrived = self._arrived, []
            if not arrived and self._why and not self._closing:
                raise PitwallError(f"is lost: {self._why}", where=self._device.name, hint="plug it in again")
            return arrived

    def close(self) -> bool:
        """End the thread, and a `take` under way.  Whether all transfers are back; else the device is never closed:
        libusb would write to what it has freed."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        with contextlib.suppress(self._device.usb1.USBError):
            self._device.context.interruptEventHandler()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive() or self._flying:
            self._device.leave()
            return False
        return True

    def _run(self) -> None:
        """The thread: everything that touches a transfer happens here."""
        cancelled = False
        error_type = self._device.usb1.USBError
        while self._flying:
            if (self._closing or self._why) and not cancelled:
                cancelled = True
                for transfer in list(self._flying):
                    with contextlib.suppress(error_type):  # it is over already
                        transfer.cancel()
            try:
                self._device.context.handleEventsTimeout(EVENTS_S)
                self._go_on()
            except error_type as error:
                if error.value == Code.INTERRUPTED:  # by a signal to the process: nothing has happened to the device
                    continue
                self._lose(str(error))
                if cancelled:  # not even that: they are left to libusb
                    return
        for transfer in self._over:
            with contextlib.suppress(error_type, ValueError):
                transfer.close()

    def _done(self, transfer: Any) -> None:
        """A transfer is over: keep what it brought, and send it off again."""
        status = transfer.getStatus()
        if length := transfer.getActualLength():  # also what came before it was cut short
            self._keep(bytes(memoryview(transfer.getBuffer())[:length]))
            self._stalls = 0
        if self._closing or self._why:
            self._land(transfer)
        elif status in (Status.COMPLETED, Status.TIMED_OUT, Status.OVERFLOW):
            self.dropped += status == Status.OVERFLOW
            self._submit(transfer)
        elif status == Status.STALL and self._stalls < STALLS:
            self._halted.append(transfer)
        else:
            self._land(transfer)
            self._lose(_WHY.get(status, f"a transfer ended with {status}"))

    def _go_on(self) -> None:
        """A halted endpoint is set going, outside of libusb's callbacks, in which nothing may be waited for."""
        if not self._halted:
            return
        halted, self._halted = self._halted, []
        self._stalls += 1
        try:
            if not self._why and not self._closing:
                self._device.resume(self._endpoint)
        except self._device.usb1.USBError as error:
            self._lose(_WHY[Status.NO_DEVICE] if error.value == Code.NO_DEVICE else str(error))
        for transfer in halted:
            if self._why or self._closing:
                self._land(transfer)
            else:
                self._submit(transfer)

    def _submit(self, transfer: Any) -> None:
        try:
            transfer.submit()
        except self._device.usb1.USBError as error:
            self._land(transfer)
            self._lose(_WHY[Status.NO_DEVICE] if error.value == Code.NO_DEVICE else str(error))

    def _land(self, transfer: Any) -> None:
        self._flying.discard(transfer)
        self._over.append(transfer)

    def _keep(self, data: bytes) -> None:
        with self._changed:
            if len(self._arrived) >= WAITING:
                self.dropped += 1
                return
            self._arrived.append((self._clock(), data))
            if len(self._arrived) == 1:
                self._changed.notify_all()

    def _lose(self, why: str) -> None:
        with self._changed:
            self._why = self._why or why
            self._changed.notify_all()


def _context(usb1: Any, *, discovers: bool) -> Any:
    """An open libusb context.  discovers: whether it may look what is plugged in, which Android's sandbox forbids."""
    try:
        if discovers:
            return usb1.USBContext().open()
        try:
            return usb1.USBContext(with_device_discovery=False).open()
        except ValueError:  # before libusb 1.0.27 contexts had no options of their own, but the process' had
            usb1.libusb1.libusb.libusb_set_option(None, ctypes.c_int(NO_DISCOVERY))
            return usb1.USBContext().open()
    except usb1.USBError as error:
        hint = "on a phone a device is handed over: pitwall hand-over"
        raise PitwallError(f"libusb can't begin: {error}", hint=hint) from error


def _said(error: Any, what: str, where: str) -> PitwallError:
    what = "is lost: it is unplugged" if error.value == Code.NO_DEVICE else f"{what}: {error}"
    return PitwallError(what, where=where, hint=_HINTS.get(error.value, "is it plugged in, and yours?"))
