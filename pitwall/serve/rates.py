"""Requests of clients in, whether each may go on: a bucket of tokens a client. Pure: the time is handed in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from pitwall.serve.limits import CLIENTS

BURST: Final = 20
"""A page that opens asks for a few things at once."""
EVERY_S: Final = 0.5
"""A token comes back: nobody reads two answers a second."""


class Rates:
    """The buckets.  refused: how often there was no token."""

    def __init__(self) -> None:
        self.refused = 0
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, when

    def wait_s(self, client: str, now_s: float) -> float:
        """0: the request may go on, and takes a token.  Else after how many seconds there is one."""
        tokens, at_s = self._buckets.pop(client, (float(BURST), now_s))
        tokens = min(float(BURST), tokens + (now_s - at_s) / EVERY_S)
        short = tokens < 1
        self._buckets[client] = (tokens if short else tokens - 1, now_s)
        while len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        self.refused += short
        return (1 - tokens) * EVERY_S if short else 0.0
