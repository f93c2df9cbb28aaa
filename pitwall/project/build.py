"""A session of the log in, its projection out: replayed from offset 0 into a new generation, and swapped in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pitwall.car import Car
from pitwall.derive import Rows
from pitwall.frames import Frames
from pitwall.log.place import Damage
from pitwall.log.reader import read
from pitwall.log.session import Session
from pitwall.project import tracks
from pitwall.project.built import BuiltFrom
from pitwall.project.generations import Generations
from pitwall.project.loop import Projector, project, projecting
from pitwall.project.pipeline import Pipeline, origin

Progress = Callable[[int, int], None]
"""Told of rows done, and of rows in all."""


@dataclass(frozen=True, slots=True)
class Build:
    """built: what the projection was built from.  damages: what of the log could not be read.

    problems: what of laps or coach failed, by a bug in pitwall.
    """

    built: BuiltFrom
    damages: tuple[Damage, ...]
    problems: tuple[str, ...] = ()


def build(
    session: Session, car: Car, generations: Generations, progress: Progress | None = None, *, strict: bool = False
) -> Build:
    """Replays the session into a new generation, whether there is one or not.

    strict: RejectedError at the first frame that can't be taken as it is; there is no new generation then.
    BusyError: another process builds it.  WriteError: it can't be written, or is not to be: there is little room.
    Damage in the log is left out, counted, and told of.
    """

    def go_on(done: int, rows: int) -> None:
        generations.room.check()
        if progress is not None:
            progress(done, rows)

    generations.room.check()
    with projecting(Pipeline(car, session.header, strict=strict), generations) as projector:
        damages = replay_into(projector, session, go_on)
        built = projector.finish()
        problems = tuple(f"{part}: {reason}" for part, reason in projector.pipeline.problems())
        return Build(built, damages, problems)


def replay_into(projector: Projector, session: Session, progress: Progress | None = None) -> tuple[Damage, ...]:
    """Runs the loop over all that the session holds; what of it could not be read."""
    damages: list[Damage] = []

    def seen(frames: Frames, _: list[Rows]) -> None:
        if progress is not None:
            progress(frames.stop, max(frames.stop, session.rows))

    project(read(session.path, damaged=damages.append), projector, seen)
    projector.pipeline.skip(max(session.rows, projector.offset))  # what is damaged at the very end
    return tuple(damages)


def stale(session: Session, car: Car, generations: Generations) -> str:
    """Why the session's projection has to be built (again), in words; empty: it is current."""
    now = origin(car, session.header)
    built = generations.find(now.session, now.fingerprint)
    if built is None and generations.file(now.session, now.fingerprint).exists():
        return "damaged"
    if built is None:
        return "missing, or built from another car definition or by other code"
    if built.tracks != tracks.near(built.place):
        return "its laps were looked for on other tracks than there are near now"
    if built.offset != session.rows:
        return f"built from {built.offset:,} of the log's {session.rows:,} rows"
    return ""
