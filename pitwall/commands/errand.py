"""A command that another process of ours runs: how far it is goes out in lines of JSON, as `workers.py` reads them.

Laws: it ends when who started it does, or asks it to, by way of every `finally`; it is as nice as can be; and where
memory runs out it goes first, before whoever records.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click

NICE: Final = 19
FIRST_TO_GO: Final = "1000"
"""Of `oom_score_adj`, where there is one."""
TELL_S: Final = 0.2
"""How often it says how far it is."""
PARTS: Final = 1000
"""Of the whole errand: it says how many of them are done."""

Progress = Callable[[float, float | None], None]
"""Told what is done, and of how much; None: nobody knows."""


class Errand:
    """What is on its way."""

    def __init__(self) -> None:
        self._told_s = 0.0

    def part(self, begin: float, end: float) -> Progress:
        """How far that part of it is, of the errand's 0 to 1."""

        def progress(done: float, total: float | None = None) -> None:
            if total and time.monotonic() - self._told_s >= TELL_S:
                self._told_s = time.monotonic()
                self.say({"done": round(PARTS * (begin + (end - begin) * done / total)), "rows": PARTS})

        return progress

    def say(self, what: dict[str, Any]) -> None:
        """A line."""
        click.echo(json.dumps(what, allow_nan=False))


@contextlib.contextmanager
def errand() -> Iterator[Errand]:
    """While it is run."""
    from pitwall.project.private import ended_by_signals

    with contextlib.suppress(OSError):
        os.nice(NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    # what it was sent for is done then, and it ends by itself: whoever asks it to is told that it is
    with ended_by_signals(after=signal.SIG_IGN):
        threading.Thread(target=_end_with_starter, name="starter", daemon=True).start()
        yield Errand()


def _end_with_starter() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 64):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
