"""The log in, projections out, as fast as it goes: every session asked for, or those that are stale.

Thin: `project` has the loop; here sessions meet their cars, and it is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pitwall.car import load
from pitwall.log.place import Damage
from pitwall.log.session import Session
from pitwall.project.build import Progress, build, stale
from pitwall.project.built import BuiltFrom
from pitwall.project.generations import Generations
from pitwall.project.private import kept


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was done for one session.

    reason: why it was rebuilt, in words; empty: it was current, and left as it is.
    rows: of the log, control rows too.  frames: of them, CAN frames.  seconds: it took.
    built: what the projection is built from.  damages: what of the log could not be read.
    """

    session: str
    reason: str
    rows: int
    frames: int
    seconds: float
    built: BuiltFrom | None = None
    damages: tuple[Damage, ...] = ()

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0


def replay(
    session: Session,
    projections: Path,
    cars: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> ReplayReport:
    """Rebuilds the session's projection if it is stale, or if told to.

    While a key is set, what was built is wiped again: it was a trial.
    progress: told of rows done, and of rows in all.  Raises WriteError where there is no room, BusyError where another
    process builds it, UsageError or CarError where the car is unknown or wrong.
    """
    began = clock()
    car = load(cars, session.header.car)
    with kept(projections, rows=session.rows) as folder:
        generations = Generations(folder)
        reason = stale(session, car, generations) or ("asked for" if force else "")
        if not reason:
            return ReplayReport(session.id, "", session.rows, session.frames, clock() - began)
        done = build(session, car, generations, progress)
    return ReplayReport(
        session.id, reason, done.built.offset, session.frames, clock() - began, done.built, done.damages
    )
