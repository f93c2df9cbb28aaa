"""A finding in, words out: those of its rule at the level asked, with its figures in them.

Law: whatever number is said is a figure of the finding; where one is missing, a plainer level's words are said.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pitwall.coach.finding import Figure, Finding, Level
from pitwall.coach.words import CUES, WORDS

PLAINER: Final = {
    Level.ADVANCED: (Level.ADVANCED, Level.INTERMEDIATE, Level.NOVICE),
    Level.INTERMEDIATE: (Level.INTERMEDIATE, Level.NOVICE),
    Level.NOVICE: (Level.NOVICE,),
}


def said(finding: Finding, level: Level) -> str:
    """What is told of it in the pits."""
    values = {"corner": finding.where, **_values(finding.figures)}
    for each in PLAINER[level]:
        try:
            return WORDS[finding.rule][each].format_map(values)
        except KeyError:  # a figure that is not known
            continue
    raise AssertionError(f"{finding.rule} has no words without figures")


def cue(rule: str, level: Level, corner: str) -> str:
    """What is told before the corner, in the car."""
    return f"{corner}. {CUES[rule][level]}" if corner else CUES[rule][level]


def number(value: float) -> str:
    """As short as it is."""
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"


def _values(figures: tuple[Figure, ...]) -> Mapping[str, str]:
    found = {figure.name: number(figure.value) for figure in figures}
    found |= {f"usual_{figure.name}": number(figure.usual) for figure in figures if figure.usual is not None}
    return found
