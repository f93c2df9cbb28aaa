"""A supervisor's children: what it can't start now, it starts later, and the others go on."""

from __future__ import annotations

import errno
import subprocess
import time
from typing import Any

import pytest

from pitwall.commands import children
from pitwall.commands.children import Child


def test_a_child_that_can_not_be_started_again_just_now_is_no_end_of_all(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_S", 0.01)
    child = Child("the server", ["version"], patience_s=5)
    child.start()
    pid = child.pid
    assert pid is not None
    real, refused = subprocess.Popen, []

    def popen(*arguments: Any, **options: Any) -> Any:
        if len(refused) < 3:
            refused.append(True)
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return real(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    until = time.monotonic() + 60
    while len(refused) < 3 or child.pid is None:
        assert time.monotonic() < until
        assert child.tend(may_give_up=False) is None
        time.sleep(0.01)
    assert child.pid != pid
    assert caplog.text.count("the server can't be started: Cannot allocate memory") == 3
    child.kill()
