"""Work in, done in its order on one thread beside the caller's.  Bounded: who hands over more than fits waits.

What fails is raised to the caller at its next call, and nothing handed over after it is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Handover:
    """One thread, and a queue of work to it.  limit: how much may be under way, in the unit of the tasks' weights."""

    def __init__(self, name: str, limit: int) -> None:
        self._limit = limit
        self._pool = ThreadPoolExecutor(1, name)
        self._under_way: deque[tuple[int, Future[None]]] = deque()
        self._weight = 0
        self._failed = False

    def give(self, task: Callable[[], None], weight: int = 0) -> None:
        """Has `task` done after all that was given before.  A task heavier than the limit goes alone."""
        while self._under_way and (self._weight + weight > self._limit or self._under_way[0][1].done()):
            self._wait_for_one()
        self._weight += weight
        self._under_way.append((weight, self._pool.submit(self._do, task)))

    @property
    def idle(self) -> bool:
        """Whether all is done, or nothing more will be."""
        return not self._under_way or self._under_way[-1][1].done()

    def wait(self) -> None:
        """Returns when all is done."""
        while self._under_way:
            self._wait_for_one()

    def close(self) -> None:
        """Lets go of what has not begun, waits for what has; raises nothing."""
        self._pool.shutdown(cancel_futures=True)
        self._under_way.clear()

    def _wait_for_one(self) -> None:
        weight, future = self._under_way.popleft()
        self._weight -= weight
        future.result()

    def _do(self, task: Callable[[], None]) -> None:
        if self._failed:
            return  # an earlier one failed, and its error is on its way to the caller
        try:
            task()
        except BaseException:
            self._failed = True
            raise
