"""The log beside a list of rows: a moment of `make torture ARGS=machine`."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from tests.torture import machine
from tests.torture.crash_states_disk import Recorder


def test_whatever_is_done_to_a_log_it_holds_what_the_list_does():
    machine.run(examples=60, steps=30, seed=1)


@pytest.mark.parametrize("lies", [False, True])
def test_a_log_that_loses_what_was_durable_is_caught(monkeypatch, lies):
    log = machine.LogMachine()
    log.start()
    if lies:
        monkeypatch.setattr(Recorder, "sync", lambda _self, _fd: None)
    log.begin(1 << 20)
    log.append(3, 1, 0)
    log.sync()
    with pytest.raises(AssertionError, match="durable") if lies else nullcontext():
        log.cut(1, least=True)
    log.known.clear()
    log.teardown()
