"""Companions end together, and one that fails to leaves none behind."""

from __future__ import annotations

import threading

import pytest

from pitwall.serve.companion import Companion, stop_all


class Waiting(Companion):
    """Ends when all of them were asked to: one after the other none would."""

    def __init__(self, asked: threading.Barrier, *, fails: bool = False) -> None:
        super().__init__("waiting")
        self._asked = asked
        self._fails = fails

    def run(self) -> None:
        self.stopping.wait()
        self._asked.wait(60)

    def stop(self) -> None:
        super().stop()
        if self._fails:
            raise RuntimeError("it could not be stopped")


def test_each_ends_while_the_others_do_and_what_one_raises_keeps_none_running() -> None:
    asked = threading.Barrier(3)
    companions = [Waiting(asked), Waiting(asked, fails=True), Waiting(asked)]
    for companion in companions:
        companion.start()
    with pytest.raises(RuntimeError, match="could not be stopped"):
        stop_all(companions)
    assert not [thread for thread in threading.enumerate() if thread.name == "waiting"]


def test_one_that_never_began_is_no_hindrance() -> None:
    stop_all([Waiting(threading.Barrier(1)), Waiting(threading.Barrier(1))])
