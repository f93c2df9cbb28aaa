"""The log in, projections out, as fast as it goes: every session asked for, or those that are stale.

Thin: `project` has the loop; here sessions meet their cars, and it is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pitwall.car import load
from pitwall.log.session import Session
from pitwall.project.build import Progress, build, stale
from pitwall.project.generations import Generations
from pitwall.project.private import kept
from pitwall.project.room import Room


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was done for one session.

    reason: why it was rebuilt, in words; empty: it was current, and left as it is.
    rows: of the log, control rows too.  frames: of them, CAN frames.  seconds: it took.
    damages: what of the log could not be read.  problems: what of laps or coach failed, by a bug in pitwall.
    """

    session: str
    reason: str
    rows: int
    frames: int
    seconds: float
    damages: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it; `ReplayReport(**facts)` is the same again."""
        return asdict(self)


def replay(
    session: Session,
    projections: Path,
    cars: Path,
    *,
    force: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> ReplayReport:
    """Rebuilds the session's projection if it is stale, or if told to.

    While a key is set, what was built is wiped again: it was a trial.  Else as `rebuilt`.
    """
    with kept(projections, rows=session.rows) as folder:
        return rebuilt(session, folder, cars, force=force, strict=strict, progress=progress, clock=clock)


def rebuilt(
    session: Session,
    folder: Path,
    cars: Path,
    *,
    room: Room | None = None,
    force: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> ReplayReport:
    """The same in the folder of projections itself.

    strict: replay in any case, and raise RejectedError at the first frame that can't be taken as it is.
    progress: told of rows done, and of rows in all.  Raises WriteError where there is no room, BusyError where another
    process builds it, UsageError or CarError where the car is unknown or wrong.
    """
    began = clock()
    car = load(cars, session.header.car)
    generations = Generations(folder, room)
    reason = stale(session, car, generations) or ("asked for" if force or strict else "")
    if not reason:
        return ReplayReport(session.id, "", session.rows, session.frames, clock() - began)
    done = build(session, car, generations, progress, strict=strict)
    damages = tuple(str(damage) for damage in done.damages)
    return ReplayReport(session.id, reason, done.built.offset, session.frames, clock() - began, damages, done.problems)
