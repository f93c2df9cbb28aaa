"""A fake SLCAN adapter on a pty or a TCP port: it answers as its firmware does, and knows what it wholly sent.

    with Adapter("lawicel", link=tmp_path / "ttyACM0") as adapter:
        source = ...                       # opens adapter.address
        adapter.frames(lines)              # each is in adapter.sent once the kernel has all of it
        adapter.bytes(b"t12")              # half a line, or garbage
        adapter.unplug(); adapter.plug()   # the same address, another device

One thread answers commands; whoever calls sends.  In a process of its own, with a rate: python -m tests.adapters.slcan.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import socket
import struct
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterable
from pathlib import Path

SETTLED_S = 0.05
DRAIN_S = 10.0
"""So long a host may take to read what it was sent, before it is unplugged all the same."""

CANABLE_VERSION = b"b158aa7 github.com/normaldotcom/canable-fw.git\r"


class Adapter:
    """One adapter.

    firmware: "canable" (answers to V alone), "mute" (to nothing), "lawicel" (stamps ms), "lawicel-us" (us too).
    link: where the device appears, on a pty; None: on a TCP port of the loopback.  clock: its own, in ns.
    commands: all that it got.  sent: the lines that it wholly sent while it was plugged in and its channel open.
    said: all bytes that it sent since it was plugged in, answers left out.
    in_doubt: those that the host had not read when it was unplugged, if it did not read for `DRAIN_S`.
    """

    def __init__(
        self, firmware: str = "canable", *, link: Path | None = None, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.firmware, self.link, self.clock = firmware, link, clock
        self.commands: list[str] = []
        self.sent: list[bytes] = []
        self.said = bytearray()
        self.in_doubt: list[bytes] = []
        self.is_open = threading.Event()
        self.silent = False
        self.status = 0
        self._stamps = "0"
        self._port = 0
        self._device: _Pty | _Tcp | None = None
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def __enter__(self) -> Adapter:
        self.plug()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._device:
            self._end()

    @property
    def address(self) -> str:
        return f"slcan:{self.place}"

    @property
    def place(self) -> str:
        return str(self.link) if self.link else f"127.0.0.1:{self._port}"

    def plug(self) -> None:
        """Plug it in: another device at the same address, its channel closed."""
        assert self._device is None
        self.said.clear()
        self._device = _Pty(self.link) if self.link else _Tcp(self._port)
        self._port = self._device.port
        self._thread = threading.Thread(target=self._serve, args=(self._device,), daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Pull it out, once the host has read what it was sent."""
        assert self._device is not None
        until, empty_since = time.monotonic() + DRAIN_S, time.monotonic()
        # what a pty's master was given is on its way to where it can be counted for some moments
        while time.monotonic() < until and (time.monotonic() - empty_since < SETTLED_S):
            if unread := self._device.unread():
                empty_since = time.monotonic()
            time.sleep(0.001)
        while unread > 0 and self.sent:
            self.in_doubt.insert(0, self.sent.pop())
            unread -= len(self.in_doubt[0])
        self._end()

    def _end(self) -> None:
        device, self._device = self._device, None
        assert device is not None
        assert self._thread is not None
        device.stop.set()
        self._thread.join()
        device.close()
        self.is_open.clear()

    def wait_open(self, timeout_s: float = 30.0) -> None:
        """Until the host has opened the channel."""
        assert self.is_open.wait(timeout_s), f"nobody opened the channel: {self.commands}"

    def frames(self, lines: Iterable[bytes], *, rate: float | None = None, burst: int = 1) -> int:
        """Send lines; how many.  rate: lines a second; None: as fast as they are taken.  burst: so many at once.

        Ends early where the channel is closed or the adapter is unplugged meanwhile.
        """
        begun, n = time.monotonic(), 0
        batch: list[bytes] = []

        def out() -> bool:
            nonlocal n
            stamped = [self._stamped(line) for line in batch]
            if not self.bytes(b"".join(stamped)):
                return False
            self.sent += stamped
            n += len(batch)
            batch.clear()
            return True

        for line in lines:
            batch.append(line)
            if len(batch) < burst:
                continue
            if rate and (early := begun + (n + len(batch)) / rate - time.monotonic()) > 0:
                time.sleep(early)
            if not out():
                return n
        if batch:
            out()
        return n

    def bytes(self, data: bytes) -> bool:
        """Send bytes, whatever they are; False where the channel is closed, or closes before all are taken."""
        device = self._device
        while data and device is not None and device is self._device and self.is_open.is_set():
            taken = device.write(data)
            self.said += data[:taken]
            data = data[taken:]
        return not data

    def _stamped(self, line: bytes) -> bytes:
        if self._stamps == "0":
            return line
        us = self.clock() // 1000
        stamp = f"{us // 1000 % 60_000:04X}" if self._stamps == "1" else f"{us % 3_600_000_000:08X}"
        return line[:-1] + stamp.encode() + b"\r"

    def _serve(self, device: _Pty | _Tcp) -> None:
        """The thread that hears commands."""
        rest = b""
        while not device.stop.is_set():
            data = device.read()
            if data is None:  # another host
                rest = b""
                continue
            *lines, rest = (rest + data).split(b"\r")
            for line in lines:
                command = line.decode("ascii", "replace")
                self.commands.append(command)
                if answer := self._answer(command):
                    device.write(answer)
                self._obeyed(command)

    def _answer(self, command: str) -> bytes:
        kind = command[:1]
        if self.firmware == "mute":
            return b""
        if self.firmware == "canable":
            return CANABLE_VERSION if kind == "V" else b""
        opened = self.is_open.is_set()
        stamps = "012" if self.firmware == "lawicel-us" else "01"
        done = {
            "C": opened,
            "O": not opened,
            "L": not opened,
            "S": not opened and command[1:] in tuple("012345678"),
            "Y": not opened and self.firmware == "lawicel-us",
            "Z": not opened and command[1:] in tuple(stamps),
            **dict.fromkeys("tTrRdDbB", opened and not self.silent),
        }
        if kind == "V":
            return b"V1013\r"
        if kind == "F" and opened:
            told, self.status = self.status, 0
            return f"F{told:02X}\r".encode()
        return b"\r" if done.get(kind) else b"\a"

    def _obeyed(self, command: str) -> None:
        kind, lawicel = command[:1], self.firmware.startswith("lawicel")
        if kind == "C":
            self.is_open.clear()
        elif kind == "O" or (kind == "L" and lawicel):
            self.silent = kind == "L" or (self.silent and not lawicel)
            self.is_open.set()
        elif kind == "M" and not lawicel:
            self.silent = command == "M1"
        elif kind == "Z" and lawicel:
            self._stamps = command[1:]


class _Pty:
    """A pty whose slave appears as `link`.  The slave is held open, so that what the host has not read can be asked."""

    port = 0

    def __init__(self, link: Path) -> None:
        self.stop = threading.Event()
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        beside = link.with_name(link.name + ".new")
        beside.symlink_to(os.ttyname(self._slave))
        beside.replace(link)
        self._link = link

    def read(self) -> bytes | None:
        if not select.select([self._master], [], [], 0.02)[0]:
            return b""
        with contextlib.suppress(OSError):
            return os.read(self._master, 4096)
        return b""

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data[:4096])
        except BlockingIOError:
            select.select([], [self._master], [], 0.02)
            return 0

    def unread(self) -> int:
        answer = bytearray(4)
        fcntl.ioctl(self._slave, termios.FIONREAD, answer)
        return int(struct.unpack("i", answer)[0])

    def close(self) -> None:
        self._link.unlink()
        os.close(self._master)
        os.close(self._slave)


class _Tcp:
    """A listening socket and whoever connected last.  What it has sent reaches the host even when it is gone."""

    def __init__(self, port: int) -> None:
        self.stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._host: socket.socket | None = None

    def read(self) -> bytes | None:
        ends = [self._listener, *([self._host] if self._host else [])]
        for one in select.select(ends, [], [], 0.02)[0]:
            if one is self._listener:
                self._let_go()
                self._host, _ = self._listener.accept()
                self._host.setblocking(False)
                self._host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return None
            data = b""
            with contextlib.suppress(OSError):
                data = one.recv(4096)
            if not data:
                self._let_go()
                return None
            return data
        return b""

    def write(self, data: bytes) -> int:
        host = self._host
        try:
            return host.send(data) if host else 0
        except BlockingIOError:
            select.select([], [host], [], 0.02)
            return 0
        except OSError:
            return 0

    def unread(self) -> int:
        return 0

    def close(self) -> None:
        self._let_go()
        self._listener.close()

    def _let_go(self) -> None:
        host, self._host = self._host, None
        if host:
            with contextlib.suppress(OSError):
                host.shutdown(socket.SHUT_WR)
            host.close()


def line(n: int) -> bytes:
    """The `n`-th line of a stream in which no two are alike: its number is its payload."""
    return f"t{n % 0x7FF:03X}8{n:016X}\r".encode()


def main() -> None:
    """Send numbered frames to whoever opens the channel; lines of JSON on stdout tell the address, and the end."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--firmware", default="canable")
    parser.add_argument("--link", type=Path, help="where the pty appears; without it: a TCP port")
    parser.add_argument("--rate", type=float, help="lines a second; without it: as fast as they are taken")
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--frames", type=int, default=10_000)
    wanted = parser.parse_args()
    with Adapter(wanted.firmware, link=wanted.link) as adapter:
        print(json.dumps({"address": adapter.address}), flush=True)
        adapter.wait_open(60)
        begun = time.monotonic()
        sent = adapter.frames(map(line, range(wanted.frames)), rate=wanted.rate, burst=wanted.burst)
        print(json.dumps({"sent": sent, "s": time.monotonic() - begun}), flush=True)
        sys.stdin.read()  # plugged in until nobody needs it any more


if __name__ == "__main__":
    main()
