"""The nouns of questions: what is asked, and what is answered, with figures, links and ground."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pitwall.coach.advice import Debrief, Point
from pitwall.coach.finding import Link
from pitwall.serve.model.ground import Given, Ground
from pitwall.serve.model.rows import has

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NOWHERE: Final = Ground()
"""Nothing to stand on."""
NO_LAPS: Final = "No flying lap counts in this session, so that can't be told."


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of a reply.  lap, corner: that it is of; None: of none."""

    name: str
    value: float
    unit: str = ""
    lap: int | None = None
    corner: str | None = None

    def facts(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "unit": self.unit, "lap": self.lap, "corner": self.corner}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the rules answer.  kind: of question; empty: it was not understood.  ground: of a model's words about it."""

    kind: str
    words: str
    figures: tuple[dict[str, Any], ...] = ()
    links: tuple[Link, ...] = ()
    ground: Ground = NOWHERE


@dataclass(frozen=True, slots=True)
class Asked:
    """A question over a session.  debrief: the rules' advice; points: of all that they found, the first first.

    Both are computed when they are wanted.
    """

    text: str
    cursor: DuckDBPyConnection
    debrief: Callable[[], Debrief]
    points: Callable[[], Sequence[Point]]

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        answer = self.cursor.execute(sql, list(parameters))
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def good_laps(self) -> list[dict[str, Any]]:
        """Those that count, in their order."""
        if not has(self.cursor, "laps"):
            return []
        return self.rows(
            "SELECT number, time_s, top_speed_mps, min_speed_mps FROM laps "
            "WHERE valid AND flying AND time_s IS NOT NULL ORDER BY number"
        )

    def laps(self) -> list[int]:
        """The laps' numbers that the question names."""
        return [
            int(number)
            for number in re.findall(r"(?:\blaps?|\band|\bvs\.?|\bor|\bto|\bwith|,|&)\s*#?(\d{1,4})\b", self.text)
        ]


Answer = tuple[str, tuple[dict[str, Any], ...], tuple[Link, ...], Ground]


def told(words: str, facts: Sequence[Fact], links: Sequence[Link] = (), ground: Ground = NOWHERE) -> Answer:
    """A reply and its ground: the figures' values, the laps and corners that they are of."""
    own = Ground(
        tuple(Given(fact.value, fact.unit, fact.corner or "") for fact in facts),
        frozenset(fact.lap for fact in facts if fact.lap is not None),
        corners=frozenset(fact.corner for fact in facts if fact.corner),
    )
    return words, tuple(fact.facts() for fact in facts), tuple(links), own | ground


def start(lap: int) -> Link:
    return Link(lap, "", 0.0)
