"""The one loop: batches of the log in, a projection out.  Live and replay differ in where batches
come from, in nothing else.

A batch that is `None` says that no more have come for now: what was applied is committed, and readers see it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import duckdb

from pitwall.derive import Rows
from pitwall.frames import Frames
from pitwall.project.building import Building
from pitwall.project.built import BuiltFrom
from pitwall.project.generations import Generations
from pitwall.project.laps import Small
from pitwall.project.pipeline import Pipeline
from pitwall.project.recent import Recent
from pitwall.project.room import WriteError
from pitwall.project.store import Store

Seen = Callable[[Frames, list[Rows]], None]
"""Is told of a batch, and of the rows that it gave."""


class Projector:
    """A pipeline and the store that its rows go to.

    offset: behind the newest row applied.  committed: what readers see.  keeping: rows are written.  WriteError from
    any method: the projection can't be written and is no use any more; it may go on without (`drop`).
    """

    def __init__(self, pipeline: Pipeline, store: Store, building: Building | None = None) -> None:
        """building: where the store's file goes when it is finished; None: it is in memory."""
        self.pipeline = pipeline
        self.store = store
        self.keeping = True
        self._building = building
        self._dropped = False
        self._handed: list[Small] = []  # tables of laps and of the coach, as they were handed over last

    @property
    def offset(self) -> int:
        return self.pipeline.built.offset

    @property
    def committed(self) -> BuiltFrom:
        return replace(self.store.built, offset=0) if self._dropped else self.store.built

    @property
    def idle(self) -> bool:
        """Whether the last commit is done.  Who commits without waiting for that has rows and tables pile up."""
        return self.store.idle

    def apply(self, frames: Frames, seen: Seen | None = None) -> None:
        """Appends what the next batch of the log gives.  seen: told of it first: what can't be written is seen, too."""
        applied = self.pipeline.apply(frames)
        if seen is not None:
            seen(frames, applied.rows)
        if self.keeping:
            with _writing(self.pipeline):
                self.store.append(applied.rows, applied.control, applied.rejected)

    def commit(self) -> None:
        """Lets readers see, soon, what was applied."""
        if self.keeping:
            small: dict[str, Sequence[tuple[object, ...]]] = {"ids": self.pipeline.ids()}
            parts = [self.pipeline.laps(), self.pipeline.coached()]
            for part in parts:
                if not any(part is handed for handed in self._handed):
                    small.update(part)
            self._handed = parts
            small["problems"] = self.pipeline.problems()
            with _writing(self.pipeline):
                self.store.commit(self.pipeline.built, small)

    def settle(self) -> None:
        """Returns once readers see what was applied."""
        self.commit()
        if self.keeping:
            with _writing(self.pipeline):
                self.store.wait()

    def rest(self) -> None:
        """Writes nothing from now on.  What was committed can still be read; what comes, nobody keeps."""
        self.keeping = False

    def drop(self) -> None:
        """Rests, and throws away what was written, at once."""
        self.rest()
        self._dropped = True
        self.store.close()
        if self._building is not None:
            self._building.discard()

    def finish(self) -> BuiltFrom:
        """Commits all, closes the store, and makes its file the session's projection; if it is keeping."""
        self.commit()
        if not self.keeping:
            return self.committed
        with _writing(self.pipeline):
            if self._building is None:
                self.store.wait()
            else:
                self.store.finish()
                self._building.swap_in(self.store.built)
        return self.store.built


def project(batches: Iterable[Frames | None], projector: Projector, seen: Seen | None = None) -> None:
    """Applies `batches` in their order, and commits when they say so and at their end.

    seen: told of each batch, and of the rows that it gave.
    """
    for frames in batches:
        if frames is None:
            projector.commit()
            continue
        projector.apply(frames, seen)
    projector.commit()


@contextlib.contextmanager
def projecting(pipeline: Pipeline, generations: Generations) -> Iterator[Projector]:
    """A projector into a new generation of the pipeline's session; what is not finished is thrown away.

    BusyError: another builds it.  WriteError: it can't be written.
    """
    with generations.building(pipeline.built.session) as building, projecting_into(building, pipeline) as projector:
        yield projector


@contextlib.contextmanager
def projecting_into(building: Building, pipeline: Pipeline, recent: Recent | None = None) -> Iterator[Projector]:
    """The same by a right that the caller holds, and may have several generations built by.  WriteError.

    recent: as of `Store`.
    """
    try:
        with _writing(pipeline):
            store = Store(building.file, building.spill, pipeline.tables, pipeline.built, recent=recent)
        with contextlib.closing(store):
            yield Projector(pipeline, store, building)
    finally:
        building.discard()


@contextlib.contextmanager
def projecting_in_memory(
    pipeline: Pipeline, generations: Generations, recent: Recent | None = None
) -> Iterator[Projector]:
    """A projector into memory: for a session whose generation another process builds.  recent: as of `Store`."""
    spill = generations.spill(f"memory-{id(pipeline)}")
    spare = generations.room.spare()
    with _writing(pipeline):
        store = Store(None, spill, pipeline.tables, pipeline.built, spill_bytes=spare, recent=recent)
    with contextlib.closing(store):
        yield Projector(pipeline, store)


@contextlib.contextmanager
def _writing(pipeline: Pipeline) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise WriteError(
            f"its projection can't be written: {next(iter(str(error).splitlines()), type(error).__name__)}",
            where=pipeline.built.session,
            hint="is the disk full? nothing of the log is lost: `pitwall replay` builds it again",
        ) from error
