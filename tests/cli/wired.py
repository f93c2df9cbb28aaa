"""An adapter on a pty that can be pulled out and put back, and the driver that hears it: a plugin of python-can's.

The wire carries 16 hex digits a frame, its number, and a line feed; whatever else comes is no frame, and is told as a
frame that no bus can carry.
"""

from __future__ import annotations

import os
import select
import tty
from pathlib import Path
from typing import Any, Final

from pitwall.bus.pythoncan import can

INTERFACE: Final = "wired"
ID: Final = 0x123


class WiredBus(can.BusABC):
    """Hears the device at `channel`."""

    def __init__(self, channel: str, **_options: Any) -> None:
        self._fd = os.open(channel, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._buffer = b""
        self.channel_info = f"wired {channel}"
        super().__init__(channel)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        if b"\n" not in self._buffer:
            if not select.select([self._fd], [], [], timeout)[0]:
                return None, False
            got = os.read(self._fd, 4096)  # raises OSError once the other end is gone
            if not got:
                raise can.CanOperationError("it is unplugged")
            self._buffer += got
        line, found, rest = self._buffer.partition(b"\n")
        if not found:
            return None, False
        self._buffer = rest
        try:
            number = int(line, 16) if len(line) == 16 else None
        except ValueError:
            number = None
        if number is None:
            return can.Message(arbitration_id=1 << 30, is_extended_id=False), False
        return can.Message(arbitration_id=ID, is_extended_id=False, data=number.to_bytes(8, "little")), False

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise can.CanOperationError("it only listens")

    def shutdown(self) -> None:
        super().shutdown()
        os.close(self._fd)


def plugin(folder: Path) -> Path:
    """A folder for PYTHONPATH that adds the interface to python-can, as a driver that was installed would."""
    about = folder / "wired-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wired\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[can.interface]\n{INTERFACE} = {__name__}:WiredBus\n")
    return folder


class Adapter:
    """The other end.  node: where its device appears.  sent: frames so far, each whole."""

    def __init__(self, node: Path) -> None:
        self.node = node
        self.sent = 0
        self._master = self._slave = -1

    def plug(self) -> None:
        """It is there, under another number than before."""
        before = self._slave
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        if before >= 0:
            os.close(before)  # only now: the number of the pty is another one
        link = self.node.with_suffix(".new")
        link.symlink_to(os.ttyname(self._slave))
        link.replace(self.node)

    def send(self, frames: int, garbage: bytes = b"") -> None:
        lines = b"".join(b"%016x\n" % number for number in range(self.sent, self.sent + frames))
        os.write(self._master, lines + garbage)
        self.sent += frames

    def unplug(self) -> None:
        self.node.unlink()
        os.close(self._master)

    def close(self) -> None:
        if self.node.is_symlink():
            self.unplug()
        os.close(self._slave)
