"""Frames in, from live sources; sessions of the log out.

Laws: a frame is in the log, or counted there as lost; `t` never runs backwards, whatever the sources' threads do; a
session begins with its first frame, and ends where it was stopped, where it was asked to, when no frame has come for
long, or with its last source.  What a recorder that was killed has left is gone on with.  While the disk takes nothing,
what was heard waits, in memory and in its order, and what finds no room there is counted.  A source that is lost is
opened again for as long as recording goes on, and disturbs no other.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from pitwall.bus.gap import Gaps
from pitwall.bus.inbox import QUEUE_FRAMES, Inbox
from pitwall.bus.source import Plug
from pitwall.bus.standing import Patience
from pitwall.bus.watch import Watch
from pitwall.log.hold import Hold
from pitwall.log.outbox import Outbox
from pitwall.log.writer import Pace
from pitwall.record.recording import AGAIN_S, IDLE_S, Recorded, Recording, Status

TAKE_S: Final = 0.1
"""What was heard is waited for so long at once: so soon it is heard that recording is to stop."""
START_S: Final = 1.0
"""Nothing is written until each source was tried, which tells at once what can never be opened; or for so long."""
REPORT_S = 0.25
"""The status is told this often."""


def record(
    plugs: Sequence[Plug],
    *,
    hold: Hold,
    car: str,
    buses: Sequence[str],
    zero: int,
    stop: threading.Event,
    session_id: str | None = None,
    pace: Pace = Pace(),  # noqa: B008  frozen
    patience: Patience = Patience(),  # noqa: B008  frozen
    idle_s: float = IDLE_S,
    queue_frames: int = QUEUE_FRAMES,
    report: Callable[[Status], None] = lambda _status: None,
    wall: Callable[[], int] = time.time_ns,
    clock: Callable[[], int] = time.monotonic_ns,
    gaps: Gaps | None = None,
) -> Recorded:
    """Record what is behind `plugs` until `stop` is set, or the last source has ended.

    plugs: each source hears one bus, the one that `buses` names at its place.  One that can't be opened is tried again
    for ever, and so is one that is lost.
    hold: of the logs folder; it stays the caller's.  session_id: of the first session.
    zero: what `clock` was at the sources' t = 0.  gaps: the clocks that tell when this process did not run.
    Raises LogError where nothing that was heard could be kept, UsageError where there is a session of that id already,
    or a source that can never be opened.
    """
    assert len(plugs) == len(buses), "a name for each source's bus"
    inbox = Inbox(queue_frames)
    watch = Watch(plugs, buses, inbox, lambda: clock() - zero, patience, gaps)
    with contextlib.ExitStack() as closing:  # each of them, whatever another does
        recording = Recording(
            [plug.name for plug in plugs],
            buses,
            inbox,
            watch.standings,
            idle_s,
            lambda introduction: Outbox(
                hold,
                car=car,
                buses=buses,
                session_id=session_id,
                pace=pace,
                zero=zero,
                wall=wall,
                clock=clock,
                introduction=introduction,
            ),
        )
        closing.callback(recording.close)
        closing.callback(watch.stop)
        with contextlib.suppress(KeyboardInterrupt):  # as good a way to stop as any: what was heard is kept
            watch.start(START_S, stop)
            if watch.refused is not None:
                raise watch.refused  # nothing was written of what others heard meanwhile
            while not stop.is_set() and watch.refused is None:
                if recording.stuck:
                    stop.wait(AGAIN_S)
                    recording.go_on()
                else:
                    recording.write(inbox.take(TAKE_S))
                recording.tend()
                recording.tell(report, REPORT_S)
                if watch.ended and not recording.stuck and not inbox.waiting:
                    break
        watch.stop()
        recording.end()
        recording.tell(report, 0)
    if watch.refused is not None:
        raise watch.refused
    return recording.result()


__all__ = ["Patience", "Recorded", "Status", "record"]
