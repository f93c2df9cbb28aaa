"""What the coach holds to be so, with its evidence: the nouns that rules give, and that debriefs and cues are made of.

Laws: a finding carries every number that is said of it; a figure that is not known is not there.  Frozen and pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Level(StrEnum):
    """Whom it is said to: in plain words and one thing; in a driver's terms; with numbers and terms."""

    NOVICE = "novice"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


class Priority(IntEnum):
    """What comes first, whatever it is worth: who is about to break an engine does not care about a tenth."""

    SAFETY = 0
    ENGINE = 1
    TIME = 2
    HABIT = 3
    """What costs nothing that can be measured, or is not sure to."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a finding stands on.  usual: what the driver does at his best there; None: there is none to tell.

    name: as the field of `Cornering`, `Straight` or `Spread` that it is of.  unit: of both; empty for a count.
    """

    name: str
    value: float
    unit: str
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Where to look: a place on a lap.  distance_m: along the lap.  corner: empty where it is none."""

    lap: int
    corner: str
    distance_m: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was done at one place.

    rule: its name.  where: the corner; of a straight, the corner that it leads to; empty: everywhere.
    section: entry, middle, exit, straight or lap.  worth_s: that changing it is worth in one lap; of several laps, the
    median.  laps: on which it was seen, ascending, out of `of`.  figures: of the clearest of them.  links: to each.
    """

    rule: str
    priority: Priority
    where: str
    section: str
    worth_s: float
    laps: tuple[int, ...]
    of: int
    figures: tuple[Figure, ...]
    links: tuple[Link, ...]

    def figure(self, name: str) -> Figure | None:
        return next((figure for figure in self.figures if figure.name == name), None)
