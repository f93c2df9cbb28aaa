"""File systems of one's own, in a mount namespace that nobody else sees: small, read-only, or about to lose power.

A part that mounts runs as `python -m tests.torture.PART …` in a namespace of its own (`inside`); with its process go
its mounts and loop devices.  Where that is not allowed, `why_not` says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from tests.torture.killer import ROOT, environment

MEMORY: Final = Path("/dev/shm")
_ALONE: Final = ("unshare", "--mount", "--propagation", "private")
_TRIALS: Final = {
    "tmpfs": 'd=$(mktemp -d); mount -t tmpfs -o size=1m none "$d"; s=$?; umount "$d"; rmdir "$d"; exit $s',
    "ext4": (
        'd=$(mktemp -d); mkdir "$d/m"; truncate -s 16m "$d/i"; mkfs.ext4 -q -F "$d/i" && mount -o loop "$d/i" "$d/m"'
        '; s=$?; umount "$d/m"; rm -r "$d"; exit $s'
    ),
}


@cache
def why_not(kind: str) -> str:
    """Why a file system of this kind can't be mounted here; "" where it can."""
    if missing := [name for name in ("unshare", "mount", "mkfs.ext4") if not shutil.which(name, path=_path())]:
        return f"there is no {missing[0]}"
    tried = subprocess.run([*_ALONE, "sh", "-c", _TRIALS[kind]], env=_environment(), capture_output=True, text=True)
    said = tried.stderr.strip().splitlines()
    return "" if tried.returncode == 0 else f"no {kind} can be mounted in a namespace: {said[0] if said else 'refused'}"


def inside(module: str, *arguments: object) -> Iterator[str]:
    """What `python -m tests.torture.MODULE ARGUMENTS` prints in a namespace of its own, line by line.

    Raises AssertionError, with what it wrote to stderr, where it fails.
    """
    command = [*_ALONE, sys.executable, "-m", f"tests.torture.{module}", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=_environment(), text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            for line in process.stdout:
                yield line.rstrip("\n")
            said = process.stderr.read()
            assert process.wait() == 0, said
        finally:
            process.kill()


@contextlib.contextmanager
def mounted(kind: str, at: Path, options: str, source: Path | str = "none") -> Iterator[Path]:
    """A file system, mounted at a folder while the context lasts."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", kind, "-o", options, str(source), str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _environment() -> dict[str, str]:
    return environment() | {"PATH": _path()}
