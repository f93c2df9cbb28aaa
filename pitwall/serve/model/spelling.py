"""English words for numbers, and the values that they have. Pure tables."""

from __future__ import annotations

from typing import Final

from pitwall.serve.model.quantities import words_of

SMALL: Final = words_of(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
    """
)
TENS: Final = words_of("twenty thirty forty fifty sixty seventy eighty ninety")
CARDINALS: Final[dict[str, float]] = (
    {word: float(value) for value, word in enumerate(SMALL)}
    | {word: 10.0 * tens for tens, word in enumerate(TENS, 2)}
    | {"nil": 0.0, "nought": 0.0, "fourty": 40.0, "dozen": 12.0, "couple": 2.0, "pair": 2.0}
)
SCALES: Final = {"hundred": 100.0, "thousand": 1000.0, "million": 1e6, "billion": 1e9}
MANY: Final = words_of("dozens scores hundreds thousands millions billions")
"""Too vague to be a figure, too big to be none."""
TIMES: Final = {
    **dict.fromkeys(("twice", "double", "doubled", "doubling", "doubles", "twofold"), 2.0),
    **dict.fromkeys(("thrice", "triple", "tripled", "threefold"), 3.0),
    **dict.fromkeys(("quadruple", "quadrupled", "fourfold"), 4.0),
    "tenfold": 10.0,
}
PARTS: Final = {"half": 1 / 2, "halves": 1 / 2, "third": 1 / 3, "thirds": 1 / 3, "quarter": 1 / 4, "quarters": 1 / 4}
FIRST: Final = {"first": 1, "second": 2, "third": 3}
ORDINALS: Final[dict[str, int]] = {
    word: value
    for value, word in enumerate(
        words_of(
            """
            fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
            seventeenth eighteenth nineteenth twentieth
            """
        ),
        4,
    )
}
FOLLOWS_SECOND: Final = frozenset(
    words_of(
        """
        lap laps time thing things point corner gear part half attempt look one phase brake braking application stab
        place sector session run opinion apex turn area priority step fastest best quickest slowest biggest largest
        most straight item stint go try chance is was comes would
        """
    )
)
"""Behind "a second": it orders, and is no time."""
ORDERS_PART: Final = words_of("first second other latter former later earlier final last next front rear each either")
"""Before "half": a place, and no number."""
