"""Frames of the AiM stream that say when they arrived, as an adapter of python-can's: for real processes to carry.

The interface is `stamped`, its channel the frames a second.  Every message of the M3's logger comes in turn; the first
signal of the first one, `rpm`, holds the moment at which it was handed over, in steps of 0.1 ms, modulo 2**16.  Of a
channel like `8000/2.1` a signal of `LOUD` goes out of all limits for a while every 2.1 s, each in its turn.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from pitwall.bus.pythoncan import can

INTERFACE: Final = "stamped"
IDS: Final = (*range(1056, 1061), *range(1104, 1111))
LOUD: Final = IDS[-4:]
"""The tyres' messages.  All of their 16 signals are loud in turn."""
LOUD_RAW: Final = 60_000
LOUD_S: Final = 0.3
CALM: Final = 1059
"""The message of accelerations, rates and steering: all 0 where signals are loud, so that the driver has an ear."""
STEP_NS: Final = 100_000
STEPS: Final = 1 << 16
BURST_NS: Final = 1_000_000
"""An adapter hands over what gathered in a USB frame: a millisecond of it."""


class StampedBus(can.BusABC):
    """Gives the frames that are due, one by one, a millisecond's worth at a time."""

    def __init__(self, channel: str, **_options: Any) -> None:
        rate, _, every = channel.partition("/")
        self._rate, self._every_s = float(rate), float(every or 0)
        self._begun = time.monotonic_ns()
        self._given = self._due = 0
        self.channel_info = f"stamped {channel}"
        super().__init__(channel)

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        now = time.monotonic_ns()
        if self._given >= self._due:
            self._due = int((now - self._begun) * self._rate / 1e9)
            if self._given >= self._due:
                time.sleep(min(timeout or 0, BURST_NS / 1e9))
                return None, False
        turn = self._given
        self._given += 1
        id = IDS[turn % len(IDS)]
        moves = (turn >> 4) & 0x3FF
        first = now // STEP_NS % STEPS if id == IDS[0] else 300 + moves
        signals = [first, *[500 + moves] * 3]
        if self._every_s:
            signals = self._with_a_loud_one(id, signals, (now - self._begun) / 1e9)
        data = b"".join(signal.to_bytes(2, "little") for signal in signals)
        return can.Message(timestamp=now / 1e9, arbitration_id=id, is_extended_id=False, data=data), False

    def _with_a_loud_one(self, id: int, signals: list[int], since_s: float) -> list[int]:
        turn, into_s = divmod(since_s, self._every_s)
        message, signal = divmod(int(turn) % (4 * len(LOUD)), 4)
        if id == CALM:
            return [0] * 4
        if turn and into_s < LOUD_S and id == LOUD[message]:
            signals[signal] = LOUD_RAW
        return signals

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        raise can.CanOperationError("it only speaks")


def since_ns(rpm: float, now_ns: int) -> int:
    """How long before `now_ns` the frame that holds this `rpm` arrived: within 0.1 ms, if less than 6.5 s ago."""
    return ((now_ns // STEP_NS - round(rpm)) % STEPS) * STEP_NS


def plugin(folder: Path) -> Path:
    """A folder for PYTHONPATH that adds the interface to python-can, as an installed driver would."""
    about = folder / "stamped-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stamped\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[can.interface]\n{INTERFACE} = {__name__}:StampedBus\n")
    return folder
