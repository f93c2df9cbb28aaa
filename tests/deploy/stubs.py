"""Commands of a phone or a system that are not there: each writes down how it was called, and does as the test says."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

OF_A_SHELL = (
    "bash sh env cat cp mv rm ln mkdir rmdir chmod chown touch test date sleep timeout dirname basename readlink sed "
    "grep tr cut head tail sort uniq wc id uname printf echo true false install find stat ls mktemp kill seq awk tee "
    "sha256sum comm realpath expr tput flock"
)
"""What Debian and Termux both have; nothing else of this machine is on a stubbed PATH."""


@dataclass
class Stubs:
    """A folder of stub commands, to be the whole PATH of what is run."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir(parents=True, exist_ok=True)
        self.calls_file.touch()
        for name in OF_A_SHELL.split():
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def calls_file(self) -> Path:
        return self.folder / "calls"

    def add(self, *names: str) -> None:
        """Commands that succeed and say nothing."""
        for name in names:
            self.does(name, "")

    def does(self, name: str, script: str) -> None:
        """A command that does this, in sh, with its arguments."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.calls_file}"\n{script}\n')
        path.chmod(0o755)

    def remove(self, name: str) -> None:
        (self.bin / name).unlink()

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines()

    def called(self, beginning: str) -> list[str]:
        """The calls that begin so."""
        return [call for call in self.calls if call.startswith(beginning)]

    def forget(self) -> None:
        self.calls_file.write_text("")

    @property
    def env(self) -> Mapping[str, str]:
        return {"PATH": str(self.bin), "LC_ALL": "C.UTF-8", **self.environment}

    def run(self, script: str, *arguments: object, within_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a script of the repository; its output and its exit code."""
        return subprocess.run(
            ["bash", str(ROOT / script), *map(str, arguments)],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
        )

    def start(self, script: str, *arguments: object) -> subprocess.Popen[str]:
        """Start one; whoever does ends it."""
        return subprocess.Popen(
            ["bash", str(ROOT / script), *map(str, arguments)],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def on_path(stubs: Stubs) -> str:
    """The stubs before everything else that this machine has."""
    return f"{stubs.bin}{os.pathsep}{os.environ['PATH']}"
