"""Incidents of a session in, findings out: what happened, as a debrief says it.  Pure.

Law: what threatens driver or engine stands before whatever is worth time, the first of its kind with its numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pitwall.coach.finding import Figure, Finding, Link, Priority
from pitwall.coach.incidents import Incident
from pitwall.coach.words import WORDS

MINOR: Final = ("lock-up", "wheel-spin")
"""In the car they are said at once; afterwards they are a habit to work on."""
OUT_OF_LIMITS: Final = "out-of-limits"
"""The rule of a channel that has no words of its own."""


def findings_of(incidents: Sequence[Incident], of: int) -> list[Finding]:
    """One for each kind.  of: laps of the session."""
    kinds: dict[tuple[str, str], list[Incident]] = {}
    for each in incidents:
        rule = each.kind if each.kind in WORDS else OUT_OF_LIMITS
        kinds.setdefault((rule, each.what if rule == OUT_OF_LIMITS else ""), []).append(each)
    found = []
    for (rule, what), group in kinds.items():
        first = group[0]
        laps = tuple(sorted({each.lap for each in group if each.lap is not None}))
        links = tuple(
            Link(each.lap, "", round(each.distance_m))
            for each in group
            if each.lap is not None and each.distance_m is not None
        )
        figures = tuple(
            Figure("value" if what and figure.name == what else figure.name, figure.value, figure.unit)
            for figure in first.figures
        )
        times = Figure("times", float(len(group)), "")
        priority = Priority.HABIT if rule in MINOR else first.priority
        found.append(Finding(rule, priority, what.replace("_", " "), "lap", 0.0, laps, of, (*figures, times), links))
    return found
