"""A text in, every number that it states out, however it is written: digits, lap times, words, fractions. Pure.

Law: no digit is passed over.  What is a number and can't be read is a `Claim` that nothing can satisfy, so that whoever
checks refuses it.  Numbers that only order (a list's, "first") and those within known names (`T5`) are none.
The text is English, as agents are told to write; `sense` refuses what is not.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from pitwall.serve.model.quantities import COUNTED, UNITS, Unit
from pitwall.serve.model.spelling import (
    CARDINALS,
    FIRST,
    FOLLOWS_SECOND,
    MANY,
    ORDERS_PART,
    ORDINALS,
    PARTS,
    SCALES,
    SMALL,
    TIMES,
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A number that a text states.

    value: in the first unit that is named, NaN where it can't be read.  half: of the last place that is written: what
    was rounded to it lies within.  units: that it may be in; none: it names none.  sign: -1 or 1 where one is written.
    kind: "figure", "count" (of things), "bare" (a ratio, a gear), or "lap", "corner" and "sector", which `name` says.
    begin, end: its place in the text as `plain` gives it.
    """

    text: str
    value: float
    half: float
    units: tuple[Unit, ...] = ()
    kind: str = "figure"
    name: str = ""
    sign: int = 0
    begin: int = 0
    end: int = 0


FREE_ORDINAL: Final = 3
"""What orders at most three points is no figure."""

_UNIT: Final = "|".join(sorted((re.escape(name).replace(r"\ ", r"\s+") for name in UNITS), key=len, reverse=True))
_LONG_UNIT: Final = "|".join(
    re.escape(name).replace(r"\ ", r"\s+")
    for name in sorted(UNITS, key=len, reverse=True)
    if len(name) > 3 and name not in ("degc", "degf", "bars", "revs") and name.replace(" ", "").isalpha()
)
_AFTER: Final = re.compile(rf"[\s-]?\s*(?P<unit>{_UNIT})(?![a-z0-9²^*_])")
_CARDINAL: Final = "|".join(sorted(CARDINALS, key=len, reverse=True))
_DIGITS: Final = r"\d+(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+[.,]\d+|\d+|\.\d+"
_SIGN: Final = r"(?:(?<![\w.)])(?P<sign>[+-]))?"

_LAP: Final = rf"\d+(?!\d|[.,:]\d|\s?(?:{_UNIT})(?![a-z]))"
"""A lap's number: none that goes on, and none with a unit."""
_AND: Final = r"(?:\s*(?:,|&|-|/)\s*(?:(?:and|or)\s+)?|\s+(?:and|or|to|through|vs\.?|versus|against|with|than)\s+)"

_PATTERNS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("list", re.compile(r"(?m)^[ \t]*(?:[-*•]\s*)?(?:\*\*)?(?P<list>[1-9])[.):](?=\s)")),
    ("clock", re.compile(rf"{_SIGN}(?<![\d:.])(?P<clock>\d+(?::\d{{1,2}}){{1,2}}(?:[.,]\d+)?)(?!\d|[.,:]\d)")),
    ("lap", re.compile(rf"\blaps?\s*(?:number|no\.?|nr\.?|#)?\s*(?P<laps>{_LAP}(?:{_AND}(?:laps?\s+)?#?{_LAP})*)")),
    ("sector", re.compile(r"\b(?:sectors?\s*#?|s)(?P<sector>\d+)\b(?![.,:]\d)")),
    ("corner", re.compile(r"\b(?:corners?|turns?|t)\s*#?(?P<corner>\d+[a-z]?)\b(?![.,:]\d)")),
    (
        "named",
        re.compile(
            rf"\b(?P<named>lap|sector|corner|turn)\s+(?:number\s+)?(?P<word>{_CARDINAL})"
            rf"(?P<rest>[\s-]+(?:{'|'.join(SMALL[1:10])}))?\b(?!\s+(?:{_UNIT})\b)"
        ),
    ),
    ("ordinal", re.compile(r"\b(?P<ordinal>\d+)(?:st|nd|rd|th)\b")),
    ("fraction", re.compile(rf"{_SIGN}(?:(?P<whole>\d+)\s?)?(?P<over>\d+)⁄(?P<under>\d+)")),
    ("power", re.compile(rf"{_SIGN}(?P<power>(?:{_DIGITS})\s?(?:e[+-]?\d+|[x×*]\s?10\^?\s?-?\d+))\b")),
    ("digits", re.compile(rf"{_SIGN}(?P<digits>{_DIGITS})")),
)
_WORDS: Final = re.compile(
    r"\b(?P<words>(?:"
    + "|".join(sorted([*CARDINALS, *SCALES], key=len, reverse=True))
    + r")(?:(?:[\s-]+(?:and\s+|point\s+)?(?:an?\s+)?)(?:"
    + "|".join(sorted([*CARDINALS, *SCALES, "half", "quarter"], key=len, reverse=True))
    + r")\b)*)\b"
)
_PARTS: Final = re.compile(
    rf"\b(?P<part>{'|'.join(PARTS)})\b(?P<of>\s+of)?(?:\s+(?P<unit>(?:a|an)\s+(?:{_LONG_UNIT})))?"
)
_SINGLE: Final = re.compile(
    rf"\b(?:an?|one)\s+(?:whole\s+|full\s+|entire\s+|good\s+|single\s+)?(?P<unit>{_LONG_UNIT})\b"
)
_BEHIND_A_NUMBER: Final = re.compile(rf"\b(?:{_CARDINAL}|{'|'.join(SCALES)})[\s-]+(?:and\s+|point\s+)?(?:an?|one)\s*$")
_WORD: Final = re.compile(r"[a-z']+")
_RANGE: Final = re.compile(r"\s*(?:-|to|and|or)\s*")
_MASK: Final = "\x00"


def plain(text: str) -> str:
    """The text as it is read: one spelling of digits, signs and spaces, in lower case, nothing invisible."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub("[‐-―−]", "-", text).replace("’", "'")
    return "".join(
        " " if unicodedata.category(c) == "Zs" else c
        for c in text
        if c in "\n\t" or unicodedata.category(c) not in ("Cf", "Cc", "Cs", "Co", "Cn", "Mn", "Me")
    )


def claims(text: str, names: Iterable[str] = ()) -> list[Claim]:
    """Every number of `text`, which `plain` gave, in its order.  names: what may stand in it as it is, with digits."""
    masked = _without(text, names)
    found: list[Claim] = []
    for kind, pattern in _PATTERNS:
        for match in list(pattern.finditer(masked)):
            if _MASK not in match[0]:
                found += _read(kind, match, masked)
                masked = _mask(masked, match.start(), match.end())
    masked = _words(masked, text, found)
    for match in re.finditer(r"\S*[^\W\D]\S*", masked):
        found.append(_unreadable(match[0], match.start(), match.end()))
    for i, char in enumerate(masked):
        if unicodedata.category(char)[0] == "N" and not any(c.begin <= i < c.end for c in found):
            found.append(_unreadable(char, i, i + 1))
    return _joined(sorted(found, key=lambda claim: claim.begin), text)


def _without(text: str, names: Iterable[str]) -> str:
    """The text with known names that hold a digit masked, the longest first."""
    for name in sorted(
        {plain(name).strip() for name in names if any(c.isdigit() for c in name)}, key=len, reverse=True
    ):
        # a name of nothing but digits (a corner "5") is told from a figure by the word before it alone
        if name and not name.isdigit():
            text = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w]|[.,]\d)", lambda m: _MASK * len(m[0]), text)
    return text


def _mask(text: str, begin: int, end: int) -> str:
    return text[:begin] + _MASK * (end - begin) + text[end:]


def _read(kind: str, match: re.Match[str], text: str) -> Iterator[Claim]:
    begin, end = match.start(), match.end()
    sign = {"+": 1, "-": -1}.get(match.groupdict().get("sign") or "", 0)
    if kind in ("sector", "corner"):
        yield Claim(match[0], math.nan, 0.0, kind=kind, name=match[kind], begin=begin, end=end)
    elif kind == "lap":
        for number in re.finditer(r"\d+", match["laps"]):
            at = match.start("laps") + number.start()
            yield Claim(match[0], math.nan, 0.0, kind="lap", name=_whole(number[0]), begin=at, end=at + len(number[0]))
    elif kind == "named":
        value = CARDINALS[match["word"]] + CARDINALS.get((match["rest"] or "").strip(" -"), 0.0)
        named = "corner" if match["named"] == "turn" else match["named"]
        yield Claim(match[0], math.nan, 0.0, kind=named, name=f"{value:.0f}", begin=begin, end=end)
    elif kind == "ordinal":
        yield from _ordered(match[0], int(_whole(match["ordinal"])), text, begin, end)
    elif kind == "clock":
        *before, last = match["clock"].replace(",", ".").split(":")
        value = float(last)
        for place, part in enumerate(reversed(before), 1):
            value += float(part) * 60**place
        yield Claim(match[0], value, _half(last), UNITS["s"], sign=sign, begin=begin, end=end)
    elif kind == "fraction":
        over, under = float(match["over"]), float(match["under"])
        value = float(match["whole"] or 0) + (over / under if under else math.nan)
        yield _figure(match[0], value, 1e-9, sign, text, begin, end)
    elif kind == "power":
        yield _unreadable(match[0], begin, end)
    elif kind == "digits":
        digits = match["digits"]
        digits = (
            digits.replace(",", "") if re.fullmatch(r"\d+(?:,\d{3})+(?:\.\d+)?", digits) else digits.replace(",", ".")
        )
        glued = text[end : end + 1]
        if (begin and text[begin - 1].isalpha()) or (
            glued and (glued.isalnum() or glued == "_") and not _unit_at(text, end)
        ):
            yield _unreadable(match[0], begin, end)
        else:
            yield _figure(match[0], float(digits), _half(digits), sign, text, begin, end)


def _figure(shown: str, value: float, half: float, sign: int, text: str, begin: int, end: int) -> Claim:
    """A number and what stands behind it: a unit, or what it counts."""
    unit = _unit_at(text, end)
    if unit is not None:
        name = " ".join(unit["unit"].split())
        units = UNITS[name]
        return Claim(shown + unit[0], value, half, units, sign=sign, begin=begin, end=end)
    nouns = re.match(r"[\s-]?([a-z]+)(?:\s([a-z]+))?", text[end : end + 60])
    if math.isfinite(value) and value == int(value) and nouns and not COUNTED.isdisjoint(nouns.groups()):
        return Claim(shown, value, half, kind="count", sign=sign, begin=begin, end=end)
    return Claim(shown, value, half, sign=sign, begin=begin, end=end)


def _unit_at(text: str, end: int) -> re.Match[str] | None:
    return _AFTER.match(text, end)


def _ordered(shown: str, number: int, text: str, begin: int, end: int) -> Iterator[Claim]:
    """An ordinal: of a lap or a gear it is that one; else up to the third it only orders."""
    noun = re.match(r"[\s-]+(?:flying\s+|timed\s+)?([a-z]+)", text[end : end + 40])
    word = noun[1] if noun else ""
    if number <= FREE_ORDINAL and word != "gear" and re.search(r"\b(?:an?|another)$", text[:begin].rstrip()):
        return  # "a second lap": one more
    if word in ("lap", "laps", "sector", "corner", "turn") and number > 1:
        kind = {"laps": "lap", "turn": "corner"}.get(word, word)
        yield Claim(shown, math.nan, 0.0, kind=kind, name=str(number), begin=begin, end=end)
    elif word == "gear" or number > FREE_ORDINAL:
        yield Claim(shown, float(number), 0.0, kind="bare", begin=begin, end=end)


def _words(masked: str, text: str, found: list[Claim]) -> str:
    """Adds the numbers that are written as words; what is read of the text is masked."""
    for match in list(_PARTS.finditer(masked)):
        if _BEHIND_A_NUMBER.search(masked[: match.start()]):
            continue  # two and a half
        claim = _part(match, masked)
        if claim is not None:
            found.append(claim)
        if claim is not None or match["part"] == "half":
            masked = _mask(masked, match.start("part"), match.end())
    for match in list(_SINGLE.finditer(masked)):
        if _BEHIND_A_NUMBER.search(masked[: match.start()] + match[0].partition(" ")[0]):
            continue  # twenty-one metres
        name = " ".join(match["unit"].split())
        follows = _WORD.match(masked[match.end() :].lstrip())
        if name == "second" and follows and follows[0] in FOLLOWS_SECOND:
            continue
        found.append(Claim(match[0], 1.0, 0.5, UNITS[name], begin=match.start(), end=match.start("unit")))
        masked = _mask(masked, match.start(), match.end())
    for match in list(_WORDS.finditer(masked)):
        found += _worded(match, masked)
        masked = _mask(masked, match.start(), match.end())
    for match in re.finditer(r"[a-z]+", masked):
        word = match[0]
        behind = masked[match.end() : match.end() + 10].lstrip(" -")
        if word in TIMES and not behind.startswith("apex"):
            found.append(Claim(word, TIMES[word], 0.0, kind="bare", begin=match.start(), end=match.end()))
        elif word in MANY:
            found.append(_unreadable(word, match.start(), match.end()))
        elif word in ORDINALS and not (word == "tenth" and masked[: match.start()].rstrip().endswith(("a", "the"))):
            found += _ordered(word, ORDINALS[word], masked, match.start(), match.end())
        elif word in FIRST:
            found += _ordered(word, FIRST[word], masked, match.start(), match.end())
    return masked


def _part(match: re.Match[str], text: str) -> Claim | None:
    """A half, a third, a quarter, where it is a number and not an order (first half, third lap)."""
    part, before = match["part"], text[: match.start()].rstrip()
    value = PARTS[part]
    times = re.search(r"(?:\b(a|one|two|three|\d))[\s-]*$", before)
    if re.search(rf"\b(?:{'|'.join(ORDERS_PART)})$", before):
        return None
    if part == "third" and not (match["of"] and times):
        return None
    if times and times[1] not in ("a", "one"):
        value *= CARDINALS.get(times[1]) or float(times[1])
    units: tuple[Unit, ...] = ()
    if match["unit"]:
        name = " ".join(match["unit"].split()).partition(" ")[2]
        units = UNITS[name]
    half = 0.05 if part in ("half", "halves") else 0.005
    return Claim(match[0], value, half, units, begin=match.start(), end=match.end())


def _worded(match: re.Match[str], text: str) -> Iterator[Claim]:
    """Number words that stand together.  `one` alone is a pronoun, unless it measures or counts."""
    shown, end = match["words"], match.end()
    whole, _, decimals = shown.partition(" point ")
    value, half = _said(whole), 0.5
    if decimals:
        digits = "".join(f"{CARDINALS.get(word, 99):.0f}" for word in re.findall(r"[a-z]+", decimals))
        value, half = float(f"{value:.0f}.{digits}"), _half(f"0.{digits}")
    elif "half" in shown or "quarter" in shown:
        half = 0.05 if "half" in shown else 0.005
    claim = _figure(shown, value, half, 0, text, match.start(), end)
    if shown == "one" and not claim.units and claim.kind != "count":
        return
    if shown == "one" and claim.kind == "count":
        return  # "one thing", "one lap": an article
    if shown in ("couple", "pair"):
        of = re.match(r"\s+of\s+(?:the\s+)?([a-z]+)", text[end:])
        unit = _AFTER.match(text, end + 3) if of else None
        yield replace(claim, units=UNITS[unit["unit"]] if unit and unit["unit"] in UNITS else (), half=0.5)
        return
    yield claim


def _said(words: str) -> float:
    """The value of number words: forty-two; one hundred and five; two and a half."""
    total = part = 0.0
    for word in re.findall(r"[a-z]+", words):
        if word in CARDINALS:
            part += CARDINALS[word]
        elif word == "hundred":
            part = (part or 1) * 100
        elif word in SCALES:
            total, part = total + (part or 1) * SCALES[word], 0.0
        elif word in ("half", "quarter"):
            part += 0.5 if word == "half" else 0.25
    return total + part


def _joined(found: list[Claim], text: str) -> list[Claim]:
    """Minutes and the seconds behind them are one time; both ends of a range are in the unit behind it."""
    for i, (one, two) in enumerate(pairwise(found)):
        if (
            one.kind == "figure" == two.kind
            and not one.units
            and two.units
            and _RANGE.fullmatch(text[one.end : two.begin])
        ):
            found[i] = replace(one, units=two.units)
    joined: list[Claim] = []
    for claim in found:
        before = joined[-1] if joined else None
        if before is not None and before.units == UNITS["min"] and claim.kind == "figure":
            between = re.fullmatch(r"\s*(?:min|mins|minute|minutes)\s*(?:and\s+)?", text[before.end : claim.begin])
            if between and (not claim.units or claim.units == UNITS["s"]) and claim.value < 60:
                value = before.value * 60 + claim.value
                joined[-1] = replace(claim, value=value, units=UNITS["s"], begin=before.begin, sign=before.sign)
                continue
        joined.append(claim)
    return joined


def _unreadable(text: str, begin: int, end: int) -> Claim:
    return Claim(text, math.nan, 0.0, begin=begin, end=end)


def _whole(digits: str) -> str:
    return digits.lstrip("0")[:9] or "0"


def _half(digits: str) -> float:
    """Half of the last place that is written."""
    return 0.5 * 10.0 ** -len(digits.partition(".")[2])
