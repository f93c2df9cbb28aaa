"""INSTALL.md says what there is: paths, commands, options and settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pitwall.cli import COMMANDS
from tests.contracts.test_docs import options
from tests.deploy.stubs import ROOT

PAGE = (ROOT / "INSTALL.md").read_text()
OF_NO_OPTION = {"PITWALL_KEY_FILE", "PITWALL_SOCKET", "PITWALL_DEBUG"}


def test_every_path_of_the_repository_is_there() -> None:
    named = re.findall(r"deploy/[\w/.-]+", PAGE)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


def test_every_command_is_one() -> None:
    named = set(re.findall(r"(?<![/\w-])pitwall ([a-z][a-z-]+)", " ".join(re.findall(r"`+[^`]+`+", PAGE))))
    assert {"doctor", "run", "archive"} <= named
    assert named - {"pitwall-server"} <= set(COMMANDS), named - set(COMMANDS)


@pytest.mark.parametrize(
    "script", ["deploy/termux/install.sh", "deploy/systemd/install.sh", "deploy/systemd/uninstall.sh"]
)
def test_every_option_of_a_script_is_taken_by_it(script: str) -> None:
    lines = [line.split("#")[0] for line in PAGE.splitlines() if script in line and not line.startswith("`")]
    taken = (ROOT / script).read_text()
    for line in lines:
        for flag in re.findall(r"--[a-z]+", line.partition(script)[2]):
            assert f"{flag})" in taken or f"{flag} |" in taken or f"| {flag}" in taken, f"{script} {flag}"


@pytest.mark.parametrize(
    "file", [ROOT / "INSTALL.md", *sorted((ROOT / "deploy").rglob("*.sh"))], ids=lambda path: path.name
)
def test_every_setting_is_one_that_pitwall_reads(file: Path) -> None:
    known = {str(option.envvar) for _, option in options() if option.envvar} | OF_NO_OPTION
    own = set(re.findall(r"\$\{(PITWALL_\w+):-", file.read_text()))  # those that a script reads itself
    assert set(re.findall(r"\bPITWALL_[A-Z_]+\b", file.read_text())) - own <= known


def test_the_readme_leads_here() -> None:
    assert "(INSTALL.md)" in (ROOT / "README.md").read_text()
