"""A check that hangs or raises is a failed line, and the next one is made."""

from __future__ import annotations

import os
import threading

import pytest

from pitwall.commands.doctor import lines
from pitwall.doctor.check import Check, Finding, Verdict, examine, failed, ok, warning
from pitwall.doctor.machine import Machine
from pitwall.errors import PitwallError


def raising(error: Exception) -> Finding:
    raise error


def test_whatever_goes_wrong_with_a_check_is_its_own_line() -> None:
    forever = threading.Event()

    def hangs() -> Finding:
        forever.wait()
        return ok("too late")

    checks = [
        Check("hangs", hangs, limit_s=0.05),
        Check("breaks", lambda: raising(ZeroDivisionError("division by zero"))),
        Check("says", lambda: raising(PitwallError("is lost", where="can0", hint="plug it in"))),
        Check("works", lambda: ok("fine")),
    ]
    found = [finding for _, finding in examine(checks)]
    forever.set()
    assert [one.verdict for one in found] == [Verdict.FAILED] * 3 + [Verdict.OK]
    assert found[0].said == "no answer within 0.05 s"
    assert "ZeroDivisionError" in found[1].said
    assert found[2] == failed("can0: is lost", "plug it in")


@pytest.mark.parametrize("words", [1, 5, 40])
def test_a_finding_fits_a_terminal_whatever_it_says(words: int) -> None:
    finding = warning("something rather long " * words, "/a/path/that/has/no/place/to/break/" * words)
    told = list(lines("listen-only", finding))
    assert max(map(len, told)) <= 80
    assert told[0].startswith("warning  listen-only  something")
    assert any(line.strip().startswith("->") for line in told)


def test_a_command_that_hangs_fails_or_is_not_there_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr("pitwall.doctor.machine.COMMAND_S", 0.2)
    assert machine.run("sleep", "60") is None
    assert machine.run("false") is None
    assert machine.run("no-such-command-of-ours") is None
    assert machine.run("echo", "here") == "here"
    assert machine.run("true") == ""
    assert machine.read(f"/proc/{os.getpid()}/comm")
    assert machine.read("/no/such/file") is None
