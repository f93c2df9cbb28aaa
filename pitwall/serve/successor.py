"""An edited definition in, a course that has caught up with the live one out: built beside it, in a thread of its own.

Law: the live one goes first.  A successor takes small bites, and rests between them for as long as it was busy.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from pitwall.errors import PitwallError
from pitwall.serve.course import Course, joined

if TYPE_CHECKING:
    from pitwall.frames import Frames
    from pitwall.serve.definitions import Definition

logger = logging.getLogger("pitwall.live")

BITE_ROWS: Final = 1 << 14
"""Rows at a time, of segments that are not sealed; of sealed ones a batch, at most 65,536."""

REST: Final = 0.5
"""Of the time that a bite took."""

COMMIT_S: Final = 2.0

POLL_S: Final = 0.02
"""How often a commit under way is looked at."""


class Successor:
    """From its making it is under way; it is taken or cancelled in the end.

    why_not: it failed, and why; empty: it has not.
    """

    def __init__(self, definition: Definition, make: Callable[[], Course]) -> None:
        self.definition = definition
        self.why_not = ""
        self._make = make
        self._course: Course | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pitwall-successor", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has caught up, or failed."""
        return not self._thread.is_alive()

    @property
    def offset(self) -> int:
        """How far it is: behind the newest row applied."""
        course = self._course
        return course.offset if course is not None else 0

    def take(self) -> Course | None:
        """What has caught up, from now on the caller's; None: it failed."""
        self._thread.join()
        course, self._course = self._course, None
        return course

    def cancel(self) -> None:
        """Throws it away."""
        self._stop.set()
        course = self.take()
        if course is not None:
            course.close()

    def _run(self) -> None:
        try:
            self._course = course = self._make()
            course.run(self._bites(course))
            if not self._stop.is_set():
                course.settle()
        except Exception as error:  # the rim of this thread: whatever it is, the live one goes on
            expected = isinstance(error, PitwallError)
            self.why_not = str(error) if expected else f"{type(error).__name__}: {error}"
            if not expected:
                logger.exception("nothing can be projected by the edited definition")
            if self._course is not None:
                self._course.close()
                self._course = None

    def _bites(self, course: Course) -> Iterator[Frames | None]:
        """All that there is by now, and None whenever it is time to commit."""
        committed_s = time.monotonic()
        while not self._stop.is_set() and (batches := course.tail.poll(BITE_ROWS)):
            for frames in joined(batches):
                began = time.monotonic()
                yield frames
                self._stop.wait(REST * (time.monotonic() - began))
            if time.monotonic() - committed_s > COMMIT_S:
                yield None
                while not course.projector.idle and not self._stop.wait(POLL_S):
                    pass  # what is decoded faster than it is written would only pile up
                committed_s = time.monotonic()
