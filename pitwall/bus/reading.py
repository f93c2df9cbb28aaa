"""One capture file being read: what its format's reader needs, and what it leaves behind.

A reader takes a `Reading` and gives batches of frames whose `t` is ns since 1970, or since a zero of the file's own
where the file knows no date, and whose `bus` counts the names in `Reading.buses`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pitwall.bus.lines import Lines
from pitwall.bus.losses import Losses, reason
from pitwall.bus.message import impossible, to_frames
from pitwall.bus.pythoncan import can
from pitwall.errors import UsageError
from pitwall.frames import Frames, Int64

BATCH_FRAMES = 65_536
"""Frames gathered into one batch: as many as a sealed batch of the log holds."""

NS_EXACT_S = 2.0**22
"""Up to here (48 days) a float64 of seconds holds every ns; a unix time as float64 holds no more than us."""


class Buses(dict[Any, int]):
    """python-can's channel -> index of the bus, counted in order of appearance; `names` are what people see."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __missing__(self, channel: Any) -> int:
        # A format without buses has one; numbers are named as Linux names them, whatever the format counts from.
        name = "can0" if channel is None else f"can{channel}" if isinstance(channel, int) else channel
        if name not in self.names:
            if len(self.names) == 256:
                raise UsageError("more than 256 buses in one capture")
            self.names.append(name)
        self[channel] = self.names.index(name)
        return self[channel]


@dataclass
class Reading:
    """path: the file to read, uncompressed.  losses: what can't be read.  progress: told the bytes read so far.

    notes: what is assumed in reading, each beginning with the file's name.
    """

    path: Path
    losses: Losses
    progress: Callable[[int], None] = lambda _bytes: None
    buses: Buses = field(default_factory=Buses)
    notes: list[str] = field(default_factory=list)


class Stamps:
    """Float seconds in, ns out, rounded to what the number can hold: to ns below `NS_EXACT_S`, else to us.

    Differences to the file's first time are taken before rounding: two float64 near each other subtract without error,
    so frames that are whole us apart in the file stay exactly so.  base_ns: what the file's zero is since 1970.
    """

    def __init__(self, base_ns: int = 0) -> None:
        self._base_ns = base_ns
        self._origin_s: float | None = None

    def __call__(self, seconds: npt.NDArray[np.float64]) -> Int64:
        if self._origin_s is None:
            self._origin_s = float(seconds[0])
        unit_ns = 1 if abs(self._origin_s) < NS_EXACT_S else 1000
        per_s = 1_000_000_000 // unit_ns
        origin_ns = self._base_ns + round(self._origin_s * per_s) * unit_ns
        return origin_ns + np.rint((seconds - self._origin_s) * per_s).astype(np.int64) * unit_ns


def batches(
    messages: Iterable[can.Message],
    reading: Reading,
    stamps: Stamps,
    *,
    lines: Lines | None = None,
    first_channel: int = 0,
) -> Iterator[Frames]:
    """The frames among `messages`, in batches; a message that no bus can have carried is a loss.

    lines: where the messages come from, so that a loss can name its line.  first_channel: what the format calls can0.
    """
    batch: list[can.Message] = []
    for message in messages:
        if why := impossible(message):
            reading.losses.add(why, lines.number if lines else None)
            continue
        batch.append(message)
        if len(batch) == BATCH_FRAMES:
            yield _frames(batch, reading.buses, stamps, first_channel)
            batch = []
            if lines:
                reading.progress(lines.tell())
    if batch:
        yield _frames(batch, reading.buses, stamps, first_channel)


def until_broken(messages: Iterable[can.Message], losses: Losses) -> Iterator[can.Message]:
    """The messages up to where their reader fails for good, which is a loss."""
    try:
        yield from messages
    except Exception as error:  # noqa: BLE001  # a reader fed with garbage raises anything there is
        losses.add(f"unreadable from here on: {reason(error)}")


def _frames(batch: list[can.Message], buses: Buses, stamps: Stamps, first_channel: int) -> Frames:
    t = stamps(np.fromiter((m.timestamp for m in batch), np.float64, len(batch)))
    if first_channel:
        channels = [m.channel - first_channel if isinstance(m.channel, int) else m.channel for m in batch]
    else:
        channels = [m.channel for m in batch]
    return to_frames(batch, t, [buses[channel] for channel in channels])
