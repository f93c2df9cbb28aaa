"""Laps of a session as they end in, what the coach says of them out: corners, findings, the plan of the next lap.

Laws: a corner is measured once, when its lap is over, against the best lap up to there: a replay measures what was
measured live; findings are of all laps so far, each held against the others.  Pure; state is rebuilt by replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pitwall.coach.cues import Planned, planned
from pitwall.coach.driven import Driven
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Finding
from pitwall.coach.findings import findings, of_lap
from pitwall.coach.metrics import Cornering
from pitwall.coach.straights import Straight
from pitwall.track.corners import Corner

REMEMBERED: Final = 20
"""Laps that a lap is held against, the newest: tyres and fuel change, and so does the driver.  What a lap
costs does not grow with the session, either."""
NEWEST: Final = 3
"""Laps whose findings are said again in the car: what came back in two of them, or was in the last."""


class Coaching:
    """The laps of one course.  corners: of its first good lap.  cornerings: of each lap, in their order."""

    def __init__(self, first: Driven, corners: Sequence[Corner]) -> None:
        self.first = first
        self.corners = tuple(corners)
        self.laps: list[Driven] = []
        self.cornerings: list[Cornering] = []
        self._known: dict[tuple[int, int], Cornering] = {}
        self._straights: dict[tuple[int, int], Straight] = {}
        self._newest: list[list[Finding]] = []
        self._findings: list[Finding] | None = None

    def add(self, lap: Driven) -> None:
        """A lap is over."""
        before = _best(self.laps or [lap])
        self.laps.append(lap)
        self._findings = None
        driving = self.driving(before)
        index = len(driving.laps) - 1
        for corner in range(len(driving.places)):
            self._known[lap.number, corner] = found = driving.cornering(index, corner)
            self._straights[lap.number, corner] = driving.straight(index, corner)
            self.cornerings.append(found)
        self._newest = [*self._newest, of_lap(driving, index)][-NEWEST:]

    def plan(self) -> tuple[Planned, ...]:
        """What is to be said on the next lap."""
        last = {(each.rule, each.where) for each in self._newest[-1]} if self._newest else set()
        seen: dict[tuple[str, str], list[Finding]] = {}
        for each in (finding for lap in self._newest for finding in lap):
            seen.setdefault((each.rule, each.where), []).append(each)
        again = [
            replace(group[-1], worth_s=float(np.mean([each.worth_s for each in group])) * len(group) / NEWEST)
            for key, group in seen.items()
            if key in last or len(group) > 1
        ]
        ranked = sorted(again, key=lambda each: (each.priority, -each.worth_s, each.where, each.rule))
        return planned(ranked, self.driving().places, self.first)

    def findings(self) -> list[Finding]:
        """Of the laps so far."""
        if self._findings is None:
            self._findings = findings(self.driving()) if self.laps else []
        return self._findings

    def driving(self, reference: Driven | None = None) -> Driving:
        """The laps that are remembered, as rules see them.  reference: None is the best one."""
        laps = self.laps[-REMEMBERED:]
        reference = _best(self.laps) if reference is None else reference
        numbers = {lap.number for lap in laps}
        known = {key: found for key, found in self._known.items() if key[0] in numbers}
        straights = {key: found for key, found in self._straights.items() if key[0] in numbers}
        return Driving(laps, self.first, self.corners, known, straights, reference=reference)


def _best(laps: Sequence[Driven]) -> Driven:
    return min(laps, key=lambda lap: (float(lap.t_s[-1]), lap.number))
