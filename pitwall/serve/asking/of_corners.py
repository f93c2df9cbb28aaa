"""Questions about corners, and about where time is lost: from what the rules found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pitwall.coach.advice import MOST_POINTS, Point
from pitwall.serve.advising import figures_of, ground_of
from pitwall.serve.asking.of_laps import by_sector
from pitwall.serve.asking.reply import NO_LAPS, Answer, Asked, told
from pitwall.serve.model.ground import Ground
from pitwall.serve.model.rows import has


def losing(asked: Asked) -> Answer:
    """What costs the most time; where no corners are known, the sector that does."""
    points = sorted((point for point in asked.points() if point.worth_s > 0), key=lambda point: -point.worth_s)
    if not points:
        counts = bool(asked.debrief().laps)
        return by_sector(asked) or told("Nothing stands out: your laps are alike." if counts else NO_LAPS, ())
    most = points[:MOST_POINTS]
    where = most[0].where or "all over the lap"
    words = f"You lose the most at {where}: {most[0].worth_s:g} s a lap. {most[0].words}"
    return _about(asked, words, most)


def corner(asked: Asked) -> Answer | None:
    """What was found at a corner that the question names."""
    every = asked.points()
    names = {point.where for point in every if point.where} | _corners(asked)
    named = [name for name in sorted(names) if re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", asked.text)]
    number = re.search(r"\b(?:turn|corner|t)\s*#?(\d+[a-z]?)\b", asked.text)
    if number:
        named += [name for name in sorted(names) if name.lower() in (f"t{number[1]}", number[1])]
    if not named:
        return told("No corner of that name is known in this session.", ()) if number else None
    points = [point for point in every if point.where == named[0]]
    if not points:
        return told(f"Nothing stands out at {named[0]}.", (), (), Ground(corners=frozenset({named[0]})))
    worth = f" Worth {points[0].worth_s:g} s a lap." if points[0].worth_s > 0 else ""
    return _about(asked, points[0].words + worth, points[:MOST_POINTS])


def _about(asked: Asked, words: str, points: Sequence[Point]) -> Answer:
    """The words, with the figures and links of these points."""
    whole = asked.debrief()
    said = replace(whole, best_lap=None, best_s=None, points=tuple(points), changes=())
    return words, tuple(figures_of(said)), tuple(link for point in points for link in point.links), ground_of(said)


def _corners(asked: Asked) -> set[str]:
    if not has(asked.cursor, "corners"):
        return set()
    columns = [row[0] for row in asked.cursor.execute("DESCRIBE corners").fetchall()]
    column = next((name for name in ("corner", "name") if name in columns), None)
    sql = f"SELECT DISTINCT {column} FROM corners LIMIT 200"  # noqa: S608
    return {str(row[0]) for row in asked.cursor.execute(sql).fetchall() if row[0]} if column else set()
