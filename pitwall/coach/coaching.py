"""Laps of a session as they end in, what the coach says of them out: corners, findings, the plan of the next lap.

Laws: a corner is measured once, when its lap is over, against the best lap before it: a replay measures what was
measured live; a lap is held against the others that there are by then.  Pure; state is rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pitwall.coach.consistency import unsteady
from pitwall.coach.cues import Planned, planned
from pitwall.coach.driven import Driven
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Finding
from pitwall.coach.findings import merged, of_lap, order
from pitwall.coach.metrics import Cornering, places
from pitwall.coach.off import Off, offs
from pitwall.coach.straights import Straight
from pitwall.track.corners import Corner

REMEMBERED: Final = 20
"""Laps that a lap is held against, the newest: tyres and fuel change, and so does the driver.  Nor does what a lap
costs, or what is kept of it, grow with the session."""
SETTLING: Final = (2, 3, 4, 6, 8)
"""With so many laps all are judged anew: what is usual still changes.  Later it hardly does."""
NEWEST: Final = 3
"""Laps whose findings are said again in the car: what came back in two of them, or was in the last."""


class Coaching:
    """The laps of one course.  corners: of its first good lap.  cornerings: of each lap, in their order."""

    def __init__(self, first: Driven, corners: Sequence[Corner]) -> None:
        self.first = first
        self.corners = tuple(corners)
        self.cornerings: list[Cornering] = []
        self._laps: list[Driven] = []  # that are remembered
        self._best = first
        self._known: dict[tuple[int, int], Cornering] = {}
        self._straights: dict[tuple[int, int], Straight] = {}
        self._judged: dict[int, list[Finding]] = {}
        self._findings: list[Finding] | None = None

    def add(self, lap: Driven) -> list[Off]:
        """A lap is over; where it was off."""
        self._laps = [*self._laps, lap][-REMEMBERED:]
        self._forget()
        driving = Driving(self._laps, self.first, self.corners, self._known, self._straights, reference=self._best)
        index = len(self._laps) - 1
        for corner in range(len(driving.places)):
            self._known[lap.number, corner] = found = driving.cornering(index, corner)
            self._straights[lap.number, corner] = driving.straight(index, corner)
            self.cornerings.append(found)
        first = 0 if len(self._laps) in SETTLING else index
        self._judged |= {driving.laps[i].number: of_lap(driving, i) for i in range(first, index + 1)}
        self._best = min(self._best, lap, key=lambda each: float(each.t_s[-1]))
        self._findings = None
        return offs(driving, index)

    def plan(self) -> tuple[Planned, ...]:
        """What is to be said on the next lap."""
        newest = list(self._judged.values())[-NEWEST:]
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
        return planned(ranked, places(self.corners, self.first), self.first)

    def findings(self) -> list[Finding]:
        """Of the laps that are remembered."""
        if self._findings is None:
            single = [finding for lap in self._judged.values() for finding in lap]
            several = unsteady(Driving(self._laps, self.first, self.corners, self._known, self._straights))
            self._findings = sorted([*merged(single, len(self._laps)), *several], key=order)
        return self._findings

    def _forget(self) -> None:
        """What is not remembered any more."""
        numbers = {lap.number for lap in self._laps}
        self._known = {key: found for key, found in self._known.items() if key[0] in numbers}
        self._straights = {key: found for key, found in self._straights.items() if key[0] in numbers}
        self._judged = {number: found for number, found in self._judged.items() if number in numbers}
