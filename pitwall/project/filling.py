"""Bytes free on a disk, again and again, in; how long they last out, at the rate of the last ten minutes.

Law: it does not matter who takes them. Where none are taken, or more came back than went, nobody can say: None.
"""

from __future__ import annotations

from collections import deque
from typing import Final

SPAN_S: Final = 600.0
"""Looked back so far: segments that are sealed give back half of what they took, some minutes later."""
EVERY_S: Final = 10.0
"""And a look is kept so often: sixty of them."""
LEAST_S: Final = 60.0
"""With less to go by nothing is said."""


class Filling:
    """One disk's.  Not thread-safe."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()  # when, in s, and how many bytes were free

    def saw(self, now_s: float, free: int) -> float | None:
        """Takes one look; the seconds until nothing is free."""
        if not self._seen or now_s - self._seen[-1][0] >= EVERY_S:
            self._seen.append((now_s, free))
        while now_s - self._seen[0][0] > SPAN_S:
            self._seen.popleft()
        first_s, first = self._seen[0]
        taken = first - free
        return free * (now_s - first_s) / taken if taken > 0 and now_s - first_s >= LEAST_S else None
