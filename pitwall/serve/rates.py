"""Requests of clients in, whether each may go on: a bucket of tokens a client. Pure: the time is handed in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pitwall.serve.limits import CLIENTS

BURST: Final = 20
"""Of the coach: a page that opens asks for a few things at once."""
EVERY_S: Final = 0.5
"""A token comes back: nobody reads two answers a second."""

SIGNALS_BURST: Final = 400
"""Of signals: a page with many strips that is zoomed."""
SIGNALS_EVERY_S: Final = 0.005
"""Twice what the fastest page was measured at; a core answers no more."""

QUERY_BURST: Final = 20
QUERY_EVERY_S: Final = 0.2
"""Of SQL: a script that asks for one thing after the other; each may take all cores for a while."""

WHY_BURST: Final = 10
WHY_EVERY_S: Final = 1.0
"""Of what made a value: a person clicks, and a log is replayed for each."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Requests that are counted together.  takes: whether a path is of them.  burst, every_s: of each client."""

    name: str
    words: str
    takes: Callable[[str], bool]
    burst: int
    every_s: float


KINDS: Final = (
    Kind("coach", "the coach was", lambda path: path.startswith("/coach/"), BURST, EVERY_S),
    Kind("signals", "signals were", lambda path: path.endswith("/signals"), SIGNALS_BURST, SIGNALS_EVERY_S),
    Kind("query", "questions in SQL were", lambda path: path.endswith("/query"), QUERY_BURST, QUERY_EVERY_S),
    Kind("why", "what made a value was", lambda path: path.endswith("/why"), WHY_BURST, WHY_EVERY_S),
)


class Rates:
    """The buckets.  refused: how often there was no token."""

    def __init__(self, burst: int = BURST, every_s: float = EVERY_S) -> None:
        self.refused = 0
        self._burst, self._every_s = float(burst), every_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, when

    def wait_s(self, client: str, now_s: float) -> float:
        """0: the request may go on, and takes a token.  Else after how many seconds there is one."""
        tokens, at_s = self._buckets.pop(client, (self._burst, now_s))
        tokens = min(self._burst, tokens + (now_s - at_s) / self._every_s)
        short = tokens < 1
        self._buckets[client] = (tokens if short else tokens - 1, now_s)
        while len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        self.refused += short
        return (1 - tokens) * self._every_s if short else 0.0
