"""USB adapters that aren't there: what stands for `usb1` at the transfer boundary, and two firmwares behind it.

A bus' frames are put on an `Adapter`; its own thread fills the transfers that wait, in order, a packet each.  It can be
unplugged in the middle (what waits ends with NO_DEVICE), plugged in again, halted, held, and made to send parts of
frames and garbage; `delivered` are those that were in completed transfers, to the last byte, while it was plugged in.
"""

from __future__ import annotations

import os
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import NamedTuple

COMPLETED, ERROR, CANCELLED, STALL, NO_DEVICE = 0, 1, 3, 4, 5
HEARD = 0xFFFFFFFF


class USBError(Exception):
    value = -99

    def __str__(self) -> str:
        return f"{type(self).__name__} [{self.value}]"


USBErrorIO = type("USBErrorIO", (USBError,), {"value": -1})
USBErrorNoDevice = type("USBErrorNoDevice", (USBError,), {"value": -4})
USBErrorNotFound = type("USBErrorNotFound", (USBError,), {"value": -5})
USBErrorBusy = type("USBErrorBusy", (USBError,), {"value": -6})
USBErrorInterrupted = type("USBErrorInterrupted", (USBError,), {"value": -10})
USBErrorPipe = type("USBErrorPipe", (USBError,), {"value": -9})


class Frame(NamedTuple):
    """A frame of 11-bit id, or of 29 bits where it is `extended`."""

    id: int
    data: bytes
    extended: bool = False


class Hub:
    """What things are plugged in to; `usb1` stands for the package."""

    def __init__(self) -> None:
        self.adapters: list[Adapter] = []
        self.contexts = 0  # that are open
        self.usb1 = SimpleNamespace(USBError=USBError, USBContext=lambda **options: Context(self, **options))


class Context:
    """usb1's USBContext: callbacks run in whoever handles events."""

    def __init__(self, hub: Hub, with_device_discovery: bool = True) -> None:
        self._hub, self._discovers = hub, with_device_discovery
        self._changed = threading.Condition()
        self._done: deque[Transfer] = deque()
        self._interrupted = False

    def open(self) -> Context:
        self._hub.contexts += 1
        return self

    def close(self) -> None:
        self._hub.contexts -= 1

    def getDeviceIterator(self, skip_on_error: bool = False) -> Iterable[Found]:
        assert self._discovers, "a phone's sandbox forbids to look"
        return [Found(self, adapter) for adapter in self._hub.adapters if adapter.plugged]

    def wrapSysDevice(self, sys_device: int) -> Handle:
        found = os.fstat(sys_device).st_ino
        for adapter in self._hub.adapters:
            if found in adapter.inodes:
                if not adapter.plugged or found != adapter.inodes[-1]:
                    raise USBErrorNoDevice
                return Handle(self, adapter)
        raise USBErrorIO

    def handleEventsTimeout(self, tv: float = 0) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._interrupted, tv)
            self._interrupted = False
            done, self._done = self._done, deque()
        for transfer in done:
            transfer.called()

    def interruptEventHandler(self) -> None:
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def finish(self, transfer: Transfer) -> None:
        with self._changed:
            self._done.append(transfer)
            self._changed.notify_all()


class Found:
    """usb1's USBDevice."""

    def __init__(self, context: Context, adapter: Adapter) -> None:
        self._context, self._adapter = context, adapter

    def getVendorID(self) -> int:
        return self._adapter.vendor

    def getProductID(self) -> int:
        return self._adapter.product

    def getSerialNumber(self) -> str:
        return self._adapter.serial

    def iterSettings(self) -> tuple[Setting, ...]:
        return self._adapter.settings

    def open(self) -> Handle:
        return Handle(self._context, self._adapter)


class Endpoint(NamedTuple):
    address: int
    attributes: int = 2  # bulk

    def getAddress(self) -> int:
        return self.address

    def getAttributes(self) -> int:
        return self.attributes


class Setting:
    """usb1's USBInterfaceSetting."""

    def __init__(self, number: int, kind: int, *endpoints: Endpoint) -> None:
        self._number, self._kind, self._endpoints = number, kind, endpoints

    def getNumber(self) -> int:
        return self._number

    def getClass(self) -> int:
        return self._kind

    def __iter__(self):
        return iter(self._endpoints)


class Handle:
    """usb1's USBDeviceHandle, of one plugging-in."""

    def __init__(self, context: Context, adapter: Adapter) -> None:
        if not adapter.plugged:
            raise USBErrorNoDevice
        self.context, self._adapter, self._life = context, adapter, adapter.life

    def _there(self) -> Adapter:
        if not self._adapter.plugged or self._adapter.life != self._life:
            raise USBErrorNoDevice
        return self._adapter

    def getDevice(self) -> Found:
        return Found(self.context, self._adapter)

    def claimInterface(self, interface: int) -> None:
        if interface in self._there().kernel_has:
            raise USBErrorBusy
        self._adapter.claimed.add(interface)

    def detachKernelDriver(self, interface: int) -> None:
        self._there().kernel_has.discard(interface)

    def attachKernelDriver(self, interface: int) -> None:
        self._there().kernel_has.add(interface)

    def releaseInterface(self, interface: int) -> None:
        self._there().claimed.discard(interface)

    def controlRead(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: int = 0
    ) -> bytearray:
        return bytearray(self._there().asked(request, value)[:length])

    def controlWrite(
        self, request_type: int, request: int, value: int, index: int, data: bytes, timeout: int = 0
    ) -> int:
        self._there().told(request, value, bytes(data))
        return len(data)

    def bulkWrite(self, endpoint: int, data: bytes, timeout: int = 0) -> int:
        self._there().written(bytes(data))
        return len(data)

    def clearHalt(self, endpoint: int) -> None:
        self._there().resume()

    def getTransfer(self) -> Transfer:
        return Transfer(self)

    def submit(self, transfer: Transfer) -> None:
        self._there().submitted(transfer, self._life)

    def cancel(self, transfer: Transfer) -> None:
        self._adapter.cancelled(transfer)

    def close(self) -> None:
        assert not self._adapter.flying, "usb1 would wait for transfers for ever"


class Transfer:
    """usb1's USBTransfer."""

    def __init__(self, handle: Handle) -> None:
        self._handle, self._status, self._length, self._flies = handle, COMPLETED, 0, False

    def setBulk(self, endpoint: int, buffer_or_len: int, callback=None) -> None:
        self.room, self._callback, self._buffer = buffer_or_len, callback, bytearray(buffer_or_len)

    def submit(self) -> None:
        assert not self._flies
        self._handle.submit(self)
        self._flies = True

    def cancel(self) -> None:
        self._handle.cancel(self)

    def close(self) -> None:
        assert not self._flies

    def getStatus(self) -> int:
        return self._status

    def getActualLength(self) -> int:
        return self._length

    def getBuffer(self) -> bytearray:
        return self._buffer

    def end(self, status: int, data: bytes = b"") -> None:
        self._status, self._length = status, len(data)
        self._buffer[: len(data)] = data
        self._handle.context.finish(self)

    def called(self) -> None:
        self._flies = False
        self._callback(self)


class Adapter:
    """A device: descriptors, a queue of packets, and the thread that fills transfers with them."""

    vendor, product, packet = 0, 0, 64
    settings: tuple[Setting, ...] = ()

    def __init__(self, hub: Hub, serial: str = "0001") -> None:
        self.hub, self.serial = hub, serial
        self.plugged, self.life = False, 0
        self.inodes: list[int] = []  # of the descriptors that stand for it, one a plugging-in
        self.kernel_has: set[int] = set()
        self.claimed: set[int] = set()
        self.delivered: list[Frame] = []
        self.flying: deque[Transfer] = deque()
        self._changed = threading.Condition()
        self._packets: deque[tuple[bytes, list[Frame]]] = deque()
        self._halted, self._held = False, False
        hub.adapters.append(self)
        self._ends = False
        self._thread = threading.Thread(target=self._run, name=f"adapter {serial}", daemon=True)
        self._thread.start()

    # what a bus, a hand and a test do

    def plug_in(self) -> None:
        with self._changed:
            assert not self.plugged
            self.plugged, self.life = True, self.life + 1
            self._packets.clear()
            self.flying.clear()
            self._halted = self._held = False
            self.started()

    def unplug(self) -> None:
        """What waits ends with NO_DEVICE, and what wasn't in a completed transfer is nowhere any more."""
        with self._changed:
            self.plugged = False
            self._packets.clear()
            self.claimed.clear()
            while self.flying:
                self.flying.popleft().end(NO_DEVICE)
            self._changed.notify_all()

    def descriptor(self) -> int:
        """A new open descriptor that stands for the device as it is plugged in now."""
        with tempfile.TemporaryFile() as file:
            self.inodes.append(os.fstat(file.fileno()).st_ino)
            return os.dup(file.fileno())

    def halt(self) -> None:
        """The endpoint stalls until somebody clears it."""
        with self._changed:
            self._halted = True
            self._changed.notify_all()

    def resume(self) -> None:
        with self._changed:
            self._halted = self._held = False
            self._changed.notify_all()

    def hold(self) -> None:
        """It hangs: no transfer is completed until `resume`."""
        with self._changed:
            self._held = True

    def fail(self) -> None:
        """One transfer fails, as they do while a plug is being pulled."""
        with self._changed:
            if self.flying:
                self.flying.popleft().end(ERROR)

    def raw(self, data: bytes, whole: Iterable[Frame] = ()) -> None:
        """Bytes that are sent as they are: garbage, or a part of a frame.  whole: the frames that end in them."""
        with self._changed:
            if self.plugged:
                self._packets.append((data, list(whole)))
                self._changed.notify_all()

    def drained(self, timeout_s: float = 30) -> None:
        """Wait until all that it was given is in completed transfers, or gone."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._packets, timeout_s)

    def end(self) -> None:
        """It is thrown away."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        self._thread.join(30)

    # what a firmware does

    def started(self) -> None: ...

    def asked(self, request: int, value: int) -> bytes:
        raise USBErrorPipe

    def told(self, request: int, value: int, data: bytes) -> None: ...

    def written(self, data: bytes) -> None: ...

    def hear(self, frames: Iterable[Frame]) -> None:
        """Frames that are on the bus now."""
        raise NotImplementedError

    # what libusb does

    def submitted(self, transfer: Transfer, life: int) -> None:
        with self._changed:
            if not self.plugged or life != self.life:
                raise USBErrorNoDevice
            self.flying.append(transfer)
            self._changed.notify_all()

    def cancelled(self, transfer: Transfer) -> None:
        with self._changed:
            if transfer not in self.flying:
                raise USBErrorNotFound
            self.flying.remove(transfer)
            transfer.end(CANCELLED)

    def _run(self) -> None:
        with self._changed:
            while not self._ends:
                if not self.flying or self._held or not (self._packets or self._halted):
                    self._changed.wait()
                    continue
                transfer = self.flying.popleft()
                if self._halted:
                    transfer.end(STALL)
                    continue
                data, whole = self._packets.popleft()
                self.delivered += whole
                transfer.end(COMPLETED, data[: transfer.room])
                self._changed.notify_all()


class SlcanAdapter(Adapter):
    """A CANable with its SLCAN firmware (CDC-ACM): it answers to nothing but `V`, is silent by `M1`, opened by `O`."""

    vendor, product = 0xAD50, 0x60C4
    settings = (Setting(0, 2, Endpoint(0x82, 3)), Setting(1, 10, Endpoint(0x81), Endpoint(0x01)))

    def started(self) -> None:
        self.commands: list[str] = []
        self.line: list[tuple[int, int, bytes]] = []
        self._opened, self._silent = False, False

    @property
    def listens_only(self) -> bool:
        return self._opened and self._silent

    def told(self, request: int, value: int, data: bytes) -> None:
        self.line.append((request, value, data))

    def written(self, data: bytes) -> None:
        for command in data.decode().split("\r")[:-1]:
            self.commands.append(command)
            if command == "V":
                self.raw(b"b158aa7 github.com/normaldotcom/canable-fw.git\r")
            elif command in ("M0", "M1"):
                self._silent = command == "M1"
            elif command in ("O", "C"):
                self._opened = command == "O"

    def hear(self, frames: Iterable[Frame]) -> None:
        """Lines one behind the other, cut into packets wherever 64 bytes are full."""
        with self._changed:
            if not (self.plugged and self._opened):
                return
            stream, ends = b"", []
            for frame in frames:
                head = f"T{frame.id:08X}" if frame.extended else f"t{frame.id:03X}"
                stream += f"{head}{len(frame.data):X}{frame.data.hex().upper()}\r".encode()
                ends.append((len(stream), frame))
            for at in range(0, len(stream), self.packet):
                whole = [frame for end, frame in ends if at < end <= at + self.packet]
                self._packets.append((stream[at : at + self.packet], whole))
            self._changed.notify_all()


class GsUsbAdapter(Adapter):
    """A candleLight: one frame a packet, a clock of 32 bits, a queue that tells when it overran.

    room: frames that its queue holds.  clock_us: what its clock is when it begins.
    """

    vendor, product = 0x1D50, 0x606F
    settings = (Setting(0, 255, Endpoint(0x81), Endpoint(0x02)),)
    features = 1 | 1 << 4 | 1 << 8
    clock_hz = 48_000_000

    def __init__(self, hub: Hub, serial: str = "0001", *, room: int | None = None, clock_us: int = 0) -> None:
        self._room, self._clock_us = room, clock_us
        self.onto: Callable[[Frame], None] = lambda frame: None  # the bus that what is sent goes to
        super().__init__(hub, serial)

    def started(self) -> None:
        self.requests: list[tuple[int, int, bytes]] = []
        self.sent: list[Frame] = []
        self.mode: int | None = None  # of the channel, while it is started
        self.overruns = 0
        self._overran = False
        self._began = time.monotonic_ns()

    def asked(self, request: int, value: int) -> bytes:
        if request == 5:
            return struct.pack("<4B2I", 0, 0, 0, 0, 2, 1)
        if request == 4:
            return struct.pack("<10I", self.features, self.clock_hz, 1, 16, 1, 8, 4, 1, 1024, 1)
        raise USBErrorPipe

    def told(self, request: int, value: int, data: bytes) -> None:
        self.requests.append((request, value, data))
        if request == 2:
            started, flags = struct.unpack("<II", data)
            with self._changed:
                self.mode = flags if started else None

    def written(self, data: bytes) -> None:
        """A host frame to be sent: it goes on the bus, and is echoed as it was, with the time."""
        with self._changed:
            if self.mode is None or self.mode & 1:
                raise USBErrorPipe
            echo, id, dlc, channel, _, _ = struct.unpack_from("<IIBBBB", data)
            fd = bool(self.mode & 1 << 8)
            assert (len(data), channel) == (76 if fd else 20, 0)
            frame = Frame(id & 0x1FFFFFFF, data[12 : 12 + dlc], bool(id >> 31))
            self.sent.append(frame)
            stamp = self.packed(frame)[-4:] if self.mode & 1 << 4 else b""
            self._packets.append((struct.pack("<I", echo) + data[4:20] + stamp, []))
            self._changed.notify_all()
        self.onto(frame)

    @property
    def listens_only(self) -> bool:
        return self.mode is not None and bool(self.mode & 1)

    def packed(self, frame: Frame, flags: int = 0, stamp_us: int | None = None) -> bytes:
        """A host frame, as it lies in a transfer."""
        assert self.mode is not None
        id = frame.id | (1 << 31 if frame.extended else 0)
        packed = struct.pack("<IIBBBB", HEARD, id, len(frame.data), 0, flags, 0) + frame.data.ljust(8, b"\0")
        if self.mode & 1 << 4:
            now = (time.monotonic_ns() - self._began) // 1000 + self._clock_us if stamp_us is None else stamp_us
            packed += struct.pack("<I", now & 0xFFFFFFFF)
        return packed

    def hear(self, frames: Iterable[Frame]) -> None:
        with self._changed:
            for frame in frames:
                if not self.plugged or self.mode is None:
                    return
                if self._room is not None and len(self._packets) >= self._room:
                    self._overran = True
                    continue
                self.overruns += self._overran
                self._packets.append((self.packed(frame, flags=int(self._overran)), [frame]))
                self._overran = False
            self._changed.notify_all()
