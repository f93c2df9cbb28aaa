"""Process ids in, what those processes take of the memory out: told once a minute, and warned of when it only grows.

Linux tells of any process of ours in /proc; elsewhere only this one's most so far is known.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
TELL_S: Final = 60.0

GROWTH_BYTES: Final = 10_000_000
"""A minute: at that rate a phone's gigabyte is gone within a race of two hours."""

MINUTES: Final = 3
"""So many in a row: opening a session, or building one, takes its memory once; a leak goes on."""


ARENAS: Final = 2
TRIM_BYTES: Final = 65_536
_M_ARENA_MAX, _M_TRIM_THRESHOLD = -8, -1  # of glibc's malloc.h; what another C library does not know, it leaves be


def lean() -> None:
    """Has what is freed go back to the system: for a process that lives for hours beside bigger ones.

    To be called before Arrow is imported, and before threads are started.  Arrow's own allocators keep what a segment
    took while it was sealed, and malloc's heaps, one a thread, what each of them ever took at once: together 40 MB of a
    recorder of 120.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    with suppress(OSError, AttributeError):  # no glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, ARENAS)
        libc.mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES)


def trim() -> None:
    """Has malloc give back what is free just now: after work that took much at once.  Some milliseconds."""
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def rss_bytes(pid: int | None = None) -> int | None:
    """What is resident of a process (None: of this one); None: it is gone, or nobody tells."""
    try:
        return int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        if pid not in (None, os.getpid()):
            return None
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def since_ns(pid: int) -> int | None:
    """When a process began, unix time in ns; None: it is gone, or nobody tells."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.time_ns() - round((up_s - ticks / os.sysconf("SC_CLK_TCK")) * 1e9)


class Growth:
    """Of one process, from its begin on.  The first minute is left out: it has yet to load what it needs."""

    def __init__(self) -> None:
        self._minutes: list[float] = []

    def minute(self, seen: list[int]) -> int:
        """Another minute, in which so much was seen; bytes a minute that it grew by if it does nothing else, or 0."""
        if not seen:
            return 0
        # of the lower half: what was taken and given back within the minute is no growth
        self._minutes.append(statistics.median_low(sorted(seen)[: len(seen) // 2 + 1]))
        recent = self._minutes[1:][-MINUTES - 1 :]
        steps = [after - before for before, after in pairwise(recent)]
        grows = len(steps) == MINUTES and min(steps) > GROWTH_BYTES
        return round(sum(steps) / MINUTES) if grows else 0


class MemoryWatch:
    """Over some processes.  pids: by name, those that live just then; tell: is given the line of each minute."""

    def __init__(self, pids: Callable[[], Mapping[str, int]], tell: Callable[[str], None] | None = None) -> None:
        self._pids = pids
        self._tell = tell or (lambda line: logger.info("%s", line))
        self._growth: dict[int, Growth] = {}
        self._seen: dict[int, list[int]] = {}
        self._minute_s = time.monotonic()

    def look(self) -> None:
        """To be called every `LOOK_S` or so."""
        pids = self._pids()
        for pid in pids.values():
            resident = rss_bytes(pid)
            if resident is not None:
                self._seen.setdefault(pid, []).append(resident)
        if time.monotonic() - self._minute_s < TELL_S:
            return
        self._minute_s = time.monotonic()
        newest = {name: self._seen[pid][-1] for name, pid in pids.items() if self._seen.get(pid)}
        if newest:
            self._tell("memory: " + ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in newest.items()))
        for name, pid in pids.items():
            grown = self._growth.setdefault(pid, Growth()).minute(self._seen.get(pid, []))
            if grown:
                logger.warning("%s grows by %.0f MB a minute, and gives nothing back", name, grown / 1e6)
        self._seen = {}
        self._growth = {pid: self._growth[pid] for pid in pids.values()}


@contextmanager
def watched(name: str) -> Iterator[None]:
    """This process is, while the `with` lasts, in a thread that does nothing else."""
    stop = threading.Event()
    watch = MemoryWatch(lambda: {name: os.getpid()})

    def run() -> None:
        while not stop.wait(LOOK_S):
            watch.look()

    thread = threading.Thread(target=run, name="pitwall-memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
