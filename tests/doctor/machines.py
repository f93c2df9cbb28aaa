"""A machine made of what a test says: files, what commands print, the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pitwall.doctor.machine import Machine

NOON = 1_764_072_000.0
"""25 November 2025, 12:00 UTC."""


@dataclass
class Made(Machine):
    """files: by path.  commands: what a command prints, by its words joined with spaces; None: it hangs or fails."""

    android: bool = False
    files: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str | None] = field(default_factory=dict)
    unix_s: float = NOON

    @property
    def is_android(self) -> bool:
        return self.android

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def entries(self, path: str) -> list[str]:
        inside = [name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(f"{path}/")]
        return sorted(set(inside))

    def which(self, command: str) -> bool:
        return any(words.split()[0] == command for words in self.commands)

    def run(self, *command: str) -> str | None:
        return self.commands.get(" ".join(command))

    def now_s(self) -> float:
        return self.unix_s
