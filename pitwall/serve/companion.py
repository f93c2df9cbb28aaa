"""A thread that keeps the server company: from `start` to `stop`, which returns when it has ended."""

from __future__ import annotations

import threading


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

    def stop(self) -> None:
        """Ends it, if it was begun."""
        self.stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
