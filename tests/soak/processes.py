"""What processes cost, from /proc: CPU seconds and resident bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
WORDS: Final = ("record", "serve", "pitwall.rebuild")
"""What a process of pitwall was started with, and what it is called here."""


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu_s: user and system, since the process began.  rss_bytes: now."""

    cpu_s: float
    rss_bytes: int


def cost(pid: int) -> Cost | None:
    """None: there is no such process any more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return Cost((int(stat[11]) + int(stat[12])) / TICKS, pages * PAGE_BYTES)


def family(pid: int) -> dict[int, str]:
    """The process `pid` and all below it that live: pid -> `run`, or one of `WORDS`."""
    parents, words = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            said = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if stat[0] != "Z":
            parents[int(folder.name)] = int(stat[1])
            words[int(folder.name)] = next((word for word in WORDS if word in said), "")
    found, added = {pid: "run"}, True
    while added:
        new = {child: words[child] for child, parent in parents.items() if parent in found and child not in found}
        found |= {child: word for child, word in new.items() if word}
        added = any(new.values())
    return found
