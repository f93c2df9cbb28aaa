"""Sessions in, those that are due to leave this machine out, oldest first.

Laws: a session that is being recorded, was interrupted, is pinned, or is the newest, stays; so does one whose age
nobody knows, unless there is need of space.  Pure: no clock, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NO_CLOCK_NS: Final = 1_577_836_800 * 10**9  # 2020-01-01
"""A time before this was told by a clock that had not been set: it makes nothing old."""


@dataclass(frozen=True, slots=True)
class Held:
    """A session on this machine.

    rested_at_ns: wall clock when it came to rest here: was recorded, imported or restored.
    bytes: what its leaving frees, in the log and in what was built from it.
    """

    session: str
    state: str
    pinned: bool
    rested_at_ns: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How long sessions are kept, and how many bytes of the disk are kept free; None: neither."""

    keep_s: float | None = None
    keep_free: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A session that is to leave, and why."""

    session: str
    why: str


def due(held: Sequence[Held], policy: Policy, *, free: int, now_ns: int) -> list[Due]:
    """The sessions of `held` (oldest first) that are to leave, oldest first.  free: bytes free on the disk now."""
    leaving = []
    for one in held[:-1]:
        if one.state != "ended" or one.pinned:
            continue
        if policy.keep_s is not None and _age_s(one, now_ns) > policy.keep_s:
            leaving.append(Due(one.session, f"older than {_days(policy.keep_s)}"))
        elif policy.keep_free is not None and free < policy.keep_free:
            leaving.append(Due(one.session, f"less than {policy.keep_free / 1e9:g} GB free"))
        else:
            continue
        free += one.bytes
    return leaving


def _age_s(one: Held, now_ns: int) -> float:
    return 0.0 if one.rested_at_ns < NO_CLOCK_NS else (now_ns - one.rested_at_ns) / 1e9


def _days(seconds: float) -> str:
    return f"{seconds / 86_400:g} days"
