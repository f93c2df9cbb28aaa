"""Findings in, what is said in the pits out: three things at most, each with its figures, what it is worth and where.

Laws: every number in `words` is among the figures, or the worth, or a lap's number; without a model everything is said
here.  `as_facts` of any of them is what JSON holds.  Pure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from pitwall.coach.finding import Figure, Level, Link

MOST_POINTS: Final = 3
"""More than three things nobody works on at once."""


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to work on, in words.

    rule: the name of the rule that found it.  where: the corner; empty: everywhere.  section: entry, middle, exit,
    straight or lap.  worth_s: of one lap.  laps: on which it was seen, of so many (`of`).  words: at the level asked.
    """

    rule: str
    where: str
    section: str
    worth_s: float
    laps: tuple[int, ...]
    of: int
    words: str
    figures: tuple[Figure, ...]
    session: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one thing.  before_s, after_s: lost by it in a lap; gained_s: the difference, positive: better."""

    rule: str
    where: str
    section: str
    before_s: float
    after_s: float
    gained_s: float
    words: str


@dataclass(frozen=True, slots=True)
class Brief:
    """Before driving.  points: to work on, from history.  sessions: that they are from, the newest first."""

    level: Level
    words: str
    points: tuple[Point, ...]
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Debrief:
    """After driving.  best_lap, best_s: None: no lap counts.  points: what next, worth most first.

    changes: against the session's beginning (`against` is "beginning") or another session (its id).
    """

    session: str
    level: Level
    words: str
    best_lap: int | None
    best_s: float | None
    laps: int
    points: tuple[Point, ...]
    changes: tuple[Change, ...]
    against: str


def as_facts(advice: Brief | Debrief | Point) -> dict[str, Any]:
    """As JSON holds it."""
    return asdict(advice)
