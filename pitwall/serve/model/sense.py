"""A text in, what speaks against its being an answer out: not English, no words, markup, a loop. Pure.

Law: the numbers of a text are read as English ones; so one in another tongue, whose number words nobody here reads, is
refused, however right it may be.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from pitwall.serve.model.quantities import words_of

MAX_CHARS: Final = 4_000
"""Of an answer: more than anybody reads in the pits."""
MIN_WORDS: Final = 3
COMMON_SHARE: Final = 0.15
"""English prose has a third of its words from COMMON; from so many words on it is looked at:"""
COMMON_FROM: Final = 8
REPEATS: Final = 5
"""The same words in a row so often: a model that has come into a loop."""
LAST_LATIN: Final = "ɏ"

COMMON: Final = frozenset(
    words_of(
        """
    the a an and or but of to in on at by for from with without into than then that this these those it its is
    are was were be been being you your yours i we he she they them his her our as so if when while where there
    here not no more less most least too very can could will would should may might do does did done have has
    had get got go goes up down out off over under before after between through all each every both same only
    just still about
    """
    )
)
"""The words that English sentences are held together by."""


def against(text: str) -> str:
    """Why it is no answer; empty: nothing speaks against it."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower())
    if len(words) < MIN_WORDS:
        return "it says nothing"
    if len(text) > MAX_CHARS:
        return f"it is longer than {MAX_CHARS:,} characters"
    if any((char < " " and char not in "\n\t\r") or char == "�" for char in text):
        return "it holds characters that are none"
    if re.search(r"<\s*/?\s*[a-zA-Z!][^>]*>|```", text):
        return "it holds markup"
    if any(char.isalpha() and char > LAST_LATIN and char not in "μΩΔ" for char in text):
        return "it is not in English"
    if len(words) >= COMMON_FROM and sum(word in COMMON for word in words) < COMMON_SHARE * len(words):
        return "it is not in English"
    threes = Counter(zip(words, words[1:], words[2:], strict=False))
    if threes and max(threes.values()) > max(REPEATS, len(words) // 10):
        return "it repeats itself"
    return ""
