"""The readers of all buses, and the thread that watches them, and watches itself: it notices when it was frozen.

Laws: what one source does never disturbs another; time in which this process did not run is nobody's fault.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from pitwall.bus.gap import Gaps, boot_clock
from pitwall.bus.inbox import LEEWAY_NS, Inbox, Said
from pitwall.bus.reader import Reader
from pitwall.bus.source import Plug
from pitwall.bus.standing import Patience, Standing
from pitwall.errors import UsageError
from pitwall.frames import Control

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.25
"""How often each source is looked at."""
STOP_S: Final = 1.0
"""So long sources are waited for when all is to end: ten times what one that works takes."""
LAST_S: Final = 0.2
"""And each of the others for so long, where one has used that up: they have been ending all the while."""

_GAPS: Final = {
    "frozen": "this process did not run for %.1f s; what came meanwhile may be missing",
    "suspended": "the machine was suspended for %.1f s",
}


class Watch:
    """Of the sources behind `plugs`, each of which hears the bus that `buses` names at its place."""

    def __init__(
        self,
        plugs: Sequence[Plug],
        buses: Sequence[str],
        inbox: Inbox,
        now: Callable[[], int],
        patience: Patience = Patience(),  # noqa: B008  frozen
        gaps: Gaps | None = None,
    ) -> None:
        """now: ns, as the sources' `t`."""
        self._inbox, self._now = inbox, now
        self._halt = threading.Event()
        self._gaps = gaps if gaps is not None else Gaps(boot=boot_clock())
        self._readers = [
            Reader(bus, name, plug, inbox, now, patience, self._halt)
            for bus, (name, plug) in enumerate(zip(buses, plugs, strict=True))
        ]
        self._thread = threading.Thread(target=self._run, name="watch sources", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether every source has."""
        return all(reader.ended for reader in self._readers)

    @property
    def refused(self) -> UsageError | None:
        """Why one can never be opened."""
        return next((reader.refused for reader in self._readers if reader.refused is not None), None)

    def standings(self) -> list[Standing]:
        """How each is doing."""
        return [reader.standing() for reader in self._readers]

    def start(self, patience_s: float, stop: threading.Event) -> None:
        """Returns when each has been tried to be opened, once; when `patience_s` have passed; or when it is to stop."""
        for reader in self._readers:
            reader.start()
        self._thread.start()
        end = time.monotonic() + patience_s
        for reader in self._readers:
            while time.monotonic() < end and not stop.is_set() and not reader.answered.wait(0.05):
                continue

    def stop(self) -> None:
        """Returns when all sources are closed, or won't let themselves be."""
        self._halt.set()
        end = time.monotonic() + STOP_S
        for reader in self._readers:
            reader.stop(max(LAST_S, end - time.monotonic()))
        with suppress(RuntimeError):  # it never began
            self._thread.join()

    def look(self, awake: float) -> float:
        """One look at everything.  awake: s, since when this process runs without a gap; returns the same as of now."""
        for gap in self._gaps.look():
            logger.warning(_GAPS[gap.what], gap.seconds)
            fact = {"what": gap.what, "seconds": round(gap.seconds, 3)}
            self._inbox.say(Said(Control.GAP, max(0, self._now() - LEEWAY_NS), 0, fact))
            awake = time.monotonic()
        for reader in self._readers:
            reader.look(awake)
        return awake

    def _run(self) -> None:
        awake = time.monotonic()
        while not self._halt.wait(LOOK_S):
            awake = self.look(awake)
