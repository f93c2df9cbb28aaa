"""What a process really imports, seen from outside: a phone can record with little, and help waits for nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pitwall.cli import COMMANDS

HEAVY = {"duckdb", "sanic", "cantools", "isotp", "orjson", "watchfiles", "pint", "pyarrow.dataset", "asammdf", "pandas"}
"""Nothing of a recorder."""

SLOW = HEAVY | {"numpy", "pyarrow", "can", "rich", "yaml", "msgspec"}
"""Nothing that a help page needs."""


def imported(arguments: list[str], folder: Path, *, until: str = "") -> set[str]:
    """The modules of a `pitwall ARGUMENTS` when it ends; it is asked to end once `until` is in its log folder."""
    listing = folder / "modules.json"
    program = textwrap.dedent(
        """
        import atexit, json, sys
        from pathlib import Path
        atexit.register(lambda: Path(sys.argv[1]).write_text(json.dumps(sorted(sys.modules))))
        from pitwall.cli import run
        sys.exit(run(sys.argv[2:]))
        """
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(listing), *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if until:
            assert process.stdout is not None
            assert until in process.stdout.readline()
            process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    return set(json.loads(listing.read_text()))


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]], ids=" ".join
)
def test_help_imports_nothing_slow(arguments: list[str], tmp_path: Path) -> None:
    assert sorted(imported(arguments, tmp_path) & SLOW) == []


def test_a_recorder_imports_no_projection_no_server_and_no_dbc_reader(tmp_path: Path) -> None:
    found = imported(["record", "--simulate", "--logs", str(tmp_path / "logs")], tmp_path, until="recording")
    assert sorted(found & HEAVY) == []
    assert not {name for name in found if name.startswith(("pitwall.project", "pitwall.serve", "pitwall.decode"))}
