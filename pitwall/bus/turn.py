"""One thread's time with a source, as it is seen from outside; and how a source is let go of, whatever it thinks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from pitwall.bus.source import Cause, Source

logger = logging.getLogger(__name__)


class Turn:
    """One thread's time with a source.  doing: a call of the source that is under way since `since` (s), or "".

    over: it was given up.  opened: s, when the source was opened.  again: it is to open the source anew.
    """

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.source: Source | None = None
        self.counted: Mapping[Cause, int] = {}
        self.over = self.again = False
        self.opened = self.since = time.monotonic()
        self.doing = ""

    def at(self, doing: str) -> None:
        """It begins with that; "" once it is done."""
        self.since = time.monotonic()  # first: whoever looks in between sees something old for a short time only
        self.doing = doing


def close(source: Source) -> None:
    """Close a source, whatever it thinks of that."""
    try:
        source.close()
    except Exception as error:  # noqa: BLE001  a device that is gone can't say goodbye
        logger.info("%s can't be closed: %s", source.name, error)


def identity(node: Path | None) -> tuple[int, ...] | None:
    """What tells a device's node from the one that was there before it; None: there is none."""
    if node is None:
        return None
    try:
        found = node.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_rdev, found.st_ctime_ns)
