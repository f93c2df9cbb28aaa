"""CAN buses as slcan adapters give them, at a given rate, each on a pty: numbered frames under an AiM logger's ids.

`python -m tests.soak.buses FOLDER BUSES RATE` makes FOLDER/can0, can1, … and sends until its stdin ends; then it prints
`{"sent": [...], "refused": [...]}`, a number a bus.  Like an adapter it never waits: a pty holds 12 kB, the kernel's
buffer of a USB serial device no less than 64 kB, so the rest of those is held here; what finds no room there, because
nobody read for a third of a second at 8,000 frames/s, is refused, and counted.

Law: frame `i` of a bus says so in its first four bytes; of a bus, every frame below `sent` is wholly in its pty, once
and in order.
"""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import termios
import time
import tty
from pathlib import Path
from typing import Final

import numpy as np

from tests.torture.recorder import payloads

IDS: Final = np.array([*range(0x420, 0x425), *range(0x450, 0x457), *range(0x300, 0x30D)], np.uint32)
"""An AiM logger's ids, and as many that nobody knows: about the mix of a real one's bus."""
TICK_S: Final = 0.005
"""As often as a full-speed USB adapter under load has something to give."""
HEX: Final = np.frombuffer(b"0123456789ABCDEF", np.uint8)
LINE_BYTES: Final = 22
HELD_LINES: Final = (65_536 - 12_288) // LINE_BYTES


class Bus:
    """One pty, from its making to `close`."""

    def __init__(self, link: Path, rate: float) -> None:
        self.rate = rate
        self.sent = self.refused = 0
        self._fd, self._other = pty.openpty()  # the other end stays open: a recorder that starts again finds it
        tty.setraw(self._other, termios.TCSANOW)
        os.set_blocking(self._fd, False)
        link.symlink_to(os.ttyname(self._other))
        self._begun: float | None = None
        self._waiting = b""

    def tick(self, now: float) -> None:
        """Sends what is due; before anybody has opened the channel nothing is."""
        if self._begun is None:
            if not self._opened():
                return
            self._begun = now
        self._answer()
        self._send(int((now - self._begun) * self.rate) - self.sent - self.refused)

    def drain(self) -> None:
        """Waits until what is held is sent."""
        end = time.monotonic() + 5
        while self._waiting and time.monotonic() < end:
            select.select([], [self._fd], [], 0.1)
            self._send(0)

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._other)

    def _opened(self) -> bool:
        return any(line.startswith((b"O", b"L")) for line in self._answer().split(b"\r"))

    def _answer(self) -> bytes:
        """What was commanded; like the first CANable's firmware, nothing is answered."""
        try:
            return os.read(self._fd, 4096)
        except BlockingIOError:
            return b""

    def _send(self, due: int) -> None:
        """Sends so many lines behind those that are held; of them, those that nothing can hold are refused."""
        room = max(0, HELD_LINES - len(self._waiting) // LINE_BYTES)
        taken = min(due, room)
        self._waiting += lines(np.arange(self.sent, self.sent + taken))
        self.sent += taken
        self.refused += due - taken
        while self._waiting:
            try:
                done = os.write(self._fd, self._waiting)
            except BlockingIOError:
                return
            self._waiting = self._waiting[done:]


def lines(numbers: np.ndarray) -> bytes:
    """The frames of these numbers as slcan's lines, 22 bytes each: `tIII8` and 16 hex digits."""
    n = len(numbers)
    stamps = np.full(n, time.monotonic_ns(), np.int64)
    data = payloads(0, numbers, stamps)
    ids = IDS[numbers % len(IDS)]
    text = np.empty((n, LINE_BYTES), np.uint8)
    text[:, 0] = ord("t")
    for place, shift in ((1, 8), (2, 4), (3, 0)):
        text[:, place] = HEX[ids >> shift & 15]
    text[:, 4] = ord("8")
    text[:, 5:21:2] = HEX[data >> 4]
    text[:, 6:22:2] = HEX[data & 15]
    text[:, 21] = ord("\r")
    return text.tobytes()


def main() -> None:
    folder, count, rate = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    buses = [Bus(folder / f"can{i}", rate) for i in range(count)]
    print("ready", flush=True)
    while not select.select([0], [], [], TICK_S)[0]:
        now = time.monotonic()
        for bus in buses:
            bus.tick(now)
    for bus in buses:
        bus.drain()
    time.sleep(0.5)  # a pty that is closed takes with it what nobody has read
    print(json.dumps({"sent": [bus.sent for bus in buses], "refused": [bus.refused for bus in buses]}), flush=True)
    sys.stdin.read()  # until its starter has seen what it recorded
    for bus in buses:
        bus.close()


if __name__ == "__main__":
    main()
