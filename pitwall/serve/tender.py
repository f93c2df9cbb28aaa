"""Sees to what projections take: a look a second, in a thread of its own, at what is open and at what is free.

Generations of sessions that are no more are let go of. While there is too little room, generations are removed: those
of sessions that are no more first, then from the oldest session on; never the one being followed, nor one being read.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from pitwall.log import lock
from pitwall.resident import trim
from pitwall.serve.companion import Companion
from pitwall.serve.limits import OPEN_IDLE_S
from pitwall.serve.reading import TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pitwall.serve.garage import Shelf
    from pitwall.serve.newest import Live

logger = logging.getLogger("pitwall.serve")

LOOK_S: Final = 1.0
TRIM_S: Final = 30.0
"""What questions, edits and rebuilds took and gave back goes back to the system so often."""


class Tender(Companion):
    """The thread, from `start` to `stop`."""

    def __init__(self, shelf: Shelf, live: Live) -> None:
        super().__init__("pitwall-tender")
        self._shelf = shelf
        self._live = live

    def tend(self) -> None:
        """One look."""
        space = self._shelf.generations.room.look()
        # what is open, and what a question may still be at, is no room that could be had
        self._shelf.tidy(idle_s=TIMEOUT_S if space.short else OPEN_IDLE_S)
        if space.low:
            self._give_way(lambda _: not self._shelf.generations.room.look().low)
        elif space.short:  # free space does not tell why: one a look, and see what it helped
            self._give_way(lambda removed: removed > 0)

    def run(self) -> None:
        trimmed_s = time.monotonic()
        while not self.stopping.wait(LOOK_S):
            try:
                self.tend()
                if time.monotonic() - trimmed_s >= TRIM_S:
                    trim()
                    trimmed_s = time.monotonic()
            except Exception:  # the rim of this thread: it looks again in a second
                logger.exception("what projections take could not be looked after")

    def _give_way(self, enough: Callable[[int], bool]) -> None:
        generations, cast = self._shelf.generations, self._live.picture().cast
        known = [session.id for session in self._shelf.sessions()]
        there = generations.sessions()
        order = [name for name in there if name not in known] + [name for name in known if name in there]
        removed = generations.give_way([name for name in order if cast is None or name != cast.session], enough)
        if removed:
            generations.room.gave_way(len(removed))
            logger.warning("to make room, the projections of %s were removed", ", ".join(removed))


def presses(logs: Path, projections: Path) -> bool:
    """Whether a recorder has trouble to write, on the file system that projections are on too."""
    recorder = lock.recorder(logs)
    if recorder is None or not (recorder.state.low_space or recorder.state.problem):
        return False
    try:
        return logs.stat().st_dev == projections.stat().st_dev
    except OSError:  # no projections yet: nothing that could be written there
        return True
