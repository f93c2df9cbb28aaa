"""How far a long task is: a bar on stderr where that is a terminal and a second has passed; otherwise nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pitwall.frames import Frames

PATIENCE_S: Final = 1.0
"""What is done sooner than this needs no bar."""


class Bar:
    """`with Bar("reading") as bar: bar(done, total)`, in any unit, as often as one likes."""

    def __init__(self, label: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.label = label
        self._wanted = sys.stderr.isatty()
        self._clock = clock
        self._begun = clock()
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        return self

    def __call__(self, done: float, total: float | None = None) -> None:
        """Say that `done` of `total` is behind us; None where nobody knows how much there is."""
        if not self._wanted or (self._progress is None and self._clock() - self._begun < PATIENCE_S):
            return
        if self._progress is None or self._task is None:
            self._progress = _progress()
            self._progress.start()
            self._task = self._progress.add_task(self.label)
        self._progress.update(self._task, completed=done, total=total)

    def over(self, batches: Iterable[Frames], rows: int) -> Iterator[Frames]:
        """The batches of a log of `rows` rows, told as they pass."""
        for batch in batches:
            yield batch
            self(batch.stop, max(rows, batch.stop))

    def close(self) -> None:
        """Take the bar away: what follows is no part of it."""
        self._wanted = False
        if self._progress is not None:
            self._progress.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)
