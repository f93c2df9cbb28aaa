"""Where live frames come from: a `Source` gives what it heard since it was last asked, and says when it has ended.

Law: `t` is ns of the monotonic clock since the `zero` that the source was given when it was opened, taken when the
frame was received; it never runs backwards within a source.
"""

from __future__ import annotations

from typing import Protocol

from pitwall.frames import Frames


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

    def close(self) -> None:
        """Release the device; a `read` under way returns soon.  To close once more does nothing."""
        ...
