"""What a process really imports, seen from outside: a phone can record with little, and help waits for nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Set
from pathlib import Path

import pytest

from pitwall.cli import COMMANDS

HEAVY = {
    "duckdb",
    "sanic",
    "cantools",
    "isotp",
    "orjson",
    "msgspec",
    "watchfiles",
    "pint",
    "pyarrow.dataset",
    "asammdf",
    "pandas",
}
"""Nothing of a recorder."""

SLOW = HEAVY | {"numpy", "pyarrow", "can", "rich", "yaml", "msgspec"}
"""Nothing that a help page needs."""


def imported(arguments: list[str], folder: Path, *, until: str = "", blocked: Set[str] = frozenset()) -> set[str]:
    """The modules of a `pitwall ARGUMENTS` when it ends; it is asked to end once it prints `until`.

    blocked: packages that are not to be had.
    """
    listing = folder / "modules.json"
    program = textwrap.dedent(
        """
        import atexit, json, sys
        from pathlib import Path
        atexit.register(lambda: Path(sys.argv[1]).write_text(json.dumps(sorted(sys.modules))))

        class Blocked:
            def find_spec(self, name, *_):
                if name.partition(".")[0] in sys.argv[2].split():
                    raise ModuleNotFoundError(f"not on a phone: {name}", name=name)

        sys.meta_path.insert(0, Blocked())
        from pitwall.cli import run
        sys.exit(run(sys.argv[3:]))
        """
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(listing), " ".join(blocked), *arguments],
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


# --- a phone, whose Python has no wheel of some packages

NOT_ON_A_PHONE = {
    "cantools",
    "isotp",
    "duckdb",
    "watchfiles",
    "sanic",
    "orjson",
    "msgspec",
    "pint",
    "psutil",
    "serial",
    "asammdf",
}
PACKAGES = {"can-isotp": "isotp"}


def required(line: str) -> str:
    """The module of a requirement's package."""
    name = re.split(r"[<>=; ]", line, maxsplit=1)[0]
    return PACKAGES.get(name, name)


def test_what_a_phone_lacks_is_required_elsewhere_and_named_by_the_server_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    marked = [line for line in project["dependencies"] if "sys_platform != 'android'" in line]
    assert {required(line) for line in marked} < NOT_ON_A_PHONE
    assert sorted(line.partition(" ;")[0] for line in marked) == sorted(project["optional-dependencies"]["server"])


def test_a_phone_records_ends_lists_and_verifies_without_them(tmp_path: Path) -> None:
    logs = ["--logs", str(tmp_path / "logs")]
    for arguments, until in (
        (["record", "--simulate", *logs], "recording"),
        (["sessions", *logs], ""),
        (["verify", *logs], ""),
        (["doctor", "--port", "0", *logs], ""),
        (["version"], ""),
    ):
        assert not imported(arguments, tmp_path, until=until, blocked=NOT_ON_A_PHONE) & NOT_ON_A_PHONE
