"""A question in plain words in, an answer from the projection out, with its figures: what `ask` says without a model.

A table of patterns; the first that fits answers. What none of them fits is not guessed at: the answer says so, and what
can be asked. Law: every number that is said is a figure of the reply, or a lap's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from pitwall.coach import debriefing
from pitwall.serve.asking.of_channels import channels, fuel, incidents, of_unit, speed
from pitwall.serve.asking.of_corners import corner, losing
from pitwall.serve.asking.of_laps import compare, consistency, count, fastest, lap, sectors, theoretical, times
from pitwall.serve.asking.reply import Answer, Asked, Reply

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pitwall.coach.advice import Debrief, Point
    from pitwall.coach.finding import Level
    from pitwall.serve.advising import Advising

UNKNOWN: Final = (
    "That can't be answered from the data without a language model. You can ask for the fastest lap, the lap times, "
    "where you lose the most, a comparison of two laps by their numbers, sectors, the theoretical best, consistency, "
    "the top speed, a corner by its name, temperatures, pressures, fuel, or any channel by its name."
)


def answer_to(question: str, session: str, level: Level, advising: Advising) -> Callable[[DuckDBPyConnection], Reply]:
    """What answers it, given a cursor on the session's projection."""

    def replied(cursor: DuckDBPyConnection) -> Reply:
        seen = cache(lambda: advising.seen(cursor))
        return answer(
            question,
            cursor,
            lambda: debriefing.debrief(session, seen().findings, seen().lap_times, level),
            lambda: [debriefing.point(session, finding, level) for finding in seen().findings],
        )

    return replied


def answer(
    text: str,
    cursor: DuckDBPyConnection,
    debrief: Callable[[], Debrief],
    points: Callable[[], Sequence[Point]],
) -> Reply:
    """What the rules say to a question."""
    asked = Asked(" ".join(text.lower().split()), cursor, debrief, points)
    for kind, (pattern, function) in QUESTIONS.items():
        if pattern.search(asked.text):
            reply = function(asked)
            if reply is not None:
                return Reply(kind, *reply)
    named = channels(asked, "")
    if named is not None:
        return Reply("channel", *named)
    return Reply("", UNKNOWN)


def _asks(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


QUESTIONS: Final[Mapping[str, tuple[re.Pattern[str], Callable[[Asked], Answer | None]]]] = {
    "compare": (_asks(r"\blaps?\s*#?\d+.*\d"), compare),
    "temperatures": (_asks(r"\btemp|\bhot\b|\bheat|overheat|\bwarm\b"), of_unit("degc", "degf", "°c", "kelvin", "k")),
    "pressures": (_asks(r"\bpressures?\b"), of_unit("bar", "kpa", "psi", "pa", "mbar")),
    "incidents": (_asks(r"incident|\bspin|\bspun\b|lock|over-?rev|go wrong|went wrong|limits?\b"), incidents),
    "fuel": (_asks(r"\bfuel\b|\bpetrol\b"), fuel),
    "lap": (_asks(r"\blap\s*#?\d+"), lap),
    "corner": (_asks(r"\b(?:turn|corner|t)\s*#?\d|\bcorner\b"), corner),
    "theoretical": (_asks(r"theoretical|ideal|possible|potential|rolling"), theoretical),
    "losing": (
        _asks(r"\blos(?:e|es|ing|t)\b|\bslow(?:er)?\b|improve|\bgain\b|work on|\bnext\b|faster\b|wrong|better"),
        losing,
    ),
    "count": (_asks(r"how many laps|number of laps"), count),
    "speed": (_asks(r"\bspeed|\bkm/?h|\bmph"), speed),
    "consistency": (_asks(r"consisten|spread|\bvary|\bvaries|\bsteady"), consistency),
    "sectors": (_asks(r"\bsectors?\b"), sectors),
    "times": (_asks(r"lap times|all (?:my )?laps|every lap|list"), times),
    "fastest": (_asks(r"\bfast|\bquick|\bbest\b|lap time|how was i"), fastest),
    "named corner": (_asks(r"[a-z]"), corner),
}
"""Kind of question: how it is known, and what answers it; None: it was another one after all."""
