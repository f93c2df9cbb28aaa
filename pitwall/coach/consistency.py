"""Laps in, how alike they are out: the spread of each figure, and what the fastest laps have in common.  Pure.

Laws: medians and absolute deviations from them, so that one lap with a mistake says nothing of the others; with fewer
than `FEWEST` laps nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pitwall.coach.driving import Driving
from pitwall.coach.finding import Figure, Finding, Link, Priority
from pitwall.coach.metrics import FIGURES
from pitwall.coach.rule import SAID, rounded
from pitwall.frames import Int64
from pitwall.track.corners import Float64

FEWEST: Final = 4
FAST: Final = 3
"""Laps that are the fastest."""
AS_DEVIATION: Final = 1.4826
"""Of a normal distribution's median absolute deviation: its standard deviation."""
APART: Final = 2.0
"""Deviations of the others that the fastest laps' median has to be off theirs."""
BESIDE: Final = frozenset({"apex_off_m"})
"""Figures beside the reference lap, which is another one as soon as a faster one is driven."""
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


Cornered = Mapping[str, Mapping[str, Float64]]
"""Each corner's figures, as `FIGURES` names them: float64 (n,), one of each lap, NaN where it is not known."""


def cornered(driving: Driving) -> Cornered:
    """How the laps of a drive went through its corners."""
    return {
        place.corner.name: {name: driving.figures[:, corner, row] for row, name in enumerate(FIGURES)}
        for corner, place in enumerate(driving.places)
    }


def spreads(cornered: Cornered) -> list[Spread]:
    """Of every figure that can be said, corner by corner."""
    found = []
    for corner, name, values in _said(cornered):
        there = values[np.isfinite(values)]
        if len(there) >= FEWEST:
            said = SAID[name]
            median, deviation = rounded(float(np.median(there)), said), rounded(deviation_of(there), said)
            found.append(Spread(corner, said.name, said.unit, median, deviation, len(there)))
    return found


def deviation_of(values: Float64) -> float:
    """Robustly."""
    return float(AS_DEVIATION * np.median(np.abs(values - np.median(values))))


def fastest(times_s: Float64) -> Int64:
    """The places of the fastest laps, the fastest first; none where the others are too few.  times_s: float64 (n,)."""
    return np.argsort(times_s, kind="stable")[:FAST] if len(times_s) >= FAST + FEWEST - 1 else np.empty(0, np.int64)


def in_common(cornered: Cornered, times_s: Float64) -> list[Common]:
    """What all of the fastest laps have on one side of the others' median, far from it; the farthest first."""
    fast = fastest(times_s)
    if not len(fast):
        return []
    rest = np.setdiff1d(np.arange(len(times_s)), fast)
    found: list[tuple[float, Common]] = []
    for corner, name, values in _said(cornered):
        if not np.isfinite(values).all():
            continue
        middle, deviation = float(np.median(values[rest])), deviation_of(values[rest])
        away = values[fast] - middle
        if not (np.all(away > 0) or np.all(away < 0)) or deviation == 0:
            continue
        apart = abs(float(np.median(away))) / deviation
        if apart >= APART:
            said = SAID[name]
            quick, usual = rounded(float(np.median(values[fast])), said), rounded(middle, said)
            if quick != usual:  # as they are said
                found.append((apart, Common(corner, said.name, said.unit, quick, usual)))
    return [common for _, common in sorted(found, key=lambda each: -each[0])]


def unsteady(driving: Driving) -> list[Finding]:
    """What differs from one lap to the next by more than it should.  worth_s: the spread of the time in the corner."""
    found = []
    how = cornered(driving)
    for place in driving.places:
        figures_of = how[place.corner.name]
        times = figures_of["time_s"]
        for name, (rule, wide) in WIDE.items():
            if name == "brake_m" and np.isnan(figures_of["brake_peak"]).all():
                continue  # by acceleration alone it is not known to so few metres
            values = figures_of[name]
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


def _said(cornered: Cornered) -> Iterator[tuple[str, str, Float64]]:
    """Each corner and figure that can be said of laps together, and its values."""
    for corner, figures in cornered.items():
        for name, values in figures.items():
            if name in SAID and name not in BESIDE:
                yield corner, name, values
