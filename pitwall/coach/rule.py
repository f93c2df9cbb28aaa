"""What a rule is: a name, what it looks at, when it holds, what that costs, what is said of it.

Laws: a rule is judged by what is measured, and never by another rule; a figure that is missing lets no rule hold; the
numbers in its words are its evidence, rounded once.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driving import Seen
from pitwall.coach.finding import Figure, Finding, Link, Priority
from pitwall.coach.metrics import FIGURES
from pitwall.coach.stretches import Rows
from pitwall.track.corners import Float64

LEAST_WORTH_S: Final = 0.05
"""Corners of one driver differ by some hundredths for no reason."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a figure is said.  name: as in a finding; factor: from the unit that it is measured in; digits: behind the
    point."""

    name: str
    unit: str
    factor: float = 1.0
    digits: int = 0


SAID: Final[Mapping[str, Said]] = {
    "approach_mps": Said("approach_speed", "km/h", 3.6),
    "lift_m": Said("lift_point", "m"),
    "brake_m": Said("brake_point", "m"),
    "brake_peak": Said("brake_peak", "bar"),
    "brake_rise_s": Said("brake_rise", "s", digits=2),
    "brake_fall_s": Said("brake_release", "s", digits=2),
    "brake_g": Said("brake_g", "g", digits=2),
    "brake_share": Said("brake_share", "%", 100.0),
    "trail_s": Said("trail", "s", digits=2),
    "trail_rough": Said("trail_rough", "%", 100.0),
    "turn_in_m": Said("turn_in", "m"),
    "entry_mps": Said("entry_speed", "km/h", 3.6),
    "min_mps": Said("minimum_speed", "km/h", 3.6, 1),
    "min_m": Said("slowest_point", "m"),
    "apex_off_m": Said("apex_off", "m", digits=1),
    "radius_m": Said("radius", "m", digits=1),
    "throttle_m": Said("power_point", "m"),
    "throttle_rise_s": Said("power_rise", "s", digits=2),
    "throttle_lifts": Said("power_lifts", ""),
    "exit_mps": Said("exit_speed", "km/h", 3.6, 1),
    "coast_s": Said("coasting", "s", digits=2),
    "g_peak": Said("peak_g", "g", digits=2),
    "grip_share": Said("grip_share", "%", 100.0),
    "corrections": Said("corrections", ""),
    "time_s": Said("time", "s", digits=2),
    "top_mps": Said("top_speed", "km/h", 3.6, 1),
    "lifts": Said("lifts", ""),
    "lift_s": Said("lift_time", "s", digits=2),
    "shift_rpm": Said("shift_rpm", "rpm"),
    "shift_s": Said("shift_time", "s", digits=2),
    "rpm_peak": Said("peak_rpm", "rpm"),
}
"""Every figure that a rule may stand on."""


@dataclass(frozen=True, slots=True)
class Rule:
    """looks_at: corner or straight.  section: where the time goes, and of which others are the best.  covers: sections
    of the corner whose loss it explains.  place_m: where to look, along the lap.  evidence: fields of SAID.

    What is said of it stands under its name in `words`.
    """

    name: str
    looks_at: str
    section: str
    covers: frozenset[str]
    priority: Priority
    holds: Callable[[Seen], Rows]
    worth_s: Callable[[Seen, int], float]
    place_m: Callable[[Seen], Float64]
    evidence: tuple[str, ...]

    def judge(self, seen: Seen) -> Iterator[tuple[int, Finding]]:
        """What it says of the lap: corners, by their place, and of each what was done there."""
        for corner in self.holds(seen).nonzero()[0].tolist():
            worth_s = float(self.worth_s(seen, corner))
            if self.priority is Priority.TIME and not worth_s >= LEAST_WORTH_S:
                continue
            yield corner, self._finding(seen, corner, worth_s)

    def _finding(self, seen: Seen, corner: int, worth_s: float) -> Finding:
        at, place_m = seen.sections.places[corner].corner, float(self.place_m(seen)[corner])
        link = Link(seen.lap.number, at.name, float(round(place_m if np.isfinite(place_m) else at.apex_m)))
        figures = (_figure(seen, corner, name) for name in self.evidence)
        return Finding(
            rule=self.name,
            priority=self.priority,
            where=at.name,
            section=self.section,
            worth_s=max(0.0, worth_s) if np.isfinite(worth_s) else 0.0,
            laps=(seen.lap.number,),
            of=1,
            figures=tuple(figure for figure in figures if figure is not None),
            links=(link,),
        )


def _figure(seen: Seen, corner: int, name: str) -> Figure | None:
    """None: it is not known."""
    said = SAID[name]
    value, usual = _values(seen, corner, name)
    if not np.isfinite(value):
        return None
    return Figure(said.name, rounded(value, said), said.unit, rounded(usual, said) if np.isfinite(usual) else None)


def _values(seen: Seen, corner: int, name: str) -> tuple[float, float]:
    if name == "brake_share":
        return seen.brake_share[corner], np.nan
    of = (seen.own, seen.usual) if name in FIGURES else (seen.straight, seen.usual_straight)
    value, usual = (float(getattr(each, name)[corner]) for each in of)
    return value, usual


def rounded(value: float, said: Said) -> float:
    return round(float(value) * said.factor, said.digits) + 0.0  # + 0.0: no -0
