"""Questions about corners, and about where time is lost: from what the rules found."""

from __future__ import annotations

import re

from pitwall.coach.advice import Debrief
from pitwall.serve.advising import figures_of, ground_of
from pitwall.serve.asking.of_laps import by_sector
from pitwall.serve.asking.reply import NO_LAPS, Answer, Asked, told
from pitwall.serve.model.ground import Ground
from pitwall.serve.model.rows import has


def losing(asked: Asked) -> Answer:
    debrief = asked.debrief()
    if not debrief.points:
        return by_sector(asked) or told(NO_LAPS if not debrief.laps else "Nothing stands out: your laps are alike.", ())
    point = debrief.points[0]
    where = point.where or "all over the lap"
    words = f"You lose the most at {where}: {point.worth_s:g} s a lap. {point.words}"
    links = [link for each in debrief.points for link in each.links[:1]]
    return words, tuple(figures_of(debrief)), tuple(links), ground_of(debrief)


def corner(asked: Asked) -> Answer | None:
    """What was found at a corner that the question names."""
    debrief = asked.debrief()
    names = {point.where for point in debrief.points if point.where} | _corners(asked)
    named = [name for name in names if re.search(rf"(?<!\w){re.escape(name.lower())}(?!\w)", asked.text)]
    number = re.search(r"\b(?:turn|corner|t)\s*#?(\d+[a-z]?)\b", asked.text)
    if number:
        named += [name for name in names if name.lower() in (f"t{number[1]}", number[1])]
    if not named:
        return told("No corner of that name is known in this session.", ()) if number else None
    points = [point for point in debrief.points if point.where == named[0]]
    if not points:
        return told(f"Nothing stands out at {named[0]}.", (), (), Ground(corners=frozenset({named[0]})))
    worth = f" Worth {points[0].worth_s:g} s a lap." if points[0].worth_s > 0 else ""
    only = Debrief(debrief.session, debrief.level, "", None, None, debrief.laps, tuple(points), (), debrief.against)
    return points[0].words + worth, tuple(figures_of(only)), points[0].links, ground_of(only)


def _corners(asked: Asked) -> set[str]:
    if not has(asked.cursor, "corners"):
        return set()
    columns = [row[0] for row in asked.cursor.execute("DESCRIBE corners").fetchall()]
    column = next((name for name in ("corner", "name") if name in columns), None)
    sql = f"SELECT DISTINCT {column} FROM corners LIMIT 200"  # noqa: S608
    return {str(row[0]) for row in asked.cursor.execute(sql).fetchall() if row[0]} if column else set()
