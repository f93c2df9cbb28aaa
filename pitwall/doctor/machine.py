"""The machine as the checks see it: files, commands, the environment, the time.  The seam at which a test makes it ill.

Law: nothing here waits without a limit, and what can't be read or run is None, never an exception.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

COMMAND_S: Final = 3.0
"""A command that has not answered by then is taken for hung: those of Termux:API hang while its app is frozen."""


class Machine:
    """This one."""

    @property
    def is_android(self) -> bool:
        """Whether this is a phone: its own Python, or one in a container of Termux's."""
        return sys.platform == "android" or "TERMUX_VERSION" in os.environ or Path("/system/build.prop").exists()

    def read(self, path: str) -> str | None:
        """A small file's text."""
        try:
            return Path(path).read_text(errors="replace").strip("\0\n ")
        except OSError:
            return None

    def entries(self, path: str) -> list[str]:
        """The names in a folder, in order; none where it can't be read."""
        try:
            return sorted(entry.name for entry in Path(path).iterdir())
        except OSError:
            return []

    def which(self, command: str) -> bool:
        """Whether there is such a command."""
        return shutil.which(command) is not None

    def run(self, *command: str) -> str | None:
        """What a command prints, "" where it prints nothing; None where there is none, it fails, or hangs."""
        try:
            done = subprocess.run(  # noqa: S603  our own words, no shell
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=COMMAND_S, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode(errors="replace").strip()

    def now_s(self) -> float:
        """Unix time."""
        return time.time()


MACHINE: Final = Machine()
