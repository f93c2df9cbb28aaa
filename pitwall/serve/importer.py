"""Captures that were uploaded in, sessions of the log out: one after the other, each by a `pitwall import` of its own.

Laws:

1. The server writes no log: a process does, as nice as can be, which first has the whole capture.
2. All of a capture is a session, or nothing is: an import that is ended removes what it has begun.
3. No import outlives the server, and no capture its import.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.errands import Errand, Errands

if TYPE_CHECKING:
    from pathlib import Path

    from pitwall.serve.uploads import Upload, Uploads

NOT_MEANT: Final = frozenset({"PITWALL_SESSION", "PITWALL_START_LINE", "PITWALL_LOG_JSON"})
"""What the server's environment says of these is not about a capture that somebody sends."""


@dataclass(eq=False)
class Import(Errand):
    """A capture's, from its upload on.  session: what it became."""

    upload: Upload
    car: str
    start_line: str
    session: str | None = None
    id: str = field(default_factory=lambda: f"import-{secrets.token_hex(8)}", kw_only=True)

    @property
    def file(self) -> str:
        """The capture's name."""
        return self.upload.path.name

    @property
    def failing(self) -> str:
        return f"{self.file} was not imported"

    def words(self, line: str) -> str:
        """A line about a capture, by its name alone: where it lay for a while helps nobody."""
        return line.replace(f"{self.upload.path.parent}{os.sep}", "")


class Importer(Errands[Import]):
    """The thread, from `start` to `stop`."""

    does = "imported"

    def __init__(self, uploads: Uploads, logs: Path, projections: Path, cars: Path) -> None:
        """projections: the folder that was named, private or not."""
        super().__init__("pitwall-importer")
        self.uploads = uploads
        self._places = (logs, projections, cars)
        self._count: Counter[str] = Counter()  # of those that ended

    def put(self, upload: Upload, car: str, start_line: str = "") -> Import:
        """A capture that is whole: it is imported in its turn, and removed.  start_line: as `--start-line` takes it."""
        one = Import(upload, car, start_line)
        with self._lock:
            self._waiting.append(one)
        self._asked.set()
        return one

    def report(self) -> dict[str, Any]:
        """As `/health` has it."""
        states = Counter(one.state for one in self.jobs())
        return {
            "running": states["running"],
            "waiting": states["waiting"],
            "done": self._count["done"],
            "failed": self._count["failed"],
        }

    def run(self) -> None:
        self.uploads.sweep()
        super().run()

    def command(self, one: Import) -> list[str]:
        logs, projections, cars = self._places
        said = [f"--logs={logs}", f"--projections={projections}", f"--cars={cars}"]
        line = [f"--start-line={one.start_line}"] if one.start_line else []
        return ["pitwall", *said, "import", str(one.upload.path), f"--car={one.car}", *line, "--json", "--errand"]

    def environment(self) -> Mapping[str, str]:
        return {name: value for name, value in os.environ.items() if name not in NOT_MEANT}

    def take(self, one: Import, said: Mapping[str, Any]) -> None:
        one.session = said["session"]

    def over(self, one: Import) -> None:
        one.upload.remove()
        self._count[one.state] += 1
