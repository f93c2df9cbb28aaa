"""Laps in, how alike they are out: the spread of each figure, and what the fastest laps have in common.  Pure.

Laws: medians and absolute deviations from them, so that one lap with a mistake says nothing of the others; with fewer
than `FEWEST` laps nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driving import Driving
from pitwall.coach.finding import Figure, Finding, Link, Priority
from pitwall.coach.metrics import FIGURES
from pitwall.coach.rule import SAID, rounded

FEWEST: Final = 4
FAST: Final = 3
"""Laps that are the fastest."""
AS_DEVIATION: Final = 1.4826
"""Of a normal distribution's median absolute deviation: its standard deviation."""
APART: Final = 2.0
"""Deviations of the others that the fastest laps' median has to be off theirs."""
WIDE: Final = {"brake_m": ("brake-point-varies", 7.0), "min_mps": ("minimum-speed-varies", 0.9)}
"""The rules lap to lap: of which figure, and the deviation (m, m/s) that is wide: twice that of laps that are alike."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one figure in one corner.  median, deviation: in its unit.  laps: that have it."""

    corner: str
    figure: str
    unit: str
    median: float
    deviation: float
    laps: int


@dataclass(frozen=True, slots=True)
class Common:
    """What the fastest laps do and the others do not.  fast, rest: medians, in the figure's unit."""

    corner: str
    figure: str
    unit: str
    fast: float
    rest: float


def spreads(driving: Driving) -> list[Spread]:
    """Of every figure that can be said, corner by corner."""
    found = []
    for corner, place in enumerate(driving.places):
        for name, values in _said(driving, corner).items():
            there = values[np.isfinite(values)]
            if len(there) >= FEWEST:
                said = SAID[name]
                median, deviation = float(np.median(there)), deviation_of(there)
                found.append(
                    Spread(
                        place.corner.name,
                        said.name,
                        said.unit,
                        rounded(median, said),
                        rounded(deviation, said),
                        len(there),
                    )
                )
    return found


def deviation_of(values: np.ndarray) -> float:
    """Robustly."""
    return float(AS_DEVIATION * np.median(np.abs(values - np.median(values))))


def in_common(driving: Driving) -> list[Common]:
    """What all of the fastest laps have on one side of the others' median, far from it; the farthest first."""
    times = np.array([lap.t_s[-1] for lap in driving.laps])
    if len(times) < FAST + FEWEST - 1:
        return []
    fast = np.argsort(times, kind="stable")[:FAST]
    rest = np.setdiff1d(np.arange(len(times)), fast)
    found: list[tuple[float, Common]] = []
    for corner, place in enumerate(driving.places):
        for name, values in _said(driving, corner).items():
            if not np.isfinite(values).all():
                continue
            middle, deviation = float(np.median(values[rest])), deviation_of(values[rest])
            away = values[fast] - middle
            if not (np.all(away > 0) or np.all(away < 0)) or deviation == 0:
                continue
            apart = abs(float(np.median(away))) / deviation
            if apart >= APART:
                said = SAID[name]
                quick = float(np.median(values[fast]))
                common = Common(place.corner.name, said.name, said.unit, rounded(quick, said), rounded(middle, said))
                found.append((apart, common))
    return [common for _, common in sorted(found, key=lambda each: -each[0])]


def unsteady(driving: Driving) -> list[Finding]:
    """What differs from one lap to the next by more than it should.  worth_s: the spread of the time in the corner."""
    found = []
    for corner, place in enumerate(driving.places):
        times = np.array([driving.cornering(lap, corner).time_s for lap in range(len(driving.laps))])
        for name, (rule, wide) in WIDE.items():
            values = _said(driving, corner)[name]
            there = np.isfinite(values)
            if there.sum() < FEWEST or deviation_of(values[there]) <= wide:
                continue
            said = SAID[name]
            deviation = rounded(deviation_of(values[there]), said)
            figures = (
                Figure(f"{said.name}_spread", deviation, said.unit),
                Figure(said.name, rounded(float(np.median(values[there])), said), said.unit),
            )
            laps = tuple(driving.laps[i].number for i in np.flatnonzero(there))
            links = tuple(Link(lap, place.corner.name, place.corner.apex_m) for lap in laps)
            worth = deviation_of(times[there])
            found.append(
                Finding(rule, Priority.HABIT, place.corner.name, "lap", worth, laps, len(driving.laps), figures, links)
            )
    return found


def _said(driving: Driving, corner: int) -> dict[str, np.ndarray]:
    """Each figure that can be said, by lap."""
    every = [driving.cornering(lap, corner) for lap in range(len(driving.laps))]
    return {name: np.array([getattr(one, name) for one in every]) for name in FIGURES if name in SAID}
