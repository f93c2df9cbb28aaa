"""`file:line` of a definition in, what stands there out, for whoever is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LINE: Final = 400
"""Characters that are shown of a line."""


@dataclass(frozen=True, slots=True)
class Written:
    """file: its name alone.  text: of the line, as it is now; "" where it can't be read."""

    file: str
    line: int
    text: str


def written(where: str) -> Written:
    """What stands at `where`, `file:line`."""
    file, _, line = where.rpartition(":")
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as text:
            found = next((row for at, row in enumerate(text, start=1) if at == int(line)), "")
    except OSError:
        found = ""
    return Written(Path(file).name, int(line), " ".join(found.split())[:_LINE])
