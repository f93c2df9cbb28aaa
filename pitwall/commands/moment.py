"""A time of a session as people say it in, nanoseconds since the session began out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from pitwall.errors import UsageError

_SINCE: Final = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,6}):)?(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})\s*s?")


def moment_ns(text: str, started_at_ns: int) -> int:
    """`12.5`, `12.5s`, `1:23.4`, `1:01:23.4` since the session began, or a date and time of day: ISO 8601, UTC unless
    it says else.  UsageError: it is none of these, or was before the session began.

    started_at_ns: when the session began, in Unix ns.
    """
    since = _SINCE.fullmatch(text.strip())
    if since is not None:
        hours, minutes, seconds = (Decimal(part or 0) for part in since.groups())
        return int((hours * 3600 + minutes * 60 + seconds) * 10**9)
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{text!r} is no time", hint="seconds since the session began (12.5), 1:23.4, or 2026-11-23T14:05:12Z"
        ) from None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    passed = when - datetime(1970, 1, 1, tzinfo=UTC)
    unix_ns = ((passed.days * 86_400 + passed.seconds) * 10**6 + passed.microseconds) * 1000
    if unix_ns < started_at_ns:
        raise UsageError(f"{text!r} was before the session began")
    return unix_ns - started_at_ns
