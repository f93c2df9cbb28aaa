"""Figures that the projections hold in, and which numbers of a text they don't hold out. Pure.

Law: an answer stands when every number that it states is a figure that was given, to the places that it is written
with, in whatever unit; and one that is said of a corner is a figure of that corner.  A number must not be rounded so
far that it is another one: by a fifth at most.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pitwall.serve.model.numbers import Claim, claims, plain
from pitwall.serve.model.quantities import units_of

ROUNDED_SHARE: Final = 0.2
"""0.18 s may be called 0.2 s; 0.14 s not 0.1 s."""
EPSILON: Final = 1e-9
"""Of a comparison, relative: a figure that went through a float and a unit."""


EVERYWHERE: Final = "*"
"""Where a figure is that is of all corners together: it is none of the one that a sentence names."""


@dataclass(frozen=True, slots=True)
class Given:
    """A figure.  unit: as a projection has it; empty: none.  where: the corner that it is of; empty: of none alone."""

    value: float
    unit: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer may stand on.  laps, sectors: that there are.  corners: their names.  counts: of things.

    names: what else may be named that has digits in it: a session, a channel, a car.
    """

    figures: tuple[Given, ...] = ()
    laps: frozenset[int] = frozenset()
    sectors: frozenset[int] = frozenset()
    corners: frozenset[str] = frozenset()
    counts: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()

    def __or__(self, other: Ground) -> Ground:
        return Ground(
            (*self.figures, *other.figures),
            self.laps | other.laps,
            self.sectors | other.sectors,
            self.corners | other.corners,
            self.counts | other.counts,
            self.names | other.names,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """wrong: what of the text is not given, each as it stands there.  stands_on: how much of it is."""

    wrong: tuple[str, ...] = ()
    stands_on: int = 0


def judge(text: str, ground: Ground) -> Verdict:
    """What of `text` the ground does not hold."""
    words = plain(text)
    corners = {_corner_key(name): name for name in ground.corners}
    wrong: list[str] = []
    stands_on = 0
    found = claims(words, (*ground.names, *ground.corners))
    for begin, end in _sentences(words):
        named = _corners_in(words[begin:end], corners)
        stands_on += len(named)
        for claim in found:
            if begin <= claim.begin < end:
                if _holds(claim, ground, corners, named):
                    stands_on += 1
                else:
                    wrong.append(" ".join(claim.text.split()))
    return Verdict(tuple(dict.fromkeys(wrong)), stands_on)


def whole_sentences(text: str) -> int:
    """How much of a text that still grows is whole sentences, in characters: no number at its end can grow on."""
    ends = [match.end() for match in re.finditer(r"[.!?]['\")\]*]*\s|\n", text)]
    return ends[-1] if ends else 0


def _sentences(text: str) -> Iterable[tuple[int, int]]:
    begin = 0
    for match in re.finditer(r"[.!?;]['\")\]*]*(?=\s)|\n", text):
        yield begin, match.end()
        begin = match.end()
    yield begin, len(text) + 1


def _corners_in(sentence: str, corners: dict[str, str]) -> frozenset[str]:
    """The known corners that a sentence names."""
    said = {_corner_key(match[1]) for match in re.finditer(r"\b(?:corners?|turns?|t)\s*#?(\d+[a-z]?)\b", sentence)}
    for key, name in corners.items():
        if re.search(rf"(?<!\w){re.escape(plain(name))}(?!\w)", sentence) and not name.isdigit():
            said.add(key)
    return frozenset(corners[key] for key in said if key in corners)


def _corner_key(name: str) -> str:
    """One key for `T5`, `Turn 5`, `corner 5` and `5`."""
    key = " ".join(plain(name).split())
    numbered = re.fullmatch(r"(?:corner|turn|t)?\s*#?0*(\d+[a-z]?)", key)
    return f"t{numbered[1]}" if numbered else key


def _holds(claim: Claim, ground: Ground, corners: dict[str, str], named: frozenset[str]) -> bool:
    if claim.kind == "lap":
        return int(claim.name) in ground.laps
    if claim.kind == "sector":
        return int(claim.name) in ground.sectors or _corner_key(f"s{claim.name}") in corners
    if claim.kind == "corner":
        return _corner_key(claim.name) in corners
    if not math.isfinite(claim.value):
        return False
    if claim.kind in ("count", "bare"):
        unitless = (given for given in ground.figures if not given.unit and _in_scope(given, named))
        counted = claim.kind == "count" and claim.value in ground.counts
        return counted or any(_same(claim, given.value) for given in unitless)
    if not claim.units and claim.value in ground.counts:
        return True
    return any(_is_of(claim, given) for given in ground.figures if _in_scope(given, named))


def _in_scope(given: Given, named: frozenset[str]) -> bool:
    """A sentence that names a corner speaks of that one."""
    if given.where == EVERYWHERE:
        return len(named) != 1
    return not named or not given.where or given.where in named


def _is_of(claim: Claim, given: Given) -> bool:
    if not claim.units:
        return _same(claim, given.value)
    for said in claim.units:
        if any(
            unit.what == said.what and _same(claim, (given.value * unit.factor + unit.zero - said.zero) / said.factor)
            for unit in units_of(given.unit)
        ):
            return True
        if said.what == "share" and not given.unit and abs(given.value) <= 1 and _same(claim, given.value * 100):
            return True  # a share, said in percent
    return False


def _same(claim: Claim, value: float) -> bool:
    """Whether the claim is that value, rounded; a sign that is written must be the value's."""
    if claim.sign and value and claim.sign != math.copysign(1, value):
        return False
    off = abs(claim.value - abs(value))
    near = max(abs(value), claim.value) * EPSILON + 1e-12
    return off <= claim.half + near and off <= ROUNDED_SHARE * abs(value) + near
