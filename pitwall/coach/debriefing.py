"""Findings in, a debrief or a brief out: three points at most, what changed, and calm words around them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pitwall.coach.advice import MOST_POINTS, Brief, Change, Debrief, Point
from pitwall.coach.finding import Finding, Level, Priority
from pitwall.coach.saying import number, said

ONE: Final = {Level.NOVICE: 1, Level.INTERMEDIATE: MOST_POINTS, Level.ADVANCED: MOST_POINTS}
"""How many points are in the words: to a novice, one thing.  `points` always has all."""
CHANGED_S: Final = 0.05
"""Less is no change."""
NOTHING_YET: Final = (
    "There is nothing to work on yet: a brief needs flying laps that count, two at least, of this car on this track."
)
EARLY_SHARE: Final = 0.5
"""Of a session's laps, the first: its beginning."""


def debrief(
    session: str,
    findings: Sequence[Finding],
    lap_times: Mapping[int, float],
    level: Level,
    *,
    before: Sequence[Finding] | None = None,
    against: str = "",
) -> Debrief:
    """findings: of the session, worth most first.  lap_times: of its laps that count, in their order.

    before, against: an earlier session's findings, and its id; without, the end is held against the beginning.
    """
    points = tuple(point(session, finding, level) for finding in _worth_saying(findings)[:MOST_POINTS])
    best = min(lap_times, key=lambda lap: (lap_times[lap], lap), default=None)
    if before is None:
        numbers = list(lap_times)
        early = set(numbers[: int(len(numbers) * EARLY_SHARE)])
        changes = _within(findings, early, set(numbers) - early)
        against = "beginning"
    else:
        changes = _between(before, findings, len(lap_times))
    return Debrief(
        session=session,
        level=level,
        words=_debrief_words(points, changes, level, best, None if best is None else lap_times[best]),
        best_lap=best,
        best_s=None if best is None else round(lap_times[best], 3),
        laps=len(lap_times),
        points=points,
        changes=tuple(changes),
        against=against,
    )


def brief(history: Sequence[tuple[str, Sequence[Finding]]], level: Level) -> Brief:
    """history: sessions of this car on this track and their findings, the newest first.

    What came back in more sessions weighs more; what was last seen long ago, less.
    """
    weights: dict[tuple[str, str], float] = {}
    newest: dict[tuple[str, str], tuple[str, Finding]] = {}
    for age, (session, findings) in enumerate(history):
        for finding in _worth_saying(findings):
            key = finding.rule, finding.where
            weights[key] = weights.get(key, 0.0) + finding.worth_s * len(finding.laps) / finding.of / 2**age
            newest.setdefault(key, (session, finding))
    ranked = sorted(weights, key=lambda key: (newest[key][1].priority, -weights[key], key))
    points = tuple(point(*newest[key], level) for key in ranked[:MOST_POINTS])
    words = " ".join(each.words for each in points[: ONE[level]])
    return Brief(
        level=level,
        words=words or NOTHING_YET,
        points=points,
        sessions=tuple(session for session, _ in history),
    )


def point(session: str, finding: Finding, level: Level) -> Point:
    """One finding, in words."""
    return Point(
        rule=finding.rule,
        where=finding.where,
        section=finding.section,
        worth_s=round(finding.worth_s, 2),
        laps=finding.laps,
        of=finding.of,
        words=said(finding, level),
        figures=finding.figures,
        session=session,
        links=finding.links,
    )


def _worth_saying(findings: Sequence[Finding]) -> list[Finding]:
    """One point a corner: who works on its entry and its exit at once works on neither."""
    places: set[str] = set()
    kept = []
    for finding in findings:
        if finding.where not in places or finding.priority < Priority.TIME:
            places.add(finding.where)
            kept.append(finding)
    return kept


def _within(findings: Sequence[Finding], early: set[int], late: set[int]) -> list[Change]:
    """What a lap lost by each thing at the beginning, and at the end."""
    changes = []
    for finding in findings:
        if finding.priority is not Priority.TIME or not early or not late:
            continue
        before = finding.worth_s * len(early & set(finding.laps)) / len(early)
        after = finding.worth_s * len(late & set(finding.laps)) / len(late)
        changes.append(_change(finding, before, after))
    return _biggest(changes)


def _between(before: Sequence[Finding], after: Sequence[Finding], laps: int) -> list[Change]:
    """The same of two sessions."""
    lost = [
        {(f.rule, f.where): (f, f.worth_s * len(f.laps) / f.of) for f in each if f.priority is Priority.TIME}
        for each in (before, after)
    ]
    if not laps:
        return []
    changes = []
    for key in sorted({*lost[0], *lost[1]}):
        finding = (lost[1].get(key) or lost[0][key])[0]
        was, now = (each[key][1] if key in each else 0.0 for each in lost)
        changes.append(_change(finding, was, now))
    return _biggest(changes)


def _biggest(changes: Sequence[Change]) -> list[Change]:
    kept = [change for change in changes if abs(change.gained_s) >= CHANGED_S]
    return sorted(kept, key=lambda change: (-abs(change.gained_s), change.rule, change.where))[:MOST_POINTS]


def _change(finding: Finding, before_s: float, after_s: float) -> Change:
    before, after = round(before_s, 2), round(after_s, 2)
    gained = round(before - after, 2)
    how = "better" if gained > 0 else "worse"
    words = f"{finding.where or 'Everywhere'}, {finding.rule.replace('-', ' ')}: {number(abs(gained))} s a lap {how}."
    return Change(finding.rule, finding.where, finding.section, before, after, gained, words)


def _debrief_words(
    points: Sequence[Point], changes: Sequence[Change], level: Level, best: int | None, best_s: float | None
) -> str:
    if best is None or best_s is None:
        return "No flying lap counts in this session, so there is nothing to compare yet."
    parts = [f"Your best lap was lap {best}, {best_s:.3f} s."]
    gained = [change for change in changes if change.gained_s > 0]
    if gained and level is not Level.NOVICE:
        parts.append(f"Better: {gained[0].words}")
    if not points:
        parts.append("Nothing stands out: your laps are alike. Next, carry a little more speed where you feel safest.")
    for each in points[: ONE[level]]:
        worth = f" Worth {number(each.worth_s)} s." if each.worth_s > 0 and level is not Level.NOVICE else ""
        parts.append(each.words + worth)
    return " ".join(parts)
