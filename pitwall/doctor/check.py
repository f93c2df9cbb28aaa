"""Checks in, results out: each is asked within its own time, and whatever goes wrong with one is its result.

Law: no check, hung or raising, keeps another from being made; none ends in a traceback.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pitwall.errors import PitwallError


class Verdict(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"  # it works, and something may be lost or slow
    FAILED = "failed"  # it will not work
    SKIPPED = "skipped"  # it does not apply here, or can't be looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.  said: the fact.  advice: what to do about it, "" for nothing."""

    verdict: Verdict
    said: str
    advice: str = ""


def ok(said: str, advice: str = "") -> Finding:
    """All is well."""
    return Finding(Verdict.OK, said, advice)


def warning(said: str, advice: str) -> Finding:
    """It works, but."""
    return Finding(Verdict.WARNING, said, advice)


def failed(said: str, advice: str) -> Finding:
    """It will not work."""
    return Finding(Verdict.FAILED, said, advice)


def skipped(said: str, advice: str = "") -> Finding:
    """Not looked at."""
    return Finding(Verdict.SKIPPED, said, advice)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.  limit_s: what has not answered by then has failed."""

    name: str
    look: Callable[[], Finding]
    limit_s: float = 5.0


_DEVICE_HINT: Final = "something it asked does not answer: unplug it, or restart this machine, and try again"


def examine(checks: Sequence[Check]) -> Iterator[tuple[Check, Finding]]:
    """Each check with what it found, in their order, as soon as it is known."""
    for check in checks:
        yield check, _within(check)


def _within(check: Check) -> Finding:
    found: list[Finding] = []

    def look() -> None:
        try:
            found.append(check.look())
        except PitwallError as error:
            found.append(failed(f"{error.where}: {error.what}" if error.where else error.what, error.hint))
        except Exception as error:  # noqa: BLE001  the rim of a check: whatever it is, the next one is made
            found.append(failed(f"{type(error).__name__}: {error}", "a bug in pitwall, please report it"))

    # a daemon: one that hangs for good does not keep the program from ending
    thread = threading.Thread(target=look, name=f"check {check.name}", daemon=True)
    thread.start()
    thread.join(check.limit_s)
    return found[0] if found else failed(f"no answer within {check.limit_s:g} s", _DEVICE_HINT)
