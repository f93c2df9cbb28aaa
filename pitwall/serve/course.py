"""One session by one definition, on its way: its log's tail, its pipeline, the generation that is written, its gauges.

It is driven by one thread at a time, and may change hands between two batches: the successor that was built beside the
live one goes on in its place.

Law: what keeps rows from being written never keeps them from being shown; a course goes on from memory.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from pitwall.frames import Frames, concat
from pitwall.log.reader import Tail
from pitwall.project.loop import Projector, project, projecting_in_memory, projecting_into
from pitwall.project.memory import memory
from pitwall.project.pipeline import Pipeline
from pitwall.project.recent import KEPT_BYTES, KEPT_NS, Recent
from pitwall.project.room import NoRoomError, Room, WriteError
from pitwall.serve.following import Following

if TYPE_CHECKING:
    from pitwall.derive import Rows
    from pitwall.log.session import Session
    from pitwall.project.building import Building
    from pitwall.project.generations import Generations
    from pitwall.serve.definitions import Definition

logger = logging.getLogger("pitwall.live")

KEPT_PART: Final = 4
"""Of the memory that DuckDB may take, the newest rows may take this part, the quarter, beside it."""


class Course:
    """From its session's first row on.  Whoever makes one closes it."""

    def __init__(
        self, session: Session, definition: Definition, generations: Generations, right: Building | None
    ) -> None:
        """right: to build the session's generations; None: it is built in memory.

        Raises CarError: no pipeline can be made of it.
        """
        self.definition = definition
        self.session = session.id
        self._room = generations.room
        pipeline = Pipeline(definition.car, session.header)
        with contextlib.ExitStack() as stack:
            begin = round(session.duration_s * 1e9) - KEPT_NS
            recent = Recent(pipeline.tables, KEPT_NS, min(KEPT_BYTES, memory().bytes // KEPT_PART), begin)
            self.projector: Projector = stack.enter_context(_projecting(pipeline, generations, right, recent))
            self.tail = stack.enter_context(contextlib.closing(Tail(session.path)))
            self.following = Following(session.header, self.projector, self.tail, written=session.rows)
            self._open = stack.pop_all()

    @property
    def fingerprint(self) -> str:
        return self.projector.pipeline.built.fingerprint

    @property
    def offset(self) -> int:
        """Behind the newest row applied."""
        return self.projector.offset

    def run(self, batches: Iterable[Frames | None], seen: Callable[[], None] = lambda: None) -> None:
        """The one loop over `batches`, until they end.  seen: told of each that was applied."""

        def saw(frames: Frames, rows: list[Rows]) -> None:
            self.following.saw(frames, rows)
            seen()

        batches = iter(batches)
        while True:
            try:
                project(batches, self.projector, saw)
                return
            except WriteError as error:
                self.give_up(error)

    def settle(self) -> None:
        """Returns once readers see all that was applied."""
        try:
            self.projector.settle()
        except WriteError as error:
            self.give_up(error)

    def give_up(self, error: WriteError) -> None:
        """What was written is thrown away; it goes on from memory."""
        logger.warning("%s; it goes on from memory", error.what)
        self._room.failed(error.what)
        self.projector.drop()

    def close(self) -> None:
        """Lets go of all; what is not finished is thrown away."""
        self._open.close()


def joined(batches: list[Frames]) -> Iterator[Frames]:
    """The same rows in fewer batches, as each costs 1 ms: joined where no row is missing between them."""
    run: list[Frames] = []
    for frames in batches:
        if run and not (run[-1].order is None and frames.order is None and run[-1].stop == frames.start):
            yield concat(run)
            run = []
        run.append(frames)
    if run:
        yield concat(run)


@contextlib.contextmanager
def _projecting(
    pipeline: Pipeline, generations: Generations, right: Building | None, recent: Recent
) -> Iterator[Projector]:
    """A projector into a new generation; in memory, where another process builds it; without room, into nothing."""
    with contextlib.ExitStack() as stack:
        try:
            generations.room.check()
            if right is None:
                projector = stack.enter_context(projecting_in_memory(pipeline, generations, recent))
            else:
                projector = stack.enter_context(projecting_into(right.another(), pipeline, recent))
        except WriteError as error:
            _tell(error, generations.room, pipeline.built.session)
            projector = stack.enter_context(projecting_in_memory(pipeline, generations))
            projector.rest()
        yield projector


def _tell(error: WriteError, room: Room, session: str) -> None:
    if not isinstance(error, NoRoomError):
        room.failed(error.what)
    logger.warning("%s: not kept: %s", session, error.what)
