"""Where live frames come from: a `Source` gives what it heard since it was last asked, and says when it has ended; a
`Plug` is what it is opened from, as often as it takes.

Laws: `t` is ns of the monotonic clock since the `zero` that the source was given when it was opened, taken when the
frame was received; it never runs backwards within a source.  What a source can't give is counted, by its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from pitwall.frames import Frames


class Cause(StrEnum):
    """Why frames, or bytes that should have been frames, are not in the log."""

    ADAPTER = "adapter"  # its own buffers overran: how many frames that cost it may not know, so each report is one
    KERNEL = "kernel"  # the socket's or the tty's buffer overran
    QUEUE = "queue"  # ours did
    MALFORMED = "malformed"  # what came is no frame that a CAN bus can carry
    LATE = "late"  # given by a source that hung, after it had been given up


class Source(Protocol):
    """One bus, heard live.  Used by one thread, except for `close`, which any thread may call."""

    name: str
    """What people call it, in a status line or a control row: `slcan /dev/ttyACM0`."""

    def read(self, timeout_s: float) -> Frames | None:
        """What was heard: waits up to `timeout_s` for a first frame, then takes all that wait with it.

        Returns `Frames` in log order, with `bus` 0 and `start` 0; without rows where nothing was heard in time; None
        where the source has ended and nothing will ever come again.
        Raises PitwallError where the source is lost (unplugged, switched off).
        """
        ...

    def counted(self) -> Mapping[Cause, int]:
        """What was lost or refused since the source was opened, by cause; the numbers only grow."""
        ...

    def close(self) -> None:
        """Release the device; a `read` under way returns soon.  To close once more does nothing."""
        ...


@runtime_checkable
class Sender(Protocol):
    """A source that may also send.  Only where `Settings.sends` says so is anything ever given to it."""

    def send(self, rows: Frames) -> None:
        """Put frames on the bus, now, in their order; control rows and error frames are passed over.

        For any thread.  Raises PitwallError where one can't be sent, and sends nothing behind it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Plug:
    """What a source is opened from.

    name: as the source's.  open: a new source; raises PitwallError where the device can't be had just now, UsageError
    where it never will be.  node: the device's node, whose return is the moment to try; None: there is none to watch.
    """

    name: str
    open: Callable[[], Source]
    node: Path | None = None
