"""A driver of python-can's that, once, never gives the interpreter back: as C code may that forgets to.

On PYTHONPATH with `plugin(folder)`; its channel is a file, which is there once it has hung.
"""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Any

from pitwall.bus.pythoncan import can

FRAMES_BEFORE = 50


class HogBus(can.BusABC):
    """Speaks 50 times a second; the first of it hangs, with the interpreter, behind so many frames."""

    def __init__(self, channel: str, **_options: Any) -> None:
        self._hung, self._given = Path(channel), 0
        self.channel_info = f"hog {channel}"
        super().__init__(channel)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        time.sleep(0.02)
        if self._given == FRAMES_BEFORE and not self._hung.exists():
            self._hung.touch()
            ctypes.PyDLL(None).sleep(1000)  # PyDLL, other than CDLL, keeps the interpreter's lock
        self._given += 1
        data = self._given.to_bytes(8, "little")
        return can.Message(timestamp=time.time(), arbitration_id=0x123, is_extended_id=False, data=data), False

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise can.CanOperationError("it only speaks")


def plugin(folder: Path) -> Path:
    """A folder for PYTHONPATH."""
    about = folder / "hog-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hog\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[can.interface]\nhog = {__name__}:HogBus\n")
    return folder
