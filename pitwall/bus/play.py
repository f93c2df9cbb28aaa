"""A recorded session's frames in, the same frames on a bus out, in their own time.

Laws: the order is the log's; a frame is never sent before its time; being late for one does not move the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pitwall.bus.source import Sender
from pitwall.errors import UsageError
from pitwall.frames import Flag, Frames, cut, in_log_order, take

NAP_S = 0.2
"""The longest sleep at once: so soon `stop` is heard in a silent stretch."""


@dataclass(frozen=True)
class Played:
    """frames: put on a bus.  left_out: error frames, which can't be sent, and frames of buses that go nowhere.
    late_s: the longest that a frame went out behind its time.
    """

    frames: int
    left_out: int
    late_s: float


def play(
    batches: Iterable[Frames],
    onto: Mapping[int, Sender],
    *,
    speed: float = 1.0,
    start_s: float = 0.0,
    stop: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Played:
    """Send the frames of `batches`, in log order, `speed` times as fast as they were recorded.

    onto: what each `Frames.bus` that is to be played is sent by.  start_s: seconds of the session that are passed over.
    Control rows are no frames and are passed over.  Raises PitwallError where a frame can't be sent.
    """
    if not 0 < speed < float("inf"):
        raise UsageError(f"a speed of {speed:g} is none", hint="1 is the speed it was recorded at")
    sent = left_out = 0
    late_s = 0.0
    begun = clock()
    for batch in batches:
        rows, passed_over = _sendable(batch, onto, round(start_s * 1e9))
        left_out += passed_over
        due = begun + (rows.t - round(start_s * 1e9)) / (1e9 * speed)
        ours = replace(rows, bus=np.zeros_like(rows.bus), flags=rows.flags | np.uint8(Flag.TX))
        for i, (bus, at) in enumerate(zip(rows.bus.tolist(), due.tolist(), strict=True)):
            while (wait := at - clock()) > 0 and not (stop and stop.is_set()):
                sleep(min(wait, NAP_S))
            if stop and stop.is_set():
                return Played(sent, left_out, late_s)
            late_s = max(late_s, -wait)
            onto[bus].send(cut(ours, i, i + 1))
            sent += 1
    return Played(sent, left_out, late_s)


def _sendable(batch: Frames, onto: Mapping[int, Sender], start_ns: int) -> tuple[Frames, int]:
    """The rows of a batch that are to be sent, in log order, and how many frames among the others should have been."""
    batch = in_log_order(batch)
    due = (batch.flags & np.uint8(Flag.CONTROL) == 0) & (batch.t >= start_ns)
    can_be = due & (batch.flags & np.uint8(Flag.ERROR) == 0) & np.isin(batch.bus, list(onto))
    return take(batch, np.flatnonzero(can_be)), int(np.count_nonzero(due & ~can_be))
