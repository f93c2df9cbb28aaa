"""Which run of the machine this is: what a monotonic clock's time means only together with."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot_id() -> str:
    """The kernel's name for this boot; "" where it has none (not Linux), or does not tell (some phones)."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
