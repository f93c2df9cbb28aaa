"""Numbers of a text, and whether they are given: by examples, and against a slow reference that hypothesis asks."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitwall.serve.model.ground import EVERYWHERE, Given, Ground, judge, whole_sentences
from pitwall.serve.model.numbers import claims, plain
from pitwall.serve.model.spelling import SMALL, TENS

GROUND = Ground(
    (
        Given(0.18, "s", "T5"),
        Given(11.2, "m", "T5"),
        Given(20.0, "m/s", "T5"),
        Given(102.318, "s"),
        Given(0.42, "s", "T3"),
        Given(86.5, "degC"),
        Given(0.83),
        Given(5.0),
        Given(-0.7, "s"),
        Given(1.04, "g"),
        Given(0.6, "s", EVERYWHERE),
        Given(3900.0, "rpm"),
        Given(2.5, "bar"),
        Given(31.0, "kg"),
    ),
    laps=frozenset({3, 5, 7}),
    sectors=frozenset({1, 2, 3}),
    corners=frozenset({"T5", "T3", "Hairpin"}),
    counts=frozenset({3, 2}),
    names=frozenset({"20261123T140511Z-bmw-e46-m3", "oil temp 2"}),
)

TRUE = [
    "Your best was lap 7: 1:42.318.",
    "In T5 you brake 11 m too early and lose 0.18 s.",
    "In Turn 5 it costs about two tenths.",
    "72 km/h at turn 5, that is 44.7 mph or 20 m/s.",
    "Your coolant was at 86.5 °C, or 187.7 °F.",
    "You used 83 % of the grip, five corrections.",
    "1. Brake later at T5.\n2. At T3, lose less: 0.42 seconds.",
    "1 min 42.3 s on lap 7",
    "one minute 42.3 seconds",
    "Three things to work on: the first is T5, the 2nd is T3.",
    "laps 3, 5 and 7; laps 3 to 7; lap 3 vs lap 7",
    "You gained -0.7 s, that is 0.7 s.",
    "the first half of the corner, the second apex, a double apex",
    "sector 2 of lap 5, the seventh lap",
    "brake eleven metres later in T5",
    "four tenths at T3. All together 0.6 s.",
    "A second lap there, for a second time.",
    "It is the one that matters; two things, one lap.",
    "3,900 rpm",
    "The session 20261123T140511Z-bmw-e46-m3 has oil temp 2 in it.",
    "between 11 and 11.2 m at T5",
    "brake 11m before T5 (0.18s)",
    "The hairpin: nothing stands out.",
    "two and a half bar, or two point five bar, and thirty-one kilos",
]
FALSE = [
    "lap 4",
    "lap 31",
    "In T3 you lose 0.18 s.",
    "At T5 it is worth 0.6 s.",
    "T7 is bad",
    "forty metres",
    "0.3 s",
    "a second in T5",
    "half a second lost",
    "twice as fast",
    "ten m",
    "1:42.3189",
    "1:43",
    "86.5 °F",
    "lose 0 s",
    "hundreds of metres",
    "12 corners",
    "1e3 m",
    "five\u2010tenths",
    "\uff14\uff12 m",
    "½ s",
    "a quarter of a second",
    "+0.7 s in all",
    "third gear",
    "lap four",
    "the fourth lap",
    "laps 3, 4 and 7",
    "turn nine",
    "two and a half seconds",
    "x42y",
    "1,042 m",
    "sixty-five metres",
    "in 3 of 8 laps",
    "0.18 m at T5",
    "\u0663 m",
    "11 bar",
    "two thirds of a second",
    "a tenth",
    "4\u200b2 m",
    "one hundred and two metres",
    "a dozen corners",
    "and a half second is lost",
    "one full second",
    "a couple of seconds",
    "3.9 rpm",
    "sector 4",
    "42nd",
    "Hairpin: 0.18 s",
    "zero point nine seconds",
]


@pytest.mark.parametrize("text", TRUE)
def test_what_is_given_stands(text):
    assert judge(text, GROUND).wrong == ()


@pytest.mark.parametrize("text", FALSE)
def test_what_is_not_given_does_not(text):
    assert judge(text, GROUND).wrong != ()


FACTORS = {  # (kind, unit as a projection has it) and what it is called, in one unit of the kind: exact
    "s": ("time", Fraction(1)),
    "ms": ("time", Fraction(1, 1000)),
    "tenths": ("time", Fraction(1, 10)),
    "minutes": ("time", Fraction(60)),
    "m": ("length", Fraction(1)),
    "km": ("length", Fraction(1000)),
    "feet": ("length", Fraction(3048, 10000)),
    "m/s": ("speed", Fraction(1)),
    "km/h": ("speed", Fraction(10, 36)),
    "mph": ("speed", Fraction(44704, 100000)),
    "bar": ("pressure", Fraction(100_000)),
    "psi": ("pressure", Fraction(6894757293168, 1_000_000_000)),
    "rpm": ("turning", Fraction(1)),
}
OF_PROJECTIONS = ["s", "m", "m/s", "km/h", "bar", "rpm"]
values = st.integers(1, 999_999).map(lambda n: n / 1000)


def slow(written: str, unit: str, figures: list[Given]) -> bool:
    """Whether any figure, said in that unit and rounded to the places that are written, is what is written."""
    places = len(written.partition(".")[2])
    kind, factor = FACTORS[unit]
    said = Fraction(written)
    for figure in figures:
        its_kind, its_factor = FACTORS[figure.unit]
        value = Fraction(figure.value) * its_factor / factor
        if its_kind != kind:
            continue
        off = abs(said - value)
        half = Fraction(1, 2) / 10**places
        if off <= half * (1 + Fraction(1, 10**9)) and off <= value / 5:
            return True
    return False


@settings(max_examples=400, deadline=None)
@given(
    figures=st.lists(st.builds(Given, values, st.sampled_from(OF_PROJECTIONS)), min_size=1, max_size=4),
    unit=st.sampled_from(sorted(FACTORS)),
    places=st.integers(0, 3),
    off=st.sampled_from([0.0, 0.0, 0.0, 0.2, 0.6, 1.0, 7.0]),
    pattern=st.sampled_from(["You lose {} there.", "that is {}, and no more", "({})", "about {}!", "- {}\n- next"]),
)
def test_a_number_stands_exactly_when_a_figure_is_it_when_rounded(figures, unit, places, off, pattern):
    kind, factor = FACTORS[unit]
    same = [f for f in figures if FACTORS[f.unit][0] == kind] or figures
    value = float(Fraction(same[0].value) * FACTORS[same[0].unit][1] / factor)
    written = f"{value + off * 10**-places:.{places}f}"
    verdict = judge(pattern.format(f"{written} {unit}"), Ground(tuple(figures)))
    assert (not verdict.wrong) == slow(written, unit, figures), (written, unit, figures)


def spelled(n: int) -> str:
    """A whole number below a million, as one says it."""
    if n < 20:
        return SMALL[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f"-{SMALL[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{SMALL[n // 100]} hundred" + (f" and {spelled(n % 100)}" if n % 100 else "")
    return f"{spelled(n // 1000)} thousand" + (f" {spelled(n % 1000)}" if n % 1000 else "")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 999_999))
def test_a_number_in_words_is_that_number(n):
    (claim,) = claims(f"it was {spelled(n)} metres long")
    assert claim.value == n
    assert claim.units


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60), st.text("0123456789.,:-+", min_size=1, max_size=8))
def test_no_digit_is_passed_over(text, digits):
    if not any(char.isdigit() for char in digits):
        digits += "7"
    said = plain(f"see {text} x {digits} y")
    found = claims(said)
    at = {i for claim in found for i in range(claim.begin, claim.end)}
    missed = [i for i, char in enumerate(said) if char.isdigit() and i not in at]
    # but for a list's numbers at the beginning of a line, and what orders up to the third
    assert not [i for i in missed if not _orders(said, i)]
    assert judge(f"see x {digits} y", Ground()).wrong


def _orders(text: str, i: int) -> bool:
    begin = text.rfind("\n", 0, i) + 1
    return text[begin:i].strip(" \t-*•") == "" or text[i + 1 : i + 3] in ("st", "nd", "rd")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(FALSE))
def test_whatever_stands_before_a_lie_it_is_found(text, lie):
    assert judge(f"{text}\n{lie}.", GROUND).wrong


@pytest.mark.parametrize(
    ("text", "whole"),
    [("You lose 0.1", 0), ("Brake later. You lose 0.", 13), ("One.\nTwo", 5), ("Done.", 0), ("Done. ", 6), ("", 0)],
)
def test_a_sentence_is_whole_once_something_stands_behind_it(text, whole):
    assert whole_sentences(text) == whole
