"""A device, a socket or an inherited descriptor in, bytes out, and back.

Laws: what was read is given once and in its order; a device that is gone raises, and never looks like silence; no call
waits for longer than it says, and `close` ends one that is under way, from whatever thread.
Whether it is Linux, Android or a Mac is never asked: what a system lacks is found out by trying.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
from typing import Final, Protocol

from pitwall.errors import PitwallError, UsageError

READ_BYTES: Final = 65_536
"""Taken at once: sixteen times what a tty holds, 3,000 frames."""
WRITE_S: Final = 1.0
"""A command is a few bytes: an adapter that hasn't taken it by then takes none."""
CONNECT_S: Final = 3.0
"""To connect takes no longer on a network that is worth recording over."""
KEEPALIVE: Final = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 5000}
"""A peer that fell silent without a word is found dead after 5 s (seconds, seconds, times; ms).  The last is for one
that still owes us an acknowledgement: until it comes nobody asks whether it is alive, for a quarter of an hour."""
AGAIN: Final = "plug it in again"


class ByteStream(Protocol):
    """Where bytes come from and go to.  Read by one thread, written by one; `close` is for any."""

    name: str
    """What people call it, in errors: `/dev/ttyACM0`."""

    def read(self, timeout_s: float) -> bytes:
        """All that waits, as soon as there is anything; b"" where nothing came in time, or it was closed.

        Raises PitwallError where the device is gone, or the other end has closed.
        """
        ...

    def write(self, data: bytes) -> None:
        """All of `data`.  Raises PitwallError where it isn't taken within `WRITE_S`, or the device is gone."""
        ...

    def overruns(self) -> int:
        """How often a buffer below us overran since it was opened; 0 where nobody counts."""
        ...

    def close(self) -> None:
        """Let go of the device; a call under way returns at once.  To close once more does nothing."""
        ...


class DescriptorStream:
    """An open file descriptor as a `ByteStream`; it is closed with it."""

    def __init__(self, fd: int, name: str) -> None:
        self.name = name
        self._fd = fd
        os.set_blocking(fd, False)
        self._woken, self._wake = os.pipe()
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._closed = threading.Event()
        self._readable, self._writable = select.poll(), select.poll()
        for poll, what in ((self._readable, select.POLLIN), (self._writable, select.POLLOUT)):
            poll.register(fd, what)
            poll.register(self._woken, select.POLLIN)
        self._overruns, self._before = 0, tty_overruns(fd)

    def read(self, timeout_s: float) -> bytes:
        """As `ByteStream.read`."""
        with self._reading:
            if self._closed.is_set():
                return b""
            try:
                # rounded up: rounded down, a wait of less than 1 ms would be none, and whoever loops would spin
                if not self._readable.poll(-(-timeout_s * 1000 // 1)) or self._closed.is_set():
                    return b""
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return b""
            except OSError as error:  # EIO: a tty that hung up; ENODEV, ECONNRESET, …
                raise self._gone(error.strerror or str(error)) from error
            if not data:
                raise self._gone("the other end has closed")
            return data

    def write(self, data: bytes) -> None:
        """As `ByteStream.write`."""
        until = time.monotonic() + WRITE_S
        left = memoryview(data)
        with self._writing:
            while left and not self._closed.is_set():
                try:
                    left = left[os.write(self._fd, left) :]
                except BlockingIOError:
                    wait = until - time.monotonic()
                    if wait <= 0:
                        what = f"takes no more bytes: {len(left)} of {len(data)} are left after {WRITE_S:g} s"
                        raise PitwallError(what, where=self.name, hint="does it hang?") from None
                    self._writable.poll(wait * 1000)
                except OSError as error:
                    raise self._gone(error.strerror or str(error)) from error

    def overruns(self) -> int:
        """As `ByteStream.overruns`."""
        with self._reading:
            if not self._closed.is_set():
                self._overruns = max(self._overruns, tty_overruns(self._fd) - self._before)
        return self._overruns

    def close(self) -> None:
        """As `ByteStream.close`."""
        if self._closed.is_set():
            return
        self._closed.set()
        os.write(self._wake, b"x")
        with self._reading, self._writing:  # nobody polls what is closed: its number may soon be another file's
            with contextlib.suppress(OSError):  # others may have it open, too: it is ours alone no longer
                fcntl.ioctl(self._fd, termios.TIOCNXCL)
            for fd in (self._fd, self._woken, self._wake):
                with contextlib.suppress(OSError):  # a device that is gone may fail to close
                    os.close(fd)

    def _gone(self, why: str) -> PitwallError:
        return PitwallError(f"is lost: {why}", where=self.name, hint=AGAIN)


def serial(path: str, baud: int | None = None) -> DescriptorStream:
    """A serial device or a pty, raw and for us alone.  baud: bits/s of its line; None: as it is (USB has none).

    Raises PitwallError where it can't be opened just now, UsageError where it is no serial device, or has no such rate.
    """
    fd = _opened(path)
    try:
        raw(fd, path, baud)
        with contextlib.suppress(OSError):
            fcntl.ioctl(fd, termios.TIOCEXCL)
        with contextlib.suppress(termios.error):  # one that is gone by now says so when it is read
            termios.tcflush(fd, termios.TCIOFLUSH)
        return DescriptorStream(fd, path)
    except BaseException:
        os.close(fd)
        raise


def inherited(number: int) -> DescriptorStream:
    """The open file, tty or socket that we were started with as the descriptor `number`; it stays open for a next time.

    Raises UsageError where there is none.
    """
    name = f"fd {number}"
    try:
        fd = os.dup(number)
    except OSError as error:
        what = f"is no open descriptor: {error.strerror}"
        raise UsageError(what, where=name, hint="whoever starts pitwall hands one over") from error
    if os.isatty(fd):
        raw(fd, name, None)
    return DescriptorStream(fd, name)


def connected(host: str, port: int) -> socket.socket:
    """A TCP connection to the first of a host's addresses that answers.

    They share `CONNECT_S`: those that are dead leave the others time before whoever waits gives it all up.
    Raises OSError, the last one's, where none answers.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    why = OSError("it has no address")
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(CONNECT_S / len(addresses))
            connection.connect(address)
        except OSError as error:
            connection.close()
            why = error
        else:
            return connection
    raise why


def tcp(host: str, port: int) -> DescriptorStream:
    """A TCP connection.  Raises PitwallError where nobody answers."""
    name = f"{host}:{port}"
    try:
        connection = connected(host, port)
    except OSError as error:
        raise PitwallError(f"can't be reached: {error}", where=name, hint="is it switched on?") from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return DescriptorStream(connection.detach(), name)


def raw(fd: int, name: str, baud: int | None) -> None:
    """Make a tty hand through every byte as it is.  Without this it would echo frames to the adapter, as commands.

    Raises UsageError where `fd` is no tty, or its line has no such rate, PitwallError where it was just pulled out.
    """
    try:
        before = termios.tcgetattr(fd)
    except termios.error as error:
        if error.args[0] == errno.ENOTTY:
            raise UsageError("is no serial device", where=name, hint="an adapter is /dev/ttyACM0 or alike") from error
        raise PitwallError(f"is lost: {error.args[-1]}", where=name, hint=AGAIN) from error
    speeds = before[4:6]
    if baud is not None:
        known = _bauds()
        if baud not in known:
            hint = f"there are {', '.join(map(str, sorted(known)))}"
            raise UsageError(f"a serial line has no {baud} bits/s", where=name, hint=hint)
        speeds = [known[baud], known[baud]]
    control = list(before[6])
    control[termios.VMIN], control[termios.VTIME] = b"\1", b"\0"
    attributes = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, *speeds, control]
    try:
        termios.tcsetattr(fd, termios.TCSANOW, attributes)
    except termios.error as error:
        raise PitwallError(f"is lost: {error.args[-1]}", where=name, hint=AGAIN) from error


def tty_overruns(fd: int) -> int:
    """How often a tty's hardware or its kernel buffer overran; 0 where it doesn't count.

    Source: struct serial_icounter_struct of linux/serial.h: cts, dsr, rng, dcd, rx, tx, frame, overrun, parity, brk,
    buf_overrun, and nine reserved ints.
    """
    if not hasattr(termios, "TIOCGICOUNT"):
        return 0
    counters = bytearray(80)
    try:
        fcntl.ioctl(fd, termios.TIOCGICOUNT, counters)
    except OSError:  # a pty, a socket, a driver that doesn't
        return 0
    numbers = struct.unpack("20i", counters)
    return int(numbers[7] + numbers[10])


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        hints = {
            errno.ENOENT: "is it plugged in?",
            errno.EACCES: "may you use it? On Linux: sudo usermod -aG dialout $USER, and log in again",
            errno.EBUSY: "does another program use it?",
        }
        hint = hints.get(error.errno or 0, "is it plugged in, and yours?")
        raise PitwallError(f"can't be opened: {error.strerror}", where=path, hint=hint) from error


def _bauds() -> dict[int, int]:
    """The rates that a serial line of this system knows, as termios writes them."""
    return {int(name[1:]): value for name, value in vars(termios).items() if name[0] == "B" and name[1:].isdigit()}
