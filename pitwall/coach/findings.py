"""Laps in, findings out: what was done, on which laps, and what each is worth; worth most first.

Law: one cause for each section of a corner on a lap, that which explains most of its loss.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pitwall.coach.consistency import unsteady
from pitwall.coach.corner_rules import CORNER_RULES
from pitwall.coach.driving import Driving
from pitwall.coach.finding import Finding
from pitwall.coach.rule import Rule
from pitwall.coach.straight_rules import STRAIGHT_RULES

RULES: Final[tuple[Rule, ...]] = (*CORNER_RULES, *STRAIGHT_RULES)
AS_MUCH: Final = 0.75
"""Of the most that is explained: two rules that explain so nearly the same speak of one loss; its cause is named."""


def of_lap(driving: Driving, lap: int) -> list[Finding]:
    """The findings of one lap, by its place among the laps, in the order of the corners."""
    seen = driving.seen(lap)
    judged: list[list[tuple[Rule, Finding]]] = [[] for _ in driving.places]
    for rule in RULES:
        for corner, finding in rule.judge(seen[rule.section]):
            judged[corner].append((rule, finding))
    return [finding for corner in judged for finding in _one_cause_each(corner)]


def findings(driving: Driving) -> list[Finding]:
    """Of all its laps: what comes back on several is one finding."""
    single = [finding for lap in range(len(driving.laps)) for finding in of_lap(driving, lap)]
    return sorted([*merged(single, len(driving.laps)), *unsteady(driving)], key=order)


def merged(single: Iterable[Finding], laps: int) -> list[Finding]:
    """Findings of single laps as findings of all, what is safe first, then what is worth most."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in single:
        groups.setdefault((finding.rule, finding.where), []).append(finding)
    return sorted((_together(group, laps) for group in groups.values()), key=order)


def order(finding: Finding) -> tuple[object, ...]:
    """What comes first in a list of findings."""
    return finding.priority, -finding.worth_s, -len(finding.laps), finding.links[0].distance_m, finding.rule


def _one_cause_each(judged: Sequence[tuple[Rule, Finding]]) -> list[Finding]:
    """Of those that explain the same section, the one that explains most; of near equals that which stands first."""
    left = sorted(judged, key=lambda each: order(each[1]))
    kept = []
    while left:
        most = left[0]
        rivals = [each for each in left if each[0].covers & most[0].covers and each[1].priority is most[1].priority]
        near = [each for each in rivals if each[1].worth_s >= AS_MUCH * most[1].worth_s]
        rule, finding = min(near, key=lambda each: RULES.index(each[0]))
        kept.append(finding)
        left = [each for each in left if not each[0].covers & rule.covers]
    return kept


def _together(group: Sequence[Finding], laps: int) -> Finding:
    clearest = max(group, key=lambda finding: finding.worth_s)
    return replace(
        clearest,
        worth_s=float(np.median([finding.worth_s for finding in group])),
        laps=tuple(lap for finding in group for lap in finding.laps),
        of=laps,
        links=tuple(link for finding in group for link in finding.links),
    )
