"""A thread that keeps the server company: from `start` to `stop`, which returns when it has ended."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack


class Companion:
    """Runs `run` in a thread of its own.  stopping: set once it is to end, which it then does soon."""

    def __init__(self, name: str) -> None:
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)

    def run(self) -> None:
        """What the thread does, until `stopping` is set."""
        raise NotImplementedError

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def ask(self) -> None:
        """Has it end soon."""
        self.stopping.set()

    def stop(self) -> None:
        """Ends it, if it was begun."""
        self.ask()
        if self._thread.ident is not None:
            self._thread.join()


def stop_all(companions: Sequence[Companion]) -> None:
    """Ends all of them, each while the others do; one that fails to leaves none behind, and is raised in the end."""
    with ExitStack() as stopping:
        for companion in reversed(companions):
            stopping.callback(companion.stop)
        for companion in companions:
            companion.ask()
