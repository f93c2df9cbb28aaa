"""Numbered frames as an adapter of python-can's: what the real command line, `pitwall record`, records.

`plugin(folder)` makes the folder that, on PYTHONPATH, adds the interface `numbered` to python-can, as a driver that was
installed would.  Its channel is `RUN@RATE`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from pitwall.bus.pythoncan import can
from tests.torture.recorder import ID, payloads

INTERFACE: Final = "numbered"


class NumberedBus(can.BusABC):
    """Gives frames one by one, as drivers do: those that are due at once, then one after the other."""

    def __init__(self, channel: str, **_options: Any) -> None:
        run, _, rate = channel.partition("@")
        self._run, self._rate = int(run), float(rate)
        self._begun = time.monotonic_ns()
        self._given = 0
        self.channel_info = f"numbered {channel}"
        super().__init__(channel)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        now = time.monotonic_ns()
        if int((now - self._begun) * self._rate / 1e9) < self._given:
            time.sleep(min(timeout or 0, 0.001))
            return None, False
        data = payloads(self._run, np.array([self._given]), np.array([now])).tobytes()
        self._given += 1
        return can.Message(timestamp=now / 1e9, arbitration_id=ID, is_extended_id=False, data=data), False

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise can.CanOperationError("it only speaks")


def plugin(folder: Path) -> Path:
    """A folder for PYTHONPATH."""
    about = folder / "numbered-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: numbered\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[can.interface]\n{INTERFACE} = {__name__}:NumberedBus\n")
    return folder
