"""One setting in, what DuckDB and Arrow may take out: `PITWALL_MEMORY`, or what suits the machine.

The setting is the environment's, so that every process that builds or reads a projection has the same: the server, its
rebuilds, `replay`, `query`.  `--memory` sets it.  A process takes about 100 MB beside it, and a rebuild what DuckDB
must have to write a file with its columns (`database.py`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from pitwall.errors import UsageError

VARIABLE: Final = "PITWALL_MEMORY"

LEAST_BYTES: Final = 64_000_000
"""With less DuckDB can't sort what a page's question needs."""

SMALL_BYTES: Final = 256_000_000
"""What a phone or a Pi can spare: groups, sorts and windows over ten million rows go well, and the process stays near
350 MB."""
SMALL_RAM_BYTES: Final = 8_500_000_000
"""Machines with no more are small.  Larger ones give a 32nd part, and MOST_BYTES at most: more was never quicker."""
MOST_BYTES: Final = 1_000_000_000

THREAD_BYTES: Final = 128_000_000
"""DuckDB's threads each want so much; fewer threads are slower, fewer bytes fail."""
MOST_THREADS: Final = 4

SPILLED: Final = 8
"""Times the memory: what sorting and grouping may put aside on disk; then the query fails, and nothing else does."""
MOST_SPILL_BYTES: Final = 4_000_000_000

_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}


@dataclass(frozen=True, slots=True)
class Memory:
    """What there is.  bytes: of DuckDB's buffers, for reading.  spill_bytes: on disk."""

    bytes: int
    threads: int
    spill_bytes: int


def memory() -> Memory:
    """What this process may take.  UsageError: the setting is no size."""
    said = os.environ.get(VARIABLE, "")
    count = parsed(said) if said else suits(_ram_bytes())
    threads = max(1, min(MOST_THREADS, os.cpu_count() or 1, count // THREAD_BYTES))
    return Memory(count, threads, min(MOST_SPILL_BYTES, SPILLED * count))


def parsed(text: str) -> int:
    """`256MB`, `0.5GB`, `300MiB` in bytes.  UsageError: it is none of these, or too little."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]?I?)B?\s*", text.upper())
    if match is None or match[2] not in _UNITS:
        raise UsageError(f"{text!r} is no amount of memory", where="--memory", hint="256MB, 1GB")
    count = round(float(match[1]) * _UNITS[match[2]])
    if count < LEAST_BYTES:
        raise UsageError(f"{text} is too little", where="--memory", hint=f"{LEAST_BYTES // 10**6}MB at least")
    return count


def suits(ram_bytes: int) -> int:
    """What a machine with so much memory can spare."""
    return SMALL_BYTES if ram_bytes <= SMALL_RAM_BYTES else min(MOST_BYTES, max(SMALL_BYTES, ram_bytes // 32))


@cache
def _ram_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0
