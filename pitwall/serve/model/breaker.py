"""Successes and failures in, whether to call out: a circuit breaker. Pure: the time is handed in.

closed     calls are made; FAILURES failures in a row open it
open       no call is made for a pause: FIRST_S, twice as long after each trial that fails, LONGEST_S at most
half-open  the pause is over, and one call may try: its success closes, its failure opens again
"""

from __future__ import annotations

from typing import Final

FAILURES: Final = 3
"""One is an accident, and two may be one that restarts."""
FIRST_S: Final = 5.0
"""As long as a probe's result is kept."""
LONGEST_S: Final = 60.0
"""A model that comes back is used again within a minute."""


class Breaker:
    """Of one server.  Times are seconds of any one clock that never runs backwards."""

    def __init__(self) -> None:
        self._failures = 0
        self._pause_s = 0.0
        self._opened_s: float | None = None
        self._trying = False

    def state(self, now_s: float) -> str:
        """closed, open or half-open."""
        if self._opened_s is None:
            return "closed"
        return "open" if now_s - self._opened_s < self._pause_s else "half-open"

    def may_call(self, now_s: float) -> bool:
        """Whether a call may be made now.  Whoever is told so makes it, and says what became of it."""
        state = self.state(now_s)
        if state == "half-open" and not self._trying:
            self._trying = True
            return True
        return state == "closed"

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._pause_s, self._opened_s, self._trying = 0, 0.0, None, False

    def failed(self, now_s: float) -> None:
        """A call was not."""
        self._failures += 1
        state, self._trying = self.state(now_s), False
        if state == "half-open" or (state == "closed" and self._failures >= FAILURES):
            self._pause_s = min(LONGEST_S, 2 * self._pause_s or FIRST_S)
            self._opened_s = now_s

    def gave_up(self) -> None:
        """A call was ended by whoever made it: that says nothing of the server."""
        self._trying = False
