"""One session being followed, from its first row to its end, through every edit of its car on the way.

An edited definition is gone over to at once, in two steps: a successor is built beside the course that is shown, in a
thread of its own; once it has caught up it takes that one's place, and the old generation is thrown away.

Laws:

1. What is shown is wholly by one definition, and never goes back: a successor is shown once it has come as far.
2. A successor that fails, or is overtaken by another edit, leaves everything as it was.
3. Only the course in charge is ever finished: what is swapped in is what was shown last.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pitwall.log import lock
from pitwall.log.session import find
from pitwall.project.room import WriteError
from pitwall.project.turn import BusyError
from pitwall.serve.course import Course, joined
from pitwall.serve.newest import Picture
from pitwall.serve.successor import Successor

if TYPE_CHECKING:
    from pitwall.frames import Frames
    from pitwall.log.place import Damage
    from pitwall.log.session import Session
    from pitwall.project.building import Building
    from pitwall.project.generations import Generations
    from pitwall.serve.definitions import Definition, Definitions
    from pitwall.serve.edits import Edits
    from pitwall.serve.latest import Latest

logger = logging.getLogger("pitwall.live")

TAKE_S: Final = 0.02
"""What a log that grows gives is taken at most so often: each batch costs 1 ms, however few its rows are."""

POLL_S: Final = 0.004
"""And then it is looked at so often until it gives something: a look costs next to nothing."""

IDLE_POLL_S: Final = 0.05
"""How often one is looked at that has not grown for IDLE_S."""
IDLE_S: Final = 2.0

COMMIT_S: Final = 0.25
"""How often readers see new rows; where writing them takes longer (a busy machine), as soon as that is done."""

CATCH_UP_COMMIT_S: Final = 2.0
"""And while there is much to catch up with: DuckDB takes rows faster in large pieces."""

LOOK_S: Final = 0.25
"""How often the logs folder is looked at for a newer session, and the definitions for an edit."""


class Chase:
    """From `run`'s beginning to its end.  course: what is shown.  successor: what is built beside it.

    replaces: there is a finished generation of the session, whose place is to be taken.
    """

    def __init__(
        self,
        logs: Path,
        definitions: Definitions,
        generations: Generations,
        *,
        latest: Latest,
        stop: threading.Event,
        show: Callable[[Callable[[int], Picture]], None],
        edits: Edits | None = None,
        last_s: float = 0.0,
    ) -> None:
        """show: takes what makes a picture, given its number.  edits: is told what is shown from now on.

        last_s: so long, once stopped, the session's end is waited for where it is still being recorded.
        """
        self.course: Course | None = None
        self.successor: Successor | None = None
        self.replaces = False
        self._logs = logs
        self._definitions = definitions
        self._generations = generations
        self._latest = latest
        self._stop = stop
        self._show_picture = show
        self._edits = edits
        self._last_s = last_s
        self._over_s = math.inf  # when it ends, once it was stopped
        self._leaving: list[threading.Thread] = []
        self._refused: Definition | None = None  # by which nothing can be projected
        self._damages: set[Damage] = set()  # those that were told

    def run(self, session: Session, definition: Definition) -> bool:
        """Follows the session to its end, until a newer one has begun, or its rows can be kept again.

        Whether its projection is whole.
        """
        self.replaces = self._generations.newest(session.id) is not None
        with self._right(session.id) as right:
            self.course = Course(session, definition, self._generations, right)
            try:
                while True:
                    course = self.course
                    course.run(self._batches(session.path, course, right), partial(self._show, course))
                    if self._stop.is_set() or not (self.successor is not None and self.successor.done):
                        break
                    self._succeed(self.successor)
                self._cancel()
                if (not self._stop.is_set() or self._is_whole(course)) and not self._may_keep(course):
                    self._finish(course)
                return course.projector.keeping
            finally:
                self._cancel()
                last, self.course = self.course, None
                last.close()
                for thread in self._leaving:  # what they hold is by the right that ends here
                    thread.join()

    def _batches(self, folder: Path, course: Course, right: Building | None) -> Iterator[Frames | None]:
        """What comes, and None whenever it is time to commit.

        Ends with the session, when a newer one has begun, when what was not kept can be kept again, or when a successor
        has caught up.
        """
        committed_s = looked_s = heard_s = -math.inf
        uncommitted = False
        following, tail, room = course.following, course.tail, self._generations.room
        following.recording = lock.recording(self._logs) == folder.name
        while self._goes_on():
            taken_s = time.monotonic()
            batches = tail.poll()
            yield from joined(batches)
            now = time.monotonic()
            uncommitted = uncommitted or bool(batches)
            due_s = committed_s + (CATCH_UP_COMMIT_S if following.behind else COMMIT_S)
            if uncommitted and now >= due_s and course.projector.idle:
                yield None
                committed_s, uncommitted = now, False
            if batches:
                heard_s = now
            elif tail.ended:
                return
            if self.successor is not None and self.successor.done:
                return
            if now - looked_s >= LOOK_S:
                looked_s = now
                self._tell_damages(course)
                following.recording = lock.recording(self._logs) == folder.name
                self._show(course)
                if not batches and self._latest.folder() != folder:
                    return
                if self._may_keep(course):
                    logger.warning("%s: there is room again; its projection is built anew", folder.name)
                    return
                if course.projector.keeping and room.look().why:
                    logger.warning("%s: not kept from here on: %s", folder.name, room.why)
                    course.projector.rest()
                if not self._stop.is_set():
                    self._look_for_an_edit(folder, course, right)
            if self._stop.is_set():
                time.sleep(POLL_S)
            elif batches:
                self._stop.wait(max(0.0, taken_s + TAKE_S - time.monotonic()))
            else:
                self._stop.wait(POLL_S if now - heard_s < IDLE_S else IDLE_POLL_S)

    def _tell_damages(self, course: Course) -> None:
        for damage in course.tail.damages:
            if damage not in self._damages:
                self._damages.add(damage)
                logger.warning("%s: the log is damaged: %s", course.session, damage)

    def _is_whole(self, course: Course) -> bool:
        """Whether nothing is to come: its session has ended, or nobody records it any more."""
        if course.tail.ended:
            return True
        recording = lock.recording(self._logs) == course.session
        return not recording and not course.following.behind and not course.tail.poll(1)

    def _goes_on(self) -> bool:
        """Until it is stopped, and a little longer: whoever stops all at once has the recorder end its session, too."""
        if not self._stop.is_set():
            return True
        if self._over_s == math.inf:
            self._over_s = time.monotonic() + self._last_s
            self._cancel()  # whoever stops has no time for what is not shown yet
        course = self.course
        recording = course is not None and course.following.recording and not course.following.behind
        return recording and time.monotonic() < self._over_s

    def _look_for_an_edit(self, folder: Path, course: Course, right: Building | None) -> None:
        """Has a successor under way by the newest definition, where that is not what is shown."""
        wanted = self._definitions.get(course.definition.car.name)
        under_way = self.successor.definition if self.successor is not None else course.definition
        if wanted is under_way or wanted is self._refused:
            return
        self._cancel()
        if wanted.car.fingerprint != course.definition.car.fingerprint:  # else the edit was taken back
            self.successor = Successor(
                wanted, lambda: Course(find(self._logs, folder.name), wanted, self._generations, right)
            )

    def _succeed(self, successor: Successor) -> None:
        """Lets the successor take over, as far as the course in charge has come."""
        self.successor = None
        before, course = self.course, successor.take()
        assert before is not None
        if course is None:
            self._refused = successor.definition
            self._definitions.refuse(successor.definition, successor.why_not)
            return
        course.following.recording = before.following.recording
        while course.offset < before.offset:
            course.run(joined(course.tail.poll()))
        course.settle()
        self.course = course
        self._show(course)
        self._leave(before.close)
        logger.info("%s is shown by %s from now on", course.session, course.fingerprint[:12])
        if self._edits is not None:
            self._edits.shown(
                course.session, course.definition, fingerprint=course.fingerprint, before=before.fingerprint
            )

    def _finish(self, course: Course) -> None:
        try:
            course.following.finish()
        except WriteError as error:
            course.give_up(error)
            course.following.finish()
        self._show(course)

    def _cancel(self) -> None:
        successor, self.successor = self.successor, None
        if successor is not None:
            self._leave(successor.cancel)

    def _leave(self, let_go: Callable[[], None]) -> None:
        """Has it let go of what is no longer needed, which may take a while: who is live does not wait for it."""
        leaving = threading.Thread(target=let_go, name="pitwall-leaving", daemon=True)
        leaving.start()
        self._leaving = [*(thread for thread in self._leaving if thread.is_alive()), leaving]

    def _may_keep(self, course: Course) -> bool:
        """Whether a course that keeps nothing could be followed by one that does."""
        return not course.projector.keeping and not self._generations.room.look().why

    def _show(self, course: Course) -> None:
        self._show_picture(course.following.picture)

    @contextlib.contextmanager
    def _right(self, session: str) -> Iterator[Building | None]:
        """To build the session's generations; None: another process has it, or they can't be written."""
        with contextlib.ExitStack() as stack:
            right = None
            try:
                self._generations.room.check()
                right = stack.enter_context(self._generations.building(session))
            except BusyError as busy:
                logger.warning("%s; it is followed in memory", busy)
            except WriteError:
                pass  # its course finds the same, and says so
            yield right
