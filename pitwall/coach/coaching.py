"""Laps of a session as they end in, what the coach says of them out: corners, findings, the plan of the next lap.

Laws: a corner is measured once, when its lap is over, against the best lap before it: a replay measures what was
measured live; a lap is held against the others that there are by then.  Pure; state is rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pitwall.coach.consistency import unsteady
from pitwall.coach.cues import Planned, calm_rows, planned
from pitwall.coach.driven import Driven
from pitwall.coach.driving import Driving, Measured
from pitwall.coach.finding import Finding
from pitwall.coach.findings import merged, of_lap, order
from pitwall.coach.metrics import Cornering
from pitwall.coach.off import Off, offs
from pitwall.coach.sections import Sections
from pitwall.track.corners import Corner

REMEMBERED: Final = 20
"""Laps that a lap is held against, the newest: tyres and fuel change, and so does the driver.  Nor does what a lap
costs, or what is kept of it, grow with the session."""
SETTLING: Final = (2, 3, 4, 6, 8)
"""With so many laps all are judged anew: what is usual still changes.  Later it hardly does."""
NEWEST: Final = 3
"""Laps whose findings are said again in the car: what came back in two of them, or was in the last."""


@dataclass(frozen=True, slots=True, eq=False)
class Cornered:
    """How a lap went through the corners."""

    lap: int
    corners: tuple[Corner, ...]
    cornering: Cornering


class Coaching:
    """The laps of one course.  corners: of its first good lap.  cornered: of each lap, in their order."""

    def __init__(self, first: Driven, corners: Sequence[Corner]) -> None:
        self.corners = tuple(corners)
        self._sections = Sections(corners, first)
        self.cornered: list[Cornered] = []
        self._calm = calm_rows(self._sections)
        self._laps: list[Driven] = []  # that are remembered
        self._best = first
        self._known: dict[int, Measured] = {}
        self._judged: dict[int, list[Finding] | Driving] = {}  # by number; or what it is to be held against
        self._findings: list[Finding] | None = None

    def add(self, lap: Driven) -> list[Off]:
        """A lap is over; where it was off."""
        self._laps = [*self._laps, lap][-REMEMBERED:]
        numbers = [each.number for each in self._laps]
        driving = Driving(self._laps, self._sections, self._known, reference=self._best)
        index = len(self._laps) - 1
        found = driving.measured(index)
        self.cornered.append(Cornered(lap.number, self.corners, found.cornering))
        self._known = {number: self._known.get(number, found) for number in numbers}
        anew = numbers if len(numbers) in SETTLING else [lap.number]
        self._judged = {number: driving if number in anew else self._judged[number] for number in numbers}
        self._best = min(self._best, lap, key=lambda each: float(each.t_s[-1]))
        self._findings = None
        return offs(driving, index)

    def plan(self) -> tuple[Planned, ...]:
        """What is to be said on the next lap."""
        newest = [self._of(number) for number in [*self._judged][-NEWEST:]]
        last = {(each.rule, each.where) for each in newest[-1]} if newest else set()
        seen: dict[tuple[str, str], list[Finding]] = {}
        for each in (finding for lap in newest for finding in lap):
            seen.setdefault((each.rule, each.where), []).append(each)
        again = [
            replace(group[-1], worth_s=float(np.mean([each.worth_s for each in group])) * len(group) / NEWEST)
            for key, group in seen.items()
            if key in last or len(group) > 1
        ]
        ranked = sorted(again, key=lambda each: (each.priority, -each.worth_s, each.where, each.rule))
        return planned(ranked, self._sections, self._calm)

    def findings(self) -> list[Finding]:
        """Of the laps that are remembered."""
        if self._findings is None:
            single = [finding for number in self._judged for finding in self._of(number)]
            several = unsteady(Driving(self._laps, self._sections, self._known))
            self._findings = sorted([*merged(single, len(self._laps)), *several], key=order)
        return self._findings

    def _of(self, number: int) -> list[Finding]:
        """Of one lap; not before somebody asks: what is said in the car takes the newest alone."""
        found = self._judged[number]
        if isinstance(found, Driving):
            index = [lap.number for lap in found.laps].index(number)
            self._judged[number] = found = of_lap(found, index)
        return found
