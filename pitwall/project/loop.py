"""The one loop: batches of the log in, a projection out.  Live and replay differ in where batches
come from, in nothing else.

A batch that is `None` says that no more have come for now: what was applied is committed, and readers see it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

import duckdb

from pitwall.derive import Rows
from pitwall.errors import PitwallError
from pitwall.frames import Frames
from pitwall.project.built import BuiltFrom
from pitwall.project.generations import Building, Generations
from pitwall.project.pipeline import Pipeline
from pitwall.project.store import Store


class Projector:
    """A pipeline and the store that its rows go to.

    offset: behind the newest row applied.  committed: what readers see.  PitwallError from any method: the
    projection can't be written, and is no use any more.
    """

    def __init__(self, pipeline: Pipeline, store: Store, building: Building | None = None) -> None:
        """building: where the store's file goes when it is finished; None: it is in memory."""
        self.pipeline = pipeline
        self.store = store
        self._building = building

    @property
    def offset(self) -> int:
        return self.pipeline.built.offset

    @property
    def committed(self) -> BuiltFrom:
        return self.store.built

    def apply(self, frames: Frames) -> list[Rows]:
        """Appends what the next batch of the log gives; returns it too."""
        applied = self.pipeline.apply(frames)
        with _writing(self.pipeline):
            self.store.append(applied.rows, applied.control, applied.rejected)
        return applied.rows

    def commit(self) -> None:
        """Lets readers see, soon, what was applied."""
        with _writing(self.pipeline):
            self.store.commit(self.pipeline.built, self.pipeline.ids())

    def finish(self) -> BuiltFrom:
        """Commits all, closes the store, and makes its file the session's projection."""
        self.commit()
        with _writing(self.pipeline):
            if self._building is None:
                self.store.wait()
            else:
                self.store.finish()
                self._building.swap_in(self.store.built)
        return self.store.built


def project(
    batches: Iterable[Frames | None], projector: Projector, seen: Callable[[Frames, list[Rows]], None] | None = None
) -> None:
    """Applies `batches` in their order, and commits when they say so and at their end.

    seen: told of each batch, and of the rows that it gave.
    """
    for frames in batches:
        if frames is None:
            projector.commit()
            continue
        rows = projector.apply(frames)
        if seen is not None:
            seen(frames, rows)
    projector.commit()


@contextlib.contextmanager
def projecting(pipeline: Pipeline, generations: Generations) -> Iterator[Projector]:
    """A projector into a new generation of the pipeline's session; what is not finished is thrown away.

    BusyError: another builds it.
    """
    with generations.building(pipeline.built.session) as building:
        with _writing(pipeline):
            store = Store(building.file, building.spill, pipeline.tables, pipeline.built)
        with contextlib.closing(store):
            yield Projector(pipeline, store, building)


@contextlib.contextmanager
def projecting_in_memory(pipeline: Pipeline, generations: Generations) -> Iterator[Projector]:
    """A projector into memory: for a session whose generation another process builds."""
    store = Store(None, generations.spill(f"memory-{id(pipeline)}"), pipeline.tables, pipeline.built)
    with contextlib.closing(store):
        yield Projector(pipeline, store)


@contextlib.contextmanager
def _writing(pipeline: Pipeline) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise PitwallError(
            f"its projection can't be written: {str(error).splitlines()[0]}",
            where=pipeline.built.session,
            hint="is the disk full? nothing of the log is lost: `pitwall replay` builds it again",
        ) from error
